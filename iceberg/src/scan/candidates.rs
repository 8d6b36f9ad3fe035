//! Which files of a table may hold one of the keys that it is joined with, told from manifests alone
//! (B1).
//!
//! The keys pass by in batches and are not kept: of each file it is remembered whether a key, in all of
//! its columns at once, fell between the file's bounds. So memory follows the files, and neither how
//! many keys there are nor how far apart they lie makes a difference.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{CastOptions, cast_with_options, filter};
use arrow::datatypes::{DataType, UInt64Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::catalog::Session;
use datafusion::common::Column;
use datafusion::common::pruning::PruningStatistics;
use datafusion::logical_expr::Expr;
use iceberg::spec::{DataFile, PartitionSpec, PrimitiveLiteral, PrimitiveType, Transform, Type};

use super::files::LiveFile;
use super::provider::IcebergTable;
use super::prune::{Columns, FileBounds, FileFilter, partition_values};
use super::statistics::SelectedFile;
use crate::write::transform::transform;
use crate::{Error, ErrorKind, Result};

/// How many keys of a batch are looked at for one file before it is kept without a proof.
const MOST_LOOKS: usize = 4096;

/// A column of the table that is compared with a column of keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn {
    /// Its name.
    pub(crate) name: String,
    /// The type that both are compared in.
    pub(crate) compared_as: DataType,
}

impl KeyColumn {
    /// Whether bounds of a column of type `from` are bounds of its values as `compared_as`. Floats say
    /// nothing: bounds leave NaN out, and they have two zeros.
    pub(crate) fn can_rule_out(from: &DataType, compared_as: &DataType) -> bool {
        if from.is_floating() || from.is_nested() {
            return false;
        }
        from == compared_as
            || (from.is_string() && compared_as.is_string())
            || (from.is_binary() && compared_as.is_binary())
            || match (from, compared_as) {
                (DataType::Int32, DataType::Int64)
                | (
                    DataType::Int32 | DataType::Int64 | DataType::Decimal128(..),
                    DataType::Decimal128(..),
                ) => true,
                (DataType::Date32, DataType::Timestamp(_, to)) => is_utc(to.as_deref()),
                // An instant stays what it is in another zone; a local time does not.
                (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, Some(_))) => true,
                (DataType::Timestamp(_, None), DataType::Timestamp(_, to)) => is_utc(to.as_deref()),
                _ => false,
            }
    }
}

/// Whether local times of a zone are in the order of instants.
fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("+00:00" | "UTC"))
}

/// The files that a look at keys has left.
#[derive(Debug, Default)]
pub(crate) struct Among {
    files: HashSet<String>,
    manifests: HashSet<String>,
}

impl Among {
    /// Whether a data file is one of them.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// Whether a manifest may list one of them, or deletes of their rows.
    pub(super) fn reads(&self, manifest: &str) -> bool {
        self.manifests.contains(manifest)
    }
}

/// The files of a table, and which of them a key was found for.
#[derive(Debug)]
pub(crate) struct Candidates {
    paths: Vec<String>,
    manifests: HashSet<String>,
    found: Vec<bool>,
    sides: Vec<Side>,
    null_safe: bool,
}

