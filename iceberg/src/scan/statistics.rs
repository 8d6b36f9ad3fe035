//! What the planner may know of a file.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion_datasource::compute_all_files_statistics;

use super::bounds::column_bounds;
use super::config::AddressColumns;
use super::files::LiveFile;
use super::partition::{keeps_nulls, source_min};
use super::prune::partition_values;
use super::slice::FileSlice;
use crate::table::schema::field_id;
use crate::{Error, ErrorKind, Result};

/// Beyond so many column entries (files times columns, some 400 bytes each), files carry no
/// statistics of their own and the scan only its row count.
const MAX_ENTRIES: usize = 250_000;

/// A file that a scan reads: as it travels, and as the manifest describes it.
#[derive(Debug)]
pub(super) struct SelectedFile {
    /// The file with its deletes.
    pub slice: Arc<FileSlice>,
    /// Its manifest entry.
    pub live: LiveFile,
}

/// Columns whose value in a file is its partition's: the sources of identity partition fields.
pub(super) fn constants(columns: &SchemaRef, file: &LiveFile) -> Vec<(usize, ScalarValue)> {
    let fields = columns.fields().iter().enumerate();
    fields
        .filter_map(|(index, field)| {
            let target = field.data_type();
            let constant = partition_values(file, field_id(field)?).find_map(
                |(transform, value)| match value {
                    None if keeps_nulls(transform) => ScalarValue::try_new_null(target).ok(),
                    Some(value) if transform == iceberg::spec::Transform::Identity => {
                        source_min(transform, value, target)
                    }
                    _ => None,
                },
            );
            Some((index, constant?))
        })
        .collect()
}

/// Row and null counts are exact, and so are constants. Bounds are not: Iceberg allows them to be
/// wide, and DataFusion folds a column whose exact minimum equals its exact maximum into a
/// constant.
fn file_statistics(columns: &SchemaRef, file: &LiveFile, slice: &FileSlice) -> Statistics {
    let mut all = constant_statistics(columns, slice);
    for (field, statistics) in columns.fields().iter().zip(&mut all.column_statistics) {
        // What writers count for nested columns differs, and is not what the planner means.
        let nested = field.data_type().is_nested();
        let Some(id) = field_id(field).filter(|_| !nested) else { continue };
        if statistics.null_count == Precision::Absent {
            let (low, high) = column_bounds(file.data(), id, field.data_type());
            statistics.min_value = low.map_or(Precision::Absent, Precision::Inexact);
            statistics.max_value = high.map_or(Precision::Absent, Precision::Inexact);
            let nulls = file.data().null_value_counts().get(&id);
            statistics.null_count = match nulls.and_then(|nulls| usize::try_from(*nulls).ok()) {
                Some(nulls) if slice.deleted.is_empty() => Precision::Exact(nulls),
                Some(nulls) => Precision::Inexact(nulls),
                None => Precision::Absent,
            };
        }
    }
    all
}

/// The statistics that a slice brings along: its row count and its constants. DataFusion's reader
/// folds them, so that a partition's value is read even from a file without the column.
pub(super) fn constant_statistics(columns: &SchemaRef, slice: &FileSlice) -> Statistics {
    let mut all = Statistics::new_unknown(columns);
    let Ok(rows) = usize::try_from(slice.live_rows()) else {
        return all;
    };
    all.num_rows = Precision::Exact(rows);
    for (index, value) in &slice.constants {
        let Some(statistics) = all.column_statistics.get_mut(*index) else {
            continue;
        };
        if value.is_null() {
            statistics.null_count = Precision::Exact(rows);
        } else {
            statistics.null_count = Precision::Exact(0);
            statistics.min_value = Precision::Exact(value.clone());
            statistics.max_value = Precision::Exact(value.clone());
        }
    }
    all
}

/// Groups of scan units with the statistics of each file, and the statistics of all files.
///
/// `schema` is the scan's, with the columns of `address`.
///
/// # Errors
/// As [`FileSlice::partitioned_file`] says.
pub(super) fn with_statistics(
    groups: Vec<Vec<SelectedFile>>,
    store: &ObjectStoreUrl,
    schema: &TableSchema,
    address: AddressColumns,
) -> Result<(Vec<FileGroup>, Statistics)> {
    let columns = schema.file_schema();
    let all_columns = schema.table_schema();
    let count: usize = groups.iter().map(Vec::len).sum();
    let each = count.saturating_mul(all_columns.fields().len()) <= MAX_ENTRIES;
    let mut rows = 0_u64;
    let mut scanned = Vec::with_capacity(groups.len());
    for group in groups {
        let mut files = Vec::with_capacity(group.len());
        for SelectedFile { slice, live } in group {
            rows += slice.live_rows();
            let statistics = each.then(|| file_statistics(columns, &live, &slice));
            let mut file = slice.partitioned_file(store, address)?;
            if let Some(statistics) = statistics {
                file = file.with_statistics(Arc::new(statistics));
            }
            if let Some(statistics) = file.statistics.as_mut().filter(|_| address.position) {
                let columns = &mut Arc::make_mut(statistics).column_statistics;
                columns.push(ColumnStatistics::new_unknown());
            }
            files.push(file);
        }
        scanned.push(FileGroup::new(files));
    }
    if each && count > 0 {
        return compute_all_files_statistics(scanned, Arc::clone(all_columns), true, false)
            .map_err(|source| {
                Error::new(ErrorKind::Internal, "cannot merge file statistics").with_source(source)
            });
    }
    let mut total = Statistics::new_unknown(all_columns);
    total.num_rows = usize::try_from(rows).map_or(Precision::Absent, Precision::Exact);
    Ok((scanned, total))
}
