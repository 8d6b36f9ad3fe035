//! The files that expired snapshots hold and no other does.

use std::collections::{BTreeMap, HashMap, HashSet};

use iceberg::spec::{ManifestFile, SnapshotRef, TableMetadata};

use super::reading::{each_manifest, is_there, manifest_list, manifest_list_if_there, size_bytes};
use super::removal::Doomed;
use crate::{Lake, LakeTable, Result};

/// A snapshot that is not, or will not be, part of the table, with metadata that has it.
pub(super) struct Expired {
    pub(super) table: LakeTable,
    pub(super) snapshot: SnapshotRef,
}

/// The snapshots that the table's earlier metadata files know and `kept` does not hold: those that
/// expire now, and those of an expiry that was broken off before its files were removed.
///
/// # Errors
/// `Damaged` for a metadata file that is there and cannot be read.
pub(super) async fn expired(
    lake: &Lake,
    table: &LakeTable,
    kept: &HashSet<i64>,
) -> Result<Vec<Expired>> {
    let mut found: BTreeMap<i64, Expired> = BTreeMap::new();
    let mut look = |earlier: &LakeTable| {
        for snapshot in earlier.metadata().snapshots() {
            let id = snapshot.snapshot_id();
            if !kept.contains(&id) && !found.contains_key(&id) {
                let snapshot = SnapshotRef::clone(snapshot);
                found.insert(id, Expired { table: earlier.clone(), snapshot });
            }
        }
    };
    look(table);
    // One at a time: each of them may list thousands of snapshots, mostly the same.
    for entry in table.metadata().metadata_log() {
        if is_there(lake, &entry.metadata_file).await? {
            let earlier = lake.load(table.name(), entry.metadata_file.clone()).await?;
            if earlier.metadata().uuid() == table.metadata().uuid() {
                look(&earlier);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The files of `expired` that no snapshot of `kept` holds, in the order in which they are to be
/// removed: what leads to others goes last, so that a removal that was broken off can be taken up.
///
/// # Errors
/// `Damaged` for a list or manifest of a kept snapshot that cannot be read; storage errors.
pub(super) async fn garbage(
    lake: &Lake,
    table: &LakeTable,
    kept: &HashSet<i64>,
    expired: &[Expired],
) -> Result<Vec<Doomed>> {
    let mut lists: Vec<Doomed> = Vec::new();
    let mut manifests: HashMap<String, ManifestFile> = HashMap::new();
    let mut kept_lists: HashSet<&str> = HashSet::new();
    let mut kept_manifests: HashMap<String, ManifestFile> = HashMap::new();
    for snapshot in table.metadata().snapshots() {
        if kept.contains(&snapshot.snapshot_id()) {
            kept_lists.insert(snapshot.manifest_list());
            let list = manifest_list(lake, table, snapshot).await?;
            kept_manifests.extend(list.into_iter().map(|file| (file.manifest_path.clone(), file)));
        }
    }
    for Expired { table, snapshot } in expired {
        let location = snapshot.manifest_list();
        let Some(list) = manifest_list_if_there(lake, table, snapshot).await? else { continue };
        for file in list {
            if !kept_manifests.contains_key(&file.manifest_path) {
                manifests.insert(file.manifest_path.clone(), file);
            }
        }
        let bytes = size_bytes(lake, location).await?;
        if let Some(bytes) = bytes.filter(|_| !kept_lists.contains(location)) {
            lists.push(Doomed { location: location.to_string(), bytes, written_ms: None });
        }
    }
    let data = only_in(lake, table, &manifests, kept_manifests).await?;
    let mut doomed = data;
    let manifests = manifests.into_values().map(|file| Doomed {
        bytes: u64::try_from(file.manifest_length).unwrap_or(0),
        location: file.manifest_path,
        written_ms: None,
    });
    let mut manifests: Vec<Doomed> = manifests.collect();
    manifests.sort_unstable();
    doomed.extend(statistics(table.metadata(), kept, expired));
    doomed.extend(manifests);
    doomed.extend(lists);
    Ok(doomed)
}

/// The files that are alive in `manifests` and not in `kept`.
async fn only_in(
    lake: &Lake,
    table: &LakeTable,
    manifests: &HashMap<String, ManifestFile>,
    kept: HashMap<String, ManifestFile>,
) -> Result<Vec<Doomed>> {
    let mut files: HashMap<String, u64> = HashMap::new();
    let manifests = manifests.values().cloned().collect();
    each_manifest(lake, table, manifests, true, |_, manifest| {
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            files.insert(entry.file_path().to_owned(), entry.file_size_in_bytes());
        }
    })
    .await?;
    if !files.is_empty() {
        let kept = kept.into_values().collect();
        each_manifest(lake, table, kept, false, |_, manifest| {
            for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                files.remove(entry.file_path());
            }
        })
        .await?;
    }
    let mut files: Vec<Doomed> = files
        .into_iter()
        .map(|(location, bytes)| Doomed { location, bytes, written_ms: None })
        .collect();
    files.sort_unstable();
    Ok(files)
}

/// The statistics files of expired snapshots.
fn statistics(now: &TableMetadata, kept: &HashSet<i64>, expired: &[Expired]) -> Vec<Doomed> {
    let stays: HashSet<String> = paths(now)
        .filter(|(id, _, _)| kept.contains(id))
        .map(|(_, path, _)| path.to_string())
        .collect();
    let ids: HashSet<i64> = expired.iter().map(|gone| gone.snapshot.snapshot_id()).collect();
    let all = expired.iter().flat_map(|gone| paths(gone.table.metadata()));
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for (id, path, bytes) in all {
        if ids.contains(&id) && !stays.contains(path) {
            found.insert(path.to_string(), bytes);
        }
    }
    found
        .into_iter()
        .map(|(location, bytes)| Doomed { location, bytes, written_ms: None })
        .collect()
}

/// The statistics files of a table: snapshot, path, bytes.
pub(super) fn paths(metadata: &TableMetadata) -> impl Iterator<Item = (i64, &str, u64)> {
    let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
    let columns = metadata.statistics_iter().map(move |file| {
        (file.snapshot_id, file.statistics_path.as_str(), bytes(file.file_size_in_bytes))
    });
    let partitions = metadata.partition_statistics_iter().map(move |file| {
        (file.snapshot_id, file.statistics_path.as_str(), bytes(file.file_size_in_bytes))
    });
    columns.chain(partitions)
}
