//! The table at both snapshots, under one schema, and the files in which they can differ.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use iceberg::spec::{Schema, TableMetadata};

use crate::scan::{FileSlice, IcebergTable, ManifestCache};
use crate::{LakeTable, Result};

/// Both sides of a comparison.
pub(super) struct Sides {
    pub(super) before: IcebergTable,
    pub(super) after: IcebergTable,
    /// The schema of both.
    pub(super) schema: Arc<Schema>,
    /// In what their own schemas differ, if they do.
    pub(super) note: Option<String>,
    /// Files that are read of each side.
    pub(super) files: (u64, u64),
}

impl Sides {
    /// Finds the files of both snapshots in which a row can differ.
    ///
    /// # Errors
    /// As a scan of either.
    pub(super) async fn find(
        table: &LakeTable,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<Self> {
        let cache = Arc::new(ManifestCache::new(ManifestCache::DEFAULT_BYTES));
        let at = |snapshot| -> Result<IcebergTable> {
            let table = IcebergTable::try_new(table.inner().clone(), snapshot)?;
            Ok(table.with_cache(Arc::clone(&cache)))
        };
        let (before, after) = (at(from)?, at(to)?);
        let metadata = table.metadata();
        let after_is_newer = age(metadata, from) <= age(metadata, to);
        let (newer, older) = if after_is_newer { (&after, &before) } else { (&before, &after) };
        let schema = Arc::clone(newer.iceberg_schema());
        let differences = differences(older.iceberg_schema(), &schema);
        let note = (!differences.is_empty()).then(|| {
            format!(
                "the columns changed in between; both are read with the newer ones ({})",
                differences.join(", ")
            )
        });
        let before = before.with_schema(Arc::clone(&schema))?;
        let after = after.with_schema(Arc::clone(&schema))?;
        let (old, new) = (before.slices().await?, after.slices().await?);
        let (gone, come) = (only_in(&old, &new), only_in(&new, &old));
        let files = (gone.len() as u64, come.len() as u64);
        Ok(Self {
            before: before.with_only(gone),
            after: after.with_only(come),
            schema,
            note,
            files,
        })
    }
}

/// Where a snapshot stands among the others; a table without one is older than all.
fn age(metadata: &TableMetadata, snapshot: Option<i64>) -> Option<(i64, i64)> {
    let snapshot = metadata.snapshot_by_id(snapshot?)?;
    Some((snapshot.sequence_number(), snapshot.timestamp_ms()))
}

/// The files that `other` has not, or of which other rows are deleted there.
fn only_in(
    files: &HashMap<String, Arc<FileSlice>>,
    other: &HashMap<String, Arc<FileSlice>>,
) -> HashSet<String> {
    let same = |path: &String, slice: &FileSlice| {
        other.get(path).is_some_and(|other| other.deleted == slice.deleted)
    };
    let files = files.iter().filter(|(path, slice)| !same(path, slice));
    files.map(|(path, _)| path.clone()).collect()
}

/// What became of the columns, by their ids.
fn differences(old: &Schema, new: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for field in old.as_struct().fields() {
        match new.field_by_id(field.id) {
            None => found.push(format!("`{}` was dropped", field.name)),
            Some(now) => {
                if now.name != field.name {
                    found.push(format!("`{}` is now `{}`", field.name, now.name));
                }
                if now.field_type != field.field_type {
                    found.push(format!("`{}` is now {}", now.name, now.field_type));
                }
            }
        }
    }
    let added = new.as_struct().fields().iter().filter(|field| old.field_by_id(field.id).is_none());
    found.extend(added.map(|field| format!("`{}` was added", field.name)));
    found
}
