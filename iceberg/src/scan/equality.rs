//! Equality deletes of other writers: rows that go because of their values.
//!
//! They are turned into positions while a scan is planned, by reading the columns that they name of
//! the data files that they may reach. From there on they are deleted rows like any other: the scan
//! stays one that can be split and sent, and row counts stay exact. Northstar writes none.
//!
//! Source: <https://iceberg.apache.org/spec/#equality-delete-files>

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{DataContentType, DataFile, TableMetadata};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use roaring::RoaringTreemap;

use super::deletes::Deleted;
use super::files::{CONCURRENT_READS, LiveFile, stopped};
use super::partition::comparable;
use super::statistics::constants;
use crate::storage::s3::kind_of_text;
use crate::table::schema::{arrow_type, field_id};
use crate::{Error, ErrorKind, Result, storage};

/// The columns that a delete file compares, by field id, each with the type it is compared in.
type Columns = Vec<(i32, DataType)>;

/// The values of the rows that go, as bytes that are equal exactly if the values are: NULL equals
/// NULL.
type Values = HashSet<Box<[u8]>>;

/// Adds the rows of `files` that equality deletes take to those that are deleted already.
///
/// # Errors
/// `Unsupported` for a column that the table does not know or of a nested type; `Damaged` for a file
/// that cannot be read, which is named.
pub(super) async fn equality_deletes(
    metadata: &TableMetadata,
    columns: &SchemaRef,
    files: &[LiveFile],
    deletes: &[LiveFile],
    deleted: &mut Deleted,
) -> Result<()> {
    let deletes: Vec<&LiveFile> = deletes
        .iter()
        .filter(|delete| delete.data().content_type() == DataContentType::EqualityDeletes)
        .collect();
    if deletes.is_empty() {
        return Ok(());
    }
    let mut values: HashMap<&str, (Columns, Arc<Values>)> = HashMap::new();
    for delete in deletes.iter().filter(|delete| files.iter().any(|file| reaches(delete, file))) {
        let compared = compared(metadata, delete.data())?;
        let (path, of) = (delete.data().file_path().to_owned(), compared.clone());
        let read = SpawnedTask::spawn_blocking(move || read_values(&path, &of, &[]));
        let read = read.join().await.map_err(stopped)??;
        values.insert(delete.data().file_path(), (compared, Arc::new(read)));
    }
    let mut tasks = Vec::new();
    for file in files {
        for delete in deletes.iter().filter(|delete| reaches(delete, file)) {
            let Some((compared, gone)) = values.get(delete.data().file_path()) else { continue };
            let path = file.data().file_path().to_owned();
            let (compared, gone) = (compared.clone(), Arc::clone(gone));
            let known = constant_values(columns, file);
            tasks.push((path, compared, gone, known));
        }
    }
    let mut found = stream::iter(tasks)
        .map(|(path, compared, gone, known)| {
            let task = SpawnedTask::spawn_blocking(move || {
                positions(&path, &compared, &gone, &known).map(|positions| (path, positions))
            });
            async move { task.join().await.map_err(stopped)? }
        })
        .buffered(CONCURRENT_READS);
    while let Some((path, positions)) = found.try_next().await? {
        if !positions.is_empty() {
            *deleted.entry(path).or_default() |= positions;
        }
    }
    Ok(())
}

/// Whether a delete file may take rows of a data file: of an older one, in the same partition, or
/// in any if the delete file is of an unpartitioned spec.
fn reaches(delete: &LiveFile, file: &LiveFile) -> bool {
    let everywhere = delete.spec.is_unpartitioned();
    let same = delete.spec.spec_id() == file.spec.spec_id()
        && comparable(delete.data().partition()) == comparable(file.data().partition());
    file.sequence < delete.sequence && (everywhere || same)
}

