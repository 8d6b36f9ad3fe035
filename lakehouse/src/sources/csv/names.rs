//! Column names from header texts: the normal form, renames, and what no name can be made of.

use std::collections::{BTreeMap, HashMap};

use northstar_catalog::{Error, ErrorKind, Result};

use super::HeaderColumn;

/// New names by header text. The second header `Name` of a file has the key `Name#2`, and an empty
/// header at position 3 the key `#3`. Keys that a file does not have are ignored.
pub type Renames = BTreeMap<String, String>;

/// Names the columns of a header, in order.
///
/// # Errors
/// `InvalidData` with the file, the column's number and the rename that resolves it, for headers
/// that are empty, repeated, equal once normalised, or reserved; `InvalidInput` for a rename that is
/// not a column name itself.
pub(super) fn name_columns(
    raws: Vec<String>,
    renames: &Renames,
    file: &str,
) -> Result<Vec<HeaderColumn>> {
    let mut occurrences: HashMap<String, usize> = HashMap::new();
    let mut owners: HashMap<String, usize> = HashMap::new();
    let mut columns: Vec<HeaderColumn> = Vec::with_capacity(raws.len());
    for (index, raw) in raws.into_iter().enumerate() {
        let place = Place { number: index + 1, file };
        let trimmed = raw.trim();
        let seen = occurrences.entry(trimmed.to_owned()).or_insert(0);
        *seen += 1;
        let key = match (trimmed, *seen) {
            ("", _) => format!("#{}", place.number),
            (text, 1) => text.to_owned(),
            (text, count) => format!("{text}#{count}"),
        };
        let name = match renames.get(&key) {
            Some(new) => checked(new, &key)?,
            None => normal_name(trimmed, &key, &place)?,
        };
        if let Some(&first) = owners.get(&name) {
            let what = if columns[first].raw.trim() == trimmed {
                format!("the header is the same as that of column {}", first + 1)
            } else {
                format!("the header and that of column {} become the same name", first + 1)
            };
            return Err(place.error(&what, &shown(trimmed, &key)));
        }
        owners.insert(name.clone(), index);
        columns.push(HeaderColumn { raw, name });
    }
    Ok(columns)
}

/// A rename's key with `TEXT` for the header's text: in a file without a header that text is a
/// patient's record, which must not get into a message.
fn shown(trimmed: &str, key: &str) -> String {
    format!("TEXT{}", key.strip_prefix(trimmed).unwrap_or_default())
}

/// Where a header stands, for errors.
struct Place<'a> {
    number: usize,
    file: &'a str,
}

impl Place<'_> {
    fn error(&self, what: &str, key: &str) -> Error {
        let message = format!(
            "{what}; if the file has a header, rename the column in the contract: {key:?} = {{ name = \
             \"new_name\" }}, where TEXT is the header's text"
        );
        Error::new(ErrorKind::InvalidData, message)
            .with_context("file", self.file)
            .with_context("column", self.number)
    }
}

/// The normal form of a header's text: lower case, with `_` for all but ASCII letters, digits and
/// `_`; none of those replacements are kept at the ends.
fn normal_name(trimmed: &str, key: &str, place: &Place<'_>) -> Result<String> {
    if trimmed.is_empty() {
        return Err(place.error("the header is empty", key));
    }
    if trimmed.starts_with('_') {
        let what = "the header starts with `_`, which is for lineage columns";
        return Err(place.error(what, &shown(trimmed, key)));
    }
    let kept = trimmed.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let name: String = kept
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    if name.is_empty() || name.starts_with('_') {
        let what = "no column name can be made of the header";
        return Err(place.error(what, &shown(trimmed, key)));
    }
    Ok(name)
}

/// A new name, if it is in normal form.
fn checked(new: &str, key: &str) -> Result<String> {
    let normal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if new.is_empty() || new.starts_with('_') || !new.bytes().all(normal) {
        let message = format!(
            "the contract renames {key:?} to {new:?}; use lower-case letters, digits and `_`, not \
             starting with `_`"
        );
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    Ok(new.to_owned())
}
