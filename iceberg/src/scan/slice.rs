//! One data file as it is scanned.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::RowSelection;
use roaring::RoaringTreemap;

use super::config::AddressColumns;
use super::store::store_path;
use crate::{Error, ErrorKind, Result};

/// A live data file, without the rows that are deleted from it. It travels on the
/// `PartitionedFile` that it makes, to executors too.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSlice {
    /// The location as Iceberg writes it, with the scheme.
    pub path: String,
    /// The file's length.
    pub size_bytes: u64,
    /// Rows in the file, deleted ones included.
    pub rows: u64,
    /// Positions of the deleted rows, each less than `rows`.
    pub deleted: RoaringTreemap,
    /// Columns that have one value in the whole file, by their place in the table's schema: the
    /// sources of identity partition fields. The partition's value counts, even where the file has
    /// no such column.
    ///
    /// Source: <https://iceberg.apache.org/spec/#column-projection>
    pub constants: Vec<(usize, ScalarValue)>,
}

impl FileSlice {
    /// Rows that are left.
    pub fn live_rows(&self) -> u64 {
        self.rows.saturating_sub(self.deleted.len())
    }

    /// The scan unit of this file, in its table's store. With address columns, its `_file` is the
    /// path as Iceberg writes it.
    ///
    /// # Errors
    /// `Unsupported` for a file in another store; `Damaged` for more rows than memory can address.
    pub fn partitioned_file(
        self: Arc<Self>,
        store: &ObjectStoreUrl,
        address: AddressColumns,
    ) -> Result<PartitionedFile> {
        let mut file = PartitionedFile::new_from_meta(ObjectMeta {
            location: store_path(store, &self.path)?,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: self.size_bytes,
            e_tag: None,
            version: None,
        });
        if address.file {
            file = file.with_partition_values(vec![self.file_value()]);
        }
        if !self.deleted.is_empty() {
            file = file.with_extension(ParquetRowSelection::new(self.selection()?));
        }
        Ok(file.with_extension(self))
    }

    /// What the rows of this file have as their `_file`.
    fn file_value(&self) -> ScalarValue {
        let path = Box::new(ScalarValue::from(self.path.as_str()));
        ScalarValue::Dictionary(Box::new(DataType::Int32), path)
    }

    /// The rows that are left, as the Parquet reader wants them: runs over the whole file.
    fn selection(&self) -> Result<RowSelection> {
        let index = |position: u64| {
            usize::try_from(position).map_err(|source| {
                Error::new(ErrorKind::Damaged, "a row count is out of range")
                    .with_context("file", &self.path)
                    .with_source(source)
            })
        };
        let mut kept: Vec<Range<usize>> = Vec::new();
        let mut next = 0;
        for position in &self.deleted {
            if position > next {
                kept.push(index(next)?..index(position)?);
            }
            next = position + 1;
        }
        if next < self.rows {
            kept.push(index(next)?..index(self.rows)?);
        }
        Ok(RowSelection::from_consecutive_ranges(kept.into_iter(), index(self.rows)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(rows: u64, deleted: impl IntoIterator<Item = u64>) -> FileSlice {
        FileSlice {
            path: "file:///t/a.parquet".into(),
            size_bytes: 1,
            rows,
            deleted: deleted.into_iter().collect(),
            constants: Vec::new(),
        }
    }

    #[test]
    fn the_selection_is_the_complement_of_the_deletes() {
        for deleted in [vec![0], vec![9], vec![0, 1, 2, 5, 9], (0..10).collect(), vec![3, 4]] {
            let slice = slice(10, deleted.clone());
            let mut position = 0;
            let mut skipped = Vec::new();
            for run in slice.selection().unwrap().iter() {
                if run.skip {
                    skipped.extend(position..position + run.row_count as u64);
                }
                position += run.row_count as u64;
            }
            // Rows after the last run are not read.
            skipped.extend(position..10);
            assert_eq!(skipped, deleted);
            assert_eq!(slice.live_rows(), 10 - deleted.len() as u64);
        }
    }

    #[test]
    fn a_file_without_deletes_carries_no_selection() {
        let store = ObjectStoreUrl::local_filesystem();
        let address = AddressColumns { file: true, position: false };
        let file = Arc::new(slice(10, [])).partitioned_file(&store, address).unwrap();
        assert!(file.extension::<ParquetRowSelection>().is_none());
        let [value] = file.partition_values.as_slice() else { panic!("one value") };
        assert_eq!(value.try_as_str(), Some(Some("file:///t/a.parquet")));
        assert_eq!(value.data_type(), crate::scan::file_type());
        let file = Arc::new(slice(10, [1])).partitioned_file(&store, address).unwrap();
        assert!(file.extension::<ParquetRowSelection>().is_some());
    }
}
