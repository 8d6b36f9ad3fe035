//! `northstar rerun`: the rows of one facility and some days, made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use northstar_iceberg::merge::ChangeReport;
use northstar_iceberg::{Error, ErrorKind, Result, TableName};
use northstar_lakehouse::cdc::{RerunJob, RerunPlan, ScopeRequest, change_files};
use northstar_lakehouse::contract::Contract;

use super::files::{self, size};
use super::merge;
use crate::cli::{Global, Rerun, Sources};
use crate::exit::Done;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::record::Counts;
use crate::warehouse::Warehouse;

pub(crate) async fn run(global: &Global, asked: &Rerun, printer: &Printer) -> Result<Done> {
    let name: TableName = asked.table.parse()?;
    let scope = ScopeRequest {
        facility: asked.facility.clone(),
        facility_column: asked.sources.facility_column.clone(),
        time_column: asked.sources.time_column.clone(),
        from: asked.from,
        to: asked.to,
        zone: asked.zone.clone(),
    };
    scope.check()?;
    let found = Found::of(global, &name, &asked.sources).await?;
    let progress = Arc::new(Progress::new());
    let warehouse = Warehouse::existing(global, Arc::<Progress>::clone(&progress) as _).await?;
    let session = warehouse.changing_session("rerun")?;
    let mut merge = merge::job(&warehouse, &session, &name, &found.contract);
    merge.run = warehouse.run("rerun");
    let job = RerunJob { merge, bronze: found.bronze, scope, complete: asked.complete };
    let planned = Box::pin(job.plan(&found.changes)).await;
    progress.finish();
    let planned = planned?;
    let plan = planned.plan().clone();
    global.tally.files(&found.changes);
    global.tally.add(Counts { read_rows: plan.read_rows, ..Counts::default() });
    print_plan(asked, &plan, printer)?;
    let is_doubtful = plan.held_back > 0 || (plan.ends_early && plan.inserted > 0);
    let done = if is_doubtful { Done::NeedsAttention } else { Done::Well };
    if asked.dry_run {
        printer.say("nothing was changed: this is what would be");
        return Ok(done);
    }
    let changed = Box::pin(planned.apply()).await?;
    if let Some(changed) = &changed {
        global.tally.add(Counts {
            inserted_rows: changed.inserted_rows,
            updated_rows: changed.updated_rows,
            deleted_rows: changed.deleted_rows,
            ..Counts::default()
        });
    }
    print_done(&name, changed.as_ref(), printer);
    Ok(done)
}

/// The sources of a table, as they were asked for.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) bronze: Option<TableName>,
    pub(super) changes: Vec<PathBuf>,
    pub(super) contract: Contract,
}

impl Found {
    /// Looks for the files, and reads the contract.
    ///
    /// # Errors
    /// `NotFound` for a file that is not there; `InvalidInput` if no source is named.
    pub(super) async fn of(global: &Global, table: &TableName, sources: &Sources) -> Result<Self> {
        let named = sources.changes.iter().chain(&sources.contract).map(PathBuf::as_path);
        Warehouse::reads(global, named).await?;
        let changes = change_files(&sources.changes, table.table())?;
        if sources.no_bronze && changes.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "no source is named: leave --no-bronze out, or name the change files with --changes",
            )
            .with_context("table", table));
        }
        let contract = merge::read_contract(&changes, sources.contract.as_deref())?;
        let bronze = match sources.no_bronze {
            true => None,
            false => Some(TableName::new(&sources.bronze, table.table())?),
        };
        Ok(Self { bronze, changes, contract })
    }
}

fn print_plan(asked: &Rerun, plan: &RerunPlan, printer: &Printer) -> Result<()> {
    let asked = format!(
        "rerun of {}: facility {}, from {} to before {}; {} change file{} of {}, {} rows read",
        asked.table,
        asked.facility,
        asked.from,
        asked.to,
        plan.files,
        if plan.files == 1 { "" } else { "s" },
        size(plan.file_bytes),
        plan.read_rows
    );
    match printer.is_for_people() {
        true => printer.wrapped(0, &asked),
        false => printer.say(asked),
    }
    let counts = [
        ("keys", plan.keys),
        ("insert", plan.inserted),
        ("update", plan.updated),
        ("remove", plan.removed),
        ("unchanged", plan.unchanged),
        ("held_back", plan.held_back),
        ("files", plan.table_files),
        ("touched", plan.files_touched),
    ];
    let bytes = [("read_bytes", plan.read_bytes), ("write_bytes", plan.write_bytes)];
    let mut header = counts.map(|(name, _)| name).to_vec();
    let mut row = counts.map(|(_, count)| count.to_string()).to_vec();
    match printer.is_for_people() {
        true => {
            header.extend(["read", "write"]);
            row.extend(bytes.map(|(_, bytes)| size(bytes)));
        }
        false => {
            header.extend(bytes.map(|(name, _)| name));
            row.extend(bytes.map(|(_, bytes)| bytes.to_string()));
        }
    }
    printer.table(&header, &[row])?;
    if plan.doubled > 0 {
        printer.note(format!(
            "note: the table has {} rows too many, of keys that stand in it more than once; all rows of \
             the scope are written anew",
            plan.doubled
        ));
    }
    if plan.ends_early {
        printer.note(
            "note: the files end before the last change that was merged into the table; rows that are \
             inserted may be older than those that are missing. Name all change files with --changes",
        );
    }
    if plan.held_back > 0 {
        printer.note(format!(
            "{} rows are held back: their last change is in none of the sources. Name all change files of \
             the table with --changes; if these are all, say --complete",
            plan.held_back
        ));
    }
    Ok(())
}

fn print_done(table: &TableName, changed: Option<&ChangeReport>, printer: &Printer) {
    let Some((changed, snapshot)) = changed.and_then(|one| Some((one, one.snapshot_id?))) else {
        return printer.say(format!("{table} is as it should be there; nothing was done"));
    };
    if printer.is_for_people() {
        printer.wrapped(0, &files::line(changed));
    }
    printer.say(format!(
        "{table}: {} rows inserted, {} updated, {} removed; snapshot {snapshot}",
        changed.inserted_rows, changed.updated_rows, changed.deleted_rows
    ));
}

/// A place as it is best shown in a command to be typed.
pub(super) fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    match text.chars().all(|c| c.is_ascii_alphanumeric() || "./_-=".contains(c)) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_quoted_where_a_shell_would_not_take_them() {
        for (path, expected) in
            [("a/day_1.csv", "a/day_1.csv"), ("my files", "'my files'"), ("it's", "'it'\\''s'")]
        {
            assert_eq!(shown(Path::new(path)), expected);
        }
    }
}
