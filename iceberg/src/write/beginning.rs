//! The rows that a file begins with, kept until it is known whether they are all.
//!
//! A file of few rows is written otherwise than a large one, and its settings come before its rows.

use arrow::array::RecordBatch;

use super::encoding;
use crate::table::WriteProperties;

/// A small file has at most so many rows: a page a column, or little more.
const SMALL_ROWS: usize = 4 << 10;

/// A small file of so few bytes is not compressed: each reader sets a decoder up for each column of it,
/// which costs more than its bytes.
const PLAIN_BYTES: usize = 256 << 10;

/// How long a file will be, as far as it is known when it is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Length {
    /// Few rows, of so few bytes that compressing them does not pay.
    Plain,
    /// Few rows: statistics and offsets of pages would say what those of row groups say, and each
    /// reader would parse them for nothing.
    Small,
    /// Any number of rows.
    Any,
}

/// The first rows of a file that is not yet there.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    batches: Vec<RecordBatch>,
    rows: usize,
    /// What the rows take in memory.
    bytes: usize,
}

impl Beginning {
    pub(super) fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += encoding::bytes(&batch);
        self.batches.push(batch);
    }

    /// How long the file is if no more rows come.
    pub(super) fn length(&self, table: &WriteProperties) -> Length {
        let target_bytes = usize::try_from(table.target_file_bytes).unwrap_or(usize::MAX);
        if self.rows > SMALL_ROWS || self.bytes > table.page_bytes.min(target_bytes) {
            Length::Any
        } else if self.bytes > PLAIN_BYTES {
            Length::Small
        } else {
            Length::Plain
        }
    }

    /// The batch that tells most of the columns; `None` where there are no rows.
    pub(super) fn sample(&self) -> Option<&RecordBatch> {
        self.batches.iter().max_by_key(|batch| batch.num_rows())
    }

    /// The rows as they came; none are left.
    pub(super) fn take(&mut self) -> Vec<RecordBatch> {
        std::mem::take(self).batches
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn numbers(rows: i64) -> RecordBatch {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("n", values)]).unwrap()
    }

    #[test]
    fn a_file_is_small_by_all_of_its_rows() {
        let mut table = WriteProperties::read(&HashMap::new()).unwrap();
        let mut rows = Beginning::default();
        assert!(rows.sample().is_none());
        for (more, length) in [(10, Length::Plain), (4_086, Length::Plain), (1, Length::Any)] {
            rows.push(numbers(more));
            assert_eq!(rows.length(&table), length, "{more} more");
        }
        assert_eq!(rows.sample().unwrap().num_rows(), 4_086);
        assert_eq!(rows.take().len(), 3);
        rows.push(numbers(100).slice(50, 10));
        assert_eq!(rows.bytes, 80, "the rest of its buffers does not count");
        table.page_bytes = 79;
        assert_eq!(rows.length(&table), Length::Any, "there are several pages");
        (table.page_bytes, table.target_file_bytes) = (1 << 20, 79);
        assert_eq!(rows.length(&table), Length::Any, "there may be several files");
        table.target_file_bytes = 1 << 20;
        let wide: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["x".repeat(1 << 18)]));
        rows.push(RecordBatch::try_from_iter([("c", wide)]).unwrap());
        assert_eq!(rows.length(&table), Length::Small, "it is worth compressing");
    }
}
