//! Starting a job run.

use std::sync::Arc;

use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::application::{CREATED, STARTED, STOPPED, current, enter, tags_of};
use super::view::run_arn;
use super::worker::Worker;
use super::{conflict, decide, driver, id, invalid, number, text};
use crate::api::fault::Fault;
use crate::runs::{BookmarkMode, NewRun, Owner, Run, Runs, Tags};

/// Attempts that a batch run has at most.
const MOST_ATTEMPTS: i64 = 10;
/// Minutes that a run may take if nobody said otherwise, and at most.
const MINUTES: i64 = 720;
const MOST_MINUTES: i64 = 10_080;
/// So many runs may be under way or wait, of all applications.
const MOST_UNDER_WAY: i64 = 10_000;
const MINUTE_MS: i64 = 60_000;

/// Starts a job run: it is kept, and waits to be started. Under a token that was used already it is
/// the same one.
pub(super) async fn start(
    runs: &Arc<Runs>,
    mut input: Map<String, Value>,
    actor: &str,
) -> Result<Value, Fault> {
    let application = text(&input, "applicationId");
    let token = text(&input, "clientToken");
    input.remove("applicationId");
    input.remove("clientToken");
    input.entry("mode").or_insert(json!("BATCH"));
    input.entry("executionTimeoutMinutes").or_insert(json!(MINUTES));
    let now_ms = runs.now_ms();
    let config = runs.config().clone();
    // What was started is found again, though it could not be started any more.
    let run = new_run(runs, &input, &token, actor);
    let request = Value::Object(input);
    decide(runs, move |tx| {
        let owner = match current(tx, &application, now_ms)? {
            Ok(owner) => owner,
            Err(fault) => return Ok(Err(fault)),
        };
        let started = match Run::of_token(tx, owner.id, &token)? {
            Some(there) if there.request == request => Ok(there.name),
            Some(_) => {
                Err(conflict("the client token was used for a job run with other parameters"))
            }
            None => match run {
                Ok(run) => insert(tx, owner, run, now_ms)?,
                Err(fault) => Err(fault),
            },
        };
        Ok(started.map(|name| {
            let arn = run_arn(&config, &application, &name);
            json!({ "applicationId": application, "jobRunId": name, "arn": arn })
        }))
    })
    .await
}

/// The run that a request comes to, but for its owner.
fn new_run(
    runs: &Runs,
    input: &Map<String, Value>,
    token: &str,
    actor: &str,
) -> Result<NewRun, Fault> {
    if input.get("mode").is_some_and(|mode| mode == "STREAMING") {
        return Err(invalid("mode: only BATCH job runs are run here"));
    }
    let attempts = input.get("retryPolicy").and_then(|policy| policy.get("maxAttempts"));
    let max_attempts = attempts.and_then(Value::as_i64).unwrap_or(1);
    if max_attempts > MOST_ATTEMPTS {
        return Err(invalid(format!("retryPolicy.maxAttempts must be 1 to {MOST_ATTEMPTS}")));
    }
    let minutes = number(input, "executionTimeoutMinutes").unwrap_or(MINUTES);
    if minutes > MOST_MINUTES {
        return Err(invalid(format!("executionTimeoutMinutes must be 0 to {MOST_MINUTES}")));
    }
    Worker::of(input)?;
    let work = driver::work(input, &runs.config().warehouse_arguments)?;
    let tags: Tags = input.get("tags").cloned().map(tags_of).unwrap_or_default();
    Ok(NewRun {
        name: id(runs),
        owner: 0,
        previous: None,
        actor: actor.to_string(),
        client_token: Some(token.to_string()),
        request: Value::Object(input.clone()),
        work,
        bookmark: BookmarkMode::Disable,
        max_attempts,
        // 0 says that it may take as long as it takes.
        timeout_ms: (minutes > 0).then(|| minutes.saturating_mul(MINUTE_MS)),
        queue_ms: None,
        tags,
    })
}

/// Keeps a new run of an application, which is started if it may be.
fn insert(
    tx: &Transaction<'_>,
    owner: Owner,
    mut run: NewRun,
    now_ms: i64,
) -> northstar_iceberg::Result<Result<String, Fault>> {
    let starts = owner.document["autoStartConfiguration"]["enabled"] != false;
    match owner.state.as_str() {
        STARTED => {}
        CREATED | STOPPED if starts => {}
        state => {
            return Ok(Err(invalid(format!(
                "Application {} is {state}; start it before a job run",
                owner.name
            ))));
        }
    }
    if Runs::under_way(tx)? >= MOST_UNDER_WAY {
        return Ok(Err(invalid(format!(
            "{MOST_UNDER_WAY} job runs are under way or wait; try again when some have ended"
        ))));
    }
    run.owner = owner.id;
    let queue = owner.document["schedulerConfiguration"]["queueTimeoutMinutes"].as_i64();
    run.queue_ms = queue.map(|minutes| minutes.saturating_mul(MINUTE_MS));
    enter(tx, owner, STARTED, now_ms)?;
    Run::insert(tx, &run, now_ms)?;
    Ok(Ok(run.name))
}
