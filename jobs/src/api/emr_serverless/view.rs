//! Applications and job runs as the service shows them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::invalid;
use super::worker::Worker;
use crate::api::fault::Fault;
use crate::runs::{Attempt, Owner, Run, RunsConfig, State};

/// Members of an application's definition that a summary has.
const OF_SUMMARY: [&str; 4] = ["name", "releaseLabel", "type", "architecture"];
/// Members of a request that a job run has.
const OF_RUN: [&str; 9] = [
    "configurationOverrides",
    "executionIamPolicy",
    "executionTimeoutMinutes",
    "flexExecution",
    "jobDriver",
    "mode",
    "name",
    "retryPolicy",
    "tags",
];
/// Members of an application that a job run has.
const OF_APPLICATION: [&str; 4] =
    ["imageConfiguration", "networkConfiguration", "releaseLabel", "workerTypeSpecifications"];

pub(super) fn application_arn(config: &RunsConfig, id: &str) -> String {
    let RunsConfig { region, account, .. } = config;
    format!("arn:aws:emr-serverless:{region}:{account}:/applications/{id}")
}

pub(super) fn run_arn(config: &RunsConfig, application: &str, id: &str) -> String {
    format!("{}/jobruns/{id}", application_arn(config, application))
}

/// An application.
pub(super) fn application(config: &RunsConfig, owner: &Owner) -> Value {
    let mut shown = owner.document.clone();
    shown["applicationId"] = json!(owner.name);
    shown["tags"] = json!(owner.tags);
    of_owner(&mut shown, config, owner);
    shown
}

/// An application in a list.
pub(super) fn application_summary(config: &RunsConfig, owner: &Owner) -> Value {
    let mut shown = picked(&owner.document, &OF_SUMMARY);
    shown["id"] = json!(owner.name);
    of_owner(&mut shown, config, owner);
    shown
}

fn of_owner(shown: &mut Value, config: &RunsConfig, owner: &Owner) {
    shown["arn"] = json!(application_arn(config, &owner.name));
    shown["state"] = json!(owner.state);
    shown["stateDetails"] = json!(format!("the application is {}", owner.state));
    shown["createdAt"] = json!(seconds(owner.created_ms));
    shown["updatedAt"] = json!(seconds(owner.modified_ms));
}

/// A job run with one of its attempts; `all` are those that it had so far.
pub(super) fn run(
    config: &RunsConfig,
    owner: &Owner,
    (run, attempt): (&Run, &Attempt),
    all: &[Attempt],
    now_ms: i64,
) -> Value {
    let mut shown = picked(&run.request, &OF_RUN);
    merge(&mut shown, picked(&owner.document, &OF_APPLICATION));
    shown["tags"] = json!(run.tags);
    shown["jobRunId"] = json!(run.name);
    of_attempt(&mut shown, config, owner, (run, attempt));
    shown["createdAt"] = json!(seconds(run.created_ms));
    shown["attemptCreatedAt"] = json!(seconds(attempt.created_ms));
    shown["attemptUpdatedAt"] = json!(seconds(attempt.updated_ms));
    let queued_ms = attempt.admitted_ms.or(attempt.ended_ms).unwrap_or(now_ms);
    shown["queuedDurationMilliseconds"] = json!((queued_ms - attempt.created_ms).max(0));
    if let Some(started_ms) = attempt.started_ms {
        shown["startedAt"] = json!(seconds(started_ms));
    }
    if let Some(ended_ms) = attempt.ended_ms {
        shown["endedAt"] = json!(seconds(ended_ms));
        used(&mut shown, run, all);
    }
    shown
}

/// A job run in a list.
pub(super) fn run_summary(
    config: &RunsConfig,
    owner: &Owner,
    (run, attempt): (&Run, &Attempt),
) -> Value {
    let mut shown = summary(config, owner, (run, attempt));
    shown["createdAt"] = json!(seconds(run.created_ms));
    shown["attemptCreatedAt"] = json!(seconds(attempt.created_ms));
    shown["attemptUpdatedAt"] = json!(seconds(attempt.updated_ms));
    shown
}

/// An attempt in a list.
pub(super) fn attempt_summary(
    config: &RunsConfig,
    owner: &Owner,
    (run, attempt): (&Run, &Attempt),
) -> Value {
    let mut shown = summary(config, owner, (run, attempt));
    shown["jobCreatedAt"] = json!(seconds(run.created_ms));
    shown["createdAt"] = json!(seconds(attempt.created_ms));
    shown
}

fn summary(config: &RunsConfig, owner: &Owner, (run, attempt): (&Run, &Attempt)) -> Value {
    let mut shown = picked(&run.request, &["name", "mode", "flexExecution"]);
    shown["id"] = json!(run.name);
    shown["type"] = owner.document["type"].clone();
    of_attempt(&mut shown, config, owner, (run, attempt));
    shown
}

