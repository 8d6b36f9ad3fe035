//! Properties that are set and taken away, and those that follow a column when its name changes.
//!
//! Properties name columns by their names, not their ids. If they did not follow, a renamed column
//! would lose its metrics mode, and a manifest could show bounds of what must have none.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{FormatVersion, Schema, TableMetadata, TableProperties};

use super::columns::{check_nested_names, check_new_name};
use super::refused;
use super::siblings::is_within;
use crate::commit::summary::MAX_VALUE_BYTES;
use crate::table::properties::{KEY, PHI_DIRECT, column_prefixes};
use crate::table::{IsolationLevel, RowLevelMode, TableDefinition, WriteProperties};
use crate::{Error, ErrorKind, Result};

/// The properties whose values are lists of columns.
const LISTS: [&str; 2] = [KEY, PHI_DIRECT];

/// The columns that a property lists.
pub(super) fn listed<'a>(
    properties: &'a HashMap<String, String>,
    key: &str,
) -> impl Iterator<Item = &'a str> {
    let text = properties.get(key).map_or("", String::as_str);
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Refuses properties that a table with these columns cannot have.
///
/// # Errors
/// `InvalidInput`, naming the property; `Unsupported` as [`WriteProperties::read`].
pub(crate) fn check(properties: &HashMap<String, String>, schema: &Schema) -> Result<()> {
    for (key, value) in properties {
        if TableProperties::RESERVED_PROPERTIES.contains(&key.as_str()) {
            return Err(refused(format!(
                "{key} is kept in the table's metadata itself and cannot be set"
            )));
        }
        if key.is_empty() || key.len() + value.len() > MAX_VALUE_BYTES {
            return Err(refused(format!(
                "a property needs a name, and takes at most {MAX_VALUE_BYTES} bytes with its value"
            )));
        }
    }
    let prefixes = column_prefixes();
    let by_key = properties.keys().filter_map(|key| {
        Some((key, prefixes.iter().find_map(|prefix| key.strip_prefix(prefix))?))
    });
    let keys: Vec<String> = LISTS.iter().map(|key| (*key).to_string()).collect();
    let in_lists = keys.iter().flat_map(|key| listed(properties, key).map(move |name| (key, name)));
    for (key, column) in by_key.chain(in_lists) {
        if schema.field_by_name(column).is_none() {
            return Err(refused(format!(
                "{key} speaks of a column `{column}`, which is not there"
            )));
        }
    }
    for verb in ["MERGE", "UPDATE", "DELETE"] {
        RowLevelMode::read(properties, verb)?;
        IsolationLevel::read(properties, verb)?;
    }
    WriteProperties::read(properties).map(drop)
}

/// Whether a table gets another format version, of those that are written.
///
/// # Errors
/// `Unsupported` for another version than 2, and for a table that is past it.
pub(super) fn upgrades(metadata: &TableMetadata, version: &str) -> Result<bool> {
    match (metadata.format_version(), version) {
        (FormatVersion::V1, "2") => Ok(true),
        (FormatVersion::V2, "2") => Ok(false),
        (now, _) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the table is of format version {now}, and tables are upgraded to 2 alone"),
        )),
    }
}

/// Refuses a table that cannot be defined so, where [`TableDefinition`] itself does not.
///
/// # Errors
/// As [`check`], and `InvalidInput` for names that columns may not have and for partitions of columns
/// that identify people.
pub(crate) fn check_definition(definition: &TableDefinition) -> Result<()> {
    for column in &definition.columns {
        check_new_name(&column.name)?;
    }
    let properties = definition.all_properties().into_iter().collect();
    let schema = definition.schema()?;
    for column in schema.as_struct().fields() {
        check_nested_names(&column.field_type)
            .map_err(|error| error.with_context("column", &column.name))?;
    }
    check(&properties, &schema)?;
    let mut fields = definition.partition.iter().map(|field| field.column.as_str());
    match fields.find(|column| identifies(&properties, column)) {
        None => Ok(()),
        Some(column) => Err(identifying(column)),
    }
}

/// Whether a column, or what it is a part of, identifies people.
pub(super) fn identifies(properties: &HashMap<String, String>, column: &str) -> bool {
    listed(properties, PHI_DIRECT).any(|name| is_within(column, name))
}

/// The error for a partition field made of a column that identifies people.
pub(super) fn identifying(column: &str) -> Error {
    refused(format!(
        "`{column}` identifies people ({PHI_DIRECT}): partition values become folder names; partition \
         by another column"
    ))
}

