//! Queries of a few numbers or texts.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use northstar_iceberg::TableName;
use northstar_iceberg::merge::{Aside, AsideWriter, Given, LakeSession};
use northstar_iceberg::sql::from_datafusion;
use uuid::Uuid;

use crate::{Error, ErrorKind, Result};

/// The batches of a query; `given` are tables beside those of the lake.
///
/// # Errors
/// As a query.
pub(super) async fn batches(
    session: &LakeSession,
    sql: &str,
    given: HashMap<TableName, Given>,
) -> Result<Vec<RecordBatch>> {
    let frame = session.sql().query_with(sql, given).await?;
    frame.collect().await.map_err(from_datafusion)
}

/// The first row of a query of numbers; NULL counts as 0.
///
/// # Errors
/// As a query.
pub(super) async fn numbers<const N: usize>(
    session: &LakeSession,
    sql: &str,
    given: HashMap<TableName, Given>,
) -> Result<[u64; N]> {
    let batches = batches(session, sql, given).await?;
    let defect = || Error::new(ErrorKind::Internal, "a query of numbers gave none");
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).ok_or_else(defect)?;
    let mut numbers = [0; N];
    for (at, number) in numbers.iter_mut().enumerate() {
        let column = batch.columns().get(at).ok_or_else(defect)?;
        let column = arrow::compute::cast(column, &DataType::Int64)
            .map_err(|error| defect().with_source(error))?;
        let column = column.as_primitive_opt::<Int64Type>().ok_or_else(defect)?;
        *number = if column.is_valid(0) { u64::try_from(column.value(0)).unwrap_or(0) } else { 0 };
    }
    Ok(numbers)
}

/// The first column of a query as texts.
///
/// # Errors
/// As a query.
pub(super) async fn texts(
    session: &LakeSession,
    sql: &str,
    given: HashMap<TableName, Given>,
) -> Result<Vec<String>> {
    let defect = || Error::new(ErrorKind::Internal, "a query of texts gave none");
    let mut all = Vec::new();
    for batch in batches(session, sql, given).await? {
        let texts = arrow::compute::cast(batch.column(0), &DataType::Utf8)
            .map_err(|error| defect().with_source(error))?;
        let texts = texts.as_string_opt::<i32>().ok_or_else(defect)?;
        all.extend(texts.iter().flatten().map(str::to_string));
    }
    Ok(all)
}

/// The rows of a query, put aside in a folder of their own below `folder`.
///
/// # Errors
/// As a query; those of putting rows aside.
pub(super) async fn aside(
    session: &LakeSession,
    sql: &str,
    given: HashMap<TableName, Given>,
    (folder, id): (&Path, Uuid),
) -> Result<Aside> {
    let frame = session.sql().query_with(sql, given).await?;
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await.map_err(from_datafusion)?;
    tokio::task::block_in_place(|| {
        let mut writer = AsideWriter::create(folder, id, schema)?;
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    })
}