fn of_attempt(
    shown: &mut Value,
    config: &RunsConfig,
    owner: &Owner,
    (run, attempt): (&Run, &Attempt),
) {
    shown["applicationId"] = json!(owner.name);
    shown["arn"] = json!(run_arn(config, &owner.name, &run.name));
    shown["createdBy"] = json!(identity(config, &run.actor));
    shown["executionRole"] = run.request["executionRoleArn"].clone();
    shown["releaseLabel"] = owner.document["releaseLabel"].clone();
    shown["state"] = json!(state(attempt.state));
    shown["stateDetails"] = json!(details(&attempt.detail));
    shown["updatedAt"] = json!(seconds(attempt.updated_ms));
    shown["attempt"] = json!(attempt.attempt);
}

/// What all attempts of a run used, each in whole seconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are exact in a double")]
fn used(shown: &mut Value, run: &Run, attempts: &[Attempt]) {
    let seconds = attempts.iter().map(|attempt| match (attempt.started_ms, attempt.ended_ms) {
        (Some(started_ms), Some(ended_ms)) => {
            ((ended_ms - started_ms).max(0) as f64 / 1000.0).ceil()
        }
        _ => 0.0,
    });
    let seconds: Vec<f64> = seconds.collect();
    let total: f64 = seconds.iter().sum();
    #[expect(clippy::cast_possible_truncation, reason = "a run takes less than 2^53 seconds")]
    let whole = total as i64;
    shown["totalExecutionDurationSeconds"] = json!(whole.min(i64::from(i32::MAX)));
    let request = run.request.as_object();
    if let Some(Ok(worker)) = request.map(Worker::of) {
        shown["totalResourceUtilization"] = worker.used(total);
        // Each attempt has a worker of its own, and so a minute of its own.
        let billed: f64 = seconds.iter().filter(|one| **one > 0.0).map(|one| one.max(60.0)).sum();
        shown["billedResourceUtilization"] = worker.billed(billed);
    }
}

/// Who started a run, as an ARN.
fn identity(config: &RunsConfig, actor: &str) -> String {
    let is_identity = |arn: &str| {
        ["arn:aws:iam::", "arn:aws:sts::"].iter().any(|start| arn.starts_with(start))
            && (20..=2048).contains(&arn.len())
            && arn.chars().skip(13).all(is_of_identity)
    };
    if is_identity(actor) {
        return actor.to_string();
    }
    let name: String = actor
        .chars()
        .map(|c| if is_of_identity(c) && c != ':' { c } else { '_' })
        .take(1_000)
        .collect();
    format!("arn:aws:iam::{}:user/{name}", config.account)
}

fn is_of_identity(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_/+=,.@-:".contains(c)
}

/// A detail that the model takes: not blank, and not long.
fn details(detail: &str) -> String {
    let short: String = detail.chars().take(256).collect();
    if short.trim().is_empty() { "there is nothing to say".to_string() } else { short }
}

/// The state in the words of EMR Serverless.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Submitted => "SUBMITTED",
        State::Queued => "QUEUED",
        State::Pending => "PENDING",
        State::Scheduled => "SCHEDULED",
        State::Running => "RUNNING",
        State::Stopping => "CANCELLING",
        State::Succeeded => "SUCCESS",
        State::Failed | State::Lost => "FAILED",
        State::Stopped | State::TimedOut | State::Expired => "CANCELLED",
    }
}

/// Seconds since 1970-01-01 UTC, as the protocol has times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of our time are exact in a double")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// The token of a place in a list.
pub(super) fn token(first: i64, second: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{first}/{second}"))
}

/// The place that the request's token says, if it has one.
pub(super) fn place(input: &Map<String, Value>) -> Result<Option<(i64, i64)>, Fault> {
    let Some(token) = input.get("nextToken").and_then(Value::as_str) else { return Ok(None) };
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (first, second) = text.split_once('/')?;
        Some((first.parse().ok()?, second.parse().ok()?))
    };
    read().map(Some).ok_or_else(|| invalid("nextToken is not one that was given"))
}

/// An answer with the token of the next page, if there is one.
pub(super) fn paged(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    answer
}

fn picked(document: &Value, members: &[&str]) -> Value {
    let picked = members
        .iter()
        .filter_map(|member| Some(((*member).to_string(), document.get(*member)?.clone())));
    Value::Object(picked.collect())
}

fn merge(shown: &mut Value, more: Value) {
    if let (Value::Object(shown), Value::Object(more)) = (shown, more) {
        shown.extend(more);
    }
}
