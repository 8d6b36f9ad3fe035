//! What of a client's updates is refused, before any is made.

use iceberg::spec::{
    FormatVersion, MAIN_BRANCH, Snapshot, TableMetadata, Transform, UnboundPartitionSpec,
};
use iceberg::{TableRequirement, TableUpdate};

use super::RequestedChange;
use crate::storage::Place;
use crate::table::evolve::check_schema;
use crate::{Error, ErrorKind, Result};

/// A snapshot whose time is further ahead of this machine's than this was made by a wrong clock, in
/// milliseconds: later commits of others would have to wait for it.
const MOST_AHEAD_MS: i64 = 10 * 60 * 1_000;

/// Refuses requirements that do not hold.
///
/// # Errors
/// `Conflict`, with the first of them.
pub(super) fn check_requirements(
    change: &RequestedChange,
    metadata: Option<&TableMetadata>,
) -> Result<()> {
    let unmet = change.requirements.iter().find_map(|wanted| wanted.check(metadata).err());
    match unmet {
        None => Ok(()),
        Some(error) => Err(conflict(format!(
            "{}; another writer changed the table: read it again and plan anew",
            error.message()
        ))),
    }
}

/// Refuses updates that this table may not get.
///
/// # Errors
/// `Unsupported` and `InvalidInput`, with the reason; `Conflict` for a snapshot that was made on an
/// older state of the table.
pub(super) fn check_updates(
    change: &RequestedChange,
    metadata: &TableMetadata,
    now_ms: i64,
) -> Result<()> {
    let mut version = metadata.format_version();
    let mut sequence = metadata.last_sequence_number();
    for update in &change.updates {
        check_new(update)?;
        match update {
            TableUpdate::AssignUuid { uuid } if *uuid != metadata.uuid() => {
                return Err(refused("a table keeps its uuid"));
            }
            TableUpdate::UpgradeFormatVersion { format_version } => version = *format_version,
            TableUpdate::SetLocation { location } if !is_at(metadata, location) => {
                let text = "a table stays where it is: its files would stay behind";
                return Err(Error::new(ErrorKind::Unsupported, text));
            }
            TableUpdate::RemovePartitionSpecs { .. } => {
                let text = "partition specs are kept: files may be there that only they describe";
                return Err(Error::new(ErrorKind::Unsupported, text));
            }
            TableUpdate::RemoveSchemas { schema_ids } => check_unused(metadata, schema_ids)?,
            TableUpdate::AddSnapshot { snapshot } => {
                check_snapshot(snapshot, version, &mut sequence, now_ms)?;
            }
            TableUpdate::SetSnapshotRef { ref_name, reference } if reference.is_branch() => {
                check_branch(change, metadata, ref_name, reference.snapshot_id)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what no table may get, be it new or not.
///
/// # Errors
/// `Unsupported` and `InvalidInput`, with the reason.
pub(super) fn check_new(update: &TableUpdate) -> Result<()> {
    match update {
        TableUpdate::UpgradeFormatVersion { format_version } => check_version(*format_version),
        TableUpdate::AddEncryptionKey { .. } | TableUpdate::RemoveEncryptionKey { .. } => {
            let text = "encryption keys need format version 3, which is not written";
            Err(Error::new(ErrorKind::Unsupported, text))
        }
        TableUpdate::AddSchema { schema } => check_schema(schema),
        TableUpdate::AddSpec { spec } => check_transforms(spec),
        TableUpdate::SetSnapshotRef { ref_name, reference }
            if ref_name == MAIN_BRANCH && !reference.is_branch() =>
        {
            Err(refused("main is a branch and cannot become a tag"))
        }
        _ => Ok(()),
    }
}

/// Refuses a format version that is not written.
///
/// # Errors
/// `Unsupported`.
pub(super) fn check_version(version: FormatVersion) -> Result<()> {
    match version {
        FormatVersion::V1 | FormatVersion::V2 => Ok(()),
        FormatVersion::V3 => Err(Error::new(
            ErrorKind::Unsupported,
            "format version 3 is not written; use version 2",
        )),
    }
}

fn check_transforms(spec: &UnboundPartitionSpec) -> Result<()> {
    match spec.fields().iter().any(|field| field.transform == Transform::Unknown) {
        true => Err(Error::new(ErrorKind::Unsupported, "a partition transform is not known")),
        false => Ok(()),
    }
}

/// Refuses to remove schemas that snapshots were written with.
fn check_unused(metadata: &TableMetadata, schema_ids: &[i32]) -> Result<()> {
    let used =
        |snapshot: &Snapshot| snapshot.schema_id().is_some_and(|id| schema_ids.contains(&id));
    match metadata.snapshots().any(|snapshot| used(snapshot)) {
        true => Err(refused("a snapshot was written with a schema that would be removed; keep it")),
        false => Ok(()),
    }
}

/// Refuses a snapshot that cannot be the table's next.
pub(super) fn check_snapshot(
    snapshot: &Snapshot,
    version: FormatVersion,
    sequence: &mut i64,
    now_ms: i64,
) -> Result<()> {
    if snapshot.row_range().is_some() || snapshot.encryption_key_id().is_some() {
        let text = "row lineage and encryption need format version 3, which is not written";
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    if snapshot.timestamp_ms().saturating_sub(now_ms) > MOST_AHEAD_MS {
        return Err(refused(
            "the new snapshot's time is more than 10 minutes ahead of this server's clock; set the \
             clock of the machine that wrote it",
        ));
    }
    // A number that was given to another snapshot since would put deletes before rows that they are of.
    if version != FormatVersion::V1 && snapshot.sequence_number() <= *sequence {
        return Err(conflict(format!(
            "the new snapshot has sequence number {}, and the table is at {sequence}: another writer \
             was first; read the table again and plan anew",
            snapshot.sequence_number(),
        )));
    }
    *sequence = (*sequence).max(snapshot.sequence_number());
    Ok(())
}

/// Refuses to move a branch to a new snapshot that was not made on its head, unless the client said
/// which head it means, or replaces the table.
fn check_branch(
    change: &RequestedChange,
    metadata: &TableMetadata,
    branch: &str,
    to: i64,
) -> Result<()> {
    let asserted = change.requirements.iter().any(|wanted| {
        matches!(wanted, TableRequirement::RefSnapshotIdMatch { r#ref, .. } if r#ref == branch)
    });
    let replaced = change.updates.iter().any(|update| {
        matches!(update, TableUpdate::RemoveSnapshotRef { ref_name } if ref_name == branch)
    });
    let Some(head) = metadata.snapshot_for_ref(branch).filter(|_| !asserted && !replaced) else {
        return Ok(());
    };
    let added = |id: i64| {
        change.updates.iter().find_map(|update| match update {
            TableUpdate::AddSnapshot { snapshot } if snapshot.snapshot_id() == id => Some(snapshot),
            _ => None,
        })
    };
    let mut at = Some(to);
    // More steps than there are updates would be a circle.
    for _ in 0..=change.updates.len() {
        match at.and_then(added) {
            Some(snapshot) => at = snapshot.parent_snapshot_id(),
            // One that was there before may be gone back to.
            None if at == Some(to) => return Ok(()),
            None => break,
        }
    }
    if at == Some(head.snapshot_id()) {
        return Ok(());
    }
    Err(conflict(
        "the new snapshot was not made on the head of its branch: another writer was first; read the \
         table again and plan anew"
            .to_string(),
    ))
}

fn is_at(metadata: &TableMetadata, location: &str) -> bool {
    let place = |location: &str| Place::of(location.trim_end_matches('/')).ok();
    place(location).is_some_and(|wanted| Some(wanted) == place(metadata.location()))
}

pub(super) fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

fn conflict(message: String) -> Error {
    Error::new(ErrorKind::Conflict, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::TableName;

    const NOW_MS: i64 = 1_714_521_600_000;

    fn snapshot(id: i64, parent: Option<i64>, sequence: i64) -> serde_json::Value {
        let mut snapshot = json!({
            "snapshot-id": id, "sequence-number": sequence, "timestamp-ms": NOW_MS,
            "manifest-list": "file:///w/l.avro", "summary": {"operation": "append"}, "schema-id": 0,
        });
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = json!(parent);
        }
        snapshot
    }

    /// A table at snapshot 2, whose parent is 1.
    fn table() -> TableMetadata {
        serde_json::from_value(json!({
            "format-version": 2, "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
            "location": "file:///w/t", "last-sequence-number": 2, "last-updated-ms": NOW_MS,
            "last-column-id": 1, "current-schema-id": 0,
            "schemas": [{"schema-id": 0, "type": "struct",
                "fields": [{"id": 1, "name": "a", "required": false, "type": "long"}]}],
            "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}],
            "last-partition-id": 999, "default-sort-order-id": 0,
            "sort-orders": [{"order-id": 0, "fields": []}], "properties": {},
            "current-snapshot-id": 2,
            "snapshots": [snapshot(1, None, 1), snapshot(2, Some(1), 2)],
            "refs": {"main": {"snapshot-id": 2, "type": "branch"}},
        }))
        .unwrap()
    }

    /// The answer to new snapshots and a move of `main` to one.
    fn checked(
        new: &[(i64, Option<i64>, i64)],
        main: i64,
        with: &[serde_json::Value],
    ) -> Result<()> {
        let added = new.iter().map(|&(id, parent, sequence)| {
            json!({"action": "add-snapshot", "snapshot": snapshot(id, parent, sequence)})
        });
        let moved = json!({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
            "snapshot-id": main});
        let updates = added.chain(with.iter().cloned()).chain([moved]);
        let change = RequestedChange {
            name: TableName::new("b", "t").unwrap(),
            requirements: Vec::new(),
            updates: updates.map(|update| serde_json::from_value(update).unwrap()).collect(),
        };
        check_updates(&change, &table(), NOW_MS)
    }

    #[test]
    fn m5_a_branch_moves_to_what_was_made_on_its_head_or_to_what_was_there() {
        checked(&[(3, Some(2), 3)], 3, &[]).unwrap();
        checked(&[(3, Some(2), 3), (4, Some(3), 4)], 4, &[]).unwrap();
        checked(&[], 1, &[]).unwrap();
        let replaces = json!({"action": "remove-snapshot-ref", "ref-name": "main"});
        checked(&[(3, None, 3)], 3, &[replaces]).unwrap();
        for (new, main) in [
            (vec![(3, Some(1), 3)], 3),
            (vec![(3, None, 3)], 3),
            (vec![(3, Some(4), 3), (4, Some(3), 4)], 4),
            (vec![(3, Some(2), 2)], 3),
            (vec![(3, Some(2), 3), (4, Some(3), 3)], 4),
        ] {
            let error = checked(&new, main, &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{new:?}: {error}");
        }
    }

    #[test]
    fn schemas_that_snapshots_were_written_with_stay() {
        let change = |ids: &[i32]| RequestedChange {
            name: TableName::new("b", "t").unwrap(),
            requirements: Vec::new(),
            updates: vec![TableUpdate::RemoveSchemas { schema_ids: ids.to_vec() }],
        };
        assert!(check_updates(&change(&[0]), &table(), NOW_MS).is_err());
        assert!(check_updates(&change(&[7]), &table(), NOW_MS).is_ok());
    }

    #[test]
    fn a_table_is_where_it_is_however_that_is_written() {
        for (location, is_there) in [
            ("file:///w/t", true),
            ("file:///w/t/", true),
            ("file:/w/t", true),
            ("/w/t", true),
            ("file:///w/t2", false),
            ("s3://w/t", false),
        ] {
            assert_eq!(is_at(&table(), location), is_there, "{location}");
        }
    }
}
