//! `northstar merge`: change data capture files into a table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use northstar_iceberg::merge::{Explanation, LakeSession};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::{Error, Result, TableName};
use northstar_lakehouse::cdc::{MergeJob, MergeOutcome, MergeReport};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::sources::csv::CsvOptions;

use super::{explain, files};
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
    // Files that are missing are said before a warehouse is made for them.
    for path in changes {
        std::fs::metadata(path)
            .map_err(|error| Error::io(error, "read the change file", path.display()))?;
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
    let found = || {
        changes
            .iter()
            .flat_map(|path| places(path))
            .find(|path| matches!(path.try_exists(), Ok(true)))
    };
    match named.map(Path::to_path_buf).or_else(found) {
        Some(path) => {
            tracing::info!(contract = %path.display(), "using the contract");
            Contract::read(&path)
        }
        None => Ok(Contract::default()),
    }
}

/// Where the contract of a file may lie, the nearest place first.
fn places(file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
    let folders = std::iter::successors(Some(folder), |below| Some(below.join("..")));
    folders.take(1 + FOLDERS_ABOVE).map(|folder| folder.join("tables.toml")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_sought_up_to_two_folders_above_the_file() {
        let text = |file: &str| -> Vec<String> {
            places(Path::new(file)).iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(text("lab.csv"), ["tables.toml", "../tables.toml", "../../tables.toml"]);
        assert_eq!(text("a/b.csv")[1..], ["a/../tables.toml", "a/../../tables.toml"]);
    }
}
