//! `northstar snapshots`: what was committed to a table, when, by whom and why.

use std::sync::Arc;

use chrono::DateTime;
use northstar_iceberg::commit::summary;
use northstar_iceberg::observer::Silent;
use northstar_iceberg::{LakeTable, Result, TableName};

use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(crate) async fn run(global: &Global, table: &str, printer: &Printer) -> Result<Done> {
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    print(&warehouse, table, printer).await?;
    Ok(Done::Well)
}

/// Prints the snapshots of a table, oldest first; the current one is marked.
pub(crate) async fn print(warehouse: &Warehouse, table: &str, printer: &Printer) -> Result<()> {
    let name: TableName = table.parse()?;
    let table = warehouse.lake.open_table(&name, &warehouse.access).await?;
    let header = ["snapshot", "committed", "added", "rows", "files", "job", "actor", "now"];
    printer.table(&header, &rows(&table))
}

fn rows(table: &LakeTable) -> Vec<Vec<String>> {
    let metadata = table.metadata();
    let mut snapshots: Vec<_> = metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
    snapshots
        .into_iter()
        .map(|snapshot| {
            let said = snapshot.summary();
            let entry =
                |key: &str| said.additional_properties.get(key).cloned().unwrap_or_default();
            let current = metadata.current_snapshot_id() == Some(snapshot.snapshot_id());
            vec![
                snapshot.snapshot_id().to_string(),
                time(snapshot.timestamp_ms()),
                entry("added-records"),
                entry("total-records"),
                entry("total-data-files"),
                entry(summary::JOB),
                entry(summary::ACTOR),
                if current { "*".to_string() } else { String::new() },
            ]
        })
        .collect()
}

/// A time as `TIMESTAMP AS OF` takes it.
pub(crate) fn time(time_ms: i64) -> String {
    DateTime::from_timestamp_millis(time_ms)
        .map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
