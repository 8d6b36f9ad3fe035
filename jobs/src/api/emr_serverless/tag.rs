//! Tags of applications and job runs.

use std::sync::Arc;

use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::application::tags_of;
use super::{application, decide, invalid, look, missing, text};
use crate::api::fault::Fault;
use crate::runs::{Owner, Run, Runs, Tags};

/// Tags that a resource has at most.
const MOST_TAGS: usize = 200;

/// What has tags.
enum Resource {
    Application(Owner),
    Run(Run),
}

impl Resource {
    /// The resource of an ARN.
    fn read(tx: &Transaction<'_>, arn: &str) -> northstar_iceberg::Result<Result<Self, Fault>> {
        let path = arn.rsplit(':').next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (id, run) = match segments.as_slice() {
            ["applications", id] => (*id, None),
            ["applications", id, "jobruns", run] => (*id, Some(*run)),
            _ => return Ok(Err(missing("there is no such resource"))),
        };
        let owner = match application(tx, id)? {
            Ok(owner) => owner,
            Err(fault) => return Ok(Err(fault)),
        };
        let Some(run) = run else { return Ok(Ok(Self::Application(owner))) };
        let found = Run::named(tx, owner.id, run)?;
        Ok(found.map(Self::Run).ok_or_else(|| missing(format!("Job run {run} does not exist"))))
    }

    fn tags(&self) -> &Tags {
        match self {
            Self::Application(owner) => &owner.tags,
            Self::Run(run) => &run.tags,
        }
    }

    fn retag(self, tx: &Transaction<'_>, tags: Tags) -> northstar_iceberg::Result<()> {
        match self {
            Self::Application(mut owner) => {
                owner.tags = tags;
                owner.update(tx)
            }
            Self::Run(run) => run.retag(tx, &tags),
        }
    }
}

/// The tags of a resource.
pub(super) async fn list(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let arn = text(input, "resourceArn");
    let tags =
        look(runs, move |tx| Ok(Resource::read(tx, &arn)?.map(|resource| resource.tags().clone())))
            .await?;
    Ok(json!({ "tags": tags }))
}

/// Adds tags to a resource, or changes them.
pub(super) async fn tag(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let tags = input.get("tags").cloned().map(tags_of).unwrap_or_default();
    change(runs, input, move |all| all.extend(tags)).await
}

/// Removes tags of a resource.
pub(super) async fn untag(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let keys = input.get("tagKeys").and_then(Value::as_array).cloned().unwrap_or_default();
    change(runs, input, move |all| all.retain(|key, _| !keys.iter().any(|one| one == key))).await
}

async fn change(
    runs: &Arc<Runs>,
    input: &Map<String, Value>,
    change: impl FnOnce(&mut Tags) + Send + 'static,
) -> Result<Value, Fault> {
    let arn = text(input, "resourceArn");
    decide(runs, move |tx| {
        let resource = match Resource::read(tx, &arn)? {
            Ok(resource) => resource,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut tags = resource.tags().clone();
        change(&mut tags);
        if tags.len() > MOST_TAGS {
            return Ok(Err(invalid(format!("a resource has at most {MOST_TAGS} tags"))));
        }
        resource.retag(tx, tags).map(|()| Ok(json!({})))
    })
    .await
}
