//! What is to be compared, and what it comes to in a table.

use iceberg::spec::{Schema, TableMetadata};

use crate::table::properties::KEY;
use crate::travel::{AsOf, resolve, rfc3339};
use crate::{Error, ErrorKind, Result};

/// Two states of a table, and the columns that identify a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffRequest {
    /// The state that changed.
    pub from: AsOf,
    /// What it became. It may be the older one.
    pub to: AsOf,
    /// The key, by which a row that went and one that came are an update. If there is none, the
    /// table's own: its property `northstar.key`, or else its identifier fields.
    pub key: Vec<String>,
}

/// The snapshot of one side.
///
/// # Errors
/// As [`resolve`] says, with the oldest snapshot that is kept.
pub(super) fn snapshot(metadata: &TableMetadata, side: &str, as_of: &AsOf) -> Result<Option<i64>> {
    resolve(metadata, as_of).map_err(|error| {
        let error = error.with_context("state", format!("{side} {as_of}"));
        match metadata.snapshots().min_by_key(|snapshot| snapshot.timestamp_ms()) {
            None => error,
            Some(oldest) => error.with_context(
                "oldest kept",
                format!("snapshot {} of {}", oldest.snapshot_id(), rfc3339(oldest.timestamp_ms())),
            ),
        }
    })
}

/// The key of a comparison, and what is to be said of it.
///
/// # Errors
/// `InvalidInput` for a column that was asked for and that the schema does not have.
pub(super) fn key(
    request: &DiffRequest,
    metadata: &TableMetadata,
    schema: &Schema,
) -> Result<(Vec<String>, Option<String>)> {
    let missing =
        |names: &[String]| names.iter().find(|name| schema.field_by_name(name).is_none()).cloned();
    if !request.key.is_empty() {
        return match missing(&request.key) {
            None => Ok((request.key.clone(), None)),
            Some(name) => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("the key has a column `{name}`, which the table has not"),
            )),
        };
    }
    let listed = metadata
        .properties()
        .get(KEY)
        .map(|names| names.split(',').map(|name| name.trim().to_string()).collect::<Vec<_>>());
    let declared = schema.identifier_field_ids().filter_map(|id| schema.name_by_field_id(id));
    let names = match listed {
        Some(names) => names,
        None => declared.map(str::to_string).collect(),
    };
    Ok(match missing(&names) {
        None => (names, None),
        Some(name) => {
            let note = format!(
                "the table's key has a column `{name}`, which is not there; without a key no row is \
                 an update"
            );
            (Vec::new(), Some(note))
        }
    })
}