/// Whether a property speaks of a column, or of a part of it.
pub(super) fn column_is_named(properties: &HashMap<String, String>, column: &str) -> bool {
    let prefixes = column_prefixes();
    let by_key = properties.keys().any(|key| {
        let name = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix.as_str()));
        name.is_some_and(|name| is_within(name, column))
    });
    by_key || LISTS.iter().any(|key| listed(properties, key).any(|name| is_within(name, column)))
}

/// The properties after columns were renamed and dropped: (to be set, to be taken away).
pub(super) fn follow(
    properties: &HashMap<String, String>,
    renamed: &[(String, String)],
    dropped: &[String],
) -> (HashMap<String, String>, Vec<String>) {
    let mut now: BTreeMap<String, String> =
        properties.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let prefixes = column_prefixes();
    // What is said of a column is said of its parts too.
    let column_of = |key: &str| {
        prefixes.iter().find_map(|prefix| Some((prefix, key.strip_prefix(prefix)?.to_string())))
    };
    for (from, to) in renamed {
        let moved: Vec<(String, String)> = now
            .keys()
            .filter_map(|key| {
                let (prefix, column) = column_of(key)?;
                let rest =
                    column.strip_prefix(from.as_str()).filter(|_| is_within(&column, from))?;
                Some((key.clone(), format!("{prefix}{to}{rest}")))
            })
            .collect();
        for (from, to) in moved {
            if let Some(value) = now.remove(&from) {
                now.insert(to, value);
            }
        }
    }
    now.retain(|key, _| {
        let column = column_of(key).map(|(_, column)| column);
        !column.is_some_and(|column| dropped.iter().any(|gone| is_within(&column, gone)))
    });
    let gone_or_other = |name: &str| {
        renamed.iter().any(|(from, _)| is_within(name, from))
            || dropped.iter().any(|gone| is_within(name, gone))
    };
    for key in LISTS {
        if !listed(properties, key).any(gone_or_other) {
            continue;
        }
        let Some(text) = now.get(key).filter(|text| !text.is_empty()) else { continue };
        let names = text.split(',').map(str::trim).filter_map(|name| {
            let name = renamed.iter().fold(name.to_string(), |name, (from, to)| {
                match name.strip_prefix(from.as_str()).filter(|_| is_within(&name, from)) {
                    Some(rest) => format!("{to}{rest}"),
                    None => name,
                }
            });
            (!dropped.iter().any(|column| is_within(&name, column))).then_some(name)
        });
        let names = names.collect::<Vec<_>>().join(",");
        match names.is_empty() {
            true => now.remove(key),
            false => now.insert(key.to_string(), names),
        };
    }
    let gone = properties.keys().filter(|key| !now.contains_key(*key)).cloned().collect();
    let set = now.into_iter().filter(|(key, value)| properties.get(key) != Some(value)).collect();
    (set, gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn names_in_properties_change_with_the_columns() {
        let before = map(&[
            (KEY, "a, b"),
            (PHI_DIRECT, "b"),
            ("write.metadata.metrics.column.a", "full"),
            ("write.metadata.metrics.column.b", "counts"),
            ("owner", "b"),
            ("write.metadata.metrics.column.b.x", "none"),
            ("write.metadata.metrics.column.bb", "none"),
        ]);
        let renamed = [("b".to_string(), "c".to_string()), ("a".to_string(), "b".to_string())];
        let (set, gone) = follow(&before, &renamed, &[]);
        let want = map(&[
            (KEY, "b,c"),
            (PHI_DIRECT, "c"),
            ("write.metadata.metrics.column.b", "full"),
            ("write.metadata.metrics.column.c", "counts"),
            ("write.metadata.metrics.column.c.x", "none"),
        ]);
        assert_eq!(set, want);
        let mut gone = gone;
        gone.sort_unstable();
        assert_eq!(gone, ["write.metadata.metrics.column.a", "write.metadata.metrics.column.b.x"]);
        let (set, mut gone) = follow(&before, &[], &["b".to_string()]);
        gone.sort_unstable();
        assert_eq!(set, map(&[(KEY, "a")]));
        assert_eq!(
            gone,
            [PHI_DIRECT, "write.metadata.metrics.column.b", "write.metadata.metrics.column.b.x"]
        );
        assert_eq!(follow(&before, &[], &[]).0.len(), 0);
    }
}
