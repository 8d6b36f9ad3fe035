//! `northstar sql`: one query.

use std::io::Read;
use std::sync::Arc;

use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::from_datafusion;
use northstar_iceberg::{Error, Result};

use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(crate) async fn run(
    global: &Global,
    query: &str,
    branch: Option<&str>,
    printer: &Printer,
) -> Result<Done> {
    let mut text = query.to_string();
    if query == "-" {
        text.clear();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Error::io(error, "read the query", "standard input"))?;
    }
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    execute(&warehouse.changing_session("sql")?, &text, branch, printer).await?;
    Ok(Done::Well)
}

/// Runs a statement and prints its rows, or what it changed or defined.
pub(crate) async fn execute(
    session: &LakeSession,
    query: &str,
    branch: Option<&str>,
    printer: &Printer,
) -> Result<()> {
    let frame = match session.execute_on(query, branch).await? {
        Executed::Rows(frame) => frame,
        Executed::Changed(report) => return changed(&report, printer),
        Executed::Defined(defined) => {
            let outcome = if defined.changed { "done" } else { "was so already" };
            let row = [defined.statement, &defined.name, outcome].map(str::to_string);
            return printer.table(&["statement", "name", "outcome"], &[row.to_vec()]);
        }
    };
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await.map_err(from_datafusion)?;
    printer.batches(&schema, &batches)
}

/// Prints what a statement changed.
pub(crate) fn changed(report: &ChangeReport, printer: &Printer) -> Result<()> {
    let counts = [
        report.inserted_rows,
        report.updated_rows,
        report.deleted_rows,
        report.unchanged_rows,
        report.files_considered,
        report.files_rewritten,
        report.files_added,
    ];
    let snapshot = match report.snapshot_id {
        Some(id) => id.to_string(),
        None => "none".to_string(),
    };
    let row: Vec<String> =
        counts.iter().map(u64::to_string).chain([report.rounds.to_string(), snapshot]).collect();
    let names = [
        "inserted",
        "updated",
        "deleted",
        "unchanged",
        "read",
        "rewritten",
        "added",
        "rounds",
        "snapshot",
    ];
    printer.table(&names, &[row])
}
