//! A backfill: the whole of a source, cut into units that run beside each other.

use northstar_iceberg::{Error, ErrorKind, Result};
use serde::Serialize;

use super::calibration::Calibration;
use super::worker::{Worker, on_workers, told};
use super::{fitting, real, whole};
use crate::cli::plan::Backfill;

/// What a backfill takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BackfillPlan {
    pub(crate) plan: &'static str,
    pub(crate) source_bytes: u64,
    pub(crate) target_hours: f64,
    pub(crate) is_met: bool,
    pub(crate) units: u64,
    pub(crate) unit_bytes: u64,
    pub(crate) unit_minutes: f64,
    /// Units beside each other on a worker.
    pub(crate) units_at_once: u64,
    pub(crate) workers: u64,
    /// How often each place on a worker takes a unit.
    pub(crate) rounds: u64,
    /// Core hours on workers.
    pub(crate) core_hours: f64,
    pub(crate) hours: f64,
    pub(crate) usd: f64,
    pub(crate) worker: Worker,
    pub(crate) driver_usd: f64,
    /// What would meet the target, if it is not met.
    pub(crate) to_meet: Option<String>,
    pub(crate) assumptions: Vec<String>,
}

/// Plans a backfill.
///
/// # Errors
/// `InvalidInput` for a worker that there is not, or one too small for a unit.
pub(crate) fn plan(calibration: &Calibration, asked: &Backfill) -> Result<BackfillPlan> {
    let assumed = &asked.assumed;
    let (worker, driver) = (Worker::of(assumed)?, Worker::driver(assumed)?);
    let units_at_once = u64::from(worker.cores / asked.unit_cores);
    if units_at_once == 0 {
        let text = format!(
            "a unit on {} CPUs does not fit on a worker of {}: give fewer --unit-cores or more --worker-cores",
            asked.unit_cores, worker.cores
        );
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let calibrated = calibration.load_core_seconds(asked.source_bytes, asked.source_rows);
    let core_seconds = on_workers(calibrated, assumed);
    let unit_cores = f64::from(asked.unit_cores);
    let units = whole(core_seconds / (asked.unit_minutes * 60.0 * unit_cores));
    let unit_seconds = core_seconds / real(units) / unit_cores;
    let start_seconds = assumed.start_minutes * 60.0;
    let rounds_in_time = fitting((asked.hours * 3600.0 - start_seconds) / unit_seconds);
    let needed =
        (rounds_in_time > 0).then(|| units.div_ceil(rounds_in_time.saturating_mul(units_at_once)));
    let most = u64::from(assumed.most_workers);
    // Where no number of them is in time, as many as can be used are the quickest.
    let workers = needed.unwrap_or(units.div_ceil(units_at_once)).min(most);
    let rounds = units.div_ceil(workers * units_at_once);
    let busy_seconds = real(rounds) * unit_seconds;
    let seconds = start_seconds + busy_seconds;
    let is_met = needed.is_some_and(|needed| needed <= most);
    let driver_usd = driver.usd(seconds);
    let to_meet = (!is_met).then(|| match needed {
        Some(needed) => format!(
            "{needed} workers at once would meet it (--most-workers {needed}: the application's maximum \
             capacity and the account's quota must allow {} vCPU), or {:.1} hours",
            needed * u64::from(worker.cores),
            seconds / 3600.0
        ),
        None => format!(
            "a unit alone takes longer than that: cut smaller ones (--unit-minutes) or give {:.2} hours",
            (start_seconds + unit_seconds) / 3600.0
        ),
    });
    Ok(BackfillPlan {
        plan: "backfill",
        source_bytes: asked.source_bytes,
        target_hours: asked.hours,
        is_met,
        units,
        unit_bytes: asked.source_bytes.div_ceil(units),
        unit_minutes: unit_seconds / 60.0,
        units_at_once,
        workers,
        rounds,
        core_hours: core_seconds / 3600.0,
        hours: seconds / 3600.0,
        usd: real(workers) * worker.usd(busy_seconds) + driver_usd,
        driver_usd,
        to_meet,
        assumptions: assumptions(calibration, asked, (&worker, units_at_once)),
        worker,
    })
}

fn assumptions(
    calibration: &Calibration,
    asked: &Backfill,
    (worker, units_at_once): (&Worker, u64),
) -> Vec<String> {
    let rows = match asked.source_rows {
        Some(rows) => format!("{rows} rows: bytes or rows decide, whichever take longer"),
        None => {
            "rows as wide as the calibrated ones; give --source-rows for narrower ones".to_string()
        }
    };
    let mut all = vec![
        calibration.told(),
        rows,
        format!(
            "a unit runs on {} CPUs (--unit-cores), {units_at_once} beside each other on a worker; units are \
             of one size",
            asked.unit_cores
        ),
        worker.told(),
        "a driver of 4 vCPU and 16 GB runs as long as the job".to_string(),
        format!(
            "the source's files are in S3 already: exporting them from SQL Server is not in it, and takes \
             {:.1} hours from one instance at 0.24 GB/s",
            real(asked.source_bytes) / 0.24e9 / 3600.0
        ),
        "nothing fails: a unit that is done again costs its time again".to_string(),
    ];
    all.extend(told(&asked.assumed));
    all
}
