//! Names of namespaces and tables, and the rules they follow.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// The longest name of a namespace or table, in bytes: AWS Glue's limit.
///
/// Source: <https://docs.aws.amazon.com/glue/latest/webapi/API_Table.html>
pub const MAX_NAME_BYTES: usize = 255;

/// A table's full name: `namespace.table`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    namespace: String,
    table: String,
}

impl TableName {
    /// A name from its two parts.
    ///
    /// # Errors
    /// `InvalidInput` if a part breaks [`check_name`].
    pub fn new(namespace: impl Into<String>, table: impl Into<String>) -> Result<Self> {
        let (namespace, table) = (namespace.into(), table.into());
        check_name("namespace", &namespace)?;
        check_name("table", &table)?;
        Ok(Self { namespace, table })
    }

    /// The namespace; a database, in Glue's terms.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name within the namespace.
    pub fn table(&self) -> &str {
        &self.table
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace, self.table)
    }
}

impl FromStr for TableName {
    type Err = Error;

    /// Reads `namespace.table`.
    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('.') {
            Some((namespace, table)) => Self::new(namespace, table),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("`{text}` is not a table's full name; write NAMESPACE.TABLE"),
            )),
        }
    }
}

/// Checks a name against the set that Glue, Athena, Snowflake and a file path all take: lower-case
/// ASCII letters, digits and `_`, not starting with a digit, at most 255 bytes.
///
/// Source: <https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html>
///
/// # Errors
/// `InvalidInput`, with the rule and a name that would do.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts && name.len() <= MAX_NAME_BYTES && name.chars().all(legal) {
        return Ok(());
    }
    let mut hint: String = name
        .chars()
        .take(MAX_NAME_BYTES - 1)
        .map(|c| if legal(c.to_ascii_lowercase()) { c.to_ascii_lowercase() } else { '_' })
        .collect();
    if !hint.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') {
        hint.insert(0, '_');
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "the {what} name `{name}` is not allowed: use lower-case letters, digits and `_`, not \
             starting with a digit, at most {MAX_NAME_BYTES} bytes; for instance `{hint}`"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_glue_athena_and_snowflake_take() {
        for good in ["a", "_a", "lab_result", "t2024"] {
            check_name("table", good).unwrap();
        }
        for (bad, hint) in [
            ("", "`_`"),
            ("Lab", "`lab`"),
            ("2x", "`_2x`"),
            ("a b", "`a_b`"),
            ("a/../b", "`a____b`"),
        ] {
            let error = check_name("table", bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().contains(hint), "{error}");
        }
        check_name("table", &"a".repeat(256)).unwrap_err();
    }

    #[test]
    fn a_full_name_has_two_parts() {
        let name: TableName = "bronze.lab".parse().unwrap();
        assert_eq!((name.namespace(), name.table()), ("bronze", "lab"));
        assert_eq!(name.to_string(), "bronze.lab");
        for bad in ["lab", "a.b.c", ".b", "a."] {
            assert!(bad.parse::<TableName>().is_err(), "{bad}");
        }
    }
}
