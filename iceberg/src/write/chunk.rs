//! Rows kept in memory as they came, with the partition of each, until they are written or spilled.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};

use crate::{Error, ErrorKind, Result};

/// How many rows are put together at a time.
pub(crate) const GATHER_ROWS: usize = 8_192;

/// Batches up to the memory budget.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    batches: Vec<RecordBatch>,
    partitions: Vec<Vec<u32>>,
    bytes: usize,
}

/// Where a row stands: its batch and its row within it.
type Place = (usize, usize);

impl Chunk {
    pub(crate) fn push(&mut self, batch: RecordBatch, partitions: Vec<u32>) {
        self.bytes += batch.get_array_memory_size() + partitions.len() * 24;
        self.batches.push(batch);
        self.partitions.push(partitions);
    }

    /// What the rows take in memory, with what sorting them will need, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts the rows in order: by partition, then by the sort columns (ascending, NULLs first),
    /// then as they came.
    pub(crate) fn into_sorted(self, sort: &[usize]) -> Result<Arc<SortedChunk>> {
        let mut counts = Vec::new();
        for number in self.partitions.iter().flatten() {
            let index = usize::try_from(*number).unwrap_or(usize::MAX);
            if counts.len() <= index {
                counts.resize(index + 1, 0);
            }
            counts[index] += 1;
        }
        let mut next = Vec::with_capacity(counts.len());
        let mut total = 0;
        for count in &counts {
            next.push(total);
            total += count;
        }
        let ranges: Vec<Range<usize>> =
            next.iter().zip(&counts).map(|(start, count)| *start..start + count).collect();
        let mut places: Vec<Place> = vec![(0, 0); total];
        for (batch, numbers) in self.partitions.iter().enumerate() {
            for (row, number) in numbers.iter().enumerate() {
                let slot = &mut next[usize::try_from(*number).unwrap_or(usize::MAX)];
                places[*slot] = (batch, row);
                *slot += 1;
            }
        }
        if !sort.is_empty() {
            let keys = sort_keys(&self.batches, sort)?;
            for range in &ranges {
                // The sort is stable and takes rows that come in order as they are.
                places[range.clone()].sort_by(|a, b| keys[a.0].row(a.1).cmp(&keys[b.0].row(b.1)));
            }
        }
        Ok(Arc::new(SortedChunk { batches: self.batches, places, ranges }))
    }
}

fn sort_keys(batches: &[RecordBatch], sort: &[usize]) -> Result<Vec<Rows>> {
    let failed = |error: arrow::error::ArrowError| {
        Error::new(ErrorKind::Internal, "rows cannot be sorted").with_source(error)
    };
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let fields =
        sort.iter().map(|column| SortField::new(first.column(*column).data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(failed)?;
    batches
        .iter()
        .map(|batch| {
            let columns: Vec<ArrayRef> =
                sort.iter().map(|column| ArrayRef::clone(batch.column(*column))).collect();
            converter.convert_columns(&columns).map_err(failed)
        })
        .collect()
}

/// A chunk whose rows are in order.
#[derive(Debug)]
pub(crate) struct SortedChunk {
    batches: Vec<RecordBatch>,
    places: Vec<Place>,
    ranges: Vec<Range<usize>>,
}

impl SortedChunk {
    /// The columns of the rows.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.batches.first().map_or_else(|| SchemaRef::new(Schema::empty()), RecordBatch::schema)
    }

    /// The partitions that have rows, ascending.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = usize> {
        self.ranges
            .iter()
            .enumerate()
            .filter(|(_, range)| !range.is_empty())
            .map(|(index, _)| index)
    }

    /// The rows of a partition, in order, some thousands at a time.
    pub(crate) fn rows(
        self: &Arc<Self>,
        partition: usize,
    ) -> impl Iterator<Item = Result<RecordBatch>> + Send + use<> {
        let this = Arc::clone(self);
        let Range { start, end } = self.ranges.get(partition).cloned().unwrap_or(0..0);
        (start..end)
            .step_by(GATHER_ROWS)
            .map(move |from| this.gather(from..end.min(from + GATHER_ROWS)))
    }

    fn gather(&self, places: Range<usize>) -> Result<RecordBatch> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        interleave_record_batch(&batches, &self.places[places]).map_err(|error| {
            Error::new(ErrorKind::Internal, "rows cannot be gathered").with_source(error)
        })
    }
}
