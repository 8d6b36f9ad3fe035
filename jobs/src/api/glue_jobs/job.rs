//! Jobs: made, changed, read and removed.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::definition::{checked, most_runs, refused};
use super::page::{most, place, token};
use super::{decide, job, look, seconds, text};
use crate::api::fault::Fault;
use crate::runs::{NewOwner, Owner, Runs, Service, Tags};

/// So many jobs are kept.
const MOST_JOBS: i64 = 10_000;
/// Entries of a page that nobody bounded.
const PAGE: usize = 100;

/// Makes a job. Made again as it is, it stays.
pub(super) async fn create(
    runs: &Arc<Runs>,
    mut input: Map<String, Value>,
) -> Result<Value, Fault> {
    let name = text(&input, "Name");
    if name.trim().is_empty() {
        return Err(refused("Name is blank"));
    }
    input.remove("Name");
    let tags: Tags = input.remove("Tags").map(tags_of).unwrap_or_default();
    let definition = checked(input)?;
    let new = NewOwner {
        service: Service::Glue,
        name: name.clone(),
        most_runs: Some(most_runs(&definition)),
        document: Value::Object(definition),
        state: "",
        client_token: None,
        request: None,
        tags,
    };
    let now_ms = runs.now_ms();
    decide(runs, move |tx| {
        if let Some(there) = Owner::named(tx, Service::Glue, &new.name)? {
            return Ok(match there.document == new.document && there.tags == new.tags {
                true => Ok(()),
                false => Err(Fault::refused(
                    "IdempotentParameterMismatchException",
                    format!("Job {} is there already, and is another.", new.name),
                )),
            });
        }
        if Owner::count(tx, Service::Glue)? >= MOST_JOBS {
            return Ok(Err(Fault::refused(
                "ResourceNumberLimitExceededException",
                format!("There are {MOST_JOBS} jobs already."),
            )));
        }
        Owner::insert(tx, &new, now_ms).map(|_| Ok(()))
    })
    .await?;
    Ok(json!({ "Name": name }))
}

/// Replaces a job's definition.
pub(super) async fn update(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let name = text(input, "JobName");
    let definition = input.get("JobUpdate").and_then(Value::as_object).cloned();
    let definition = checked(definition.unwrap_or_default())?;
    let now_ms = runs.now_ms();
    let named = name.clone();
    decide(runs, move |tx| {
        let mut job = match job(tx, &named)? {
            Ok(job) => job,
            Err(fault) => return Ok(Err(fault)),
        };
        job.most_runs = Some(most_runs(&definition));
        job.document = Value::Object(definition);
        job.version += 1;
        job.modified_ms = now_ms;
        job.update(tx).map(Ok)
    })
    .await?;
    Ok(json!({ "JobName": name }))
}

/// One job.
pub(super) async fn get(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let name = text(input, "JobName");
    let job = look(runs, move |tx| job(tx, &name)).await?;
    Ok(json!({ "Job": shown(&job) }))
}

/// Jobs by name, and which of the names have none.
pub(super) async fn batch_get(
    runs: &Arc<Runs>,
    input: &Map<String, Value>,
) -> Result<Value, Fault> {
    let names: Vec<String> = input
        .get("JobNames")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_string))
        .collect();
    let (found, missing) = look(runs, move |tx| {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            match Owner::named(tx, Service::Glue, &name)? {
                Some(job) => found.push(shown(&job)),
                None => missing.push(name),
            }
        }
        Ok(Ok((found, missing)))
    })
    .await?;
    Ok(json!({ "Jobs": found, "JobsNotFound": missing }))
}

/// All jobs, a page at a time.
pub(super) async fn list(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let (jobs, next) = page(runs, input).await?;
    let jobs: Vec<Value> = jobs.iter().map(shown).collect();
    Ok(paged(json!({ "Jobs": jobs }), next))
}

/// The names of all jobs, or of those with some tags, a page at a time.
pub(super) async fn names(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let (jobs, next) = page(runs, input).await?;
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    Ok(paged(json!({ "JobNames": names }), next))
}

async fn page(
    runs: &Arc<Runs>,
    input: &Map<String, Value>,
) -> Result<(Vec<Owner>, Option<String>), Fault> {
    let after = place(input)?.map_or(0, |(id, _)| id);
    let most = most(input, PAGE);
    let wanted: Tags = input.get("Tags").cloned().map(tags_of).unwrap_or_default();
    let mut jobs = look(runs, move |tx| Owner::after(tx, Service::Glue, after).map(Ok)).await?;
    jobs.retain(|job| wanted.iter().all(|(key, value)| job.tags.get(key) == Some(value)));
    let more = jobs.len() > most;
    jobs.truncate(most);
    let next = jobs.last().filter(|_| more).map(|job| token(job.id, 0));
    Ok((jobs, next))
}

/// Removes a job and its bookmark. As on AWS, a job that is not there is no mistake.
pub(super) async fn delete(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let name = text(input, "JobName");
    let named = name.clone();
    decide(runs, move |tx| {
        if let Some(job) = Owner::named(tx, Service::Glue, &named)? {
            job.delete(tx)?;
        }
        Ok(Ok(()))
    })
    .await?;
    Ok(json!({ "JobName": name }))
}

/// A job as Glue shows it.
fn shown(job: &Owner) -> Value {
    let mut shown = job.document.clone();
    shown["Name"] = json!(job.name);
    shown["CreatedOn"] = json!(seconds(job.created_ms));
    shown["LastModifiedOn"] = json!(seconds(job.modified_ms));
    shown
}

/// An answer with the token of the next page, if there is one.
pub(super) fn paged(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}

/// Tags of a request.
pub(super) fn tags_of(tags: Value) -> Tags {
    let Value::Object(tags) = tags else { return Tags::new() };
    tags.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_string()))).collect()
}
