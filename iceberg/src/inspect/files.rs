//! `files`, `data_files`, `delete_files` and `entries`: the files of a snapshot.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use iceberg::spec::{DataContentType, DataFile, ManifestEntryRef, PartitionSpecRef};

use super::column::{Column, Kind, count, int, long, text};
use super::describe::Description;
use super::kind::MetadataTable;
use crate::Result;

/// A manifest entry, and what it is read with.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) entry: ManifestEntryRef,
    pub(super) spec: PartitionSpecRef,
    pub(super) description: Arc<Description>,
}

impl Entry {
    fn file(&self) -> &DataFile {
        self.entry.data_file()
    }

    /// Whether a metadata table shows it.
    pub(super) fn is_shown(&self, kind: MetadataTable) -> bool {
        let is_data = self.file().content_type() == DataContentType::Data;
        match kind {
            MetadataTable::Entries => true,
            MetadataTable::DataFiles => self.entry.is_alive() && is_data,
            MetadataTable::DeleteFiles => self.entry.is_alive() && !is_data,
            _ => self.entry.is_alive(),
        }
    }
}

type Value = fn(&Entry) -> Result<ScalarValue>;

const fn column(name: &'static str, kind: Kind, value: Value) -> Column<Entry> {
    Column { name, kind, value }
}

/// How many columns `entries` has before those of `files`.
const OF_ENTRIES: usize = 4;

/// The columns of `entries`, which end with those of `files`.
///
/// Source: <https://iceberg.apache.org/spec/#manifests>
const COLUMNS: &[Column<Entry>] = &[
    column("status", Kind::Int, |row| int(Some(row.entry.status() as i32))),
    column("snapshot_id", Kind::Long, |row| long(row.entry.snapshot_id())),
    column("sequence_number", Kind::Long, |row| long(row.entry.sequence_number())),
    column("file_sequence_number", Kind::Long, |row| long(row.entry.file_sequence_number)),
    column("content", Kind::Int, |row| int(Some(row.file().content_type() as i32))),
    column("file_path", Kind::Text, |row| text(Some(row.file().file_path().to_string()))),
    column("file_format", Kind::Text, |row| {
        text(Some(row.file().file_format().to_string().to_uppercase()))
    }),
    column("spec_id", Kind::Int, |row| int(Some(row.spec.spec_id()))),
    column("partition", Kind::Text, |row| {
        text(Some(row.description.partition(&row.spec, row.file().partition())))
    }),
    column("record_count", Kind::Long, |row| count(row.file().record_count())),
    column("file_size_in_bytes", Kind::Long, |row| count(row.file().file_size_in_bytes())),
    column("column_sizes", Kind::Text, |row| {
        text(row.description.counts(row.file().column_sizes()))
    }),
    column("value_counts", Kind::Text, |row| {
        text(row.description.counts(row.file().value_counts()))
    }),
    column("null_value_counts", Kind::Text, |row| {
        text(row.description.counts(row.file().null_value_counts()))
    }),
    column("nan_value_counts", Kind::Text, |row| {
        text(row.description.counts(row.file().nan_value_counts()))
    }),
    column("lower_bounds", Kind::Text, |row| {
        text(row.description.bounds(row.file().lower_bounds()))
    }),
    column("upper_bounds", Kind::Text, |row| {
        text(row.description.bounds(row.file().upper_bounds()))
    }),
    column("split_offsets", Kind::Text, |row| {
        text(row.file().split_offsets().map(|offsets| format!("{offsets:?}")))
    }),
    column("equality_ids", Kind::Text, |row| {
        text(row.file().equality_ids().map(|ids| row.description.columns(&ids)))
    }),
    column("sort_order_id", Kind::Int, |row| int(row.file().sort_order_id())),
    column("referenced_data_file", Kind::Text, |row| text(row.file().referenced_data_file())),
];

/// The columns of one of these tables.
pub(super) fn columns(kind: MetadataTable) -> &'static [Column<Entry>] {
    match kind {
        MetadataTable::Entries => COLUMNS,
        _ => COLUMNS.get(OF_ENTRIES..).unwrap_or_default(),
    }
}