impl IcebergTable {
    /// The files that a join with `keys` may need, as long as no key is known: those that `span`, a
    /// condition that every key meets, does not rule out. With `null_safe`, NULL is equal to NULL.
    ///
    /// # Errors
    /// As a scan.
    pub(crate) async fn candidates(
        &self,
        state: &dyn Session,
        keys: &[KeyColumn],
        span: &[Expr],
        null_safe: bool,
    ) -> Result<Candidates> {
        let filter = self.file_filter(state, span).map_err(crate::sql::from_datafusion)?;
        let (live, manifests) = self.live_files(filter.as_ref()).await?;
        let mut files = live.data;
        if let Some(filter) = &filter {
            files = kept(files, filter);
        }
        let columns = Columns {
            arrow: datafusion::catalog::TableProvider::schema(self),
            iceberg: Arc::clone(self.iceberg_schema()),
        };
        let mut sides = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            sides.extend(Side::new(&files, &columns, key, place)?);
        }
        Ok(Candidates {
            found: vec![false; files.len()],
            paths: files.iter().map(|file| file.data().file_path().to_string()).collect(),
            manifests,
            sides,
            null_safe,
        })
    }

    /// The files that a scan with these conditions would read.
    ///
    /// # Errors
    /// As a scan.
    pub(crate) async fn scanned_files(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<ScannedFile>> {
        let filter = self.file_filter(state, filters).map_err(crate::sql::from_datafusion)?;
        let files = self.select(filter).await?.files.into_iter();
        Ok(files
            .map(|SelectedFile { slice, live }| ScannedFile { rows: slice.live_rows(), live })
            .collect())
    }

    /// Whether conditions on columns can leave a file out.
    ///
    /// # Errors
    /// For a condition that cannot be evaluated.
    pub(crate) fn can_prune_by(&self, state: &dyn Session, filters: &[Expr]) -> Result<bool> {
        let filter = self.file_filter(state, filters).map_err(crate::sql::from_datafusion)?;
        Ok(filter.is_some())
    }
}

/// A file that a scan would read.
#[derive(Debug, Clone)]
pub(crate) struct ScannedFile {
    /// Rows that are not deleted.
    pub(crate) rows: u64,
    live: LiveFile,
}

impl ScannedFile {
    /// Path, partition, counts and bounds.
    pub(crate) fn data(&self) -> &DataFile {
        self.live.data()
    }

    /// The partition spec that its manifest was written with.
    pub(crate) fn spec(&self) -> &PartitionSpec {
        &self.live.spec
    }
}

fn kept(mut files: Vec<LiveFile>, filter: &FileFilter) -> Vec<LiveFile> {
    let mut keep = filter.files(&files).into_iter();
    files.retain(|_| keep.next().unwrap_or(true));
    files
}

impl Candidates {
    /// Whether each file has a key, so that more keys make no difference.
    pub(crate) fn all_found(&self) -> bool {
        self.found.iter().all(|found| *found)
    }

    /// Looks at keys: of each column as many values, in the type that they are compared in.
    ///
    /// # Errors
    /// `Internal` for columns of other types.
    pub(crate) fn look_at(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let Some(first) = keys.first().filter(|first| !first.is_empty()) else { return Ok(()) };
        let whole = (0..first.len()).map(|row| keys.iter().all(|column| column.is_valid(row)));
        let whole: BooleanArray = whole.map(Some).collect();
        let part = |wanted: &BooleanArray| -> Result<Vec<ArrayRef>> {
            keys.iter().map(|column| filter(column, wanted).map_err(defect)).collect()
        };
        if whole.true_count() > 0 {
            let keys =
                if whole.true_count() == whole.len() { keys.to_vec() } else { part(&whole)? };
            self.look_at_whole(&keys)?;
        }
        if self.null_safe && whole.true_count() < whole.len() {
            let partly = arrow::compute::not(&whole).map_err(defect)?;
            self.look_at_partly(&part(&partly)?)?;
        }
        Ok(())
    }

    /// Keys without a NULL. Each column has its own order, so that a file's own range is found in it.
    fn look_at_whole(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let columns = self.sides.iter().map(|side| side.ordered(&keys[side.key]));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        for (file, found) in self.found.iter_mut().enumerate().filter(|(_, found)| !**found) {
            let ranges = self.sides.iter().zip(&columns);
            let narrowest = ranges
                .map(|(side, column)| (side.range(file, column), column))
                .min_by_key(|(range, _)| range.len());
            let Some((range, column)) = narrowest else {
                *found = true;
                continue;
            };
            let too_many = range.len() > MOST_LOOKS;
            let mut looked = column.order[range].iter().take(MOST_LOOKS);
            let sides = || self.sides.iter().zip(&columns);
            let hit =
                looked.any(|row| sides().all(|(side, column)| side.holds(file, column, *row)));
            *found = hit || too_many;
        }
        Ok(())
    }

