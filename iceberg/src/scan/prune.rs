//! Which files a filter can do without, told from manifests alone (B1).
//!
//! Three times the same predicate is asked: of whole manifests by their partition summaries, of
//! files by their partition values, and of files by those and their column bounds. What lies within
//! a file is pruned later, by the Parquet reader.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use iceberg::spec::{
    Datum, Literal, ManifestFile, PartitionSpecRef, PrimitiveLiteral, Schema, Transform, Type,
};
use iceberg::transform::create_transform_function;

use super::bounds::{column_bounds, datum};
use super::config::FILE_COLUMN;
use super::files::LiveFile;
use super::partition::{keeps_nulls, source_max, source_min};
use crate::table::schema::field_id;

/// How many data files a scan had to do with, and why it reads fewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruning {
    /// Data files alive in the snapshot.
    pub files: u64,
    /// Of these, left out by their partition: with their whole manifest, or one by one.
    pub by_partition: u64,
    /// Left out by their column bounds.
    pub by_bounds: u64,
    /// Left out because no key that they are joined with falls into their bounds.
    pub by_keys: u64,
    /// Left out because no row is left in them.
    pub empty: u64,
    /// Files to read.
    pub kept: u64,
}

/// A filter as manifests can answer it.
#[derive(Debug)]
pub(super) struct FileFilter {
    predicate: Arc<PruningPredicate>,
    columns: Columns,
}

/// The columns that a filter speaks of, in both worlds.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) arrow: SchemaRef,
    pub(super) iceberg: Arc<Schema>,
}

impl FileFilter {
    /// The filter, unless it can leave nothing out. `arrow` is what the predicate refers to: the
    /// columns of `iceberg`, and those of the row address behind them.
    pub(super) fn new(
        predicate: Arc<dyn PhysicalExpr>,
        arrow: SchemaRef,
        iceberg: Arc<Schema>,
        max_in_list_size: usize,
    ) -> Option<Self> {
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&arrow))
            .with_max_in_list_size(max_in_list_size)
            .build(predicate)?;
        Some(Self { predicate, columns: Columns { arrow, iceberg } })
    }

    /// For each manifest, whether it may hold rows that match, or deletes of such rows: those of a
    /// partition are about rows of that partition alone. Deletes without a partition are about all
    /// rows, and their manifests have no summaries.
    ///
    /// Source: <https://iceberg.apache.org/spec/#scan-planning>
    pub(super) fn manifests(
        &self,
        manifests: &[ManifestFile],
        spec_of: impl Fn(i32) -> Option<PartitionSpecRef>,
    ) -> Vec<bool> {
        let manifests = manifests
            .iter()
            .map(|manifest| (manifest, spec_of(manifest.partition_spec_id)))
            .collect();
        self.prune(&ManifestBounds { manifests, columns: &self.columns })
    }

    /// For each file, whether its partition may hold rows that match.
    pub(super) fn partitions(&self, files: &[LiveFile]) -> Vec<bool> {
        self.prune(&FileBounds { files, columns: &self.columns, partition_only: true })
    }

    /// For each file, whether it may hold rows that match, by all that is known of it.
    pub(super) fn files(&self, files: &[LiveFile]) -> Vec<bool> {
        self.prune(&FileBounds { files, columns: &self.columns, partition_only: false })
    }

    fn prune(&self, statistics: &dyn PruningStatistics) -> Vec<bool> {
        let all = vec![true; statistics.num_containers()];
        if all.is_empty() {
            return all;
        }
        match self.predicate.prune(statistics) {
            Ok(kept) if kept.len() == all.len() => kept,
            Ok(_) => all,
            Err(error) => {
                tracing::debug!(%error, "files are not pruned");
                all
            }
        }
    }
}

impl Columns {
    /// A column's id, its type, and that type in Iceberg. Nothing is known of nested columns.
    pub(super) fn find(&self, column: &Column) -> Option<(i32, &DataType, &Type)> {
        let field = self.arrow.field_with_name(column.name()).ok()?;
        if field.data_type().is_nested() {
            return None;
        }
        let id = field_id(field)?;
        Some((id, field.data_type(), &self.iceberg.field_by_id(id)?.field_type))
    }
}

/// One array of a value per container; unknown ones are NULL.
fn array<T>(
    containers: &[T],
    data_type: &DataType,
    value: impl Fn(&T) -> Option<ScalarValue>,
) -> Option<ArrayRef> {
    let missing = ScalarValue::try_from(data_type).ok()?;
    let values = containers.iter().map(|each| value(each).unwrap_or_else(|| missing.clone()));
    ScalarValue::iter_to_array(values).ok()
}

/// What partition summaries say of manifests. A manifest without a spec here is not asked.
struct ManifestBounds<'a> {
    manifests: Vec<(&'a ManifestFile, Option<PartitionSpecRef>)>,
    columns: &'a Columns,
}

/// One end of the range of source values that a partition value stands for.
type Edge = fn(Transform, &PrimitiveLiteral, &DataType) -> Option<ScalarValue>;

