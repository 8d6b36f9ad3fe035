//! `manifests`: the manifests of a snapshot, as its manifest list has them.

use std::sync::Arc;

use iceberg::spec::{FieldSummary, ManifestContentType, ManifestFile, PartitionSpecRef};

use super::column::{Column, Kind, files, int, long, text};
use super::describe::{Description, json, object};

/// A manifest, and what it is read with.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) manifest: ManifestFile,
    pub(super) spec: PartitionSpecRef,
    pub(super) description: Arc<Description>,
}

impl Listed {
    /// A count of files if the manifest is of this content, else 0.
    fn files_of(&self, content: ManifestContentType, count: Option<u32>) -> Option<u32> {
        if self.manifest.content == content { count } else { Some(0) }
    }

    /// What is said of each partition field: `[{"contains_null": false, …}]`.
    fn summaries(&self) -> Option<String> {
        let summaries = self.manifest.partitions.as_ref()?;
        let all: Vec<String> =
            summaries.iter().enumerate().map(|(at, one)| self.summary(at, one)).collect();
        Some(format!("[{}]", all.join(", ")))
    }

    fn summary(&self, place: usize, summary: &FieldSummary) -> String {
        let bound = |bytes: Option<&[u8]>| {
            bytes
                .and_then(|bytes| self.description.partition_bound(&self.spec, place, bytes))
                .map_or_else(|| "null".to_string(), |text| json(&text))
        };
        let nan = summary.contains_nan.map_or_else(|| "null".to_string(), |nan| nan.to_string());
        object([
            ("contains_null".to_string(), summary.contains_null.to_string()),
            ("contains_nan".to_string(), nan),
            ("lower_bound".to_string(), bound(summary.lower_bound.as_ref().map(|b| b.as_ref()))),
            ("upper_bound".to_string(), bound(summary.upper_bound.as_ref().map(|b| b.as_ref()))),
        ])
    }
}

macro_rules! file_count {
    ($name:literal, $content:ident, $count:ident) => {
        Column {
            name: $name,
            kind: Kind::Int,
            value: |row| {
                let count = row.files_of(ManifestContentType::$content, row.manifest.$count);
                count.map_or_else(|| int(None), files)
            },
        }
    };
}

/// The columns of `manifests`.
pub(super) const COLUMNS: &[Column<Listed>] = &[
    Column {
        name: "content",
        kind: Kind::Int,
        value: |row| int(Some(row.manifest.content as i32)),
    },
    Column {
        name: "path",
        kind: Kind::Text,
        value: |row| text(Some(row.manifest.manifest_path.clone())),
    },
    Column {
        name: "length",
        kind: Kind::Long,
        value: |row| long(Some(row.manifest.manifest_length)),
    },
    Column {
        name: "partition_spec_id",
        kind: Kind::Int,
        value: |row| int(Some(row.manifest.partition_spec_id)),
    },
    Column {
        name: "added_snapshot_id",
        kind: Kind::Long,
        value: |row| long(Some(row.manifest.added_snapshot_id)),
    },
    file_count!("added_data_files_count", Data, added_files_count),
    file_count!("existing_data_files_count", Data, existing_files_count),
    file_count!("deleted_data_files_count", Data, deleted_files_count),
    file_count!("added_delete_files_count", Deletes, added_files_count),
    file_count!("existing_delete_files_count", Deletes, existing_files_count),
    file_count!("deleted_delete_files_count", Deletes, deleted_files_count),
    Column { name: "partition_summaries", kind: Kind::Text, value: |row| text(row.summaries()) },
];
