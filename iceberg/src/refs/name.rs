//! What a branch or tag may be called.

use crate::sql::moment_ms;
use crate::{Error, ErrorKind, Result};

/// No name is longer than this, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Checks the name of a new branch or tag. Iceberg allows any text; here it must also be one that
/// SQL can quote, and that cannot be taken for a snapshot id or a time where those may stand too.
///
/// # Errors
/// `InvalidInput`, saying what is wrong with it.
pub fn check_name(name: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::new(ErrorKind::InvalidInput, format!("a branch or tag needs a name {why}"))
            .with_context("name", name.escape_debug()))
    };
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return refuse(&format!("of 1 to {MAX_NAME_BYTES} bytes"));
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\'' | '"' | '`' | '\\')) {
        return refuse("without quotes, backslashes and control characters");
    }
    if name.trim() != name {
        return refuse("that neither begins nor ends with a blank");
    }
    if name.parse::<i64>().is_ok() {
        return refuse("that is no number, which would be taken for a snapshot id");
    }
    if matches!(moment_ms(name), Some(Ok(_))) {
        return refuse("that is no time, which would be taken for `AS OF` that time");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_sql_can_quote_and_nothing_else_can_mean() {
        let long = "x".repeat(128);
        for good in ["audit", "month-close-2024-05", "2024-05-01", "Jahr 2024", "größe", &long] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let longer = "x".repeat(129);
        for bad in [
            "",
            " a",
            "a ",
            "it's",
            "a\"b",
            "a`b",
            "a\\b",
            "a\nb",
            "77",
            "-1",
            "2024-05-01T00:00:00Z",
            &longer,
        ] {
            assert_eq!(check_name(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
}
