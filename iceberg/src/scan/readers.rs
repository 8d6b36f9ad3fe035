//! Which reader a file gets.
//!
//! The Parquet reader's own way with deleted rows is to skip them: it reads each column run by run, and
//! by whole pages where a run of deleted rows is long. Where the runs between deleted rows are short, it
//! is cheaper to read them all and to leave the deleted ones out of each batch (ADR 0009).
//! A small file is read in one piece, and no filter is tested against its statistics, which say little
//! that its bounds in the manifest did not.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result as DFResult;
use datafusion::common::config::ConfigOptions;
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource, ParquetSource};
use datafusion::functions::core::file_row_index;
use datafusion::physical_expr::expressions::{Column, DynamicFilterTracking, lit};
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion_datasource::morsel::Morselizer;
use object_store::ObjectStore;

use super::open::external;
use super::slice::FileSlice;
use super::whole::{Place, WholeFiles};
use crate::{Error, ErrorKind};

/// Up to so many rows, on average, a run between deleted rows is short.
const SHORT_RUN_ROWS: u64 = 200;

/// So few runs are read one by one, however short they are.
const FEWEST_RUNS: u64 = 4;

/// Rows are read only to be left out where they are at most one in so many.
const DELETED_SHARE: u64 = 4;

/// A file of at most so many bytes is small.
const SMALL_BYTES: u64 = 256 << 10;

/// What the row number is called, behind the columns of the scan.
const ROW_NUMBER: &str = "\0row";

/// The Parquet reader in the ways in which a scan uses it.
#[derive(Debug)]
pub(super) struct Readers {
    usual: Box<dyn Morselizer>,
    whole: Option<Box<dyn Morselizer>>,
    numbered: Option<Box<dyn Morselizer>>,
}

/// How one file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Column by column; deleted rows are skipped.
    Usual,
    /// The same from one piece, as the file is small.
    Whole,
    /// With deleted rows, as they are scattered. Each row has its number in the file as a last column.
    Numbered,
}

impl Readers {
    /// The readers that the files of one partition of a scan want.
    pub(super) fn of(
        source: &Arc<dyn FileSource>,
        place: Place,
        store: &Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> DFResult<Self> {
        let reader = |source: &dyn FileSource| {
            source.create_morselizer(Arc::clone(store), config, partition)
        };
        let mut readers = Self { usual: reader(source.as_ref())?, whole: None, numbered: None };
        let parquet = (source.as_ref() as &dyn Any).downcast_ref::<ParquetSource>();
        let Some(parquet) = parquet else { return Ok(readers) };
        let files = config.file_groups.get(partition).into_iter().flat_map(|group| group.iter());
        let slices = files.filter_map(|file| file.extension::<Arc<FileSlice>>());
        let ways: Vec<Way> = slices.map(|slice| way(slice)).collect();
        // A reader that filters rows, or ends early, counts on deleted ones being gone.
        let filters = parquet.table_parquet_options().global.pushdown_filters;
        if ways.contains(&Way::Numbered) && !filters && config.limit.is_none() {
            readers.numbered =
                numbered(source)?.map(|source| reader(source.as_ref())).transpose()?;
        }
        if ways.contains(&Way::Whole) {
            let whole =
                parquet.clone().with_parquet_file_reader_factory(Arc::new(WholeFiles { place }));
            // A filter that a join narrows meanwhile may yet leave out the file.
            let tests = parquet.filter().is_some_and(|filter| {
                filters || DynamicFilterTracking::classify(&filter).contains_dynamic_filter()
            });
            let whole = if tests { whole } else { whole.with_predicate(lit(true)) };
            readers.whole = Some(reader(&whole)?);
        }
        Ok(readers)
    }

    /// The reader of a file of which nothing is known.
    pub(super) fn usual(&self) -> &dyn Morselizer {
        self.usual.as_ref()
    }

    /// The reader of a file, and how it reads.
    pub(super) fn choose(&self, slice: &FileSlice) -> (&dyn Morselizer, Way) {
        let way = way(slice);
        let wanted = match way {
            Way::Usual => None,
            Way::Whole => self.whole.as_deref(),
            Way::Numbered => self.numbered.as_deref(),
        };
        match wanted {
            Some(reader) => (reader, way),
            None => (self.usual.as_ref(), Way::Usual),
        }
    }
}

fn way(slice: &FileSlice) -> Way {
    let deleted = slice.deleted.len();
    if deleted > 0 && deleted <= slice.rows / DELETED_SHARE {
        let fewest = (slice.rows / SHORT_RUN_ROWS).max(FEWEST_RUNS);
        if deleted >= fewest && runs(slice) >= fewest {
            return Way::Numbered;
        }
    }
    if slice.size_bytes <= SMALL_BYTES { Way::Whole } else { Way::Usual }
}

/// How many runs of deleted rows a file has.
fn runs(slice: &FileSlice) -> u64 {
    let mut next = None;
    let starts = slice.deleted.iter().filter(|position| {
        let starts = next != Some(*position);
        next = Some(position + 1);
        starts
    });
    u64::try_from(starts.count()).unwrap_or(u64::MAX)
}

/// The same source, whose rows have their number in the file as a last column.
fn numbered(source: &Arc<dyn FileSource>) -> DFResult<Option<Arc<dyn FileSource>>> {
    let Some(projection) = source.projection() else { return Ok(None) };
    let number = ScalarFunctionExpr::new(
        ROW_NUMBER,
        file_row_index(),
        Vec::new(),
        Arc::new(Field::new(ROW_NUMBER, DataType::Int64, true)),
        Arc::new(ConfigOptions::default()),
    );
    let columns = projection.iter().enumerate().map(|(index, column)| ProjectionExpr {
        expr: Arc::new(Column::new(&column.alias, index)) as Arc<dyn PhysicalExpr>,
        alias: column.alias.clone(),
    });
    let number = ProjectionExpr { expr: Arc::new(number), alias: ROW_NUMBER.to_string() };
    let columns: Vec<ProjectionExpr> = columns.chain([number]).collect();
    source.try_pushdown_projection(&ProjectionExprs::new(columns))
}

/// The rows of a file that are left, of numbered batches.
#[derive(Debug)]
pub(super) struct LiveRows {
    live: BooleanBuffer,
}

impl LiveRows {
    /// # Errors
    /// `Damaged` for more rows than memory can address.
    pub(super) fn of(slice: &FileSlice) -> crate::Result<Self> {
        let index = |position: u64| {
            usize::try_from(position).map_err(|source| {
                Error::new(ErrorKind::Damaged, "a row count is out of range").with_source(source)
            })
        };
        let mut live = BooleanBufferBuilder::new(index(slice.rows)?);
        for position in &slice.deleted {
            live.append_n(index(position)? - live.len(), true);
            live.append(false);
        }
        live.append_n(index(slice.rows)?.saturating_sub(live.len()), true);
        Ok(Self { live: live.finish() })
    }

