//! The manifests of a new snapshot: those of its parent, rewritten where a file goes, and one for
//! the files that come.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use iceberg::spec::{
    DataContentType, DataFile, Manifest, ManifestContentType, ManifestEntryRef, ManifestFile,
    ManifestWriter, ManifestWriterBuilder, PartitionSpecRef, SchemaRef, SnapshotRef,
};

use super::change::{DeleteFile, FileChange};
use super::gather::Gathering;
use super::snapshot::Attempt;
use crate::lake::{damaged, written};
use crate::observer::Event;
use crate::scan::only_data_file;
use crate::{Error, ErrorKind, Lake, LakeTable, Result};

/// Manifests as they are gathered for one attempt.
pub(super) struct Manifests<'a> {
    pub(super) lake: &'a Lake,
    pub(super) head: &'a LakeTable,
    pub(super) snapshot_id: i64,
    /// What the locations of new manifests begin with.
    prefix: String,
    written: usize,
    /// All of the snapshot's manifests.
    pub(super) list: Vec<ManifestFile>,
    /// The new ones, removed unless the attempt is kept.
    pub(super) attempt: Attempt,
    /// The files that go, with the spec and the schema of their manifest.
    pub(super) removed: Vec<(DataFile, PartitionSpecRef, SchemaRef)>,
}

impl<'a> Manifests<'a> {
    pub(super) fn new(
        lake: &'a Lake,
        head: &'a LakeTable,
        snapshot_id: i64,
        prefix: String,
    ) -> Self {
        Self {
            lake,
            head,
            snapshot_id,
            prefix,
            written: 0,
            list: Vec::new(),
            attempt: Attempt::default(),
            removed: Vec::new(),
        }
    }

    /// Takes the manifests of the parent: as they are where no file goes, else written anew without
    /// the removed files and the position deletes of those alone, or together with others if they are
    /// to be regrouped. Manifests that only tell of files that were removed before are left out. Gives a
    /// reason if a file or manifest is not there in the parent.
    ///
    /// # Errors
    /// `Damaged` for a manifest that cannot be read; storage errors.
    pub(super) async fn carry_over(
        &mut self,
        parent: Option<&SnapshotRef>,
        change: &FileChange,
    ) -> Result<Option<String>> {
        let removed = &change.removed;
        let Some(snapshot) = parent else {
            return Ok(missing(removed, 0));
        };
        let list = self.head.inner().manifest_list_reader(snapshot).load().await;
        let list = list.map_err(|error| {
            damaged("a manifest list", snapshot.manifest_list(), self.head.name(), error)
        })?;
        let mut found = 0;
        let mut regrouped = Vec::new();
        // The iterator is not `Send`.
        let list: Vec<ManifestFile> = list.consume_entries().into_iter().collect();
        for file in list {
            if change.regrouped.contains(&file.manifest_path) {
                regrouped.push(file);
                continue;
            }
            if is_dead(&file) {
                continue;
            }
            if removed.is_empty() {
                self.list.push(file);
                continue;
            }
            let manifest = self.head.manifests().load(&self.lake.file_io(), &file).await;
            let manifest =
                manifest.map_err(|error| error.with_context("table", self.head.name()))?;
            let goes = |entry: &ManifestEntryRef| goes(entry, removed);
            let hits = manifest.entries().iter().filter(|entry| goes(entry));
            let named = hits.clone().filter(|entry| removed.contains(entry.file_path()));
            found += named.count();
            if hits.count() == 0 {
                self.list.push(file);
                continue;
            }
            self.rewrite(&file, &manifest, goes).await?;
        }
        if regrouped.len() < change.regrouped.len() {
            return Ok(Some("manifests to be rewritten are no longer there".to_string()));
        }
        let gathering = Gathering::of(self.head.metadata().properties());
        if !regrouped.is_empty() {
            let loaded = self.loaded(regrouped).await?;
            self.regroup(loaded, gathering.target_bytes).await?;
        } else if change.regrouped.is_empty() {
            self.gather(change, &gathering).await?;
        }
        Ok(missing(removed, found))
    }

