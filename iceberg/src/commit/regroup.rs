//! Many manifests written together as few, ordered by partition, so that a scan opens few of them.
//!
//! Entries keep the snapshot that added them and their sequence numbers: nothing is added or removed.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{
    Literal, Manifest, ManifestContentType, ManifestEntryRef, ManifestFile, PartitionSpec,
    PrimitiveLiteral, SchemaRef, Struct,
};

use super::manifests::Manifests;
use crate::lake::{damaged, written};
use crate::{Error, ErrorKind, Result};

/// How many manifests are read at a time.
const CONCURRENT_READS: usize = 16;

/// Manifests as they were read, each with its place in the manifest list.
pub(super) type Loaded = Vec<(ManifestFile, Manifest)>;

/// Live entries that go into the same manifests.
struct Group {
    schema: SchemaRef,
    spec: PartitionSpec,
    content: ManifestContentType,
    /// What their manifests had.
    bytes: u64,
    entries: Vec<ManifestEntryRef>,
}

impl Manifests<'_> {
    /// Reads manifests, several at a time.
    ///
    /// # Errors
    /// `Damaged` for a manifest that cannot be read.
    pub(super) async fn loaded(&self, files: Vec<ManifestFile>) -> Result<Loaded> {
        let loaded = stream::iter(files)
            .map(|file| {
                let (file_io, name) = (self.lake.file_io(), self.head.name().clone());
                let task = SpawnedTask::spawn(async move {
                    let manifest = file.load_manifest(&file_io).await;
                    let failed = |error| damaged("a manifest", &file.manifest_path, &name, error);
                    manifest.map_err(failed).map(|manifest| (file, manifest))
                });
                async move {
                    task.join().await.map_err(|error| {
                        Error::new(ErrorKind::Internal, "a background read was broken off")
                            .with_source(error)
                    })?
                }
            })
            .buffered(CONCURRENT_READS);
        loaded.try_collect().await
    }

    /// Writes the live entries of manifests anew: per content and partition spec as many manifests as
    /// their bytes need. Where no entry is alive, none is written.
    ///
    /// # Errors
    /// `Damaged` for an entry without a sequence number; storage errors.
    pub(super) async fn regroup(&mut self, loaded: Loaded, target_bytes: u64) -> Result<()> {
        let mut kinds: BTreeMap<(i32, bool), Loaded> = BTreeMap::new();
        for (file, manifest) in loaded {
            let deletes = file.content == ManifestContentType::Deletes;
            kinds.entry((file.partition_spec_id, deletes)).or_default().push((file, manifest));
        }
        for loaded in kinds.into_values() {
            self.regroup_kind(loaded, target_bytes).await?;
        }
        Ok(())
    }

    async fn regroup_kind(&mut self, loaded: Loaded, target_bytes: u64) -> Result<()> {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for (file, manifest) in loaded {
            let metadata = manifest.metadata();
            let (schema, kinds) = self.schema_for(metadata.partition_spec(), metadata.schema());
            let group = groups.entry(kinds).or_insert_with(|| Group {
                schema,
                spec: metadata.partition_spec().clone(),
                content: file.content,
                bytes: 0,
                entries: Vec::new(),
            });
            group.bytes += u64::try_from(file.manifest_length).unwrap_or(0);
            let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
            group.entries.extend(alive.cloned());
        }
        for Group { schema, spec, content, bytes, mut entries } in groups.into_values() {
            if entries.is_empty() {
                continue;
            }
            entries.sort_by(|a, b| {
                let partitions = by_partition(a.data_file().partition(), b.data_file().partition());
                partitions.then_with(|| a.sequence_number().cmp(&b.sequence_number()))
            });
            let count = usize::try_from(bytes.div_ceil(target_bytes.max(1))).unwrap_or(usize::MAX);
            for entries in entries.chunks(entries.len().div_ceil(count.max(1))) {
                self.write_existing(entries, &schema, &spec, content).await?;
            }
        }
        Ok(())
    }

    /// The schema to write a manifest's entries with, and their partition type, by which manifests are
    /// told apart: the table's, or that of the manifest if a column of the spec is gone or was widened
    /// since, as partition values are written as they were read.
    fn schema_for(&self, spec: &PartitionSpec, own: &SchemaRef) -> (SchemaRef, String) {
        let current = self.head.metadata().current_schema();
        let kinds = spec.partition_type(own).ok();
        let now = spec.partition_type(current).ok();
        let schema = if now.is_some() && now == kinds { current } else { own };
        (Arc::clone(schema), format!("{kinds:?}"))
    }

    async fn write_existing(
        &mut self,
        entries: &[ManifestEntryRef],
        schema: &SchemaRef,
        spec: &PartitionSpec,
        content: ManifestContentType,
    ) -> Result<()> {
        let (mut writer, location) = self.writer(spec, schema, content)?;
        let failed = |error| written("a manifest", &location, error);
        for entry in entries {
            let (Some(sequence), Some(added_by)) = (entry.sequence_number(), entry.snapshot_id())
            else {
                let message = "a manifest entry has no sequence number";
                return Err(
                    Error::new(ErrorKind::Damaged, message).with_context("file", entry.file_path())
                );
            };
            writer
                .add_existing_file(
                    entry.data_file().clone(),
                    added_by,
                    sequence,
                    entry.file_sequence_number,
                )
                .map_err(failed)?;
        }
        let manifest = writer.write_manifest_file().await.map_err(failed)?;
        self.push_written(manifest);
        Ok(())
    }
}

/// The order of partitions: field by field, NULL first.
fn by_partition(a: &Struct, b: &Struct) -> Ordering {
    let value = |literal: Option<&Literal>| -> Option<PrimitiveLiteral> {
        match literal {
            Some(Literal::Primitive(value)) => Some(value.clone()),
            _ => None,
        }
    };
    a.iter()
        .zip(b.iter())
        .map(|(a, b)| value(a).partial_cmp(&value(b)).unwrap_or(Ordering::Equal))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
