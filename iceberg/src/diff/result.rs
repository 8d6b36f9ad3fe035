//! A comparison, ready to be run: for its rows, or for how many there are.

use std::fmt;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use futures::TryStreamExt;

use super::memory::frugal;
use super::plan::{CHANGE_COLUMN, Plan};
use super::request::{DiffRequest, key, snapshot};
use super::sides::Sides;
use crate::access::Access;
use crate::sql::{SqlSession, from_datafusion};
use crate::{Error, ErrorKind, Lake, Result, TableName};

/// What changed in a table between two snapshots, not yet read.
pub struct Diff {
    /// The snapshot that changed; `None` for a table that had none.
    pub from: Option<i64>,
    /// What it became.
    pub to: Option<i64>,
    /// The columns that identify a row. Without them, no row is an update.
    pub key: Vec<String>,
    /// What a reader must know of the comparison: another schema, a key that is not there.
    pub notes: Vec<String>,
    /// Data files that are read of the two snapshots.
    pub files: (u64, u64),
    plan: Plan,
    state: SessionState,
}

/// How many rows changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffCounts {
    /// Rows that came.
    pub inserted: u64,
    /// Rows that went.
    pub deleted: u64,
    /// Rows that went and came back with other values under the same key. Not among the others.
    pub updated: u64,
}

impl fmt::Debug for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Diff({:?} to {:?} by {:?})", self.from, self.to, self.key)
    }
}

impl Lake {
    /// Compares two snapshots of a table, which is opened in the name of `access`. The queries run
    /// in `session` and within its memory.
    ///
    /// # Errors
    /// `NotFound` for a table or a snapshot that is not there, or has expired: then with the oldest
    /// that is kept; `InvalidInput` for a key that is not there; `Unsupported` for a column called
    /// [`CHANGE_COLUMN`]; otherwise as a scan.
    pub async fn diff(
        &self,
        name: &TableName,
        request: &DiffRequest,
        access: &Access,
        session: &SqlSession,
    ) -> Result<Diff> {
        let table = self.open_table(name, access).await?;
        let metadata = table.metadata();
        let in_table = |error: Error| error.with_context("table", name);
        let from = snapshot(metadata, "from", &request.from).map_err(in_table)?;
        let to = snapshot(metadata, "to", &request.to).map_err(in_table)?;
        let sides = Sides::find(&table, from, to).await?;
        if sides.before.columns().field_with_name(CHANGE_COLUMN).is_ok() {
            let message = "the column's name is that of the change, rename it";
            return Err(in_table(
                Error::new(ErrorKind::Unsupported, message).with_context("column", CHANGE_COLUMN),
            ));
        }
        let (key, no_key) = key(request, metadata, &sides.schema).map_err(in_table)?;
        let columns = sides.before.columns();
        let places = key.iter().filter_map(|name| columns.index_of(name).ok()).collect();
        let plan = Plan::new(sides.before, sides.after, places).map_err(from_datafusion)?;
        let notes = sides.note.into_iter().chain(no_key).collect();
        let state = frugal(session.context().state()).map_err(from_datafusion)?;
        Ok(Diff { from, to, key, notes, files: sides.files, plan, state })
    }
}

impl Diff {
    /// The rows that differ: [`CHANGE_COLUMN`], then the table's columns. Those of one key stand
    /// together, what went before what came; a row that came twice is there twice.
    ///
    /// # Errors
    /// `Internal` if the query cannot be made.
    pub fn rows(&self) -> Result<DataFrame> {
        Ok(self.frame(self.plan.rows().map_err(from_datafusion)?))
    }

    /// The same rows, a batch at a time, so that no more of them are held.
    ///
    /// # Errors
    /// As a query; those of `take`.
    pub async fn each_batch(&self, take: impl Fn(&RecordBatch) -> Result<()>) -> Result<()> {
        let mut rows = self.rows()?.execute_stream().await.map_err(from_datafusion)?;
        while let Some(batch) = rows.try_next().await.map_err(from_datafusion)? {
            take(&batch)?;
        }
        Ok(())
    }

    /// How many rows there are of each change.
    ///
    /// # Errors
    /// As a query.
    pub async fn counts(&self) -> Result<DiffCounts> {
        let counts = self.frame(self.plan.counts().map_err(from_datafusion)?);
        let mut sum = DiffCounts::default();
        for batch in counts.collect().await.map_err(from_datafusion)? {
            sum.add(&batch)?;
        }
        Ok(sum)
    }

    fn frame(&self, plan: LogicalPlan) -> DataFrame {
        DataFrame::new(self.state.clone(), plan)
    }
}

impl DiffCounts {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let defect = || Error::new(ErrorKind::Internal, "changes cannot be counted");
        let changes = arrow::compute::cast(batch.column(0), &DataType::Utf8)
            .map_err(|error| defect().with_source(error))?;
        let changes = changes.as_string_opt::<i32>().ok_or_else(defect)?;
        let counts = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(defect)?;
        for (change, count) in changes.iter().zip(counts) {
            let count = count.and_then(|count| u64::try_from(count).ok()).ok_or_else(defect)?;
            match change {
                Some("insert") => self.inserted += count,
                Some("delete") => self.deleted += count,
                // Each has one that went, which is not counted.
                Some("update_after") => self.updated += count,
                _ => {}
            }
        }
        Ok(())
    }
}
