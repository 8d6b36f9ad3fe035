//! `northstar backfill run`: all pending units, in this process.

use std::collections::BTreeMap;

use indicatif::HumanBytes;
use northstar_iceberg::Result;
use northstar_lakehouse::bronze::backfill::{
    BackfillJob, BackfillReport, SourceReport, Unit, UnitState,
};

use super::units::states;
use super::{counts, job, opened, told};
use crate::cli::{Chosen, Global, Source};
use crate::exit::Done;
use crate::printer::Printer;

/// When waves are committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waves {
    pub(super) commit_units: usize,
    pub(super) minutes: u32,
}

pub(super) async fn run(
    global: &Global,
    (source, chosen): (&Source, &Chosen),
    waves: Waves,
    dry_run: bool,
    printer: &Printer,
) -> Result<Done> {
    let (units, states) = states(global, source, chosen, printer).await?;
    plan(&units, &states, waves, printer)?;
    let pending: Vec<Unit> = units
        .into_iter()
        .zip(states)
        .filter_map(|(unit, state)| (state == UnitState::Pending).then_some(unit))
        .collect();
    if dry_run || pending.is_empty() {
        return Ok(Done::Well);
    }
    let (warehouse, progress) = opened(global).await?;
    let job = BackfillJob {
        commit_units: waves.commit_units,
        wave_ms: i64::from(waves.minutes) * 60_000,
        ..job(&warehouse, source)?
    };
    let report = job.run(&pending).await;
    progress.finish();
    let report = report?;
    let files = pending.iter().flat_map(|unit| &unit.files).map(|file| file.path.clone());
    global.tally.files(&files.collect::<Vec<_>>());
    report.units().for_each(|unit| global.tally.add(counts(unit)));
    summary(&report, printer)
}

/// Prints what would be done, table by table.
fn plan(units: &[Unit], states: &[UnitState], waves: Waves, printer: &Printer) -> Result<()> {
    #[derive(Default)]
    struct Sums {
        units: usize,
        done: usize,
        empty: usize,
        pending: usize,
        bytes: u64,
    }
    let mut tables: BTreeMap<&str, Sums> = BTreeMap::new();
    for (unit, state) in units.iter().zip(states) {
        let sums = tables.entry(unit.name.table()).or_default();
        sums.units += 1;
        match state {
            UnitState::Done => sums.done += 1,
            UnitState::Empty => sums.empty += 1,
            UnitState::Pending => {
                sums.pending += 1;
                sums.bytes += unit.bytes();
            }
        }
    }
    let rows: Vec<Vec<String>> = tables
        .iter()
        .map(|(table, sums)| {
            let waves = sums.pending.div_ceil(waves.commit_units);
            let mut row = vec![(*table).to_string()];
            row.extend(
                [sums.units, sums.done, sums.empty, sums.pending, waves].map(|n| n.to_string()),
            );
            row.push(sums.bytes.to_string());
            row
        })
        .collect();
    printer.table(&["table", "units", "done", "empty", "pending", "waves", "bytes"], &rows)?;
    let pending: usize = tables.values().map(|sums| sums.pending).sum();
    let bytes: u64 = tables.values().map(|sums| sums.bytes).sum();
    printer.say(format!("{pending} units with {} are to be loaded", HumanBytes(bytes)));
    Ok(())
}

/// Says what was done, and which files need a look.
fn summary(report: &BackfillReport, printer: &Printer) -> Result<Done> {
    let mut sums = [0_u64; 3];
    for unit in report.units() {
        for (sum, count) in sums.iter_mut().zip(unit.rows()) {
            *sum += count;
        }
    }
    let [read, landed, quarantined] = sums;
    printer.say(format!(
        "{} units: {read} records read = {landed} landed + {quarantined} quarantined; {} new snapshots",
        report.units().count(),
        report.snapshots(),
    ));
    let files: Vec<SourceReport> = report.units().flat_map(|unit| unit.files.clone()).collect();
    Ok(told(&files, printer))
}
