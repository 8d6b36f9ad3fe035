//! The files that are alive in a snapshot, read from its manifests.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::io::FileIO;
use iceberg::spec::{
    DataContentType, DataFile, DataFileFormat, ManifestContentType, ManifestEntryRef, ManifestFile,
    PartitionSpecRef, SnapshotRef, Transform,
};
use iceberg::table::Table;

use super::manifest_cache::ManifestCache;
use crate::storage::of_bucket;
use crate::{Error, ErrorKind, Result};

/// How many manifests or delete files are read at a time.
pub(super) const CONCURRENT_READS: usize = 16;

/// A live file: of data, or of deletes.
#[derive(Debug, Clone)]
pub(super) struct LiveFile {
    /// What the manifest says of it.
    pub entry: ManifestEntryRef,
    /// The partition spec that its manifest was written with.
    pub spec: PartitionSpecRef,
    /// Its data sequence number.
    pub sequence: i64,
}

impl LiveFile {
    /// Path, partition, counts and bounds.
    pub(super) fn data(&self) -> &DataFile {
        self.entry.data_file()
    }
}

/// The live files of the manifests that were read.
#[derive(Debug, Default)]
pub(super) struct LiveFiles {
    /// Data files.
    pub data: Vec<LiveFile>,
    /// Delete files, of whatever kind.
    pub deletes: Vec<LiveFile>,
    /// Data files in manifests that were left out.
    pub skipped: u64,
}

/// The manifests of a snapshot.
///
/// # Errors
/// `Damaged` for a manifest list that cannot be read; `Unsupported` for partition transforms that
/// this version does not know.
pub(crate) async fn manifests(table: &Table, snapshot: &SnapshotRef) -> Result<Vec<ManifestFile>> {
    let path = snapshot.manifest_list();
    let loaded = table.manifest_list_reader(snapshot).load().await;
    let list = match loaded {
        Ok(list) => list,
        Err(error) => return Err(unreadable(error, table.file_io(), path, "manifest list").await),
    };
    let manifests: Vec<_> = list.consume_entries().into_iter().collect();
    for spec_id in manifests.iter().map(|m| m.partition_spec_id).collect::<BTreeSet<_>>() {
        let spec = spec_of(table, spec_id)?;
        if let Some(field) = spec.fields().iter().find(|f| f.transform == Transform::Unknown) {
            return Err(Error::new(ErrorKind::Unsupported, "unknown partition transform")
                .with_context("partition field", &field.name)
                .with_context("table", table.identifier()));
        }
    }
    Ok(manifests)
}

/// The partition spec of a manifest.
///
/// # Errors
/// `Damaged` if the metadata does not list it.
pub(crate) fn spec_of(table: &Table, spec_id: i32) -> Result<&PartitionSpecRef> {
    table.metadata().partition_spec_by_id(spec_id).ok_or_else(|| {
        Error::new(ErrorKind::Damaged, "a manifest names a partition spec that is not there")
            .with_context("spec", spec_id)
            .with_context("table", table.identifier())
    })
}

/// Reads the manifests that `keep` names, several at a time.
///
/// # Errors
/// `Damaged` for a manifest that cannot be read, `Unsupported` for a file that cannot be scanned;
/// both name the file.
pub(super) async fn live_files(
    table: &Table,
    manifests: Vec<ManifestFile>,
    keep: &[bool],
    cache: &Arc<ManifestCache>,
) -> Result<LiveFiles> {
    let mut files = LiveFiles::default();
    let mut wanted = Vec::new();
    for (manifest, keep) in manifests.into_iter().zip(keep) {
        if *keep {
            wanted.push((Arc::clone(spec_of(table, manifest.partition_spec_id)?), manifest));
        } else if manifest.content == ManifestContentType::Data {
            let added = manifest.added_files_count.unwrap_or(0);
            files.skipped +=
                u64::from(added) + u64::from(manifest.existing_files_count.unwrap_or(0));
        }
    }
    let file_io = table.file_io();
    let mut loaded = stream::iter(wanted)
        .map(|(spec, file)| {
            let (file_io, cache) = (file_io.clone(), Arc::clone(cache));
            let load = SpawnedTask::spawn(async move {
                cache.load(&file_io, &file).await.map(|manifest| (manifest, file))
            });
            async move {
                let (manifest, file) = load.join().await.map_err(stopped)??;
                Ok::<_, Error>((spec, manifest, file))
            }
        })
        .buffered(CONCURRENT_READS);
    while let Some((spec, manifest, file)) = loaded.try_next().await? {
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            let sequence = entry.sequence_number().ok_or_else(|| {
                Error::new(ErrorKind::Damaged, "a manifest entry has no sequence number")
                    .with_context("file", &file.manifest_path)
            })?;
            let live = LiveFile { entry: Arc::clone(entry), spec: Arc::clone(&spec), sequence };
            match file.content {
                ManifestContentType::Data => {
                    check_data_file(live.data())?;
                    files.data.push(live);
                }
                ManifestContentType::Deletes => files.deletes.push(live),
            }
        }
    }
    Ok(files)
}

fn check_data_file(file: &DataFile) -> Result<()> {
    let refuse = |reason: String| {
        Err(Error::new(ErrorKind::Unsupported, reason).with_context("file", file.file_path()))
    };
    if file.content_type() != DataContentType::Data {
        return refuse(format!("{:?} in a data manifest", file.content_type()));
    }
    if file.file_format() != DataFileFormat::Parquet {
        return refuse(format!("{} data files cannot be read, only Parquet", file.file_format()));
    }
    if file.key_metadata().is_some_and(|key| !key.is_empty()) {
        return refuse("encrypted data files cannot be read".to_owned());
    }
    Ok(())
}

/// The error for metadata that could not be read: which file, and whether it is there at all.
pub(super) async fn unreadable(
    error: iceberg::Error,
    file_io: &FileIO,
    path: &str,
    what: &str,
) -> Error {
    let ours = of_bucket(&error, format!("cannot read a {what}"));
    if let Some(ours) = ours.filter(|ours| ours.kind() != ErrorKind::NotFound) {
        return ours.with_context("file", path);
    }
    let kind = match error.kind() {
        iceberg::ErrorKind::FeatureUnsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Damaged,
    };
    let message = match file_io.exists(path).await {
        Ok(false) => format!("a {what} is missing"),
        _ => format!("cannot read a {what}"),
    };
    Error::new(kind, message).with_context("file", path).with_source(error)
}

/// The error for a background read that ended without a result.
pub(super) fn stopped(error: impl Display) -> Error {
    Error::new(ErrorKind::Internal, format!("a background read stopped: {error}"))
}
