//! Job runs: read, listed, cancelled.

use std::sync::Arc;

use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::view::{attempt_summary, paged, place, run as shown, run_summary, state, token};
use super::{application, decide, invalid, look, missing, number, text};
use crate::api::fault::Fault;
use crate::runs::{Attempt, AttemptFolder, Owner, Run, Runs};

/// Entries of a page that nobody bounded.
const PAGE: usize = 50;
/// Runs that are looked at together for a page.
const LOOK: i64 = 500;
/// A grace period is none, or from so many seconds to so many.
const GRACE_SECONDS: std::ops::RangeInclusive<i64> = 15..=1_800;

/// A job run, of an application.
struct Found {
    owner: Owner,
    run: Run,
    attempts: Vec<Attempt>,
}

impl Found {
    fn read(
        tx: &Transaction<'_>,
        (application_id, run_id): (&str, &str),
    ) -> northstar_iceberg::Result<Result<Self, Fault>> {
        let owner = match application(tx, application_id)? {
            Ok(owner) => owner,
            Err(fault) => return Ok(Err(fault)),
        };
        let Some(run) = Run::named(tx, owner.id, run_id)? else {
            let what = format!("Job run {run_id} of application {application_id} does not exist");
            return Ok(Err(missing(what)));
        };
        let attempts = Attempt::all(tx, run.id)?;
        Ok(Ok(Self { owner, run, attempts }))
    }

    /// The attempt of a number, or the last.
    fn attempt(&self, number: Option<i64>) -> Result<&Attempt, Fault> {
        let found = match number {
            Some(number) => self.attempts.iter().find(|attempt| attempt.attempt == number),
            None => self.attempts.last(),
        };
        found.ok_or_else(|| missing("the job run has no such attempt"))
    }
}

async fn find(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Found, Fault> {
    let (application, run) = (text(input, "applicationId"), text(input, "jobRunId"));
    look(runs, move |tx| Found::read(tx, (&application, &run))).await
}

/// One job run, with its last attempt or the one that was asked for.
pub(super) async fn get(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let found = find(runs, input).await?;
    let attempt = found.attempt(number(input, "attempt"))?;
    let all: Vec<Attempt> =
        found.attempts.iter().filter(|one| one.attempt <= attempt.attempt).cloned().collect();
    let (run, now_ms) = (&found.run, runs.now_ms());
    let shown = shown(runs.config(), &found.owner, (run, attempt), &all, now_ms);
    Ok(json!({ "jobRun": shown }))
}

/// The attempts of a job run, the first one first.
pub(super) async fn attempts(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let found = find(runs, input).await?;
    let after = place(input)?.map_or(0, |(attempt, _)| attempt);
    let most = most(input);
    let mut left: Vec<&Attempt> =
        found.attempts.iter().filter(|attempt| attempt.attempt > after).collect();
    let more = left.len() > most;
    left.truncate(most);
    let next = left.last().filter(|_| more).map(|attempt| token(attempt.attempt, 0));
    let shown: Vec<Value> = left
        .into_iter()
        .map(|attempt| attempt_summary(runs.config(), &found.owner, (&found.run, attempt)))
        .collect();
    Ok(paged(json!({ "jobRunAttempts": shown }), next))
}

/// The job runs of an application, the latest first, a page at a time.
pub(super) async fn list(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let filter = Filter::of(input);
    let id = text(input, "applicationId");
    let mut before = place(input)?.unwrap_or((i64::MAX, 0));
    let most = most(input);
    let (owner, mut found) = look(runs, move |tx| {
        let owner = match application(tx, &id)? {
            Ok(owner) => owner,
            // The model has no error for it.
            Err(fault) => return Ok(Err(invalid(fault.message))),
        };
        let mut found: Vec<(Run, Attempt)> = Vec::new();
        while found.len() <= most {
            let page = Attempt::latest(tx, owner.id, before, LOOK)?;
            let Some((last, attempt)) = page.last() else { break };
            before = (last.id, attempt.attempt);
            for (run, attempt) in page {
                // Of each run the last attempt, which comes first.
                let is_later = last_of(tx, run.id)? == attempt.attempt;
                if is_later && filter.takes(&run, &attempt) {
                    found.push((run, attempt));
                }
            }
        }
        Ok(Ok((owner, found)))
    })
    .await?;
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|(run, _)| token(run.id, 0));
    let config = runs.config();
    let shown: Vec<Value> =
        found.iter().map(|(run, attempt)| run_summary(config, &owner, (run, attempt))).collect();
    Ok(paged(json!({ "jobRuns": shown }), next))
}

fn last_of(tx: &Transaction<'_>, run: i64) -> northstar_iceberg::Result<i64> {
    Ok(Attempt::all(tx, run)?.last().map_or(0, |attempt| attempt.attempt))
}

fn most(input: &Map<String, Value>) -> usize {
    number(input, "maxResults").and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE)
}

/// Which job runs a list has.
struct Filter {
    after: Option<f64>,
    before: Option<f64>,
    states: Vec<Value>,
    mode: Option<Value>,
}

impl Filter {
    fn of(input: &Map<String, Value>) -> Self {
        let time = |member: &str| input.get(member).and_then(Value::as_f64);
        Self {
            after: time("createdAtAfter"),
            before: time("createdAtBefore"),
            states: input.get("states").and_then(Value::as_array).cloned().unwrap_or_default(),
            mode: input.get("mode").cloned(),
        }
    }

    fn takes(&self, run: &Run, attempt: &Attempt) -> bool {
        let created = super::view::seconds(run.created_ms);
        self.after.is_none_or(|after| created > after)
            && self.before.is_none_or(|before| created < before)
            && (self.states.is_empty()
                || self.states.iter().any(|wanted| *wanted == state(attempt.state)))
            && self.mode.as_ref().is_none_or(|mode| run.request["mode"] == *mode)
    }
}

/// Asks that a job run stops.
pub(super) async fn cancel(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let (application, run) = (text(input, "applicationId"), text(input, "jobRunId"));
    let grace_seconds = number(input, "shutdownGracePeriodInSeconds").unwrap_or(0);
    if grace_seconds != 0 && !GRACE_SECONDS.contains(&grace_seconds) {
        return Err(invalid("shutdownGracePeriodInSeconds must be 0, or 15 to 1800"));
    }
    let now_ms = runs.now_ms();
    let answer = json!({ "applicationId": application, "jobRunId": run });
    decide(runs, move |tx| {
        let mut found = match Found::read(tx, (&application, &run))? {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        let Some(last) = found.attempts.last_mut() else {
            return Ok(Err(missing("the job run has no attempt")));
        };
        Ok(match last.ask_to_stop(tx, grace_seconds * 1000, now_ms)? {
            true => Ok(()),
            false => Err(invalid(format!(
                "Job run {run} is {} and cannot be cancelled",
                state(last.state)
            ))),
        })
    })
    .await?;
    Ok(answer)
}

/// Where the log of a job run is.
pub(super) async fn dashboard(
    runs: &Arc<Runs>,
    input: &Map<String, Value>,
) -> Result<Value, Fault> {
    let found = find(runs, input).await?;
    let attempt = found.attempt(number(input, "attempt"))?;
    let folder = AttemptFolder::of(&runs.config().folder, &found.run.name, attempt.attempt);
    let path = folder.path().display().to_string();
    let url: String = path
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    Ok(json!({ "url": format!("file://{url}") }))
}
