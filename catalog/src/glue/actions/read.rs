//! What a client sent, read: typed, with names folded to lower case, and never told back.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, ErrorKind, Result, TableName};

/// The longest name that Glue takes, in bytes.
const MOST_NAME_BYTES: usize = 255;

/// A typed request.
///
/// # Errors
/// `InvalidInput`, saying which member does not fit, without its value.
pub fn read<T: DeserializeOwned>(input: Value) -> Result<T> {
    T::deserialize(input)
        .map_err(|error| Error::new(ErrorKind::InvalidInput, unvalued(&error.to_string())))
}

/// The text of a JSON error without the values that it quotes, which may be of patients and may hold
/// quotes of their own. Names of members are ours.
fn unvalued(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, part) in text.split('"').enumerate() {
        shown.push_str(if index % 2 == 0 { part } else { "…" });
    }
    for before in ["unknown variant `", "integer `", "floating point `", "character `", "boolean `"]
    {
        if let Some((head, rest)) = shown.split_once(before) {
            let tail = rest.split_once("`, expected").map_or("", |(_, tail)| tail);
            shown = format!("{head}{before}…`, expected{tail}");
        }
    }
    shown
}

/// A database or table name as Glue stores it: in lower case.
///
/// # Errors
/// `InvalidInput` for an empty name and one that is too long.
pub(super) fn folded(what: &str, name: &str) -> Result<String> {
    if name.is_empty() || name.len() > MOST_NAME_BYTES {
        let text = format!("the name of a {what} has 1 to {MOST_NAME_BYTES} bytes");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    Ok(name.to_lowercase())
}

/// The full name of a table.
///
/// # Errors
/// `InvalidInput` for a name that this catalog does not take.
pub(super) fn table_name(database: &str, table: &str) -> Result<TableName> {
    TableName::new(folded("database", database)?, folded("table", table)?)
}

/// The full name of a table that should be there. A name that this catalog does not take is of none.
///
/// # Errors
/// `NotFound`; `InvalidInput` for an empty name.
pub(super) fn known_name(database: &str, table: &str) -> Result<TableName> {
    let (database, table) = (folded("database", database)?, folded("table", table)?);
    TableName::new(database, table).map_err(|_| {
        let text = "there is no such table: names have lower-case letters, digits and `_` here";
        Error::new(ErrorKind::NotFound, text)
    })
}

/// A number that a client may give, within bounds.
///
/// # Errors
/// `InvalidInput`, naming the bounds.
pub(super) fn within(name: &str, value: Option<i64>, most: usize) -> Result<usize> {
    let Some(value) = value else { return Ok(most) };
    match usize::try_from(value) {
        Ok(value) if (1..=most).contains(&value) => Ok(value),
        _ => {
            let text = format!("`{name}` is between 1 and {most}");
            Err(Error::new(ErrorKind::InvalidInput, text))
        }
    }
}

/// Where a list goes on: opaque to clients, so that it can change.
///
/// # Errors
/// `InvalidInput` for a token that this server did not make.
pub(super) fn after(token: Option<&str>) -> Result<String> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(String::new()) };
    let name = token.strip_prefix(TOKEN);
    name.filter(|name| name.len() <= MOST_NAME_BYTES).map(str::to_string).ok_or_else(|| {
        let text = "`NextToken` is not one that this server gave; begin the list again";
        Error::new(ErrorKind::InvalidInput, text)
    })
}

/// The token of a list that goes on after a name.
pub(super) fn token(name: &str) -> String {
    format!("{TOKEN}{name}")
}

const TOKEN: &str = "after:";

/// A request that may name the catalog, as all do.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct OfCatalog {
    catalog_id: Option<String>,
}

/// Refuses a request for the catalog of another account.
///
/// # Errors
/// `PermissionDenied` for another account; `InvalidInput` if the request is no object.
pub(super) fn check_catalog(input: &Value, account: &str) -> Result<()> {
    if !input.is_object() {
        return Err(Error::new(ErrorKind::InvalidInput, "a request is a JSON object"));
    }
    let named: OfCatalog = read(input.clone())?;
    match named.catalog_id.as_deref() {
        None => Ok(()),
        Some(id) if id == account => Ok(()),
        Some(_) => {
            let text = format!("this server has the catalog of account {account} alone");
            Err(Error::new(ErrorKind::PermissionDenied, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bad_member_is_told_without_its_value() {
        let error = read::<OfCatalog>(json!({"CatalogId": {"Jane": "Doe"}})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!error.to_string().contains("Jane"), "{error}");
        for text in [
            r#"invalid type: string "Jane", expected u32"#,
            "invalid type: integer `19480501`, expected a string",
            "unknown variant `Jane `Roe`, expected one of `a`",
        ] {
            let shown = unvalued(text);
            assert!(!shown.contains("Jane") && !shown.contains("1948"), "{shown}");
        }
        assert_eq!(unvalued("missing field `Name`"), "missing field `Name`");
    }

    #[test]
    fn names_are_folded_and_bounded() {
        assert_eq!(table_name("Bronze", "LAB").unwrap().to_string(), "bronze.lab");
        assert_eq!(table_name("b", "").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(known_name("b", "a-b").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(folded("table", &"x".repeat(256)).is_err());
    }

    #[test]
    fn lists_go_on_where_they_stood() {
        assert_eq!(after(Some(&token("lab"))).unwrap(), "lab");
        assert_eq!(after(None).unwrap(), "");
        assert!(after(Some("lab")).is_err());
        assert_eq!(within("MaxResults", None, 100).unwrap(), 100);
        assert_eq!(within("MaxResults", Some(7), 100).unwrap(), 7);
        for bad in [0, -1, 101, i64::MAX] {
            assert!(within("MaxResults", Some(bad), 100).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_accounts_catalog_is_not_here() {
        assert!(check_catalog(&json!({}), "0").is_ok());
        assert!(check_catalog(&json!({"CatalogId": "0"}), "0").is_ok());
        let other = check_catalog(&json!({"CatalogId": "1"}), "0").unwrap_err();
        assert_eq!(other.kind(), ErrorKind::PermissionDenied);
        assert!(check_catalog(&json!([]), "0").is_err());
    }
}
