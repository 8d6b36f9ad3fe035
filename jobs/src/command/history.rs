//! `northstar history`: the versions of rows, oldest first.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use northstar_iceberg::observer::Silent;
use northstar_iceberg::{Error, Result, TableName};
use northstar_lakehouse::history::{Change, History, KeyHistory, RowVersion, history};

use super::snapshots;
use crate::cli::{Global, Output};
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

/// The columns of CSV and JSON before those of the table; no column of a source begins so.
const HEADER: [&str; 6] = ["_snapshot", "_committed", "_change", "_actor", "_job", "_source"];

pub(crate) async fn run(
    global: &Global,
    table: &str,
    key_from: &Path,
    key_column: &[String],
    printer: &Printer,
) -> Result<Done> {
    let name: TableName = table.parse()?;
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    let (text, from) = keys(key_from)?;
    let found = of_keys(&warehouse, &name, key_column, (text, &from)).await?;
    print(&found, global.output, printer)?;
    Ok(Done::Well)
}

/// The history of keys that are given as text.
pub(crate) async fn of_keys(
    warehouse: &Warehouse,
    name: &TableName,
    key_column: &[String],
    keys: (Vec<u8>, &str),
) -> Result<History> {
    let table = warehouse.lake.open_table(name, &warehouse.access).await?;
    Box::pin(history(&warehouse.session()?, &table, key_column, keys)).await
}

/// The text of the keys, and what errors call it.
fn keys(from: &Path) -> Result<(Vec<u8>, String)> {
    if from == Path::new("-") {
        let mut text = Vec::new();
        let named = "standard input";
        std::io::stdin()
            .read_to_end(&mut text)
            .map_err(|error| Error::io(error, "read the keys", named))?;
        return Ok((text, named.to_string()));
    }
    let text =
        std::fs::read(from).map_err(|error| Error::io(error, "read the keys", from.display()))?;
    Ok((text, from.display().to_string()))
}

/// Prints the versions: what changed, for people; whole rows, for programs.
pub(crate) fn print(found: &History, output: Output, printer: &Printer) -> Result<()> {
    if output == Output::Table {
        found.keys.iter().for_each(|key| print_key(found, key, printer));
        return Ok(());
    }
    let columns = found.columns.iter().map(String::as_str);
    let header: Vec<&str> = HEADER.into_iter().chain(columns).collect();
    let versions = found.keys.iter().flat_map(|key| &key.versions);
    let rows: Vec<Vec<Option<String>>> = versions.map(whole).collect();
    printer.rows(&header, &rows)?;
    // Not the key itself: notes go where logs go.
    for key in found.keys.iter().filter(|key| key.versions.is_empty()) {
        printer.note(format!("the key on line {} was never in the table", key.line));
    }
    Ok(())
}

fn whole(version: &RowVersion) -> Vec<Option<String>> {
    let said = [
        Some(version.snapshot_id.to_string()),
        Some(snapshots::time(version.time_ms)),
        Some(version.change.as_str().to_string()),
        version.actor.clone(),
        version.job.clone(),
        version.source.clone(),
    ];
    said.into_iter().chain(version.cells.iter().cloned()).collect()
}

fn print_key(found: &History, key: &KeyHistory, printer: &Printer) {
    let named = found.key.iter().zip(&key.key);
    let named: Vec<String> = named.map(|(name, value)| format!("{name} = {value}")).collect();
    printer.wrapped(0, &named.join(", "));
    if key.versions.is_empty() {
        printer.wrapped(2, "was never in the table");
    }
    for version in &key.versions {
        let by = version.actor.as_deref().unwrap_or("unknown");
        let job = version.job.as_deref().unwrap_or("another program");
        let (id, time) = (version.snapshot_id, snapshots::time(version.time_ms));
        let what = version.change.as_str();
        printer.wrapped(2, &format!("{time}  {what:8}  snapshot {id}  by {by} ({job})"));
        if let Some(source) = &version.source {
            printer.wrapped(4, &format!("from {source}"));
        }
        for line in details(found, version) {
            printer.wrapped(4, &line);
        }
    }
}

/// What an update changed; of a row that came, its values.
fn details(found: &History, version: &RowVersion) -> Vec<String> {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_string());
    if !version.changed.is_empty() {
        let cells = version.changed.iter();
        return cells
            .map(|cell| format!("{}: {} → {}", cell.column, shown(&cell.old), shown(&cell.new)))
            .collect();
    }
    if version.change != Change::Inserted {
        return Vec::new();
    }
    // Columns that begin so say where the row comes from, which stands above.
    let cells = found.columns.iter().zip(&version.cells).filter(|(name, _)| !name.starts_with('_'));
    let cells = cells.filter_map(|(name, value)| Some(format!("{name} = {}", value.as_ref()?)));
    vec![cells.collect::<Vec<_>>().join(", ")]
}
