//! EMR Serverless: applications and their job runs, over the runs of this server.
//!
//! Source: <https://docs.aws.amazon.com/emr-serverless/latest/APIReference/Welcome.html>
//!
//! | file | holds |
//! | --- | --- |
//! | `model.json` | the service's model, of the operations served |
//! | `route.rs` | which operation a method and a path are; what stands in a query |
//! | `application.rs` | applications: made, changed, started, stopped, removed |
//! | `start.rs` | starting a job run; `driver.rs` says what it does |
//! | `run.rs` | job runs: read, listed, cancelled |
//! | `view.rs` | applications and job runs as the service shows them |
//! | `worker.rs` | the size of a worker, and what a run uses of it |
//! | `tag.rs` | tags |

mod application;
mod driver;
mod route;
mod run;
mod start;
mod tag;
mod view;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use axum::http::{Method, StatusCode};
use northstar_iceberg::{Error, ErrorKind};
use rusqlite::Transaction;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::shape::Model;
use crate::runs::{Owner, Runs, Service};

static MODEL: LazyLock<Result<Model, String>> =
    LazyLock::new(|| Model::read(include_str!("model.json")));

/// The operation that a request asks for, and the application that it is about; none for a path that is
/// none.
pub(crate) fn asked(method: &Method, path: &str) -> Option<(&'static str, String)> {
    let (operation, input) = route::route(method, path, None).ok()?;
    Some((operation, text(&input, "applicationId")))
}

/// Does what a request asks for, in the name of `actor`. The path is as it was sent.
///
/// # Errors
/// Those of the operation in the service's model.
pub(crate) async fn call(
    runs: &Arc<Runs>,
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &[u8],
    actor: &str,
) -> Result<(StatusCode, Value), Fault> {
    let (operation, mut input) = route::route(method, path, query)?;
    if !body.is_empty() && matches!(*method, Method::POST | Method::PATCH) {
        // The error of the reader would quote values.
        let body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| invalid("the body is no JSON object"))?;
        for (member, value) in body {
            input.entry(member).or_insert(value);
        }
    }
    let input = model()?.input(operation, &Value::Object(input)).map_err(invalid)?;
    let answer = match operation {
        "CreateApplication" => application::create(runs, input).await,
        "UpdateApplication" => application::update(runs, input).await,
        "GetApplication" => application::get(runs, &input).await,
        "ListApplications" => application::list(runs, &input).await,
        "DeleteApplication" => application::delete(runs, &input).await,
        "StartApplication" => application::start(runs, &input).await,
        "StopApplication" => application::stop(runs, &input).await,
        "StartJobRun" => start::start(runs, input, actor).await,
        "GetJobRun" => run::get(runs, &input).await,
        "ListJobRuns" => run::list(runs, &input).await,
        "ListJobRunAttempts" => run::attempts(runs, &input).await,
        "CancelJobRun" => run::cancel(runs, &input).await,
        "GetDashboardForJobRun" => run::dashboard(runs, &input).await,
        "ListTagsForResource" => tag::list(runs, &input).await,
        "TagResource" => tag::tag(runs, &input).await,
        "UntagResource" => tag::untag(runs, &input).await,
        _ => Err(invalid("there is no such operation here")),
    };
    Ok((StatusCode::OK, answer?))
}

fn model() -> Result<&'static Model, Fault> {
    MODEL.as_ref().map_err(|why| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Fault::new("InternalServerException", status, format!("the model is damaged: {why}"))
    })
}

/// One reading transaction, whose refusal is a fault.
async fn look<T: Send + 'static>(
    runs: &Arc<Runs>,
    work: impl FnOnce(&Transaction<'_>) -> northstar_iceberg::Result<Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    runs.look(work).await.map_err(|error| fault(&error))?
}

/// One changing transaction, whose refusal is a fault.
async fn decide<T: Send + 'static>(
    runs: &Arc<Runs>,
    work: impl FnOnce(&Transaction<'_>) -> northstar_iceberg::Result<Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    runs.decide(work).await.map_err(|error| fault(&error))?
}

/// An error of this engine as EMR Serverless names it.
fn fault(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => missing(error.to_string()),
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::Unsupported => {
            invalid(error.to_string())
        }
        _ => Fault::new(
            "InternalServerException",
            StatusCode::INTERNAL_SERVER_ERROR,
            error.to_string(),
        ),
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::refused("ValidationException", message)
}

fn missing(message: impl Into<String>) -> Fault {
    Fault::new("ResourceNotFoundException", StatusCode::NOT_FOUND, message)
}

fn conflict(message: impl Into<String>) -> Fault {
    Fault::new("ConflictException", StatusCode::CONFLICT, message)
}

/// The application of an id.
fn application(tx: &Transaction<'_>, id: &str) -> northstar_iceberg::Result<Result<Owner, Fault>> {
    Ok(Owner::named(tx, Service::Emr, id)?
        .ok_or_else(|| missing(format!("Application {id} does not exist"))))
}

/// A text of the input; blank if it is not there.
fn text(input: &Map<String, Value>, member: &str) -> String {
    input.get(member).and_then(Value::as_str).unwrap_or_default().to_string()
}

/// A number of the input.
fn number(input: &Map<String, Value>, member: &str) -> Option<i64> {
    input.get(member).and_then(Value::as_i64)
}

/// An id as the service makes them: `00` and 14 letters and digits.
fn id(runs: &Runs) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = runs.config().ids.uuid().as_u128();
    let mut id = String::from("00");
    for _ in 0..14 {
        let digit = usize::try_from(rest % 36).unwrap_or_default();
        id.push(char::from(DIGITS[digit]));
        rest /= 36;
    }
    id
}
