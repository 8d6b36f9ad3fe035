//! Which snapshot of a table a reader means: the current one, or one of the past.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat};
use iceberg::spec::TableMetadata;
use northstar_catalog::{Error, ErrorKind, Result};

use crate::refs::references;

/// The most tags and branches that an error lists.
const MAX_REFS_LISTED: usize = 10;

/// The state of a table that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AsOf {
    /// The head of the branch `main`.
    Current,
    /// The snapshot with this id.
    Snapshot(i64),
    /// What was current at this moment, in milliseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// The snapshot that a tag or branch names. Where neither has the name and it is a number, the
    /// snapshot with that id.
    Ref(String),
}

impl FromStr for AsOf {
    type Err = Infallible;

    /// Reads what people type: a time in RFC 3339, or else a tag, a branch or a snapshot's id.
    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(match DateTime::parse_from_rfc3339(text) {
            Ok(time) => Self::Timestamp(time.timestamp_millis()),
            Err(_) => Self::Ref(text.to_string()),
        })
    }
}

impl fmt::Display for AsOf {
    /// Writes it as the SQL clause that asks for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("CURRENT"),
            Self::Snapshot(id) => write!(f, "VERSION AS OF {id}"),
            Self::Timestamp(ms) => write!(f, "TIMESTAMP AS OF '{}'", rfc3339(*ms)),
            Self::Ref(name) => write!(f, "VERSION AS OF '{}'", name.replace('\'', "''")),
        }
    }
}

/// The id of the snapshot that `as_of` means; `None` is a table that has no snapshot yet, which
/// only [`AsOf::Current`] may ask for.
///
/// A moment is looked up in the snapshot log, which says what `main` pointed at and when. After a
/// rollback the log gains an entry for the older snapshot, so a moment after the rollback finds
/// that one, and a moment before it finds what readers saw then.
/// Source: <https://iceberg.apache.org/spec/#table-metadata-fields>, `snapshot-log`.
///
/// # Errors
/// `NotFound` for an id, tag or branch that the table does not have, for a snapshot that has
/// expired, and for a moment before the oldest snapshot, which the message names.
pub fn resolve(metadata: &TableMetadata, as_of: &AsOf) -> Result<Option<i64>> {
    match as_of {
        AsOf::Current => Ok(metadata.current_snapshot_id()),
        AsOf::Snapshot(id) => by_id(metadata, *id).map(Some),
        AsOf::Timestamp(ms) => by_time(metadata, *ms).map(Some),
        AsOf::Ref(name) => by_name(metadata, name).map(Some),
    }
}

fn by_id(metadata: &TableMetadata, id: i64) -> Result<i64> {
    if metadata.snapshot_by_id(id).is_some() {
        return Ok(id);
    }
    if has_expired(metadata, id) {
        return Err(not_found(format!(
            "snapshot {id} has expired; `northstar snapshots TABLE` lists those that are kept"
        )));
    }
    Err(not_found(format!(
        "the table has no snapshot {id}; `northstar snapshots TABLE` lists those it has"
    )))
}

/// Whether `id` was a snapshot once: the log or a snapshot's parent still names it.
fn has_expired(metadata: &TableMetadata, id: i64) -> bool {
    metadata.history().iter().any(|entry| entry.snapshot_id == id)
        || metadata.snapshots().any(|snapshot| snapshot.parent_snapshot_id() == Some(id))
}

fn by_time(metadata: &TableMetadata, ms: i64) -> Result<i64> {
    let log = metadata.history();
    let Some(oldest) = log.iter().min_by_key(|entry| entry.timestamp_ms()) else {
        return Err(not_found("the table has no snapshot yet, so it has no past either"));
    };
    // Clocks differ a little between writers, so the log is not assumed to be sorted: among the
    // entries of the moment or before it, the one written last counts.
    let Some(entry) = log.iter().rev().find(|entry| entry.timestamp_ms() <= ms) else {
        return Err(not_found(format!(
            "the table has no snapshot of {} or earlier; the oldest is snapshot {} of {}",
            rfc3339(ms),
            oldest.snapshot_id,
            rfc3339(oldest.timestamp_ms()),
        )));
    };
    if metadata.snapshot_by_id(entry.snapshot_id).is_none() {
        return Err(not_found(format!(
            "at {} the table stood at snapshot {}, which has expired; `northstar snapshots TABLE` \
             lists those that are kept",
            rfc3339(ms),
            entry.snapshot_id,
        )));
    }
    Ok(entry.snapshot_id)
}

fn by_name(metadata: &TableMetadata, name: &str) -> Result<i64> {
    if let Some(snapshot) = metadata.snapshot_for_ref(name) {
        return Ok(snapshot.snapshot_id());
    }
    if let Ok(id) = name.parse::<i64>() {
        return by_id(metadata, id);
    }
    let names = ref_names(metadata)?;
    let hint = match names.len() {
        0 => "it has none; `northstar snapshots TABLE` lists its snapshots".to_owned(),
        n if n <= MAX_REFS_LISTED => format!("it has {}", names.join(", ")),
        n => format!(
            "it has {} and {} more; `northstar snapshots TABLE` lists its snapshots",
            names[..MAX_REFS_LISTED].join(", "),
            n - MAX_REFS_LISTED
        ),
    };
    Err(not_found(format!("the table has no tag or branch `{name}`; {hint}")))
}

