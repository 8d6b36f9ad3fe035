//! Rows kept in memory as they came, with the partition of each, until they are written or spilled.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, interleave_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};

use crate::{Error, ErrorKind, Result};

/// How many rows are put together at a time, at most.
pub(crate) const GATHER_ROWS: usize = 8_192;

/// Fewer are put together once they take about this many bytes.
pub(crate) const GATHER_BYTES: usize = 4 << 20;

/// A partition is quiet if none of the chunk's last rows, one in this many, is of it.
const RECENT_SHARE: usize = 8;

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

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.partitions.iter().map(Vec::len).sum()
    }

    /// The partitions that no row has come to lately, each with its rows: where rows arrive nearly
    /// in the order of their partitions, no more will come to these.
    pub(crate) fn quiet(&self) -> Vec<(usize, usize)> {
        let mut counts = counts(self.partitions.iter().flatten());
        let mut recent = self.rows() / RECENT_SHARE;
        for batch in self.partitions.iter().rev() {
            if recent == 0 {
                break;
            }
            batch.iter().for_each(|number| counts[index(*number)] = 0);
            recent = recent.saturating_sub(batch.len());
        }
        counts.into_iter().enumerate().filter(|(_, rows)| *rows > 0).collect()
    }

    /// Puts the rows in order: by partition, then by the sort columns (ascending, NULLs first),
    /// then as they came. They are given out about `gather_bytes` at a time, and at most
    /// [`GATHER_BYTES`].
    pub(crate) fn into_sorted(
        self,
        sort: &[usize],
        gather_bytes: usize,
    ) -> Result<Arc<SortedChunk>> {
        self.sorted(sort, gather_bytes, |_| true)
    }

    /// The same for the rows of some partitions; [`SortedChunk::into_rest`] gives the others back.
    pub(crate) fn into_sorted_of(
        self,
        sort: &[usize],
        partitions: &BTreeSet<usize>,
    ) -> Result<Arc<SortedChunk>> {
        self.sorted(sort, GATHER_BYTES, |partition| partitions.contains(&partition))
    }

    fn sorted(
        self,
        sort: &[usize],
        gather_bytes: usize,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Arc<SortedChunk>> {
        let mut counts = counts(self.partitions.iter().flatten());
        for (partition, count) in counts.iter_mut().enumerate() {
            *count = if wanted(partition) { *count } else { 0 };
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
                let partition = index(*number);
                if counts[partition] > 0 {
                    places[next[partition]] = (batch, row);
                    next[partition] += 1;
                }
            }
        }
        if !sort.is_empty() {
            let keys = self
                .batches
                .iter()
                .map(|batch| sort_keys(batch, sort))
                .collect::<Result<Vec<_>>>()?;
            for range in &ranges {
                // The sort is stable and takes rows that come in order as they are.
                places[range.clone()].sort_by(|a, b| keys[a.0].row(a.1).cmp(&keys[b.0].row(b.1)));
            }
        }
        let row_bytes = self.bytes / self.rows().max(1);
        let gather_rows = (gather_bytes.min(GATHER_BYTES) / row_bytes.max(1)).clamp(1, GATHER_ROWS);
        Ok(Arc::new(SortedChunk { chunk: self, places, ranges, gather_rows }))
    }
}

/// The rows of each partition.
fn counts<'a>(numbers: impl IntoIterator<Item = &'a u32>) -> Vec<usize> {
    let mut counts = Vec::new();
    for number in numbers {
        let index = index(*number);
        if counts.len() <= index {
            counts.resize(index + 1, 0);
        }
        counts[index] += 1;
    }
    counts
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The sort keys of a batch: as bytes, they compare as the rows do.
pub(crate) fn sort_keys(batch: &RecordBatch, sort: &[usize]) -> Result<Rows> {
    let columns: Vec<ArrayRef> =
        sort.iter().map(|column| ArrayRef::clone(batch.column(*column))).collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
    RowConverter::new(fields.collect())
        .and_then(|converter| converter.convert_columns(&columns))
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "rows cannot be sorted").with_source(error)
        })
}

/// A chunk whose rows are in order.
#[derive(Debug)]
pub(crate) struct SortedChunk {
    chunk: Chunk,
    places: Vec<Place>,
    ranges: Vec<Range<usize>>,
    gather_rows: usize,
}

impl SortedChunk {
    /// The columns of the rows.
    pub(crate) fn schema(&self) -> SchemaRef {
        let first = self.chunk.batches.first();
        first.map_or_else(|| SchemaRef::new(Schema::empty()), RecordBatch::schema)
    }

    /// The partitions that have rows, ascending.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = usize> {
        self.ranges
            .iter()
            .enumerate()
            .filter(|(_, range)| !range.is_empty())
            .map(|(index, _)| index)
    }

    /// Whether a partition has rows.
    pub(crate) fn has(&self, partition: usize) -> bool {
        self.ranges.get(partition).is_some_and(|range| !range.is_empty())
    }

    /// The rows of a partition, in order, some thousands at a time.
    pub(crate) fn rows(
        self: &Arc<Self>,
        partition: usize,
    ) -> impl Iterator<Item = Result<RecordBatch>> + Send + use<> {
        let this = Arc::clone(self);
        let Range { start, end } = self.ranges.get(partition).cloned().unwrap_or(0..0);
        (start..end)
            .step_by(self.gather_rows)
            .map(move |from| this.gather(from..end.min(from + this.gather_rows)))
    }

    /// The rows of the partitions that were not put in order, as they came.
    pub(crate) fn into_rest(self) -> Result<Chunk> {
        let mut rest = Chunk::default();
        for (batch, numbers) in self.chunk.batches.into_iter().zip(self.chunk.partitions) {
            let left = |number: &u32| self.ranges[index(*number)].is_empty();
            let mask: BooleanArray = numbers.iter().map(|number| Some(left(number))).collect();
            let numbers: Vec<u32> = numbers.into_iter().filter(left).collect();
            if !numbers.is_empty() {
                let rows = filter_record_batch(&batch, &mask).map_err(|error| {
                    Error::new(ErrorKind::Internal, "rows cannot be kept").with_source(error)
                })?;
                rest.push(rows, numbers);
            }
        }
        Ok(rest)
    }

    fn gather(&self, places: Range<usize>) -> Result<RecordBatch> {
        let batches: Vec<&RecordBatch> = self.chunk.batches.iter().collect();
        interleave_record_batch(&batches, &self.places[places]).map_err(|error| {
            Error::new(ErrorKind::Internal, "rows cannot be gathered").with_source(error)
        })
    }
}
