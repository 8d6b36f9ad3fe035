//! `snapshots`, `history` and `refs`: what the metadata file alone says.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use datafusion::common::ScalarValue;
use iceberg::spec::{SnapshotRef, SnapshotReference, SnapshotRetention, TableMetadata};

use super::column::{Column, Kind, int, long, text, time};
use super::describe::{json, object};
use crate::{Error, ErrorKind, Result};

/// The columns of `snapshots`.
pub(super) const SNAPSHOTS: &[Column<SnapshotRef>] = &[
    Column { name: "committed_at", kind: Kind::Time, value: |row| time(Some(row.timestamp_ms())) },
    Column { name: "snapshot_id", kind: Kind::Long, value: |row| long(Some(row.snapshot_id())) },
    Column { name: "parent_id", kind: Kind::Long, value: |row| long(row.parent_snapshot_id()) },
    Column {
        name: "operation",
        kind: Kind::Text,
        value: |row| text(Some(row.summary().operation.as_str().to_string())),
    },
    Column {
        name: "manifest_list",
        kind: Kind::Text,
        value: |row| text(Some(row.manifest_list().to_string())),
    },
    Column {
        name: "summary",
        kind: Kind::Text,
        value: |row| {
            let said: BTreeMap<_, _> = row.summary().additional_properties.iter().collect();
            let fields = said.into_iter().map(|(key, value)| (key.clone(), json(value)));
            text(Some(object(fields)))
        },
    },
];

/// Every snapshot that is kept, in the order of their commits.
pub(super) fn snapshots(metadata: &TableMetadata) -> Vec<SnapshotRef> {
    let mut snapshots: Vec<_> = metadata.snapshots().map(Arc::clone).collect();
    snapshots.sort_by_key(|one| (one.sequence_number(), one.timestamp_ms(), one.snapshot_id()));
    snapshots
}

/// A moment at which `main` came to point at a snapshot.
#[derive(Debug)]
pub(super) struct Made {
    at_ms: i64,
    snapshot_id: i64,
    parent_id: Option<i64>,
    is_current_ancestor: bool,
}

/// The columns of `history`.
pub(super) const HISTORY: &[Column<Made>] = &[
    Column { name: "made_current_at", kind: Kind::Time, value: |row| time(Some(row.at_ms)) },
    Column { name: "snapshot_id", kind: Kind::Long, value: |row| long(Some(row.snapshot_id)) },
    Column { name: "parent_id", kind: Kind::Long, value: |row| long(row.parent_id) },
    Column {
        name: "is_current_ancestor",
        kind: Kind::Boolean,
        value: |row| Ok(ScalarValue::Boolean(Some(row.is_current_ancestor))),
    },
];

/// The snapshot log, oldest first.
pub(super) fn history(metadata: &TableMetadata) -> Vec<Made> {
    let current = std::iter::successors(metadata.current_snapshot(), |snapshot| {
        metadata.snapshot_by_id(snapshot.parent_snapshot_id()?)
    });
    let ancestors: HashSet<i64> = current.map(|snapshot| snapshot.snapshot_id()).collect();
    let log = metadata.history().iter().map(|entry| Made {
        at_ms: entry.timestamp_ms(),
        snapshot_id: entry.snapshot_id,
        parent_id: metadata
            .snapshot_by_id(entry.snapshot_id)
            .and_then(|snapshot| snapshot.parent_snapshot_id()),
        is_current_ancestor: ancestors.contains(&entry.snapshot_id),
    });
    log.collect()
}

/// A branch or tag, by its name.
pub(super) type Named = (String, SnapshotReference);

/// The columns of `refs`.
pub(super) const REFS: &[Column<Named>] = &[
    Column { name: "name", kind: Kind::Text, value: |(name, _)| text(Some(name.clone())) },
    Column {
        name: "type",
        kind: Kind::Text,
        value: |(_, to)| text(Some(if to.is_branch() { "BRANCH" } else { "TAG" }.to_string())),
    },
    Column { name: "snapshot_id", kind: Kind::Long, value: |(_, to)| long(Some(to.snapshot_id)) },
    Column {
        name: "max_reference_age_in_ms",
        kind: Kind::Long,
        value: |(_, to)| match to.retention {
            SnapshotRetention::Branch { max_ref_age_ms, .. }
            | SnapshotRetention::Tag { max_ref_age_ms } => long(max_ref_age_ms),
        },
    },
    Column {
        name: "min_snapshots_to_keep",
        kind: Kind::Int,
        value: |(_, to)| match to.retention {
            SnapshotRetention::Branch { min_snapshots_to_keep, .. } => int(min_snapshots_to_keep),
            SnapshotRetention::Tag { .. } => int(None),
        },
    },
    Column {
        name: "max_snapshot_age_in_ms",
        kind: Kind::Long,
        value: |(_, to)| match to.retention {
            SnapshotRetention::Branch { max_snapshot_age_ms, .. } => long(max_snapshot_age_ms),
            SnapshotRetention::Tag { .. } => long(None),
        },
    },
];

/// All branches and tags, by name. The `iceberg` crate keeps the map to itself, but writes it.
///
/// # Errors
/// `Internal` if what it writes cannot be read.
pub(super) fn refs(metadata: &TableMetadata) -> Result<Vec<Named>> {
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::Internal, "cannot list tags and branches").with_source(error)
    };
    let mut written = serde_json::to_value(metadata).map_err(failed)?;
    let Some(refs) = written.get_mut("refs").map(serde_json::Value::take) else {
        return Ok(Vec::new());
    };
    let refs: BTreeMap<String, SnapshotReference> = serde_json::from_value(refs).map_err(failed)?;
    Ok(refs.into_iter().collect())
}
