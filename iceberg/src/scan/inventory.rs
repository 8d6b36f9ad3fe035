//! What a snapshot holds, file by file: what maintenance plans on, before any row is read.

use std::collections::HashSet;
use std::sync::Arc;

use iceberg::spec::{DataFile, ManifestEntryRef, PartitionSpecRef, SnapshotRef};
use iceberg::table::Table;
use roaring::RoaringTreemap;

use super::deletes::{position_deletes, reached};
use super::equality::equality_deletes;
use super::files::{live_files, manifests};
use super::manifest_cache::ManifestCache;
use crate::Result;
use crate::table::schema::arrow_schema;

/// A live data file, and the rows that are deleted from it.
#[derive(Debug, Clone)]
pub(crate) struct StoredFile {
    entry: ManifestEntryRef,
    /// The partition spec that its manifest was written with.
    pub(crate) spec: PartitionSpecRef,
    /// Its data sequence number.
    pub(crate) sequence: i64,
    /// Positions of the deleted rows.
    pub(crate) deleted: RoaringTreemap,
}

impl StoredFile {
    /// Path, partition, counts and bounds.
    pub(crate) fn data(&self) -> &DataFile {
        self.entry.data_file()
    }
}

/// A live file of position deletes.
#[derive(Debug, Clone)]
pub(crate) struct StoredDeletes {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// The data files that it may speak of. If there are none, it says nothing any more.
    pub(crate) reach: HashSet<String>,
}

/// The live files of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) data: Vec<StoredFile>,
    pub(crate) deletes: Vec<StoredDeletes>,
}

/// The live files of a snapshot; of data files only those in `only`, if given.
///
/// # Errors
/// As a scan.
pub(super) async fn inventory(
    table: &Table,
    snapshot: &SnapshotRef,
    only: Option<&HashSet<String>>,
    cache: &Arc<ManifestCache>,
) -> Result<Inventory> {
    let manifests = manifests(table, snapshot).await?;
    let keep = vec![true; manifests.len()];
    let mut live = live_files(table, manifests, &keep, cache).await?;
    if let Some(only) = only {
        live.data.retain(|file| only.contains(file.data().file_path()));
    }
    let mut deleted = position_deletes(table.file_io(), &live.data, &live.deletes).await?;
    let columns = arrow_schema(table.metadata().current_schema())?;
    equality_deletes(table.metadata(), &columns, &live.data, &live.deletes, &mut deleted).await?;
    let deletes = reached(&live.data, &live.deletes)
        .into_iter()
        .map(|(file, reach)| StoredDeletes {
            path: file.data().file_path().to_owned(),
            bytes: file.data().file_size_in_bytes(),
            reach,
        })
        .collect();
    let data = live
        .data
        .into_iter()
        .map(|file| StoredFile {
            deleted: deleted.remove(file.data().file_path()).unwrap_or_default(),
            entry: file.entry,
            spec: file.spec,
            sequence: file.sequence,
        })
        .collect();
    Ok(Inventory { data, deletes })
}
