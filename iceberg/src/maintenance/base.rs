//! What expired snapshots said, kept for those that stay.
//!
//! A watermark stands in the summary of the snapshot that carries its rows, and later snapshots inherit
//! it. Once that snapshot has expired, the oldest one that stays would no longer know it, and a load
//! would begin anew. So expiry leaves a table property for each snapshot whose parent goes:
//! `northstar.base.SNAPSHOT.KEY`. It is of that snapshot and no other: a tag on an older one, should the
//! table be set back to it, leads to the watermark of its own rows.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use iceberg::spec::{Snapshot, SnapshotRef, TableMetadata};

use crate::commit::summary::is_inherited;

const PREFIX: &str = "northstar.base.";

/// The property that holds what the ancestors of a snapshot said under a summary key.
pub(crate) fn base_key(snapshot_id: i64, key: &str) -> String {
    format!("{PREFIX}{snapshot_id}.{key}")
}

/// The properties that `stays`, the snapshots that are left, need.
pub(crate) fn bases(metadata: &TableMetadata, stays: &HashSet<i64>) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    for snapshot in metadata.snapshots().filter(|snapshot| stays.contains(&snapshot.snapshot_id()))
    {
        let parent = snapshot.parent_snapshot_id().and_then(|id| metadata.snapshot_by_id(id));
        let Some(parent) = parent.filter(|parent| !stays.contains(&parent.snapshot_id())) else {
            continue;
        };
        for (key, value) in inherited(metadata, parent) {
            if !snapshot.summary().additional_properties.contains_key(&key) {
                properties.insert(base_key(snapshot.snapshot_id(), &key), value);
            }
        }
    }
    properties
}

/// The properties of snapshots that are gone.
pub(crate) fn stale_bases(metadata: &TableMetadata, stays: &HashSet<i64>) -> Vec<String> {
    let keys: BTreeSet<&String> = metadata
        .properties()
        .keys()
        .filter(|key| {
            let id = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')?.0.parse().ok());
            id.is_some_and(|id: i64| !stays.contains(&id))
        })
        .collect();
    keys.into_iter().cloned().collect()
}

/// What a snapshot and its ancestors say under keys that are inherited: the nearest counts.
fn inherited(metadata: &TableMetadata, from: &SnapshotRef) -> HashMap<String, String> {
    let mut said: HashMap<String, String> = HashMap::new();
    let mut last = from;
    let ancestors = std::iter::successors(Some(from), |snapshot: &&SnapshotRef| {
        metadata.snapshot_by_id(snapshot.parent_snapshot_id()?)
    });
    for snapshot in ancestors {
        last = snapshot;
        for (key, value) in said_by(snapshot) {
            said.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    let prefix = base_key(last.snapshot_id(), "");
    for (key, value) in metadata.properties() {
        if let Some(key) = key.strip_prefix(&prefix) {
            said.entry(key.to_string()).or_insert_with(|| value.clone());
        }
    }
    said
}

fn said_by(snapshot: &Snapshot) -> impl Iterator<Item = (&String, &String)> {
    snapshot.summary().additional_properties.iter().filter(|(key, _)| is_inherited(key))
}
