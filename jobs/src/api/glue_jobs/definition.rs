//! A job's definition: what may stand in it, and what Glue fills in.

use serde_json::{Map, Value, json};

use super::INVALID;
use super::arguments::{Arguments, check_size};
use crate::api::fault::Fault;
use crate::runs::Work;

/// Retries that Glue takes at most.
const MOST_RETRIES: i64 = 10;
/// A job may take less than seven days, in minutes.
const MOST_MINUTES: i64 = 10_080;
/// Runs at once that Glue takes at most.
const MOST_RUNS: i64 = 2_000;

/// Checks a definition, and fills in what Glue fills in.
///
/// # Errors
/// `InvalidInputException` for what cannot be run here, and for members that contradict each other.
pub(super) fn checked(mut definition: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    for member in ["Role", "Command"] {
        if !definition.contains_key(member) {
            return Err(refused(format!("{member} is missing")));
        }
    }
    if definition.get("JobMode").is_some_and(|mode| mode != "SCRIPT") {
        return Err(refused("JobMode: only SCRIPT is run here"));
    }
    let location = script_location(&definition)?;
    let defaults = Arguments::of(&definition, "DefaultArguments")?;
    let fixed = Arguments::of(&definition, "NonOverridableArguments")?;
    let merged = defaults.under(&fixed);
    merged.check()?;
    check_size(&[&defaults, &fixed])?;
    Work::of(&location, &merged.list(), false).map_err(|why| refused(why.0))?;
    numbers(&definition)?;
    capacity(&definition)?;
    fill(&mut definition);
    Ok(definition)
}

/// Where the script is.
pub(super) fn script_location(definition: &Map<String, Value>) -> Result<String, Fault> {
    let location = definition.get("Command").and_then(|command| command.get("ScriptLocation"));
    location
        .and_then(Value::as_str)
        .map(str::to_string)
        .ok_or_else(|| refused("Command.ScriptLocation is missing"))
}

/// So many runs at once.
pub(super) fn most_runs(definition: &Map<String, Value>) -> i64 {
    definition
        .get("ExecutionProperty")
        .and_then(|property| property.get("MaxConcurrentRuns"))
        .and_then(Value::as_i64)
        .unwrap_or(1)
}

/// Checks that a run's or a job's time is one that Glue takes.
pub(super) fn check_timeout(settings: &Map<String, Value>) -> Result<(), Fault> {
    match settings.get("Timeout").and_then(Value::as_i64) {
        Some(minutes) if minutes >= MOST_MINUTES => {
            Err(refused(format!("Timeout must be less than {MOST_MINUTES} minutes")))
        }
        _ => Ok(()),
    }
}

/// Checks that workers are not told in two ways, and are at least one.
pub(super) fn capacity(settings: &Map<String, Value>) -> Result<(), Fault> {
    let has = |member: &str| settings.contains_key(member);
    if has("MaxCapacity") && (has("WorkerType") || has("NumberOfWorkers")) {
        return Err(refused(
            "MaxCapacity does not go with WorkerType and NumberOfWorkers; set one or the other",
        ));
    }
    if settings.get("NumberOfWorkers").and_then(Value::as_i64).is_some_and(|workers| workers < 1) {
        return Err(refused("NumberOfWorkers must be at least 1"));
    }
    match settings.get("MaxCapacity").and_then(Value::as_f64) {
        Some(capacity) if capacity <= 0.0 => Err(refused("MaxCapacity must be more than 0")),
        _ => Ok(()),
    }
}

fn numbers(definition: &Map<String, Value>) -> Result<(), Fault> {
    let retries = definition.get("MaxRetries").and_then(Value::as_i64).unwrap_or(0);
    if !(0..=MOST_RETRIES).contains(&retries) {
        return Err(refused(format!("MaxRetries must be 0 to {MOST_RETRIES}")));
    }
    if !(1..=MOST_RUNS).contains(&most_runs(definition)) {
        return Err(refused(format!("MaxConcurrentRuns must be 1 to {MOST_RUNS}")));
    }
    check_timeout(definition)
}

/// What Glue shows of a job though nobody said it.
fn fill(definition: &mut Map<String, Value>) {
    let version = definition.get("GlueVersion").and_then(Value::as_str).unwrap_or_default();
    let is_old = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let minutes = if is_old.is_some_and(|major| major >= 5) { 480 } else { 2_880 };
    let most_runs = most_runs(definition);
    definition.insert("ExecutionProperty".into(), json!({ "MaxConcurrentRuns": most_runs }));
    for (member, value) in [
        ("JobMode", json!("SCRIPT")),
        ("MaxRetries", json!(0)),
        ("Timeout", json!(minutes)),
        ("JobRunQueuingEnabled", json!(false)),
    ] {
        definition.entry(member).or_insert(value);
    }
    fill_capacity(definition);
}

/// Fills in the capacity that workers come to, in data processing units.
pub(super) fn fill_capacity(settings: &mut Map<String, Value>) {
    let capacity = settings.get("MaxCapacity").and_then(Value::as_f64).or_else(|| {
        let workers = settings.get("NumberOfWorkers")?.as_f64()?;
        let units = units(settings.get("WorkerType")?.as_str()?);
        Some(workers * units)
    });
    if let Some(capacity) = capacity {
        settings.insert("MaxCapacity".into(), json!(capacity));
    }
}

/// The data processing units of a worker.
///
/// Source: <https://docs.aws.amazon.com/glue/latest/dg/worker-types.html>
pub(super) fn units(worker_type: &str) -> f64 {
    match worker_type {
        "G.025X" => 0.25,
        "G.2X" | "Z.2X" | "R.2X" => 2.0,
        "G.4X" | "R.4X" => 4.0,
        "G.8X" | "R.8X" => 8.0,
        "G.12X" => 12.0,
        "G.16X" => 16.0,
        _ => 1.0,
    }
}

/// A mistake of the caller.
pub(super) fn refused(message: impl Into<String>) -> Fault {
    Fault::refused(INVALID, message)
}
