//! `partitions`: what the live files of each partition sum up to.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::spec::{DataContentType, ManifestEntry, PartitionSpecRef, Struct};

use super::column::{Column, Kind, count, files, int, long, text, time};
use super::describe::Description;

/// A partition of one spec. A table whose spec was changed has rows of each.
#[derive(Debug)]
pub(super) struct Partition {
    spec: PartitionSpecRef,
    values: Struct,
    description: Arc<Description>,
    data: Sum,
    position_deletes: Sum,
    equality_deletes: Sum,
    /// Bytes of its data files.
    data_bytes: u64,
    /// The newest commit among those that added its files and are kept: its time and snapshot.
    last_updated: Option<(i64, i64)>,
}

#[derive(Debug, Default)]
struct Sum {
    files: u64,
    records: u64,
}

/// The columns of `partitions`.
pub(super) const COLUMNS: &[Column<Partition>] = &[
    Column {
        name: "partition",
        kind: Kind::Text,
        value: |row| text(Some(row.description.partition(&row.spec, &row.values))),
    },
    Column { name: "spec_id", kind: Kind::Int, value: |row| int(Some(row.spec.spec_id())) },
    Column { name: "record_count", kind: Kind::Long, value: |row| count(row.data.records) },
    Column { name: "file_count", kind: Kind::Int, value: |row| files(row.data.files) },
    Column {
        name: "total_data_file_size_in_bytes",
        kind: Kind::Long,
        value: |row| count(row.data_bytes),
    },
    Column {
        name: "position_delete_record_count",
        kind: Kind::Long,
        value: |row| count(row.position_deletes.records),
    },
    Column {
        name: "position_delete_file_count",
        kind: Kind::Int,
        value: |row| files(row.position_deletes.files),
    },
    Column {
        name: "equality_delete_record_count",
        kind: Kind::Long,
        value: |row| count(row.equality_deletes.records),
    },
    Column {
        name: "equality_delete_file_count",
        kind: Kind::Int,
        value: |row| files(row.equality_deletes.files),
    },
    Column {
        name: "last_updated_at",
        kind: Kind::Time,
        value: |row| time(row.last_updated.map(|(ms, _)| ms)),
    },
    Column {
        name: "last_updated_snapshot_id",
        kind: Kind::Long,
        value: |row| long(row.last_updated.map(|(_, id)| id)),
    },
];

/// Partitions as they are summed up.
#[derive(Debug)]
pub(super) struct Partitions {
    description: Arc<Description>,
    found: HashMap<(i32, Struct), Partition>,
}

impl Partitions {
    pub(super) fn new(description: Arc<Description>) -> Self {
        Self { description, found: HashMap::new() }
    }

    /// Adds a live file.
    pub(super) fn add(&mut self, entry: &ManifestEntry, spec: &PartitionSpecRef) {
        let file = entry.data_file();
        let key = (spec.spec_id(), file.partition().clone());
        let partition = self.found.entry(key).or_insert_with(|| Partition {
            spec: Arc::clone(spec),
            values: file.partition().clone(),
            description: Arc::clone(&self.description),
            data: Sum::default(),
            position_deletes: Sum::default(),
            equality_deletes: Sum::default(),
            data_bytes: 0,
            last_updated: None,
        });
        let sum = match file.content_type() {
            DataContentType::Data => {
                partition.data_bytes += file.file_size_in_bytes();
                &mut partition.data
            }
            DataContentType::PositionDeletes => &mut partition.position_deletes,
            DataContentType::EqualityDeletes => &mut partition.equality_deletes,
        };
        sum.files += 1;
        sum.records += file.record_count();
        let metadata = self.description.metadata();
        let added = entry.snapshot_id().and_then(|id| metadata.snapshot_by_id(id));
        let added = added.map(|snapshot| (snapshot.timestamp_ms(), snapshot.snapshot_id()));
        partition.last_updated = partition.last_updated.max(added);
    }

    /// All of them, by spec and text.
    pub(super) fn sorted(self) -> Vec<Partition> {
        let mut all: Vec<_> = self.found.into_values().collect();
        all.sort_by_cached_key(|one| {
            (one.spec.spec_id(), one.description.partition(&one.spec, &one.values))
        });
        all
    }
}