/// The names of all tags and branches, sorted.
fn ref_names(metadata: &TableMetadata) -> Result<Vec<String>> {
    Ok(references(metadata)?.keys().map(|name| format!("`{name}`")).collect())
}

/// A moment in RFC 3339, UTC, with milliseconds; a moment that no calendar holds as its number.
pub(crate) fn rfc3339(ms: i64) -> String {
    match DateTime::from_timestamp_millis(ms) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("{ms} ms"),
    }
}

fn not_found(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::NotFound, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const T1: i64 = 1_714_521_600_000; // 2024-05-01T00:00:00Z
    const HOUR: i64 = 3_600_000;

    /// Snapshots 1, 2 and 3, an hour apart; snapshot 9 has expired; then a rollback to 1.
    fn metadata() -> TableMetadata {
        let snapshot = |id: i64, parent: Option<i64>| {
            let mut value = json!({
                "snapshot-id": id, "sequence-number": id, "timestamp-ms": T1 + (id - 1) * HOUR,
                "manifest-list": format!("memory://t/{id}.avro"),
                "summary": {"operation": "append"}, "schema-id": 0
            });
            if let Some(parent) = parent {
                value["parent-snapshot-id"] = json!(parent);
            }
            value
        };
        let log = |id: i64, ms: i64| json!({"snapshot-id": id, "timestamp-ms": ms});
        parse(json!({
            "current-snapshot-id": 1,
            "snapshots": [snapshot(1, Some(9)), snapshot(2, Some(1)), snapshot(3, Some(2))],
            "snapshot-log": [
                log(1, T1), log(2, T1 + HOUR), log(3, T1 + 2 * HOUR), log(1, T1 + 3 * HOUR)
            ],
            "refs": {
                "main": {"snapshot-id": 1, "type": "branch"},
                "close-2024-05": {"snapshot-id": 2, "type": "tag"},
                "77": {"snapshot-id": 3, "type": "tag"}
            }
        }))
    }

    fn parse(extra: serde_json::Value) -> TableMetadata {
        let mut value = json!({
            "format-version": 2, "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
            "location": "memory://t", "last-sequence-number": 3,
            "last-updated-ms": T1 + 3 * HOUR, "last-column-id": 1, "current-schema-id": 0,
            "schemas": [{"schema-id": 0, "type": "struct",
                "fields": [{"id": 1, "name": "a", "required": false, "type": "long"}]}],
            "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}],
            "last-partition-id": 999, "default-sort-order-id": 0,
            "sort-orders": [{"order-id": 0, "fields": []}], "properties": {}
        });
        for (key, item) in extra.as_object().unwrap() {
            value[key] = item.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    fn message(as_of: &AsOf) -> String {
        let error = resolve(&metadata(), as_of).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        error.to_string()
    }

    #[test]
    fn a_moment_finds_what_main_pointed_at_even_after_a_rollback() {
        let at = |ms| resolve(&metadata(), &AsOf::Timestamp(ms)).unwrap();
        assert_eq!(at(T1), Some(1));
        assert_eq!(at(T1 + HOUR - 1), Some(1));
        assert_eq!(at(T1 + HOUR), Some(2));
        assert_eq!(at(T1 + 3 * HOUR - 1), Some(3));
        assert_eq!(at(T1 + 3 * HOUR), Some(1));
        assert_eq!(at(i64::MAX), Some(1));
    }

    #[test]
    fn a_moment_before_the_first_snapshot_names_the_oldest() {
        let text = message(&AsOf::Timestamp(T1 - 1));
        assert!(text.contains("the oldest is snapshot 1 of 2024-05-01T00:00:00.000Z"), "{text}");
    }

    #[test]
    fn ids_tags_branches_and_numbers_in_quotes_are_found() {
        let found = |as_of| resolve(&metadata(), &as_of).unwrap();
        assert_eq!(found(AsOf::Current), Some(1));
        assert_eq!(found(AsOf::Snapshot(3)), Some(3));
        assert_eq!(found(AsOf::Ref("close-2024-05".into())), Some(2));
        assert_eq!(found(AsOf::Ref("main".into())), Some(1));
        assert_eq!(found(AsOf::Ref("2".into())), Some(2));
        assert_eq!(found(AsOf::Ref("77".into())), Some(3));
    }

    #[test]
    fn what_is_not_there_says_what_is() {
        assert!(message(&AsOf::Snapshot(5)).contains("no snapshot 5; `northstar snapshots TABLE`"));
        assert!(message(&AsOf::Snapshot(9)).contains("snapshot 9 has expired"));
        assert!(message(&AsOf::Ref("9".into())).contains("snapshot 9 has expired"));
        let text = message(&AsOf::Ref("close".into()));
        assert!(text.ends_with("it has `77`, `close-2024-05`, `main`"), "{text}");
    }

    #[test]
    fn an_empty_table_has_a_present_but_no_past() {
        let empty = parse(json!({"last-sequence-number": 0}));
        assert_eq!(resolve(&empty, &AsOf::Current).unwrap(), None);
        for as_of in [AsOf::Timestamp(T1), AsOf::Snapshot(1), AsOf::Ref("main".into())] {
            assert_eq!(resolve(&empty, &as_of).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}
