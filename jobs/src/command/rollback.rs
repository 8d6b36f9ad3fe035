//! `northstar rollback`: a table as it was, rows and watermarks at once.

use northstar_iceberg::commit::summary;
use northstar_iceberg::refs::{Rollback, find_version};
use northstar_iceberg::{LakeTable, Result};

use super::reference::opened;
use super::snapshots::time;
use crate::cli::{Global, refs};
use crate::exit::Done;
use crate::printer::Printer;

pub(crate) async fn run(
    global: &Global,
    asked: &refs::Rollback,
    printer: &Printer,
) -> Result<Done> {
    let (warehouse, table) = opened(global, &asked.table).await?;
    let to = find_version(table.metadata(), &asked.to)?;
    let plan = Rollback::plan(&table, &asked.branch, to)?;
    if asked.dry_run {
        undone(&table, &plan, printer)?;
        let way = if plan.is_ancestor { "" } else { "; that is no ancestor, so it needs --any" };
        let rows = rows(&table, Some(to));
        printer.say(format!("{} would be at snapshot {to} with {rows} rows{way}", plan.branch));
        return Ok(Done::Well);
    }
    let altered = warehouse.lake.roll_back(&table, &plan, asked.any).await?;
    if !altered.settled()? {
        printer.say(format!("{} of {} was at snapshot {to} already", plan.branch, table.name()));
        return Ok(Done::Well);
    }
    undone(&table, &plan, printer)?;
    let (before, after) = (rows(&table, plan.from), rows(&table, Some(to)));
    printer.say(format!(
        "{} of {} is at snapshot {to}: {after} rows, {before} before",
        plan.branch,
        table.name()
    ));
    if let Some(from) = plan.from {
        let branch = &plan.branch;
        let name = table.name();
        printer.note(format!(
            "to take this back: northstar rollback {name} --branch {branch} --to {from} --any"
        ));
    }
    Ok(Done::Well)
}

/// The snapshots that are no longer part of the branch, newest first.
fn undone(table: &LakeTable, plan: &Rollback, printer: &Printer) -> Result<()> {
    let snapshots = plan.undone.iter().filter_map(|id| table.metadata().snapshot_by_id(*id));
    let rows: Vec<Vec<String>> = snapshots
        .map(|snapshot| {
            let said = &snapshot.summary().additional_properties;
            let entry = |key: &str| said.get(key).cloned().unwrap_or_default();
            vec![
                snapshot.snapshot_id().to_string(),
                time(snapshot.timestamp_ms()),
                snapshot.summary().operation.as_str().to_string(),
                entry("added-records"),
                entry("deleted-records"),
                entry(summary::JOB),
                entry(summary::ACTOR),
            ]
        })
        .collect();
    printer.table(&["undone", "committed", "operation", "added", "deleted", "job", "actor"], &rows)
}

fn rows(table: &LakeTable, snapshot_id: Option<i64>) -> String {
    let snapshot = snapshot_id.and_then(|id| table.metadata().snapshot_by_id(id));
    let said = snapshot.map(|snapshot| &snapshot.summary().additional_properties);
    said.and_then(|said| said.get("total-records")).cloned().unwrap_or_else(|| "?".to_string())
}
