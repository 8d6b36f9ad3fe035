//! Manifest lists and manifests of any snapshot, read several at a time.

use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{Manifest, ManifestFile, Snapshot, SnapshotRef};

use crate::lake::damaged;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, storage};

/// How many files are read at a time.
const CONCURRENT_READS: usize = 16;

/// The manifests of a snapshot.
///
/// # Errors
/// `Damaged` for a list that is missing or cannot be read.
pub(super) async fn manifest_list(
    lake: &Lake,
    table: &LakeTable,
    snapshot: &SnapshotRef,
) -> Result<Vec<ManifestFile>> {
    match manifest_list_if_there(lake, table, snapshot).await? {
        Some(list) => Ok(list),
        None => Err(Error::new(
            ErrorKind::Damaged,
            "a manifest list is missing; restore it from a backup",
        )
        .with_context("table", table.name())
        .with_context("file", snapshot.manifest_list())),
    }
}

/// The same; `None` if the list is gone, as those of expired snapshots are.
///
/// # Errors
/// `Damaged` for a list that cannot be read.
pub(super) async fn manifest_list_if_there(
    lake: &Lake,
    table: &LakeTable,
    snapshot: &SnapshotRef,
) -> Result<Option<Vec<ManifestFile>>> {
    if !is_there(lake, snapshot.manifest_list()).await? {
        return Ok(None);
    }
    let list = table.inner().manifest_list_reader(snapshot).load().await.map_err(|error| {
        damaged("a manifest list", snapshot.manifest_list(), table.name(), error)
    })?;
    // The iterator is not `Send`.
    Ok(Some(list.consume_entries().into_iter().collect()))
}

/// Shows `visit` each manifest. One that is gone is skipped if `may_be_gone`.
///
/// # Errors
/// `Damaged` for a manifest that cannot be read.
pub(super) async fn each_manifest(
    lake: &Lake,
    table: &LakeTable,
    files: Vec<ManifestFile>,
    may_be_gone: bool,
    mut visit: impl FnMut(&ManifestFile, &Manifest) + Send,
) -> Result<()> {
    let mut loaded = stream::iter(files)
        .map(|file| {
            let (lake, name) = (lake.clone(), table.name().clone());
            let task = SpawnedTask::spawn(async move {
                if may_be_gone && !is_there(&lake, &file.manifest_path).await? {
                    return Ok(None);
                }
                let manifest = file.load_manifest(&lake.file_io()).await;
                let failed = |error| damaged("a manifest", &file.manifest_path, &name, error);
                manifest.map(|manifest| Some((file.clone(), manifest))).map_err(failed)
            });
            async move {
                task.join().await.map_err(|error| {
                    Error::new(ErrorKind::Internal, "a background read was broken off")
                        .with_source(error)
                })?
            }
        })
        .buffered(CONCURRENT_READS);
    while let Some(read) = loaded.try_next().await? {
        if let Some((file, manifest)) = read {
            visit(&file, &manifest);
        }
    }
    Ok(())
}

/// Whether there is a file at a location.
///
/// # Errors
/// What the file system or S3 says, if that cannot be told.
pub(super) async fn is_there(lake: &Lake, location: &str) -> Result<bool> {
    let found = lake.file_io().exists(location).await;
    found.map_err(|error| not_seen("cannot look for a file", location, error))
}

/// The size of a file; `None` if it is gone.
///
/// # Errors
/// As [`is_there`].
pub(super) async fn size_bytes(lake: &Lake, location: &str) -> Result<Option<u64>> {
    if !is_there(lake, location).await? {
        return Ok(None);
    }
    let found = match lake.file_io().new_input(location) {
        Ok(input) => input.metadata().await,
        Err(error) => Err(error),
    };
    let size = found.map(|found| Some(found.size));
    size.map_err(|error| not_seen("cannot look at a file", location, error))
}

fn not_seen(message: &str, location: &str, error: iceberg::Error) -> Error {
    let ours = storage::of_bucket(&error, message);
    ours.unwrap_or_else(|| Error::new(ErrorKind::Storage, message).with_source(error))
        .with_context("file", location)
}

/// The snapshots of a table, oldest first.
pub(super) fn by_age(table: &LakeTable) -> Vec<SnapshotRef> {
    let mut snapshots: Vec<SnapshotRef> = table.metadata().snapshots().cloned().collect();
    snapshots
        .sort_by_key(|snapshot| (snapshot.sequence_number(), Snapshot::timestamp_ms(snapshot)));
    snapshots
}
