//! The updates of a client, on the metadata of a head.

use iceberg::TableUpdate;
use iceberg::spec::{FormatVersion, MAIN_BRANCH, SnapshotRef, TableMetadata, TableMetadataBuilder};

use super::RequestedChange;
use super::allow::{check_requirements, check_updates, refused};
use super::follow;
use crate::lake::dated_apart;
use crate::refs::references;
use crate::table::evolve::check_spec;
use crate::{Error, ErrorKind, LakeTable, Result};

/// The metadata that the change makes of a head, at a time; `None` if the head is so already.
///
/// # Errors
/// `Conflict` if a requirement does not hold; `InvalidInput` and `Unsupported` for what a table
/// cannot become.
pub(super) fn apply(
    head: &LakeTable,
    change: &RequestedChange,
    now_ms: i64,
) -> Result<Option<TableMetadata>> {
    let before = head.metadata();
    if before.format_version() == FormatVersion::V3 {
        head.check_writable()?;
    }
    check_requirements(change, Some(before))?;
    check_updates(change, before, now_ms)?;
    let builder = before.clone().into_builder(Some(head.metadata_location().to_string()));
    let built = updated(builder, &change.updates)?;
    if built.changes.is_empty() {
        return Ok(None);
    }
    let mut after = built.metadata;
    check_refs(change, before, &after)?;
    check_result(change, &after)?;
    if let Some(followed) = follow::from(change, before, &after)? {
        after = followed;
    }
    let (updated_ms, entry_ms) = times(change, &after, now_ms);
    dated_apart(after, before.history(), updated_ms, entry_ms).map(Some)
}

/// All updates, made on a builder.
///
/// # Errors
/// `InvalidInput` for those that the metadata does not take.
pub(super) fn updated(
    builder: TableMetadataBuilder,
    updates: &[TableUpdate],
) -> Result<iceberg::spec::TableMetadataBuildResult> {
    updates
        .iter()
        .try_fold(builder, |builder, update| update.clone().apply(builder))
        .and_then(TableMetadataBuilder::build)
        .map_err(|error| {
            let text = format!("the table cannot be changed so: {}", error.message());
            Error::new(ErrorKind::InvalidInput, text)
        })
}

/// The snapshots of a table that the change added.
pub(super) fn added(change: &RequestedChange, after: &TableMetadata) -> Vec<SnapshotRef> {
    let ids = change.updates.iter().filter_map(|update| match update {
        TableUpdate::AddSnapshot { snapshot } => Some(snapshot.snapshot_id()),
        _ => None,
    });
    ids.filter_map(|id| after.snapshot_by_id(id).cloned()).collect()
}

/// When the table was changed, and when its current snapshot became so. A new snapshot is current from
/// its own time on: clients look for it by that.
pub(super) fn times(change: &RequestedChange, after: &TableMetadata, now_ms: i64) -> (i64, i64) {
    let added = added(change, after);
    let latest_ms = added.iter().map(|snapshot| snapshot.timestamp_ms()).max();
    let current = added.iter().find(|added| {
        after.snapshot_for_ref(MAIN_BRANCH).map(|main| main.snapshot_id())
            == Some(added.snapshot_id())
    });
    let entry_ms = current.map_or(now_ms, |snapshot| snapshot.timestamp_ms());
    (now_ms.max(latest_ms.unwrap_or(now_ms)), entry_ms)
}

/// Refuses to remove the snapshot of a branch or tag that is not dropped by name (C2): the builder
/// would let it go unasked.
fn check_refs(
    change: &RequestedChange,
    before: &TableMetadata,
    after: &TableMetadata,
) -> Result<()> {
    if !change.updates.iter().any(|update| matches!(update, TableUpdate::RemoveSnapshots { .. })) {
        return Ok(());
    }
    let dropped = |name: &str| {
        change.updates.iter().any(|update| {
            matches!(update, TableUpdate::RemoveSnapshotRef { ref_name } if ref_name == name)
        })
    };
    match references(before)?
        .into_keys()
        .find(|name| after.snapshot_for_ref(name).is_none() && !dropped(name))
    {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("`{name}` names a snapshot that would be removed; drop `{name}` first"),
        )),
    }
}

/// Refuses what only the whole shows.
pub(super) fn check_result(change: &RequestedChange, after: &TableMetadata) -> Result<()> {
    let spec = after.default_partition_spec().as_ref().clone().into_unbound();
    check_spec(&spec, after.current_schema(), after.properties())?;
    for snapshot in added(change, after) {
        let known = snapshot.schema_id().is_none_or(|id| after.schema_by_id(id).is_some());
        if !known {
            return Err(refused("a new snapshot was written with a schema that is not there"));
        }
    }
    Ok(())
}
