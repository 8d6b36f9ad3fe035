//! Starting a run.

use std::sync::Arc;

use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::arguments::{Arguments, check_size};
use super::definition::{capacity, check_timeout, fill_capacity, refused, script_location};
use super::run::find;
use super::{decide, job, text};
use crate::api::fault::Fault;
use crate::runs::{Attempt, NewRun, Owner, Run, Runs, Work};

/// So many runs may be under way or wait, of all jobs.
const MOST_UNDER_WAY: i64 = 10_000;
const MINUTE_MS: i64 = 60_000;

/// What a run takes from the request or, if it says nothing, from the job.
const SETTINGS: [&str; 11] = [
    "ExecutionClass",
    "ExecutionRoleSessionPolicy",
    "GlueVersion",
    "JobMode",
    "JobRunQueuingEnabled",
    "MaintenanceWindow",
    "MaxCapacity",
    "NotificationProperty",
    "NumberOfWorkers",
    "SecurityConfiguration",
    "WorkerType",
];

/// Starts a run of a job: it is kept, and waits to be started.
pub(super) async fn start(
    runs: &Arc<Runs>,
    input: Map<String, Value>,
    actor: &str,
) -> Result<Value, Fault> {
    check_timeout(&input)?;
    capacity(&input)?;
    let arguments = Arguments::of(&input, "Arguments")?;
    let name =
        format!("jr_{}{}", runs.config().ids.uuid().simple(), runs.config().ids.uuid().simple());
    let asked = Asked { name: name.clone(), actor: actor.to_string(), arguments, input };
    let now_ms = runs.now_ms();
    decide(runs, move |tx| {
        let job = match job(tx, &text(&asked.input, "JobName"))? {
            Ok(job) => job,
            Err(fault) => return Ok(Err(fault)),
        };
        match asked.run(tx, &job)? {
            Ok(run) => Run::insert(tx, &run, now_ms).map(|_| Ok(())),
            Err(fault) => Ok(Err(fault)),
        }
    })
    .await?;
    Ok(json!({ "JobRunId": name }))
}

/// What was asked for.
struct Asked {
    name: String,
    actor: String,
    arguments: Arguments,
    input: Map<String, Value>,
}

impl Asked {
    /// The run of a job that this comes to.
    fn run(
        &self,
        tx: &Transaction<'_>,
        job: &Owner,
    ) -> northstar_iceberg::Result<Result<NewRun, Fault>> {
        let previous = match self.previous(tx, job)? {
            Ok(previous) => previous,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Err(fault) = room(tx, job, self.queues(job))? {
            return Ok(Err(fault));
        }
        Ok(self.defined(job, previous))
    }

    /// The run that this one is to make good, which must have failed.
    fn previous(
        &self,
        tx: &Transaction<'_>,
        job: &Owner,
    ) -> northstar_iceberg::Result<Result<Option<(Run, Attempt)>, Fault>> {
        let Some(id) = self.input.get("JobRunId").and_then(Value::as_str) else {
            return Ok(Ok(None));
        };
        Ok(match find(tx, job, id)? {
            Err(fault) => Err(fault),
            Ok((_, attempt)) if !attempt.state.is_over() => {
                Err(refused("the run of JobRunId is not over; only a run that ended is retried"))
            }
            Ok((_, attempt)) if attempt.state == crate::runs::State::Succeeded => {
                Err(refused("the run of JobRunId succeeded; only one that did not is retried"))
            }
            Ok(found) => Ok(Some(found)),
        })
    }

    fn queues(&self, job: &Owner) -> bool {
        let says = |settings: Option<&Value>| settings.and_then(Value::as_bool);
        says(self.input.get("JobRunQueuingEnabled"))
            .or_else(|| says(job.document.get("JobRunQueuingEnabled")))
            .unwrap_or_default()
    }

    fn defined(&self, job: &Owner, previous: Option<(Run, Attempt)>) -> Result<NewRun, Fault> {
        let empty = Map::new();
        let definition = job.document.as_object().unwrap_or(&empty);
        let arguments = match (&previous, self.input.contains_key("Arguments")) {
            // A retry is of the same work, unless it says otherwise.
            (Some((run, _)), false) => {
                let asked = run.request.as_object().unwrap_or(&empty);
                Arguments::of(asked, "RunArguments")?
            }
            _ => self.arguments.clone(),
        };
        let defaults = Arguments::of(definition, "DefaultArguments")?;
        let fixed = Arguments::of(definition, "NonOverridableArguments")?;
        check_size(&[&defaults, &arguments, &fixed])?;
        let merged = defaults.under(&arguments).under(&fixed);
        merged.check()?;
        let given = merged.clone().with("--JOB_NAME", &job.name);
        let work = Work::of(&script_location(definition)?, &given.list(), true)
            .map_err(|why| refused(why.0))?;
        let minutes = self.input.get("Timeout").or_else(|| definition.get("Timeout"));
        let minutes = minutes.and_then(Value::as_i64).unwrap_or(2_880);
        let retries = definition.get("MaxRetries").and_then(Value::as_i64).unwrap_or(0);
        Ok(NewRun {
            name: self.name.clone(),
            owner: job.id,
            previous: previous.map(|(run, attempt)| run.attempt_name(attempt.attempt)),
            actor: self.actor.clone(),
            client_token: None,
            request: self.settings(definition, (&merged, &arguments), minutes),
            work,
            bookmark: merged.bookmark()?,
            max_attempts: 1 + retries,
            timeout_ms: Some(minutes.saturating_mul(MINUTE_MS)),
            queue_ms: None,
            tags: job.tags.clone(),
        })
    }

    /// What is kept of the request and the job, to be shown with the run.
    fn settings(
        &self,
        definition: &Map<String, Value>,
        (merged, own): (&Arguments, &Arguments),
        minutes: i64,
    ) -> Value {
        let mut settings = Map::new();
        let workers = ["MaxCapacity", "NumberOfWorkers", "WorkerType"];
        let own_workers = workers.iter().any(|member| self.input.contains_key(*member));
        for member in SETTINGS {
            // The capacity of the job is not that of other workers.
            let of_job =
                definition.get(member).filter(|_| !own_workers || !workers.contains(&member));
            if let Some(value) = self.input.get(member).or(of_job) {
                settings.insert(member.to_string(), value.clone());
            }
        }
        fill_capacity(&mut settings);
        settings.insert("Arguments".into(), merged.json());
        settings.insert("RunArguments".into(), own.json());
        settings.insert("Timeout".into(), json!(minutes));
        Value::Object(settings)
    }
}

/// Checks that the job may have one more run, or that the run may wait.
fn room(
    tx: &Transaction<'_>,
    job: &Owner,
    queues: bool,
) -> northstar_iceberg::Result<Result<(), Fault>> {
    if Runs::under_way(tx)? >= MOST_UNDER_WAY {
        return Ok(Err(Fault::refused(
            "ResourceNumberLimitExceededException",
            format!("{MOST_UNDER_WAY} runs are under way or wait; try again when some have ended."),
        )));
    }
    let most = job.most_runs.unwrap_or(1);
    if !queues && job.runs_under_way(tx)? >= most {
        return Ok(Err(Fault::refused(
            "ConcurrentRunsExceededException",
            format!("Concurrent runs exceeded for {}: {most} are under way.", job.name),
        )));
    }
    Ok(Ok(()))
}
