//! `northstar merge`: change data capture files into a table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use northstar_iceberg::merge::{Explanation, LakeSession};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::storage::landing;
use northstar_iceberg::{Result, TableName};
use northstar_lakehouse::cdc::{MergeJob, MergeOutcome, MergeReport};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::sources::csv::CsvOptions;

use super::{contract, explain, files};
use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::record::Counts;
use crate::warehouse::Warehouse;

/// How many folders above that of a file are searched for a contract.
const FOLDERS_ABOVE: usize = 2;

pub(crate) async fn run(
    global: &Global,
    table: &str,
    changes: &[PathBuf],
    contract: Option<&Path>,
    explained: bool,
    printer: &Printer,
) -> Result<Done> {
    let name: TableName = table.parse()?;
    Warehouse::reads(global, changes.iter().map(PathBuf::as_path).chain(contract)).await?;
    // Files that are missing are said before a warehouse is made for them.
    for path in changes {
        landing::state(path, "read the change file")?;
    }
    let contract = read_contract(changes, contract)?;
    if explained {
        let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
        match explanation(&warehouse, &name, changes, &contract).await? {
            Some(explanation) => explain::print(&explanation, global.memory, printer)?,
            None => printer.say("nothing would be done: there is no change that was not merged"),
        }
        return Ok(Done::Well);
    }
    let progress = Arc::new(Progress::new());
    let warehouse = Warehouse::create(global, Arc::<Progress>::clone(&progress) as _).await?;
    let merged = merge(&warehouse, &name, changes, &contract).await;
    progress.finish();
    let merged = merged?;
    global.tally.files(changes);
    global.tally.add(Counts {
        read_rows: merged.read_rows,
        inserted_rows: merged.inserted,
        updated_rows: merged.updated,
        deleted_rows: merged.deleted,
        ..Counts::default()
    });
    print(&name, &merged, printer)?;
    Ok(Done::Well)
}

/// Merges, and gives the report.
pub(crate) async fn merge(
    warehouse: &Warehouse,
    table: &TableName,
    changes: &[PathBuf],
    contract: &Contract,
) -> Result<MergeReport> {
    let session = warehouse.changing_session("merge")?;
    Box::pin(job(warehouse, &session, table, contract).run(changes)).await
}

/// What merging would do; `None` if that is nothing.
async fn explanation(
    warehouse: &Warehouse,
    table: &TableName,
    changes: &[PathBuf],
    contract: &Contract,
) -> Result<Option<Explanation>> {
    let session = warehouse.changing_session("merge")?;
    Box::pin(job(warehouse, &session, table, contract).explain(changes)).await
}

pub(super) fn job<'a>(
    warehouse: &'a Warehouse,
    session: &'a LakeSession,
    table: &TableName,
    contract: &Contract,
) -> MergeJob<'a> {
    MergeJob {
        lake: &warehouse.lake,
        session,
        table: table.clone(),
        contract: contract.table(table.table()),
        run: warehouse.run("merge"),
        access: warehouse.access.clone(),
        csv: CsvOptions::default(),
        scratch_folder: warehouse.spill_folder(),
    }
}

/// The contract that was named, or the first that lies in the folder of a file or above it.
pub(super) fn read_contract(changes: &[PathBuf], named: Option<&Path>) -> Result<Contract> {
    let folders = changes.iter().map(|file| landing::folder_of(file));
    contract::read(named, folders.flat_map(|folder| contract::places(&folder, FOLDERS_ABOVE)))
}

/// Prints what the merge did.
pub(crate) fn print(table: &TableName, report: &MergeReport, printer: &Printer) -> Result<()> {
    let counts = [
        ("read", report.read_rows),
        ("before", report.before_images),
        ("skipped", report.skipped_rows),
        ("keys", report.keys),
        ("inserted", report.inserted),
        ("updated", report.updated),
        ("deleted", report.deleted),
        ("unchanged", report.unchanged),
    ];
    let mut names: Vec<&str> = counts.iter().map(|(name, _)| *name).collect();
    let mut row: Vec<_> = counts.iter().map(|(_, count)| Some(count.to_string())).collect();
    let snapshot = report.snapshot_id.map_or_else(|| "none".to_string(), |id| id.to_string());
    if !printer.is_for_people() {
        for (name, count) in report.statement.iter().flat_map(files::counts) {
            names.push(name);
            row.push(count.map(|count| count.to_string()));
        }
        names.push("snapshot");
        row.push(Some(snapshot.clone()));
    }
    printer.rows(&names, &[row])?;
    if let Some(statement) = report.statement.as_ref().filter(|_| printer.is_for_people()) {
        printer.wrapped(0, &files::line(statement));
    }
    let said = match report.outcome {
        MergeOutcome::Merged => "merged",
        MergeOutcome::AlreadyMerged => "already merged; nothing was done",
        MergeOutcome::Empty => "no change in them; nothing was done",
    };
    let made = if report.created { ", which is new" } else { "" };
    let files = report.files;
    let s = if files == 1 { "" } else { "s" };
    printer.say(format!("{files} file{s} for {table}{made}: {said}; snapshot {snapshot}"));
    Ok(())
}
