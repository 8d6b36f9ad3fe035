//! `northstar backfill`: years of extracts in units that can be resumed, a file a command.

mod commit;
mod plan;
mod run;
mod units;
mod write;

use std::path::Path;
use std::sync::Arc;

use northstar_iceberg::Result;
use northstar_iceberg::storage::landing;
use northstar_lakehouse::bronze::backfill::{
    BackfillJob, Filter, Listing, SourceReport, UnitName, UnitReport, list,
};
use northstar_lakehouse::bronze::{LoadJob, LoadOptions};
use northstar_lakehouse::sources::csv::CsvOptions;

use super::load::contract_of;
use crate::cli::{Backfill, Chosen, Global, Source};
use crate::exit::Done;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::record::Counts;
use crate::warehouse::Warehouse;

/// The name of the job in commits.
const JOB: &str = "backfill";

/// Runs the command that was asked for.
pub(crate) async fn run(global: &Global, asked: &Backfill, printer: &Printer) -> Result<Done> {
    let source = asked.source();
    let places = [Some(source.from.as_path()), source.contract.as_deref()];
    Warehouse::reads(global, places.into_iter().flatten()).await?;
    match asked {
        Backfill::Units { source, chosen } => units::run(global, source, chosen, printer).await,
        Backfill::Run { source, chosen, commit_units, commit_minutes, dry_run } => {
            let waves = run::Waves { commit_units: *commit_units, minutes: *commit_minutes };
            run::run(global, (source, chosen), waves, *dry_run, printer).await
        }
        Backfill::Plan { source, unit } => plan::run(global, source, unit, printer).await,
        Backfill::Write { source, unit, wave, to } => {
            write::run(global, source, (unit, wave), to.as_deref(), printer).await
        }
        Backfill::Commit { source, descriptors } => {
            commit::run(global, source, descriptors, printer).await
        }
    }
}

/// The job in a warehouse.
fn job<'a>(warehouse: &'a Warehouse, source: &Source) -> Result<BackfillJob<'a>> {
    Ok(BackfillJob {
        load: LoadJob {
            lake: &warehouse.lake,
            namespace: source.into.clone(),
            contract: contract_of(source.contract.as_deref(), &source.from)?,
            run: warehouse.run(JOB),
            access: warehouse.access.clone(),
            options: LoadOptions {
                write: warehouse.write_options(source.threads),
                csv: CsvOptions::default(),
                source_system: source.source_system.clone(),
            },
        },
        from: source.from.clone(),
        commit_units: 1,
        wave_ms: i64::MAX,
    })
}

/// What a unit adds to the record of its run.
fn counts(unit: &UnitReport) -> Counts {
    let [read_rows, inserted_rows, quarantined_rows] = unit.rows();
    Counts { read_rows, inserted_rows, quarantined_rows, ..Counts::default() }
}

/// The units that were chosen; files where none can be are told.
fn listed(source: &Source, chosen: &Chosen, printer: &Printer) -> Result<Listing> {
    readable(&source.from)?;
    let (tables, groups) = (chosen.table.clone(), chosen.group.clone());
    let listing = list(&source.from, &Filter { tables, groups, units: Vec::new() })?;
    if let Some(first) = listing.outside.first() {
        printer.note(format!(
            "{} CSV files are left out, because they do not stand in TABLE/GROUP/; the first is {first}",
            listing.outside.len()
        ));
    }
    Ok(listing)
}

/// The units of those names.
fn named(source: &Source, units: &[UnitName]) -> Result<Listing> {
    readable(&source.from)?;
    list(&source.from, &Filter { units: units.to_vec(), ..Filter::default() })
}

/// A folder that cannot be read is said before a warehouse is made for it.
fn readable(from: &Path) -> Result<()> {
    landing::entries(from).map(drop)
}

/// A warehouse that is made if it is not there, with its progress.
async fn opened(global: &Global) -> Result<(Warehouse, Arc<Progress>)> {
    let progress = Arc::new(Progress::new());
    let warehouse = Warehouse::create(global, Arc::<Progress>::clone(&progress) as _).await?;
    Ok((warehouse, progress))
}

/// Says which files need a look, and why.
fn told(files: &[SourceReport], printer: &Printer) -> Done {
    let mut done = Done::Well;
    for file in files.iter().filter(|file| file.needs_attention()) {
        let why = file.reason.as_deref().unwrap_or_default();
        printer.note(format!("{} {}: {why}", file.outcome, file.name));
        done = Done::NeedsAttention;
    }
    done
}
