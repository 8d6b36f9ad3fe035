//! `northstar plan`: what work on EMR Serverless takes.

use std::path::Path;

use northstar_iceberg::{Error, ErrorKind, Result};
use serde::Serialize;

use super::calibrate::{FILE, file};
use crate::cli::Global;
use crate::cli::plan::{Assumed, Plan};
use crate::exit::Done;
use crate::plan::backfill::{self, BackfillPlan};
use crate::plan::calibration::Calibration;
use crate::plan::daily::{self, DailyPlan};
use crate::plan::worker::Worker;
use crate::printer::Printer;

pub(crate) fn run(global: &Global, asked: &Plan, printer: &Printer) -> Result<Done> {
    let told = match asked {
        Plan::Backfill(asked) => {
            let plan = backfill::plan(&read(global, &asked.assumed)?, asked)?;
            Told {
                figures: of_backfill(&plan),
                is_met: plan.is_met,
                target_hours: plan.target_hours,
                document: document(&plan)?,
                to_meet: plan.to_meet,
                assumptions: plan.assumptions,
            }
        }
        Plan::Daily(asked) => {
            let plan = daily::plan(&read(global, &asked.assumed)?, asked)?;
            Told {
                figures: of_daily(&plan),
                is_met: plan.is_met,
                target_hours: plan.target_hours,
                document: document(&plan)?,
                to_meet: plan.to_meet,
                assumptions: plan.assumptions,
            }
        }
    };
    told.print(printer)?;
    Ok(if told.is_met { Done::Well } else { Done::NeedsAttention })
}

/// The calibration that was named, or the one that lies in the warehouse or here.
fn read(global: &Global, assumed: &Assumed) -> Result<Calibration> {
    if let Some(path) = &assumed.calibration {
        return Calibration::read(path);
    }
    let inside = file(global);
    let is_there = matches!(inside.try_exists(), Ok(true));
    Calibration::read(if is_there { &inside } else { Path::new(FILE) })
}

/// A plan as it is printed.
struct Told {
    figures: Vec<(&'static str, String)>,
    is_met: bool,
    target_hours: f64,
    to_meet: Option<String>,
    assumptions: Vec<String>,
    document: serde_json::Value,
}

fn document(plan: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(plan).map_err(|error| {
        Error::new(ErrorKind::Internal, "a plan cannot be written").with_source(error)
    })
}

impl Told {
    fn print(&self, printer: &Printer) -> Result<()> {
        printer.document(&self.document);
        let rows: Vec<Vec<String>> = self
            .figures
            .iter()
            .map(|(name, value)| vec![(*name).to_string(), value.clone()])
            .collect();
        if !printer.is_json() {
            printer.table(&["figure", "value"], &rows)?;
        }
        if !printer.is_for_people() {
            return Ok(());
        }
        let hours = self.target_hours;
        match &self.to_meet {
            None => printer.say(format!("\nThe target of {hours} hours is met.")),
            Some(to_meet) => {
                printer.say(format!("\nThe target of {hours} hours is NOT met."));
                printer.wrapped(2, to_meet);
            }
        }
        printer.say("\nAssumed:");
        for assumption in &self.assumptions {
            printer.wrapped(2, &format!("- {assumption}"));
        }
        Ok(())
    }
}

fn of_backfill(plan: &BackfillPlan) -> Vec<(&'static str, String)> {
    vec![
        ("source", bytes(plan.source_bytes)),
        ("units", plan.units.to_string()),
        ("a unit", format!("{}, {:.1} minutes", bytes(plan.unit_bytes), plan.unit_minutes)),
        ("workers", sized(plan.workers, &plan.worker)),
        ("units at once", (plan.workers * plan.units_at_once).to_string()),
        ("rounds", plan.rounds.to_string()),
        ("core hours", format!("{:.1}", plan.core_hours)),
        ("hours", format!("{:.2}", plan.hours)),
        ("dollars", format!("{:.2}", plan.usd)),
    ]
}

fn of_daily(plan: &DailyPlan) -> Vec<(&'static str, String)> {
    vec![
        ("changes", format!("{} rows, {}", plan.changes, bytes(plan.changed_bytes))),
        ("units", format!("{} runs, one for each table", plan.units)),
        ("workers", sized(plan.workers, &plan.worker)),
        ("largest table, hours", format!("{:.2}", plan.largest_table_hours)),
        ("core hours", format!("{:.1}", plan.core_hours)),
        ("hours", format!("{:.2}", plan.hours)),
        ("dollars", format!("{:.2}", plan.usd)),
        ("written", format!("{:.1} GB", plan.rewritten_bytes / 1e9)),
    ]
}

fn sized(workers: u64, worker: &Worker) -> String {
    format!("{workers} of {} vCPU and {} GB", worker.cores, worker.memory_gb)
}

/// Bytes in the unit that says them in a few digits.
fn bytes(count: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)];
    let count_real = crate::plan::real(count);
    match units.into_iter().find(|(_, unit)| count_real >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", count_real / unit),
        None => format!("{count} B"),
    }
}