    /// Keys with a NULL, where NULL is equal to NULL. There are few of them.
    fn look_at_partly(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let columns = self.sides.iter().map(|side| side.ordered(&keys[side.key]));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = keys.first().map_or(0, |column| column.len());
        for (file, found) in self.found.iter_mut().enumerate().filter(|(_, found)| !**found) {
            let hit = (0..rows.min(MOST_LOOKS)).any(|row| {
                self.sides.iter().zip(&columns).all(|(side, column)| {
                    match keys[side.key].is_null(row) {
                        true => side.nulls[file],
                        false => side.holds(file, column, row),
                    }
                })
            });
            *found = hit || rows > MOST_LOOKS;
        }
        Ok(())
    }

    /// The files that a key was found for.
    pub(crate) fn among(self) -> Among {
        let files = self.paths.into_iter().zip(self.found);
        let files: HashSet<String> =
            files.filter_map(|(path, found)| found.then_some(path)).collect();
        let manifests = if files.is_empty() { HashSet::new() } else { self.manifests };
        Among { files, manifests }
    }
}

/// What is known of one column, file by file: its bounds, or the bucket that its values fall into.
#[derive(Debug)]
struct Side {
    /// The place of its keys.
    key: usize,
    /// What is done to a key before it is compared.
    bucket: Option<(Transform, PrimitiveType)>,
    converter: RowConverter,
    low: Option<Known>,
    high: Option<Known>,
    /// Whether the file may hold a NULL, and whether it may hold anything else.
    nulls: Vec<bool>,
    values: Vec<bool>,
}

/// A value per file, where it is known.
#[derive(Debug)]
struct Known {
    rows: Rows,
    known: Vec<bool>,
}

/// Keys in the order of one column.
struct Ordered {
    rows: Rows,
    order: Vec<usize>,
}

impl Side {
    /// The bounds of a key column, and its buckets where files are partitioned by them.
    fn new(
        files: &[LiveFile],
        columns: &Columns,
        key: &KeyColumn,
        place: usize,
    ) -> Result<Vec<Self>> {
        let column = Column::new_unqualified(&key.name);
        let Some((id, arrow, iceberg)) = columns.find(&column) else { return Ok(Vec::new()) };
        if files.is_empty() || !KeyColumn::can_rule_out(arrow, &key.compared_as) {
            return Ok(Vec::new());
        }
        let bounds = FileBounds { files, columns, partition_only: false };
        let nulls = bounds.null_counts(&column);
        let nulls =
            nulls.as_ref().and_then(|nulls| nulls.as_primitive_opt::<UInt64Type>().cloned());
        let null_count = |file: usize| {
            let nulls = nulls.as_ref()?;
            nulls.is_valid(file).then(|| nulls.value(file))
        };
        let each = 0..files.len();
        let has_nulls: Vec<bool> = each.clone().map(|file| null_count(file) != Some(0)).collect();
        let has_values: Vec<bool> =
            each.map(|file| null_count(file) != Some(files[file].data().record_count())).collect();
        let converter = rows_of(&key.compared_as)?;
        let known = |values: Option<ArrayRef>| -> Result<Option<Known>> {
            let Some(values) = values else { return Ok(None) };
            let safe = CastOptions { safe: true, ..CastOptions::default() };
            let values = cast_with_options(&values, &key.compared_as, &safe).map_err(defect)?;
            Known::new(&converter, &values).map(Some)
        };
        let (low, high) = (known(bounds.min_values(&column))?, known(bounds.max_values(&column))?);
        let mut sides = vec![Self {
            key: place,
            bucket: None,
            converter,
            low,
            high,
            nulls: has_nulls.clone(),
            values: has_values.clone(),
        }];
        let Type::Primitive(primitive) = iceberg else { return Ok(sides) };
        if *arrow != key.compared_as {
            return Ok(sides);
        }
        for bucket in buckets(files, id) {
            let number = |file: &LiveFile| {
                partition_values(file, id).find_map(|(transform, value)| match value {
                    Some(PrimitiveLiteral::Int(number)) if transform == bucket => Some(*number),
                    _ => None,
                })
            };
            let numbers: ArrayRef =
                Arc::new(files.iter().map(number).collect::<arrow::array::Int32Array>());
            let converter = rows_of(&DataType::Int32)?;
            sides.push(Self {
                key: place,
                bucket: Some((bucket, primitive.clone())),
                low: Some(Known::new(&converter, &numbers)?),
                high: Some(Known::new(&converter, &numbers)?),
                converter,
                nulls: has_nulls.clone(),
                values: has_values.clone(),
            });
        }
        Ok(sides)
    }