impl ManifestBounds<'_> {
    fn edge(&self, column: &Column, edge: Edge, upper: bool) -> Option<ArrayRef> {
        let (id, arrow, iceberg) = self.columns.find(column)?;
        array(&self.manifests, arrow, |(manifest, spec)| {
            let summaries = manifest.partitions.as_ref()?;
            let fields = spec.as_ref()?.fields().iter().zip(summaries);
            let values =
                fields.filter(|(field, _)| field.source_id == id).filter_map(|(field, summary)| {
                    let bytes = if upper { &summary.upper_bound } else { &summary.lower_bound };
                    let Ok(Type::Primitive(of)) = field.transform.result_type(iceberg) else {
                        return None;
                    };
                    let value = Datum::try_from_bytes(bytes.as_ref()?, of).ok()?;
                    edge(field.transform, value.literal(), arrow)
                });
            tightest(values, upper)
        })
    }
}

impl PruningStatistics for ManifestBounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.edge(column, source_min, false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.edge(column, source_max, true)
    }

    fn num_containers(&self) -> usize {
        self.manifests.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (id, ..) = self.columns.find(column)?;
        Some(Arc::new(UInt64Array::from_iter(self.manifests.iter().map(|(manifest, spec)| {
            let summaries = manifest.partitions.as_ref()?;
            let mut fields = spec.as_ref()?.fields().iter().zip(summaries);
            let no_nulls = fields.any(|(field, summary)| {
                field.source_id == id && keeps_nulls(field.transform) && !summary.contains_null
            });
            no_nulls.then_some(0)
        }))))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// What partition values and column bounds say of files.
pub(super) struct FileBounds<'a> {
    pub(super) files: &'a [LiveFile],
    pub(super) columns: &'a Columns,
    pub(super) partition_only: bool,
}

impl FileBounds<'_> {
    fn edge(&self, column: &Column, edge: Edge, upper: bool) -> Option<ArrayRef> {
        if column.name() == FILE_COLUMN && self.columns.find(column).is_none() {
            return array(self.files, &DataType::Utf8, |file| {
                Some(ScalarValue::from(file.data().file_path()))
            });
        }
        let (id, arrow, _) = self.columns.find(column)?;
        array(self.files, arrow, |file| {
            let partition = partition_values(file, id)
                .filter_map(|(transform, value)| edge(transform, value?, arrow));
            let bounds = (!self.partition_only).then(|| column_bounds(file.data(), id, arrow));
            let bound = bounds.and_then(|(low, high)| if upper { high } else { low });
            // Of an identity partition its value is what is read, whatever stands in the file.
            let constant = partition_values(file, id)
                .filter(|(transform, _)| *transform == Transform::Identity)
                .find_map(|(transform, value)| edge(transform, value?, arrow));
            constant.or_else(|| tightest(partition.chain(bound), upper))
        })
    }
}

/// The values of a file's partition that come from a column.
pub(super) fn partition_values(
    file: &LiveFile,
    column_id: i32,
) -> impl Iterator<Item = (Transform, Option<&PrimitiveLiteral>)> {
    let values = file.data().partition().fields();
    let fields = file.spec.fields().iter().zip(values);
    fields.filter(move |(field, _)| field.source_id == column_id).map(|(field, value)| {
        let value = value.as_ref().and_then(|value| match value {
            Literal::Primitive(value) => Some(value),
            _ => None,
        });
        (field.transform, value)
    })
}

/// The greatest lower or the least upper of several bounds: all of them hold.
fn tightest(values: impl Iterator<Item = ScalarValue>, upper: bool) -> Option<ScalarValue> {
    values.reduce(|a, b| if (a < b) == upper { a } else { b })
}

impl PruningStatistics for FileBounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.edge(column, source_min, false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.edge(column, source_max, true)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (id, ..) = self.columns.find(column)?;
        Some(Arc::new(UInt64Array::from_iter(self.files.iter().map(|file| {
            let by_partition = partition_values(file, id)
                .find(|(transform, _)| keeps_nulls(*transform))
                .map(|(_, value)| value.map_or(file.data().record_count(), |_| 0));
            let counted = file.data().null_value_counts().get(&id).copied();
            by_partition.or(counted.filter(|_| !self.partition_only))
        }))))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.files.iter().map(|file| file.data().record_count());
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    /// Whether all values of a column are among `values` (true), or none is (false): known where
    /// the column has one value in the file, and for buckets that none of `values` falls into.
    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        if column.name() == FILE_COLUMN && self.columns.find(column).is_none() {
            let paths: HashSet<&str> =
                values.iter().map(|value| value.try_as_str().flatten()).collect::<Option<_>>()?;
            let known = self.files.iter().map(|file| Some(paths.contains(file.data().file_path())));
            return Some(known.collect());
        }
        let (id, arrow, iceberg) = self.columns.find(column)?;
        let Type::Primitive(primitive) = iceberg else {
            return None;
        };
        if values.iter().any(|value| value.is_null() || value.data_type() != *arrow) {
            return None;
        }
        let known = self.files.iter().map(|file| {
            partition_values(file, id).find_map(|(transform, partition)| match transform {
                Transform::Identity => {
                    let value = source_min(transform, partition?, arrow)?;
                    Some(values.contains(&value))
                }
                Transform::Bucket(_) => {
                    let hash = create_transform_function(&transform).ok()?;
                    let mut buckets = values.iter().map(|value| {
                        let bucket = hash.transform_literal(&datum(value, primitive)?).ok()??;
                        Some(bucket.literal() == partition?)
                    });
                    // A value of unknown bucket may fall into this one.
                    buckets.all(|same| same == Some(false)).then_some(false)
                }
                _ => None,
            })
        });
        Some(known.collect())
    }
}
