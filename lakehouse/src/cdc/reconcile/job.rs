//! A table held against its sources.

use std::path::PathBuf;

use northstar_iceberg::{LakeTable, TableName};

use super::{Balance, Group, files, state};
use crate::cdc::job::{MergeJob, WATERMARK_SUMMARY};
use crate::cdc::rebuilt::Sources;
use crate::cdc::rerun::{soft_target, time_column};
use crate::cdc::statement::staged_name;
use crate::cdc::{asked, files as change_files};
use crate::{Error, ErrorKind, Result};

/// A table that is held against its sources.
#[derive(Debug)]
pub struct ReconcileJob<'a> {
    /// The table and what its change files are read with.
    pub merge: MergeJob<'a>,
    /// The bronze table that the first rows came from; `None` if there is none.
    pub bronze: Option<TableName>,
    /// The column that counts are grouped by; not at all if the table does not have it.
    pub facility_column: String,
    /// The column of the event date; that of the table's time partition if none is named.
    pub time_column: Option<String>,
    /// A folder whose files are held against bronze.
    pub extract: Option<PathBuf>,
}

/// What a table and its sources come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// The snapshot of the table; `None` if it has none.
    pub snapshot_id: Option<i64>,
    /// The column that holds the facility, if the table has it.
    pub facility_column: Option<String>,
    /// By facility and month.
    pub groups: Vec<Group>,
    /// By file of the extract.
    pub files: Vec<Balance>,
    /// Change files of different content.
    pub change_files: u64,
    /// Bytes of these files.
    pub change_bytes: u64,
    /// Change rows read.
    pub read_rows: u64,
}

impl Reconciliation {
    /// Whether nothing differs.
    pub fn agrees(&self) -> bool {
        self.groups.iter().all(Group::agrees) && self.files.iter().all(Balance::agrees)
    }
}

impl ReconcileJob<'_> {
    /// Holds the table against its sources. Nothing is written but what is put aside meanwhile.
    ///
    /// # Errors
    /// `NotFound` for a table or file that is not there; `Unsupported` for a table of hard deletes or
    /// one that no merge made; those of reading.
    pub async fn run(&self, paths: &[PathBuf]) -> Result<Reconciliation> {
        let job = &self.merge;
        let in_table = |error: Error| error.with_context("table", &job.table);
        let opened = tokio::task::block_in_place(|| change_files::open_any(paths))?;
        let table = job.lake.open_table(&job.table, &job.access).await?;
        let target = soft_target(&table, job)?;
        let bronze = self.opened_bronze().await?;
        let sources = Sources::checked(&target, bronze.as_ref())?;
        let named = |name: &str| {
            let column = target.columns.iter().find(|one| one.name.eq_ignore_ascii_case(name));
            column.map(|column| column.name.clone())
        };
        let facility_column = named(&self.facility_column);
        let time_column = match &self.time_column {
            Some(name) => Some(named(name).ok_or_else(|| {
                in_table(Error::new(
                    ErrorKind::InvalidInput,
                    format!("the table has no column {name}: name another with --time-column"),
                ))
            })?),
            None => time_column(&table),
        };
        let staged = job.stage(&target, table.inherited_summary(WATERMARK_SUMMARY), &opened)?;
        let given = [(staged_name()?, staged.rows.table())].into();
        let sql = state::query(&sources, facility_column.as_deref(), time_column.as_deref());
        let batches = Box::pin(asked::batches(job.session, &sql, given)).await.map_err(in_table)?;
        let files = match (&self.extract, &bronze) {
            (Some(folder), Some(bronze)) => {
                files::balances(job.session, bronze, folder, (&job.contract, &job.csv)).await?
            }
            (Some(_), None) => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "an extract is held against a bronze table: name its namespace with --bronze",
                ));
            }
            (None, _) => Vec::new(),
        };
        Ok(Reconciliation {
            snapshot_id: table.metadata().current_snapshot_id(),
            facility_column,
            groups: state::groups(&batches)?,
            files,
            change_files: u64::try_from(opened.len()).unwrap_or(0),
            change_bytes: opened.iter().map(change_files::ChangeFile::bytes).sum(),
            read_rows: staged.counts.read_rows,
        })
    }

    async fn opened_bronze(&self) -> Result<Option<LakeTable>> {
        crate::cdc::rerun::opened_bronze(&self.merge, self.bronze.as_ref()).await
    }
}