/// The columns that a delete file compares, in the types of the newest schema that has them.
fn compared(metadata: &TableMetadata, delete: &DataFile) -> Result<Columns> {
    let unknown = |id: i32| {
        Error::new(
            ErrorKind::Unsupported,
            format!("equality deletes compare field {id}, which the table does not have"),
        )
        .with_context("file", delete.file_path())
    };
    let ids = delete.equality_ids().unwrap_or_default();
    if ids.is_empty() {
        return Err(Error::new(ErrorKind::Damaged, "equality deletes name no column")
            .with_context("file", delete.file_path()));
    }
    ids.into_iter()
        .map(|id| {
            let current = metadata.current_schema().field_by_id(id).cloned();
            let earlier = || metadata.schemas_iter().find_map(|s| s.field_by_id(id).cloned());
            let field = current.or_else(earlier).ok_or_else(|| unknown(id))?;
            if !field.field_type.is_primitive() || !top_level(metadata, id) {
                let message = "equality deletes that compare nested columns cannot be applied, have \
                               their writer compact the table";
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .with_context("column", &field.name)
                    .with_context("file", delete.file_path()));
            }
            let kind = arrow_type(&field.field_type)
                .map_err(|error| error.with_context("file", delete.file_path()))?;
            Ok((id, kind))
        })
        .collect()
}

/// Whether an id is that of a column itself, in any schema, and not of a part of one.
fn top_level(metadata: &TableMetadata, id: i32) -> bool {
    metadata.schemas_iter().any(|s| s.as_struct().fields().iter().any(|field| field.id == id))
}

/// Columns whose value a data file takes from its partition, by field id.
fn constant_values(columns: &SchemaRef, file: &LiveFile) -> Vec<(i32, ScalarValue)> {
    let constants = constants(columns, file).into_iter();
    constants.filter_map(|(at, value)| Some((field_id(columns.field(at))?, value))).collect()
}

fn read_values(path: &str, compared: &Columns, known: &[(i32, ScalarValue)]) -> Result<Values> {
    let mut values = Values::new();
    each_row(path, compared, known, |_, row| {
        values.insert(row.into());
    })?;
    Ok(values)
}

/// The positions of the rows whose values are among those that go.
fn positions(
    path: &str,
    compared: &Columns,
    gone: &Values,
    known: &[(i32, ScalarValue)],
) -> Result<RoaringTreemap> {
    let mut positions = RoaringTreemap::new();
    each_row(path, compared, known, |position, row| {
        if gone.contains(row) {
            positions.insert(position);
        }
    })?;
    Ok(positions)
}

/// Hands each row's position and the bytes of its compared values to `take`.
fn each_row(
    path: &str,
    compared: &Columns,
    known: &[(i32, ScalarValue)],
    mut take: impl FnMut(u64, &[u8]),
) -> Result<()> {
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| {
        // Of an error of a bucket, Parquet's reader keeps the text.
        let kind = kind_of_text(&source.to_string()).unwrap_or(ErrorKind::Damaged);
        Error::new(kind, "a file cannot be read to apply equality deletes")
            .with_context("file", path)
            .with_source(source)
    };
    let file = storage::open(path)?;
    // Types come from Parquet, not from what the writer noted of its own arrow types.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| damaged(error.into()))?;
    let wanted: Vec<usize> = reader
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| compared.iter().any(|(id, _)| field_id(field) == Some(*id)))
        .map(|(at, _)| at)
        .collect();
    let mask = ProjectionMask::roots(reader.parquet_schema(), wanted);
    let batches = reader.with_projection(mask).build().map_err(|error| damaged(error.into()))?;
    let fields = compared.iter().map(|(_, kind)| SortField::new(kind.clone())).collect();
    let converter = RowConverter::new(fields).map_err(|error| damaged(error.into()))?;
    let mut position = 0;
    for batch in batches {
        let batch = batch.map_err(|error| damaged(error.into()))?;
        let columns = compared
            .iter()
            .map(|(id, kind)| column(&batch, *id, kind, known))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| damaged(error.into()))?;
        let rows = converter.convert_columns(&columns).map_err(|error| damaged(error.into()))?;
        for row in &rows {
            take(position, row.data());
            position += 1;
        }
    }
    Ok(())
}

/// A column by field id: what the partition says of it, or the file, or NULL.
fn column(
    batch: &RecordBatch,
    id: i32,
    kind: &DataType,
    known: &[(i32, ScalarValue)],
) -> std::result::Result<ArrayRef, datafusion::error::DataFusionError> {
    if let Some((_, value)) = known.iter().find(|(known, _)| *known == id) {
        return Ok(cast(&value.to_array_of_size(batch.num_rows())?, kind)?);
    }
    let fields = batch.schema_ref().fields().iter();
    match fields.zip(batch.columns()).find(|(field, _)| field_id(field) == Some(id)) {
        Some((_, values)) => Ok(cast(values, kind)?),
        None => Ok(new_null_array(kind, batch.num_rows())),
    }
}
