//! The sorted runs of one partition, merged into one.
//!
//! Rows that arrive nearly in order make runs that hardly overlap, so what is looked for is not the
//! next row but how many rows of a run come before all others: whole batches, mostly, which are
//! passed on as they are.

use std::cmp::Ordering;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::error::ArrowError;
use arrow::row::Rows;

use super::chunk::{GATHER_ROWS, sort_keys};
use crate::{Error, ErrorKind, Result};

/// A run: batches in sort order.
pub(crate) type Run = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Pieces of more rows than this on average are copied as ranges, shorter ones row by row.
const SHORT_PIECE_ROWS: usize = 16;

/// Hands the rows of all runs to `write`, in sort order (ascending, NULLs first); one run after the
/// other if there is no order. Equal rows come in the order of their runs.
pub(crate) fn merge(
    runs: Vec<Run>,
    sort: &[usize],
    mut write: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    if sort.is_empty() || runs.len() < 2 {
        return runs.into_iter().flatten().try_for_each(|batch| write(&batch?));
    }
    let mut heads = Vec::with_capacity(runs.len());
    for (number, run) in runs.into_iter().enumerate() {
        heads.extend(Head::open(number, run, sort)?);
    }
    // The head whose row comes first stands last.
    heads.sort_unstable_by(|a, b| b.order(a));
    let mut pieces = Pieces::default();
    while let Some(mut head) = heads.pop() {
        let rows = match heads.last() {
            Some(next) => head.rows_before(next),
            None => head.left(),
        };
        pieces.add(head.batch.slice(head.at, rows), &mut write)?;
        if head.advance(rows, sort)? {
            let place = heads.partition_point(|other| other.order(&head) == Ordering::Greater);
            heads.insert(place, head);
        }
    }
    pieces.flush(&mut write)
}

/// Where a run is read: a batch, and the place of its next row.
struct Head {
    number: usize,
    run: Run,
    batch: RecordBatch,
    keys: Rows,
    at: usize,
}

impl Head {
    /// The head of a run that has rows.
    fn open(number: usize, mut run: Run, sort: &[usize]) -> Result<Option<Box<Self>>> {
        Ok(next_batch(&mut run, sort)?
            .map(|(batch, keys)| Box::new(Self { number, run, batch, keys, at: 0 })))
    }

    fn left(&self) -> usize {
        self.batch.num_rows() - self.at
    }

    fn order(&self, other: &Self) -> Ordering {
        let keys = self.keys.row(self.at).cmp(&other.keys.row(other.at));
        keys.then(self.number.cmp(&other.number))
    }

    /// How many rows of the batch come before the row of another head; at least one does.
    fn rows_before(&self, other: &Self) -> usize {
        let limit = other.keys.row(other.at);
        let before = |at: usize| match self.keys.row(at).cmp(&limit) {
            Ordering::Less => true,
            Ordering::Equal => self.number < other.number,
            Ordering::Greater => false,
        };
        let end = self.batch.num_rows();
        // `low` comes before the other row; twice the distance each time until one does not.
        let (mut low, mut step) = (self.at, 1);
        while low + step < end && before(low + step) {
            low += step;
            step *= 2;
        }
        let mut high = end.min(low + step);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if before(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        high - self.at
    }

    /// Goes on by `rows`; false at the end of the run.
    fn advance(&mut self, rows: usize, sort: &[usize]) -> Result<bool> {
        self.at += rows;
        if self.left() > 0 {
            return Ok(true);
        }
        let next = next_batch(&mut self.run, sort)?;
        Ok(match next {
            None => false,
            Some((batch, keys)) => {
                (self.batch, self.keys, self.at) = (batch, keys, 0);
                true
            }
        })
    }
}

/// The next batch with rows, and the sort key of each row.
fn next_batch(run: &mut Run, sort: &[usize]) -> Result<Option<(RecordBatch, Rows)>> {
    for batch in run {
        let batch = batch?;
        if batch.num_rows() > 0 {
            let keys = sort_keys(&batch, sort)?;
            return Ok(Some((batch, keys)));
        }
    }
    Ok(None)
}

/// Rows in their final order, until there are enough to be written.
#[derive(Default)]
struct Pieces {
    batches: Vec<RecordBatch>,
    rows: usize,
}

impl Pieces {
    fn add(
        &mut self,
        piece: RecordBatch,
        write: &mut impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.rows += piece.num_rows();
        self.batches.push(piece);
        if self.rows >= GATHER_ROWS { self.flush(write) } else { Ok(()) }
    }

    fn flush(&mut self, write: &mut impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let (batches, rows) = (std::mem::take(&mut self.batches), std::mem::take(&mut self.rows));
        match batches.as_slice() {
            [] => Ok(()),
            [only] => write(only),
            [first, ..] if batches.len() * SHORT_PIECE_ROWS < rows => {
                write(&concat_batches(first.schema_ref(), &batches).map_err(failed)?)
            }
            several => {
                let places: Vec<(usize, usize)> = several
                    .iter()
                    .enumerate()
                    .flat_map(|(piece, rows)| (0..rows.num_rows()).map(move |row| (piece, row)))
                    .collect();
                let several: Vec<&RecordBatch> = several.iter().collect();
                write(&interleave_record_batch(&several, &places).map_err(failed)?)
            }
        }
    }
}

fn failed(error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "sorted rows cannot be merged").with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;

    /// A run of `(key, mark)` in batches of `size`.
    fn run(rows: &[(Option<i64>, String)], size: usize) -> Run {
        let batches: Vec<Result<RecordBatch>> = rows
            .chunks(size)
            .map(|rows| {
                let keys: Int64Array = rows.iter().map(|(key, _)| *key).collect();
                let marks = StringArray::from_iter_values(rows.iter().map(|(_, mark)| mark));
                let columns: Vec<(&str, ArrayRef)> =
                    vec![("key", Arc::new(keys)), ("mark", Arc::new(marks))];
                Ok(RecordBatch::try_from_iter_with_nullable(
                    columns.into_iter().map(|(name, column)| (name, column, true)),
                )
                .unwrap())
            })
            .collect();
        Box::new(batches.into_iter())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn merged_runs_are_the_stable_sort_of_their_rows(
            runs in prop::collection::vec(
                (prop::collection::vec(prop::option::weighted(0.9, -20_i64..20), 0..200), 1_usize..40),
                0..6,
            ),
            apart in any::<bool>(),
        ) {
            let mut expected = Vec::new();
            let mut inputs = Vec::new();
            for (number, (keys, size)) in runs.into_iter().enumerate() {
                let shift = if apart { number as i64 * 30 } else { 0 };
                let mut keys: Vec<_> = keys.into_iter().map(|key| key.map(|k| k + shift)).collect();
                keys.sort_unstable();
                let rows: Vec<_> = keys
                    .into_iter()
                    .enumerate()
                    .map(|(row, key)| (key, format!("{number}/{row}")))
                    .collect();
                expected.extend(rows.iter().cloned());
                inputs.push(run(&rows, size));
            }
            expected.sort_by_key(|(key, _)| *key);
            let mut merged = Vec::new();
            merge(inputs, &[0], |batch| {
                let keys = batch.column(0).as_primitive::<Int64Type>().iter();
                let marks = batch.column(1).as_string::<i32>().iter();
                merged.extend(keys.zip(marks).map(|(k, m)| (k, m.unwrap().to_string())));
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(merged, expected);
        }
    }
}
