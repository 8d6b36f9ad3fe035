//! The changes of a day: each table is merged by a run of its own, since a table has one writer.

use northstar_iceberg::Result;
use serde::Serialize;

use super::calibration::Calibration;
use super::real;
use super::worker::{Worker, on_workers, told};
use crate::cli::plan::Daily;

/// What a day's changes take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DailyPlan {
    pub(crate) plan: &'static str,
    pub(crate) changes: u64,
    pub(crate) changed_bytes: u64,
    pub(crate) target_hours: f64,
    pub(crate) is_met: bool,
    /// Runs, one for each table.
    pub(crate) units: u64,
    /// Runs beside each other, a worker each.
    pub(crate) workers: u64,
    pub(crate) largest_table_hours: f64,
    /// Core hours on workers.
    pub(crate) core_hours: f64,
    pub(crate) hours: f64,
    pub(crate) usd: f64,
    pub(crate) rewritten_bytes: f64,
    pub(crate) worker: Worker,
    /// What would meet the target, if it is not met.
    pub(crate) to_meet: Option<String>,
    pub(crate) assumptions: Vec<String>,
}

/// Plans a day.
///
/// # Errors
/// `InvalidInput` for a worker that there is not.
pub(crate) fn plan(calibration: &Calibration, asked: &Daily) -> Result<DailyPlan> {
    let assumed = &asked.assumed;
    let worker = Worker::of(assumed)?;
    let calibrated = calibration.merge_core_seconds(asked.changes, asked.changed_bytes);
    let core_seconds = on_workers(calibrated, assumed);
    let tables = u64::from(asked.tables);
    // One of so many has at least its even share.
    let share = asked.largest_share.max(1.0 / real(tables));
    let all_seconds = core_seconds / f64::from(worker.cores);
    let largest_seconds = all_seconds * share;
    let start_seconds = assumed.start_minutes * 60.0;
    let target_seconds = asked.within_hours * 3600.0;
    let most = tables.min(u64::from(assumed.most_workers));
    let seconds =
        |workers: u64| start_seconds + longest(all_seconds, largest_seconds, workers, tables);
    let fitting = (1..=most).find(|workers| seconds(*workers) <= target_seconds);
    let workers = fitting.unwrap_or(most);
    let hours = seconds(workers) / 3600.0;
    let to_meet = fitting.is_none().then(|| {
        let left_seconds = target_seconds - start_seconds;
        remedy(asked, (core_seconds, share), left_seconds, hours)
    });
    Ok(DailyPlan {
        plan: "daily",
        changes: asked.changes,
        changed_bytes: asked.changed_bytes,
        target_hours: asked.within_hours,
        is_met: fitting.is_some(),
        units: tables,
        workers,
        largest_table_hours: largest_seconds / 3600.0,
        core_hours: core_seconds / 3600.0,
        hours,
        usd: usd(&worker, all_seconds, largest_seconds, tables),
        rewritten_bytes: real(asked.changed_bytes)
            * calibration.merge.rewritten_bytes_per_change_byte,
        to_meet,
        assumptions: assumptions(calibration, asked, (&worker, share)),
        worker,
    })
}

/// Seconds until the last run ends, if whichever worker is free takes the next table.
///
/// Source: R. L. Graham, Bounds on multiprocessing timing anomalies, 1969: no order takes longer than
/// the even share of all and, of the largest, what does not lie in that share.
fn longest(all: f64, largest: f64, workers: u64, tables: u64) -> f64 {
    if workers >= tables {
        return largest;
    }
    let workers = real(workers);
    all / workers + largest * (1.0 - 1.0 / workers)
}

/// Dollars of all runs: the largest table, and the others with an even share of the rest.
fn usd(worker: &Worker, all_seconds: f64, largest_seconds: f64, tables: u64) -> f64 {
    let others = tables - 1;
    let rest = if others == 0 { 0.0 } else { (all_seconds - largest_seconds) / real(others) };
    worker.usd(largest_seconds) + real(others) * worker.usd(rest)
}

/// What would meet a target that is not met.
fn remedy(
    asked: &Daily,
    (core_seconds, share): (f64, f64),
    left_seconds: f64,
    hours: f64,
) -> String {
    let or = format!("or {hours:.1} hours");
    if left_seconds <= 0.0 {
        return format!(
            "there is no time left after the start of workers; give more --within-hours, {or}"
        );
    }
    let largest_core_seconds = core_seconds * share;
    let cores = [1, 2, 4, 8, 16, 32]
        .into_iter()
        .find(|cores| largest_core_seconds / f64::from(*cores) <= left_seconds);
    match cores {
        Some(cores) if cores > asked.assumed.worker_cores => format!(
            "workers of {cores} vCPU and {} at once would meet it (--worker-cores {cores} --most-workers \
             {}), {or}",
            asked.tables, asked.tables
        ),
        Some(_) => format!(
            "{} workers at once would meet it (--most-workers {}), {or}",
            asked.tables, asked.tables
        ),
        None => format!(
            "the largest table alone takes {:.1} hours on the largest worker: merge it by parts, such as \
             groups of facilities, or more often than daily, {or}",
            largest_core_seconds / 32.0 / 3600.0
        ),
    }
}

fn assumptions(
    calibration: &Calibration,
    asked: &Daily,
    (worker, share): (&Worker, f64),
) -> Vec<String> {
    let mut all = vec![
        calibration.told(),
        "change rows or their bytes decide, whichever take longer".to_string(),
        format!(
            "{} tables (--tables), a run and a worker each; the largest has {:.0} % of the changes \
             (--largest-share)",
            asked.tables,
            share * 100.0
        ),
        "hours are an upper bound, whatever the order of the tables".to_string(),
        format!(
            "a change touches as many files as in the calibration, of {} rows: {:.1} bytes are written for \
             each byte of change",
            calibration.merge.table_rows, calibration.merge.rewritten_bytes_per_change_byte
        ),
        "what a commit costs whatever its size counts as if it grew with the changes: the time is rather too \
         long than too short"
            .to_string(),
        worker.told(),
    ];
    all.extend(told(&asked.assumed));
    all
}
