//! The record of one run.

use std::sync::Arc;

use northstar_iceberg::clock::{Clock, SystemClock};
use northstar_iceberg::ids::{Ids, RandomIds};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::{Error, ErrorKind, Result, TableName};
use serde::Serialize;
use serde_json::{Map, Value};

use super::cost::Cost;
use super::job::Job;
use super::line;
use super::tally::{Counts, Inputs};
use crate::cli::{Cli, Global};
use crate::exit::Done;
use crate::runs::inside;
use crate::warehouse::Warehouse;

/// A run whose record is written at its end.
#[derive(Debug)]
pub(crate) struct Recorded {
    job: Job,
    started_ms: i64,
}

/// The record as it is written.
#[derive(Debug, Serialize)]
struct Record<'a> {
    run_id: &'a str,
    job: &'static str,
    actor: &'a str,
    reason: &'a str,
    started_ms: i64,
    ended_ms: i64,
    /// `done`, `needs attention`, or the kind of the error: its text may quote what was asked.
    outcome: &'static str,
    arguments: &'a Map<String, Value>,
    inputs: &'a Inputs,
    tables: Vec<Moved>,
    counts: Counts,
    cost: Cost,
}

/// A table that a run opened, and its snapshots before and after.
#[derive(Debug, Serialize)]
struct Moved {
    table: String,
    before: Option<i64>,
    after: Option<i64>,
}

impl Recorded {
    /// Begins the record of a command, if it is a job: it gets an id, which its commits have, too.
    pub(crate) fn begin(cli: &mut Cli) -> Option<Self> {
        let job = Job::of(&cli.command)?;
        cli.global.run_id.get_or_insert_with(|| RandomIds.uuid().to_string());
        Some(Self { job, started_ms: SystemClock.now_ms() })
    }

    /// Writes the record. What cannot be written is only logged: the work is done, and must not be
    /// done again for that. A job that failed before there was a warehouse has no place for one.
    pub(crate) async fn end(&self, global: &Global, outcome: &Result<Done>) {
        let ended_ms = SystemClock.now_ms();
        let cost = Cost::so_far(ended_ms.saturating_sub(self.started_ms));
        let warehouse = match Warehouse::existing(global, Arc::new(Silent)).await {
            Ok(warehouse) => warehouse,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return warn(&error),
        };
        let tables = match tables(&warehouse, global).await {
            Ok(tables) => tables,
            Err(error) => {
                warn(&error);
                Vec::new()
            }
        };
        let (counts, inputs) = global.tally.so_far();
        let record = Record {
            run_id: global.run_id.as_deref().unwrap_or_default(),
            job: self.job.name,
            actor: &global.actor,
            reason: &global.reason,
            started_ms: self.started_ms,
            ended_ms,
            outcome: said(outcome),
            arguments: &self.job.arguments,
            inputs: &inputs,
            tables,
            counts,
            cost,
        };
        if let Err(error) = write(&warehouse, &record).await {
            warn(&error);
        }
    }
}

fn warn(error: &Error) {
    tracing::warn!(%error, "this run is not recorded whole");
}

fn said(outcome: &Result<Done>) -> &'static str {
    match outcome {
        Ok(Done::Well) => "done",
        Ok(Done::NeedsAttention) => "needs attention",
        Err(error) => error.kind().as_str(),
    }
}

/// In the file of this machine, and where records are kept for good.
async fn write(warehouse: &Warehouse, record: &Record<'_>) -> Result<()> {
    let text = serde_json::to_vec(record).map_err(|error| {
        Error::new(ErrorKind::Internal, "a run cannot be written as JSON").with_source(error)
    })?;
    line::append(&warehouse.folder, &text)?;
    let Some(bucket) = &warehouse.audit else { return Ok(()) };
    let name = format!("{}-{}.json", record.ended_ms, RandomIds.uuid());
    bucket.put("runs", record.ended_ms, &name, text).await
}

async fn tables(warehouse: &Warehouse, global: &Global) -> Result<Vec<Moved>> {
    let mut moved = Vec::new();
    for (table, first) in global.opened.tables() {
        let name: TableName = table.parse()?;
        let before = match &first {
            Some(location) => inside::metadata(warehouse, location).await?.current_snapshot_id(),
            None => None,
        };
        let after = match warehouse.lake.catalog.pointer(&name).await {
            // Nothing was committed since.
            Ok(pointer) if first.as_ref() == Some(&pointer.metadata_location) => before,
            Ok(pointer) => {
                let metadata = inside::metadata(warehouse, &pointer.metadata_location).await?;
                metadata.current_snapshot_id()
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        moved.push(Moved { table, before, after });
    }
    Ok(moved)
}