    /// The live rows of a batch, without their numbers.
    ///
    /// # Errors
    /// `Damaged` for a row beyond those that the file has by its manifest.
    pub(super) fn only(&self, batch: &RecordBatch) -> DFResult<RecordBatch> {
        let last = batch.num_columns().saturating_sub(1);
        let numbers = batch.column(last).as_primitive::<Int64Type>().values();
        let rows = batch.project(&(0..last).collect::<Vec<_>>())?;
        let at = |number: &i64| usize::try_from(*number).unwrap_or(usize::MAX);
        let (Some(first), Some(end)) = (numbers.first().map(at), numbers.last().map(at)) else {
            return Ok(rows);
        };
        // Numbers rise: the last is the greatest, and tells whether any are missing before it.
        if end >= self.live.len() {
            return Err(external(Error::new(
                ErrorKind::Damaged,
                "a data file has more rows than its manifest says",
            )));
        }
        let live = match end - first == numbers.len() - 1 {
            true => self.live.slice(first, numbers.len()),
            false => numbers.iter().map(|number| self.live.value(at(number))).collect(),
        };
        if live.count_set_bits() == live.len() {
            return Ok(rows);
        }
        Ok(filter_record_batch(&rows, &BooleanArray::new(live, None))?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn slice(rows: u64, size_bytes: u64, deleted: impl IntoIterator<Item = u64>) -> FileSlice {
        FileSlice {
            path: "file:///t/a.parquet".into(),
            size_bytes,
            rows,
            deleted: deleted.into_iter().collect(),
            constants: Vec::new(),
        }
    }

    #[test]
    fn scattered_deletes_are_left_out_after_reading() {
        let large = |deleted: Vec<u64>| way(&slice(100_000, 1 << 20, deleted));
        assert_eq!(large(Vec::new()), Way::Usual);
        assert_eq!(large((0..1_000).map(|n| n * 100).collect()), Way::Numbered);
        assert_eq!(large((0..100).map(|n| n * 1_000).collect()), Way::Usual, "long runs");
        assert_eq!(large((0..10_000).collect()), Way::Usual, "pages can be skipped");
        assert_eq!(large((0..50_000).map(|n| n * 2).collect()), Way::Usual, "half are deleted");
        let small = |deleted: Vec<u64>| way(&slice(100, 1 << 10, deleted));
        assert_eq!(small(Vec::new()), Way::Whole);
        assert_eq!(small(vec![5, 50, 90]), Way::Whole);
        assert_eq!(small(vec![5, 20, 50, 90]), Way::Numbered);
    }

    fn numbered(numbers: &[i64]) -> RecordBatch {
        let text: ArrayRef =
            Arc::new(StringArray::from_iter_values(numbers.iter().map(i64::to_string)));
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        RecordBatch::try_from_iter([("text", text), (ROW_NUMBER, numbers)]).unwrap()
    }

    #[test]
    fn rows_are_left_out_by_their_numbers() {
        let live = LiveRows::of(&slice(10, 1, [0, 3, 4, 9])).unwrap();
        for numbers in [vec![], vec![1, 2], vec![0], (0..10).collect(), vec![0, 2, 3, 5, 8, 9]] {
            let rows = live.only(&numbered(&numbers)).unwrap();
            assert_eq!(rows.num_columns(), 1);
            let left: Vec<String> =
                rows.column(0).as_string::<i32>().iter().flatten().map(str::to_string).collect();
            let wanted = numbers.iter().filter(|number| ![0, 3, 4, 9].contains(*number));
            assert_eq!(left, wanted.map(i64::to_string).collect::<Vec<_>>());
        }
        let more = live.only(&numbered(&[8, 9, 10])).unwrap_err();
        assert!(more.to_string().contains("more rows than its manifest says"), "{more}");
    }
}
