//! How many rows a batch has where rows are wide.

use std::collections::HashSet;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};

use super::statistics::SelectedFile;
use crate::table::schema::field_id;

/// A batch takes about this much, if it has not its number of rows before.
const BATCH_BYTES: u64 = 4 << 20;

/// A batch has at least so many rows.
const FEWEST_ROWS: u64 = 64;

/// The row groups of most writers are not larger.
const GROUP_BYTES: u64 = 128 << 20;

/// Of rows that are not wide, batches have as many as a session says.
const NARROW_ROWS: u64 = 8_192;

/// The rows of a batch if a row takes so many bytes; `None` if rows are not wide.
pub(crate) fn batch_rows(row_bytes: u64) -> Option<usize> {
    let rows = (BATCH_BYTES / row_bytes.max(1)).max(FEWEST_ROWS);
    usize::try_from(rows).ok().filter(|_| rows < NARROW_ROWS)
}

/// How many files of wide rows are read at once: each has a row group in memory, and all of them
/// together take a quarter of it at most. `None` if it does not matter.
pub(super) fn partitions(files: &[SelectedFile], pool: &dyn MemoryPool) -> Option<usize> {
    let MemoryLimit::Finite(memory_bytes) = pool.memory_limit() else { return None };
    let largest = files.iter().map(|file| file.slice.size_bytes).max().unwrap_or(0);
    let held = usize::try_from(largest.min(GROUP_BYTES)).unwrap_or(usize::MAX);
    Some((memory_bytes / 4 / held.max(1)).max(1))
}

/// What a row takes of the columns at some places, in the file where it takes most: as it is encoded,
/// so about as much as it takes in memory where it is wide because it cannot be compressed.
pub(super) fn row_bytes(files: &[SelectedFile], columns: &SchemaRef, projection: &[usize]) -> u64 {
    let read: HashSet<usize> = projection.iter().copied().collect();
    let mut unread = Vec::new();
    for (at, field) in columns.fields().iter().enumerate().filter(|(at, _)| !read.contains(at)) {
        match field_id(field) {
            Some(id) if !field.data_type().is_nested() => unread.push(id),
            // Sizes are those of the columns within; which, the type does not say at once.
            _ => unread.extend(nested_ids(columns.field(at).data_type())),
        }
    }
    let most = files.iter().map(|file| {
        let data = file.live.data();
        let sizes = data.column_sizes();
        let unread: u64 = unread.iter().filter_map(|id| sizes.get(id)).sum();
        data.file_size_in_bytes().saturating_sub(unread) / data.record_count().max(1)
    });
    most.max().unwrap_or(0)
}

fn nested_ids(kind: &DataType) -> Vec<i32> {
    let fields: Vec<_> = match kind {
        DataType::Struct(fields) => fields.iter().collect(),
        DataType::List(field) | DataType::Map(field, _) => vec![field],
        _ => return Vec::new(),
    };
    let own = fields.iter().filter_map(|field| field_id(field));
    own.chain(fields.iter().flat_map(|field| nested_ids(field.data_type()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_wide_rows_are_small_and_those_of_narrow_rows_are_left_alone() {
        assert_eq!(batch_rows(0), None);
        assert_eq!(batch_rows(300), None);
        assert_eq!(batch_rows(10 << 10), Some(409));
        assert_eq!(batch_rows(1 << 30), Some(64));
    }
}
