//! `northstar sql`: one query.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::from_datafusion;
use northstar_iceberg::{Error, Result};

use super::{explain, files};
use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(crate) async fn run(
    global: &Global,
    query: &str,
    branch: Option<&str>,
    (whole_table, explained): (bool, bool),
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
    let session = warehouse.changing_session("sql")?.with_whole_table(whole_table);
    if explained {
        let explanation = Box::pin(session.explain(&text, HashMap::new(), branch)).await?;
        explain::print(&explanation, global.memory, printer)?;
        return Ok(Done::Well);
    }
    execute(&session, &text, branch, printer).await?;
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
    let snapshot = match report.snapshot_id {
        Some(id) => id.to_string(),
        None => "none".to_string(),
    };
    let mut cells = vec![
        ("inserted", Some(report.inserted_rows)),
        ("updated", Some(report.updated_rows)),
        ("deleted", Some(report.deleted_rows)),
        ("unchanged", Some(report.unchanged_rows)),
    ];
    if !printer.is_for_people() {
        cells.extend(files::counts(report));
    }
    cells.push(("rounds", Some(u64::from(report.rounds))));
    let (mut names, mut row): (Vec<_>, Vec<_>) =
        cells.into_iter().map(|(name, count)| (name, count.map(|count| count.to_string()))).unzip();
    names.push("snapshot");
    row.push(Some(snapshot));
    printer.rows(&names, &[row])?;
    if printer.is_for_people() {
        printer.wrapped(0, &files::line(report));
    }
    Ok(())
}