    async fn rewrite(
        &mut self,
        file: &ManifestFile,
        manifest: &Manifest,
        goes: impl Fn(&ManifestEntryRef) -> bool,
    ) -> Result<()> {
        let spec = manifest.metadata().partition_spec().clone();
        let schema = Arc::clone(manifest.metadata().schema());
        let (mut writer, location) = self.writer(&spec, &schema, file.content)?;
        let spec = Arc::new(spec);
        let failed = |error| written("a manifest", &location, error);
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            let (Some(sequence), Some(added_by)) = (entry.sequence_number(), entry.snapshot_id())
            else {
                return Err(Error::new(
                    ErrorKind::Damaged,
                    "a manifest entry has no sequence number",
                )
                .with_context("file", &file.manifest_path));
            };
            let data = entry.data_file().clone();
            if goes(entry) {
                self.removed.push((data.clone(), Arc::clone(&spec), Arc::clone(&schema)));
                writer.add_delete_file(data, sequence, entry.file_sequence_number)
            } else {
                writer.add_existing_file(data, added_by, sequence, entry.file_sequence_number)
            }
            .map_err(failed)?;
        }
        let manifest = writer.write_manifest_file().await.map_err(failed)?;
        self.push_written(manifest);
        Ok(())
    }

    /// Adds one manifest for the files that come, if there are any.
    ///
    /// # Errors
    /// Storage errors.
    pub(super) async fn add(&mut self, files: &[DataFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let metadata = self.head.metadata();
        let location = self.location();
        let failed = |error| written("a manifest", &location, error);
        let mut manifest = ManifestWriterBuilder::new(
            self.lake.file_io().new_output(&location).map_err(failed)?,
            Some(self.snapshot_id),
            Arc::clone(metadata.current_schema()),
            metadata.default_partition_spec().as_ref().clone(),
        )
        .build_v2_data();
        for file in files {
            manifest.add_file(file.clone(), metadata.next_sequence_number()).map_err(failed)?;
        }
        let manifest = manifest.write_manifest_file().await.map_err(failed)?;
        self.push_written(manifest);
        Ok(())
    }

    /// Adds a manifest of delete files for each partition spec that some are of.
    ///
    /// # Errors
    /// `Internal` for a spec that the table does not have; storage errors.
    pub(super) async fn add_deletes(&mut self, files: &[DeleteFile]) -> Result<()> {
        let metadata = self.head.metadata();
        let specs: BTreeSet<i32> = files.iter().map(|delete| delete.spec_id).collect();
        for spec_id in specs {
            let spec = metadata.partition_spec_by_id(spec_id).ok_or_else(|| {
                Error::new(ErrorKind::Internal, "a delete file is of a partition spec that is not")
            })?;
            let location = self.location();
            let failed = |error| written("a manifest", &location, error);
            let mut manifest = ManifestWriterBuilder::new(
                self.lake.file_io().new_output(&location).map_err(failed)?,
                Some(self.snapshot_id),
                Arc::clone(metadata.current_schema()),
                spec.as_ref().clone(),
            )
            .build_v2_deletes();
            for delete in files.iter().filter(|delete| delete.spec_id == spec_id) {
                let sequence = metadata.next_sequence_number();
                manifest.add_file(delete.file.clone(), sequence).map_err(failed)?;
            }
            let manifest = manifest.write_manifest_file().await.map_err(failed)?;
            self.push_written(manifest);
        }
        Ok(())
    }

    /// A writer with the schema and spec that a manifest was written with.
    pub(super) fn writer(
        &mut self,
        spec: &iceberg::spec::PartitionSpec,
        schema: &SchemaRef,
        content: ManifestContentType,
    ) -> Result<(ManifestWriter, String)> {
        let location = self.location();
        let output = self.lake.file_io().new_output(&location);
        let builder = ManifestWriterBuilder::new(
            output.map_err(|error| written("a manifest", &location, error))?,
            Some(self.snapshot_id),
            Arc::clone(schema),
            spec.clone(),
        );
        let writer = match content {
            ManifestContentType::Data => builder.build_v2_data(),
            ManifestContentType::Deletes => builder.build_v2_deletes(),
        };
        Ok((writer, location))
    }

    /// Adds a manifest that was written just now.
    pub(super) fn push_written(&mut self, manifest: ManifestFile) {
        self.list.push(manifest);
        self.lake.observer.event(&Event::ManifestWritten);
    }

    /// The location of one more manifest, which is the attempt's from now on.
    fn location(&mut self) -> String {
        let location = format!("{}-m{}.avro", self.prefix, self.written);
        self.written += 1;
        self.attempt.artifacts.push(location.clone());
        location
    }
}

/// Whether a manifest has no live entry, as far as the list says.
pub(crate) fn is_dead(file: &ManifestFile) -> bool {
    file.added_files_count == Some(0) && file.existing_files_count == Some(0)
}

/// Whether a live file goes: it is to be removed, or holds the position deletes of such a file.
fn goes(entry: &ManifestEntryRef, removed: &HashSet<String>) -> bool {
    if !entry.is_alive() {
        return false;
    }
    let file = entry.data_file();
    let dangling = || only_data_file(file).is_some_and(|path| removed.contains(&path));
    removed.contains(file.file_path())
        || (file.content_type() == DataContentType::PositionDeletes && dangling())
}

fn missing(removed: &HashSet<String>, found: usize) -> Option<String> {
    (found < removed.len()).then(|| {
        format!("{} of the files to be rewritten are no longer there", removed.len() - found)
    })
}
