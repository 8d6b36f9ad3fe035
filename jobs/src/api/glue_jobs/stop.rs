//! Stopping runs.

use std::sync::Arc;

use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::run::find;
use super::{decide, text};
use crate::api::fault::Fault;
use crate::runs::{Owner, Runs, Service};

/// How long a process may take to end before it is ended by force.
const GRACE_MS: i64 = 30_000;

/// Asks that runs of a job stop; which were asked, and which could not be.
pub(super) async fn batch_stop(
    runs: &Arc<Runs>,
    input: &Map<String, Value>,
) -> Result<Value, Fault> {
    let name = text(input, "JobName");
    let ids: Vec<String> = input
        .get("JobRunIds")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_string))
        .collect();
    let now_ms = runs.now_ms();
    decide(runs, move |tx| {
        let job = Owner::named(tx, Service::Glue, &name)?;
        let (mut asked, mut errors) = (Vec::new(), Vec::new());
        for id in ids {
            match stop(tx, job.as_ref(), &id, now_ms)? {
                Ok(()) => asked.push(json!({ "JobName": name, "JobRunId": id })),
                Err(fault) => errors.push(json!({
                    "JobName": name,
                    "JobRunId": id,
                    "ErrorDetail": { "ErrorCode": fault.code, "ErrorMessage": fault.message },
                })),
            }
        }
        Ok(Ok(json!({ "SuccessfulSubmissions": asked, "Errors": errors })))
    })
    .await
}

fn stop(
    tx: &Transaction<'_>,
    job: Option<&Owner>,
    id: &str,
    now_ms: i64,
) -> northstar_iceberg::Result<Result<(), Fault>> {
    let Some(job) = job else {
        return Ok(Err(Fault::refused("EntityNotFoundException", "The job is not found.")));
    };
    let mut attempt = match find(tx, job, id)? {
        Ok((_, attempt)) => attempt,
        Err(fault) => return Ok(Err(fault)),
    };
    Ok(match attempt.ask_to_stop(tx, GRACE_MS, now_ms)? {
        true => Ok(()),
        false => Err(Fault::refused("JobRunInTerminalStateException", "The run is over already.")),
    })
}
