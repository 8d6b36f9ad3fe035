//! One column of keys beside what manifests say of it, file by file.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, UInt64Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Column;
use datafusion::common::pruning::PruningStatistics;
use iceberg::spec::{PrimitiveLiteral, PrimitiveType, Transform, Type};

use super::candidates::{KeyColumn, defect};
use super::files::LiveFile;
use super::prune::{Columns, FileBounds, partition_values};
use crate::Result;
use crate::write::transform::transform;

/// What is known of one column, file by file: its bounds, or the bucket that its values fall into.
#[derive(Debug)]
pub(super) struct Side {
    /// The place of its keys.
    pub(super) key: usize,
    /// What is done to a key before it is compared.
    bucket: Option<(Transform, PrimitiveType)>,
    converter: RowConverter,
    low: Option<Known>,
    high: Option<Known>,
    /// Whether the file may hold a NULL, and whether it may hold anything else.
    pub(super) nulls: Vec<bool>,
    values: Vec<bool>,
}

/// A value per file, where it is known.
#[derive(Debug)]
struct Known {
    rows: Rows,
    known: Vec<bool>,
}

/// Keys in the order of one column.
pub(super) struct Ordered {
    rows: Rows,
    pub(super) order: Vec<usize>,
}

impl Side {
    /// The bounds of a key column, and its buckets where files are partitioned by them.
    pub(super) fn new(
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
    pub(super) fn ordered(&self, keys: &ArrayRef) -> Result<Ordered> {
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
    pub(super) fn range(&self, file: usize, keys: &Ordered) -> std::ops::Range<usize> {
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

    pub(super) fn holds(&self, file: usize, keys: &Ordered, row: usize) -> bool {
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
