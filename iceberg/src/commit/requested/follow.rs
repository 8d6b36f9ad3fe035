//! What follows from a client's updates, which the client does not know of: this program keeps more
//! among the properties of a table than others do.

use std::collections::{HashMap, HashSet};

use iceberg::TableUpdate;
use iceberg::spec::{MAIN_BRANCH, TableMetadata};

use super::RequestedChange;
use super::allow::refused;
use crate::maintenance::{bases, stale_bases};
use crate::refs::note_keys;
use crate::table::evolve::Given;
use crate::{Error, ErrorKind, Result};

/// The metadata with what follows from the change; `None` if nothing does.
///
/// Properties that speak of columns go with their names, so that what hid a column goes on to hide it.
/// Notes of a ref go with it. What expired snapshots said, watermarks among it, is kept for those that
/// stay (W3).
///
/// # Errors
/// `InvalidInput` for a schema that makes old rows mean something else.
pub(super) fn from(
    change: &RequestedChange,
    before: &TableMetadata,
    after: &TableMetadata,
) -> Result<Option<TableMetadata>> {
    let mut set: HashMap<String, String> = HashMap::new();
    let mut gone: Vec<String> = Vec::new();
    if before.current_schema_id() != after.current_schema_id() {
        let replaced = change.updates.iter().any(|update| {
            matches!(update, TableUpdate::RemoveSnapshotRef { ref_name } if ref_name == MAIN_BRANCH)
        });
        let has_rows = before.current_snapshot().is_some() && !replaced;
        let (from, to) = (before.current_schema(), after.current_schema());
        let given = Given::between(from, to, after.properties(), has_rows)?;
        set.extend(given.set);
        gone.extend(given.gone);
    }
    for update in &change.updates {
        if let TableUpdate::RemoveSnapshotRef { ref_name } = update
            && after.snapshot_for_ref(ref_name).is_none()
        {
            gone.extend(note_keys(ref_name));
        }
    }
    let removed = removed(before, after);
    if !removed.is_empty() {
        let stays: HashSet<i64> =
            after.snapshots().map(|snapshot| snapshot.snapshot_id()).collect();
        let on_removed = after.snapshots().any(|snapshot| {
            before.snapshot_by_id(snapshot.snapshot_id()).is_none()
                && snapshot.parent_snapshot_id().is_some_and(|parent| removed.contains(&parent))
        });
        if on_removed {
            return Err(refused("a new snapshot's parent cannot be removed with the same commit"));
        }
        set.extend(bases(before, &stays));
        gone.extend(stale_bases(before, &stays));
    }
    gone.retain(|key| after.properties().contains_key(key) && !set.contains_key(key));
    set.retain(|key, value| after.properties().get(key) != Some(value));
    if set.is_empty() && gone.is_empty() && removed.is_empty() {
        return Ok(None);
    }
    let mut builder = after.clone().into_builder(None);
    for id in removed {
        builder = builder.remove_statistics(id).remove_partition_statistics(id);
    }
    let built = builder
        .remove_properties(&gone)
        .and_then(|builder| builder.set_properties(set))
        .and_then(iceberg::spec::TableMetadataBuilder::build);
    built.map(|built| Some(built.metadata)).map_err(|error| {
        Error::new(ErrorKind::Internal, "the table's properties cannot be set").with_source(error)
    })
}

/// The snapshots that are gone.
fn removed(before: &TableMetadata, after: &TableMetadata) -> Vec<i64> {
    let ids = before.snapshots().map(|snapshot| snapshot.snapshot_id());
    ids.filter(|id| after.snapshot_by_id(*id).is_none()).collect()
}
