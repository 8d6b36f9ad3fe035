//! AWS Glue's jobs: definitions, runs and bookmarks, over the runs of this server.
//!
//! Source: <https://docs.aws.amazon.com/glue/latest/webapi/WebAPI_Welcome.html>
//!
//! | file | holds |
//! | --- | --- |
//! | `model.json` | the service's model, of the actions served |
//! | `definition.rs` | a job's definition: what may stand in it, what is filled in |
//! | `job.rs` | making, changing, reading and removing jobs |
//! | `arguments.rs` | the arguments of a run, from three places |
//! | `start.rs`, `stop.rs` | starting and stopping runs |
//! | `run.rs` | runs as Glue shows them |
//! | `bookmark.rs` | reading and resetting bookmarks |
//! | `tag.rs` | tags of jobs |
//! | `page.rs` | lists in pages |

mod arguments;
mod bookmark;
mod definition;
mod job;
mod page;
mod run;
mod start;
mod stop;
mod tag;

#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use axum::http::StatusCode;
use rusqlite::Transaction;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::shape::Model;
use crate::runs::{Owner, Runs, Service};

pub(crate) use tag::{job_of_arn, tag, tags, untag};

/// What Glue calls a mistake of the caller.
const INVALID: &str = "InvalidInputException";

/// The actions that [`call`] takes.
pub(crate) const ACTIONS: &[&str] = &[
    "BatchGetJobs",
    "BatchStopJobRun",
    "CreateJob",
    "DeleteJob",
    "GetJob",
    "GetJobBookmark",
    "GetJobRun",
    "GetJobRuns",
    "GetJobs",
    "ListJobs",
    "ResetJobBookmark",
    "StartJobRun",
    "UpdateJob",
];

static MODEL: LazyLock<Result<Model, String>> =
    LazyLock::new(|| Model::read(include_str!("model.json")));

/// Does one action, in the name of `actor`.
///
/// # Errors
/// Those of the action in the service's model.
pub(crate) async fn call(
    runs: &Arc<Runs>,
    action: &str,
    input: Value,
    actor: &str,
) -> Result<Value, Fault> {
    let input = model()?.input(action, &input).map_err(|why| Fault::refused(INVALID, why))?;
    match action {
        "BatchGetJobs" => job::batch_get(runs, &input).await,
        "BatchStopJobRun" => stop::batch_stop(runs, &input).await,
        "CreateJob" => job::create(runs, input).await,
        "DeleteJob" => job::delete(runs, &input).await,
        "GetJob" => job::get(runs, &input).await,
        "GetJobBookmark" => bookmark::get(runs, &input).await,
        "GetJobRun" => run::get(runs, &input).await,
        "GetJobRuns" => run::list(runs, &input).await,
        "GetJobs" => job::list(runs, &input).await,
        "ListJobs" => job::names(runs, &input).await,
        "ResetJobBookmark" => bookmark::reset(runs, &input).await,
        "StartJobRun" => start::start(runs, input, actor).await,
        "UpdateJob" => job::update(runs, &input).await,
        _ => Err(Fault::refused(INVALID, "there is no such action here")),
    }
}

fn model() -> Result<&'static Model, Fault> {
    MODEL.as_ref().map_err(|why| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Fault::new("InternalServiceException", status, format!("the model is damaged: {why}"))
    })
}

/// One reading transaction, whose refusal is a fault.
async fn look<T: Send + 'static>(
    runs: &Arc<Runs>,
    work: impl FnOnce(&Transaction<'_>) -> northstar_iceberg::Result<Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    runs.look(work).await.map_err(|error| Fault::glue(&error))?
}

/// One changing transaction, whose refusal is a fault.
async fn decide<T: Send + 'static>(
    runs: &Arc<Runs>,
    work: impl FnOnce(&Transaction<'_>) -> northstar_iceberg::Result<Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    runs.decide(work).await.map_err(|error| Fault::glue(&error))?
}

/// The job of a name.
fn job(tx: &Transaction<'_>, name: &str) -> northstar_iceberg::Result<Result<Owner, Fault>> {
    Ok(Owner::named(tx, Service::Glue, name)?.ok_or_else(|| {
        Fault::refused("EntityNotFoundException", format!("Job {name} is not found."))
    }))
}

/// A text of the input; blank if it is not there.
fn text(input: &Map<String, Value>, member: &str) -> String {
    input.get(member).and_then(Value::as_str).unwrap_or_default().to_string()
}

/// Seconds since 1970-01-01 UTC, as the protocol has times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of our time are exact in a double")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
