//! Runs as Glue shows them: each attempt is one, the later ones by number.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::definition::units;
use super::job::paged;
use super::page::{most, place, token};
use super::{job, look, seconds, text};
use crate::api::fault::Fault;
use crate::runs::{Attempt, Owner, Run, Runs, State};

/// Entries of a page that nobody bounded.
const PAGE: usize = 200;

/// One run.
pub(super) async fn get(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let (name, id) = (text(input, "JobName"), text(input, "RunId"));
    let now_ms = runs.now_ms();
    let shown = look(runs, move |tx| {
        let job = match job(tx, &name)? {
            Ok(job) => job,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(find(tx, &job, &id)?.map(|(run, attempt)| shown(&job, &run, &attempt, now_ms)))
    })
    .await?;
    Ok(json!({ "JobRun": shown }))
}

/// The runs of a job, the latest first, a page at a time.
pub(super) async fn list(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let name = text(input, "JobName");
    let before = place(input)?.unwrap_or((i64::MAX, 0));
    let most = most(input, PAGE);
    let now_ms = runs.now_ms();
    let (runs, next) = look(runs, move |tx| {
        let job = match job(tx, &name)? {
            Ok(job) => job,
            Err(fault) => return Ok(Err(fault)),
        };
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let mut found = Attempt::latest(tx, job.id, before, limit)?;
        let more = found.len() > most;
        found.truncate(most);
        let next = found.last().filter(|_| more).map(|(run, last)| token(run.id, last.attempt));
        let shown: Vec<Value> =
            found.iter().map(|(run, attempt)| shown(&job, run, attempt, now_ms)).collect();
        Ok(Ok((shown, next)))
    })
    .await?;
    Ok(paged(json!({ "JobRuns": runs }), next))
}

/// The run of a job that is called `id`, with its attempt.
pub(super) fn find(
    tx: &Connection,
    job: &Owner,
    id: &str,
) -> northstar_iceberg::Result<Result<(Run, Attempt), Fault>> {
    let (name, attempt) = match id.split_once("_attempt_") {
        Some((name, number)) => (name, number.parse().unwrap_or(0) + 1),
        None => (id, 1),
    };
    let found = match Run::named(tx, job.id, name)? {
        Some(run) => Attempt::numbered(tx, run.id, attempt)?.map(|attempt| (run, attempt)),
        None => None,
    };
    let found = found.filter(|(run, attempt)| run.attempt_name(attempt.attempt) == id);
    Ok(found.ok_or_else(|| {
        Fault::refused(
            "EntityNotFoundException",
            format!("Job Run {id} of job {} is not found.", job.name),
        )
    }))
}

/// A run as Glue shows it.
fn shown(job: &Owner, run: &Run, attempt: &Attempt, now_ms: i64) -> Value {
    let mut shown = run.request.clone();
    if let Some(members) = shown.as_object_mut() {
        members.remove("RunArguments");
    }
    let name = run.attempt_name(attempt.attempt);
    shown["Id"] = json!(name);
    shown["Attempt"] = json!(attempt.attempt - 1);
    shown["JobName"] = json!(job.name);
    shown["JobRunState"] = json!(state(attempt.state));
    shown["StateDetail"] = json!(attempt.detail);
    shown["StartedOn"] = json!(seconds(attempt.started_ms.unwrap_or(attempt.created_ms)));
    shown["LastModifiedOn"] = json!(seconds(attempt.updated_ms));
    shown["LogGroupName"] = json!("/aws-glue/jobs");
    shown["PredecessorRuns"] = json!([]);
    let previous = match attempt.attempt {
        ..=1 => run.previous.clone(),
        later => Some(run.attempt_name(later - 1)),
    };
    if let Some(previous) = previous {
        shown["PreviousRunId"] = json!(previous);
    }
    if let Some(ended_ms) = attempt.ended_ms {
        shown["CompletedOn"] = json!(seconds(ended_ms));
    }
    if matches!(attempt.state, State::Failed | State::TimedOut | State::Lost | State::Expired) {
        shown["ErrorMessage"] = json!(attempt.detail);
    }
    let seconds = seconds_of_work(attempt, now_ms);
    shown["ExecutionTime"] = json!(seconds);
    if shown["ExecutionClass"] == "FLEX" {
        shown["DPUSeconds"] = json!(dpu_seconds(&shown, seconds));
    }
    shown
}

/// How long its process ran, in whole seconds.
fn seconds_of_work(attempt: &Attempt, now_ms: i64) -> i64 {
    let ended_ms = attempt.ended_ms.unwrap_or(now_ms);
    let ms = attempt.started_ms.map_or(0, |started_ms| (ended_ms - started_ms).max(0));
    ms / 1000 + i64::from(ms % 1000 > 0)
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a run are exact in a double")]
fn dpu_seconds(shown: &Value, seconds: i64) -> f64 {
    let capacity = shown["MaxCapacity"].as_f64();
    capacity.unwrap_or_else(|| units(shown["WorkerType"].as_str().unwrap_or_default()))
        * seconds as f64
}

/// The state in Glue's words. A run that was lost with its server failed: of Glue's `ERROR`, Airflow's
/// operator does not know that it is an end, and asks for ever.
fn state(state: State) -> &'static str {
    match state {
        State::Submitted | State::Pending | State::Scheduled => "STARTING",
        State::Queued => "WAITING",
        State::Running => "RUNNING",
        State::Stopping => "STOPPING",
        State::Succeeded => "SUCCEEDED",
        State::Failed | State::Lost => "FAILED",
        State::Stopped => "STOPPED",
        State::TimedOut => "TIMEOUT",
        State::Expired => "EXPIRED",
    }
}