    /// Keys as they are compared, and their order.
    fn ordered(&self, keys: &ArrayRef) -> Result<Ordered> {
        let keys = match &self.bucket {
            Some((bucket, source)) => transform(*bucket, source, keys)?,
            None => Arc::clone(keys),
        };
        let rows = self.converter.convert_columns(&[keys]).map_err(defect)?;
        let mut order: Vec<usize> = (0..rows.num_rows()).collect();
        order.sort_unstable_by(|a, b| rows.row(*a).cmp(&rows.row(*b)));
        Ok(Ordered { rows, order })
    }

    /// Where in their order the keys are that a file may hold.
    fn range(&self, file: usize, keys: &Ordered) -> std::ops::Range<usize> {
        if !self.values[file] {
            return 0..0;
        }
        let below = |known: &Known| {
            let low = known.rows.row(file);
            keys.order.partition_point(|row| keys.rows.row(*row) < low)
        };
        let up_to = |known: &Known| {
            let high = known.rows.row(file);
            keys.order.partition_point(|row| keys.rows.row(*row) <= high)
        };
        let start = self.low(file).map_or(0, below);
        let end = self.high(file).map_or(keys.order.len(), up_to);
        start..end.max(start)
    }

    fn holds(&self, file: usize, keys: &Ordered, row: usize) -> bool {
        let key = keys.rows.row(row);
        self.values[file]
            && self.low(file).is_none_or(|low| low.rows.row(file) <= key)
            && self.high(file).is_none_or(|high| key <= high.rows.row(file))
    }

    fn low(&self, file: usize) -> Option<&Known> {
        self.low.as_ref().filter(|known| known.known[file])
    }

    fn high(&self, file: usize) -> Option<&Known> {
        self.high.as_ref().filter(|known| known.known[file])
    }
}

impl Known {
    fn new(converter: &RowConverter, values: &ArrayRef) -> Result<Self> {
        let rows = converter.convert_columns(&[Arc::clone(values)]).map_err(defect)?;
        let known = (0..values.len()).map(|file| values.is_valid(file)).collect();
        Ok(Self { rows, known })
    }
}

fn rows_of(kind: &DataType) -> Result<RowConverter> {
    RowConverter::new(vec![SortField::new(kind.clone())]).map_err(defect)
}

/// The numbers of buckets by which files are partitioned on a column.
fn buckets(files: &[LiveFile], column_id: i32) -> Vec<Transform> {
    let mut buckets = Vec::new();
    for (transform, _) in files.iter().flat_map(|file| partition_values(file, column_id)) {
        if matches!(transform, Transform::Bucket(_)) && !buckets.contains(&transform) {
            buckets.push(transform);
        }
    }
    buckets
}

fn defect(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "keys cannot be compared with the bounds of files")
        .with_source(error)
}
