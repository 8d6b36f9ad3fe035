//! The rows of some keys, snapshot by snapshot.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::JoinType;
use datafusion::logical_expr::Expr;
use datafusion::prelude::ident;

use crate::commit::summary;
use crate::scan::IcebergTable;
use crate::sql::{SqlSession, from_datafusion};
use crate::{Error, ErrorKind, LakeTable, Result};

/// The column of [`RowsAt`] that holds the number of the key, from 0.
pub const KEY_NUMBER: &str = "__northstar_key";

/// What a table held for some keys at a snapshot.
#[derive(Debug, Clone)]
pub struct RowsAt {
    /// The snapshot.
    pub snapshot_id: i64,
    /// When it was committed, in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    /// Who committed it, if it says so.
    pub actor: Option<String>,
    /// The job that committed it, if it says so.
    pub job: Option<String>,
    /// The rows: the table's columns, and [`KEY_NUMBER`].
    pub rows: Vec<RecordBatch>,
}

/// The rows of `keys` at each snapshot of the main ancestry, oldest first. The columns of `keys` are
/// those of the table that are named in `columns`, in that order and of their types.
///
/// Keys are joined with, not written into a query, so that no plan that is logged holds them.
///
/// # Errors
/// `InvalidInput` for a column that the table does not have; those of reading the table.
pub async fn rows_of_keys(
    session: &SqlSession,
    table: &LakeTable,
    columns: &[String],
    keys: &RecordBatch,
) -> Result<Vec<RowsAt>> {
    let keys = numbered(keys)?;
    let mut snapshots: Vec<_> = table.ancestors().collect();
    snapshots.reverse();
    let mut all = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        let provider = IcebergTable::try_new(table.inner().clone(), Some(snapshot.snapshot_id()))?;
        let names: Vec<String> =
            provider.columns().fields().iter().map(|field| field.name().clone()).collect();
        if let Some(missing) = columns.iter().find(|column| !names.contains(column)) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("the table has no column `{missing}`; it has {}", names.join(", ")),
            )
            .with_context("table", table.name())
            .with_context("snapshot", snapshot.snapshot_id()));
        }
        let context = session.context();
        let wanted = context.read_batch(keys.clone()).map_err(from_datafusion)?;
        let equal: Vec<Expr> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| ident(column).eq(ident(key_column(at))))
            .collect();
        let shown: Vec<Expr> =
            names.iter().map(String::as_str).chain([KEY_NUMBER]).map(ident).collect();
        let rows = context
            .read_table(Arc::new(provider))
            .and_then(|rows| rows.join_on(wanted, JoinType::Inner, equal))
            .and_then(|rows| rows.select(shown))
            .map_err(from_datafusion)?;
        let entry = |key: &str| snapshot.summary().additional_properties.get(key).cloned();
        all.push(RowsAt {
            snapshot_id: snapshot.snapshot_id(),
            time_ms: snapshot.timestamp_ms(),
            actor: entry(summary::ACTOR),
            job: entry(summary::JOB),
            rows: Box::pin(rows.collect()).await.map_err(from_datafusion)?,
        });
    }
    Ok(all)
}

fn key_column(at: usize) -> String {
    format!("{KEY_NUMBER}_{at}")
}

/// The keys under names that no table has, with their numbers.
fn numbered(keys: &RecordBatch) -> Result<RecordBatch> {
    let renamed = keys.schema_ref().fields().iter().enumerate().map(|(at, field)| {
        Field::new(key_column(at), field.data_type().clone(), field.is_nullable())
    });
    let number = Field::new(KEY_NUMBER, DataType::Int64, false);
    let schema = Schema::new(renamed.chain([number]).collect::<Vec<_>>());
    let mut columns = keys.columns().to_vec();
    let count = i64::try_from(keys.num_rows()).unwrap_or(i64::MAX);
    columns.push(Arc::new(Int64Array::from_iter_values(0..count)));
    RecordBatch::try_new(Arc::new(schema), columns).map_err(|error| {
        Error::new(ErrorKind::Internal, "keys cannot be numbered").with_source(error)
    })
}
