//! How a table wants `MERGE`, `UPDATE` and `DELETE` to be done, in Iceberg's own properties.
//!
//! Source: <https://iceberg.apache.org/docs/latest/configuration/#write-properties>

use std::collections::HashMap;

use crate::{Error, ErrorKind, Result};

/// How rows of a file are changed: `write.merge.mode`, `write.update.mode`, `write.delete.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLevelMode {
    /// The file is written anew.
    CopyOnWrite,
    /// Its rows are deleted by position; what they become is written to a new file.
    MergeOnRead,
    /// For each file the one of the two that costs less, later reads included.
    Auto,
}

impl RowLevelMode {
    /// What a table's properties say for `MERGE`, `UPDATE` or `DELETE`; the cheaper one for each file
    /// if nothing. `auto` is a word of our own, which other engines may refuse; leaving the property
    /// out means the same.
    ///
    /// # Errors
    /// `InvalidInput`, naming the property, for a mode that is not one.
    pub fn read(properties: &HashMap<String, String>, verb: &str) -> Result<Self> {
        let known = [
            ("auto", Self::Auto),
            ("copy-on-write", Self::CopyOnWrite),
            ("merge-on-read", Self::MergeOnRead),
        ];
        setting(properties, verb, "mode", known)
    }
}

/// What another writer's commit may do to a statement that was planned before it:
/// `write.merge.isolation-level`, `write.update.isolation-level`, `write.delete.isolation-level`.
///
/// At both levels no update is lost and no deleted row comes back (M5): rows that the statement takes
/// and that the other changed make it start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    /// The statement means what it would mean on the other's table. Rows that the other added are
    /// searched, and a statement that depends on the whole table starts again.
    Serializable,
    /// The statement means what it meant on the snapshot that it read. Rows that the other added are
    /// not looked at: two `MERGE`s that insert one key at once insert it twice.
    Snapshot,
}

impl IsolationLevel {
    /// What a table's properties say for `MERGE`, `UPDATE` or `DELETE`; serializable if nothing.
    ///
    /// # Errors
    /// `InvalidInput`, naming the property, for a level that is not one.
    pub fn read(properties: &HashMap<String, String>, verb: &str) -> Result<Self> {
        let known = [("serializable", Self::Serializable), ("snapshot", Self::Snapshot)];
        setting(properties, verb, "isolation-level", known)
    }
}

/// The value of `write.VERB.SETTING`; the first of the known ones if it is not set.
fn setting<T: Copy, const N: usize>(
    properties: &HashMap<String, String>,
    verb: &str,
    setting: &str,
    known: [(&str, T); N],
) -> Result<T> {
    let key = format!("write.{}.{setting}", verb.to_ascii_lowercase());
    let value = properties.get(&key).map_or(known[0].0, String::as_str);
    match known.iter().find(|(name, _)| *name == value) {
        Some((_, meaning)) => Ok(*meaning),
        None => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{key} is `{value}`; use {}", known.map(|(name, _)| name).join(" or ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_its_own_setting_and_others_are_refused_by_name() {
        let properties: HashMap<String, String> = [
            ("write.merge.mode", "merge-on-read"),
            ("write.delete.mode", "equality"),
            ("write.update.isolation-level", "snapshot"),
            ("write.delete.isolation-level", "Snapshot"),
        ]
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .into();
        let mode = |verb| RowLevelMode::read(&properties, verb);
        let level = |verb| IsolationLevel::read(&properties, verb);
        assert_eq!(mode("MERGE").unwrap(), RowLevelMode::MergeOnRead);
        assert_eq!(mode("UPDATE").unwrap(), RowLevelMode::Auto);
        assert!(
            mode("DELETE").unwrap_err().to_string().contains("write.delete.mode is `equality`")
        );
        assert_eq!(level("MERGE").unwrap(), IsolationLevel::Serializable);
        assert_eq!(level("UPDATE").unwrap(), IsolationLevel::Snapshot);
        let error = level("DELETE").unwrap_err().to_string();
        assert!(error.contains("use serializable or snapshot"), "{error}");
    }
}
