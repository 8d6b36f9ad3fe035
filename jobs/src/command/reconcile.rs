//! `northstar reconcile`: a table held against what it was made of.

use std::sync::Arc;

use chrono::{Months, NaiveDate};
use northstar_iceberg::{Result, TableName};
use northstar_lakehouse::cdc::{Group, ReconcileJob, Reconciliation};

use super::merge;
use super::rerun::{Found, shown};
use crate::cli::{Global, Reconcile};
use crate::exit::Done;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::record::Counts;
use crate::warehouse::Warehouse;

/// How many commands are suggested.
const SUGGESTED: usize = 10;

pub(crate) async fn run(global: &Global, asked: &Reconcile, printer: &Printer) -> Result<Done> {
    let name: TableName = asked.table.parse()?;
    Warehouse::reads(global, asked.extract.as_deref()).await?;
    let found = Found::of(global, &name, &asked.sources).await?;
    let progress = Arc::new(Progress::new());
    let warehouse = Warehouse::existing(global, Arc::<Progress>::clone(&progress) as _).await?;
    let session = warehouse.changing_session("reconcile")?;
    let job = ReconcileJob {
        merge: merge::job(&warehouse, &session, &name, &found.contract),
        bronze: found.bronze,
        facility_column: asked.sources.facility_column.clone(),
        time_column: asked.sources.time_column.clone(),
        extract: asked.extract.clone(),
    };
    let held = Box::pin(job.run(&found.changes)).await;
    progress.finish();
    let held = held?;
    global.tally.files(&found.changes);
    let records: u64 = held.files.iter().map(|file| file.records).sum();
    global.tally.add(Counts { read_rows: held.read_rows + records, ..Counts::default() });
    print(asked, &held, printer)?;
    Ok(if held.agrees() { Done::Well } else { Done::NeedsAttention })
}

fn print(asked: &Reconcile, held: &Reconciliation, printer: &Printer) -> Result<()> {
    let unsaid = || "-".to_string();
    let row = |group: &Group| {
        let numbers = [group.keys, group.rows, group.missing, group.surplus, group.different];
        let place = [&group.facility, &group.month].map(|one| one.clone().unwrap_or_else(unsaid));
        place.into_iter().chain(numbers.map(|number| number.to_string())).collect()
    };
    let rows: Vec<Vec<String>> = held.groups.iter().map(row).collect();
    let header = ["facility", "month", "keys", "rows", "missing", "surplus", "different"];
    printer.table(&header, &rows)?;
    if !held.files.is_empty() {
        let rows: Vec<Vec<String>> = held
            .files
            .iter()
            .map(|file| {
                let numbers = [file.records, file.landed, file.quarantined];
                let agrees = if file.agrees() { "yes" } else { "NO" };
                let numbers = numbers.iter().map(u64::to_string);
                [file.file.clone()].into_iter().chain(numbers).chain([agrees.into()]).collect()
            })
            .collect();
        printer.table(&["file", "records", "landed", "quarantined", "balances"], &rows)?;
    }
    let sum = |of: fn(&Group) -> u64| held.groups.iter().map(of).sum::<u64>();
    let (missing, surplus) = (sum(|group| group.missing), sum(|group| group.surplus));
    let different = sum(|group| group.different);
    if missing + surplus + different == 0 {
        printer.say(format!("{} is what its sources make of it", asked.table));
    } else {
        printer.note(format!(
            "{}: {missing} rows are missing, {surplus} are surplus, {different} are different",
            asked.table
        ));
        suggest(asked, held, printer);
    }
    let unbalanced = held.files.iter().filter(|file| !file.agrees()).count();
    if unbalanced > 0 {
        printer.note(format!(
            "{unbalanced} files are not in bronze and quarantine record by record; load the folder \
             again: `northstar load csv` skips files that are there"
        ));
    }
    Ok(())
}

/// Names the commands that would mend it.
fn suggest(asked: &Reconcile, held: &Reconciliation, printer: &Printer) {
    let wrong: Vec<&Group> = held.groups.iter().filter(|group| !group.agrees()).collect();
    let mended = wrong.iter().filter_map(|group| command(asked, group));
    for command in mended.take(SUGGESTED) {
        printer.note(format!("  {command}"));
    }
    if wrong.len() > SUGGESTED {
        printer.note(format!("and {} more facilities and months", wrong.len() - SUGGESTED));
    }
    if wrong.iter().any(|group| command(asked, group).is_none()) {
        printer.note(
            "rows without a facility or an event date are in no scope of a rerun; merge all change files \
             again, or into a new table",
        );
    }
}

fn command(asked: &Reconcile, group: &Group) -> Option<String> {
    let first: NaiveDate = format!("{}-01", group.month.as_ref()?).parse().ok()?;
    let next = first.checked_add_months(Months::new(1))?;
    let facility = group.facility.as_ref()?;
    let facility = shown(std::path::Path::new(facility));
    let mut command =
        format!("northstar rerun {} --facility {facility} --from {first} --to {next}", asked.table);
    let sources = &asked.sources;
    if sources.no_bronze {
        command.push_str(" --no-bronze");
    } else if sources.bronze != "bronze" {
        command.push_str(&format!(" --bronze {}", sources.bronze));
    }
    if sources.facility_column != "facility_id" {
        command.push_str(&format!(" --facility-column {}", sources.facility_column));
    }
    if let Some(column) = &sources.time_column {
        command.push_str(&format!(" --time-column {column}"));
    }
    if let Some(contract) = &sources.contract {
        command.push_str(&format!(" --contract {}", shown(contract)));
    }
    if !sources.changes.is_empty() {
        let places: Vec<String> = sources.changes.iter().map(|path| shown(path)).collect();
        command.push_str(&format!(" --changes {}", places.join(" ")));
    }
    Some(command)
}
