//! Applications: made, changed, started, stopped, removed.

use std::sync::Arc;

use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::view::{
    application as shown, application_arn, application_summary, paged, place, token,
};
use super::{application, conflict, decide, id, invalid, look, number, text};
use crate::api::fault::Fault;
use crate::runs::{NewOwner, Owner, Runs, Service, Tags};

pub(super) const CREATED: &str = "CREATED";
pub(super) const STARTED: &str = "STARTED";
pub(super) const STOPPED: &str = "STOPPED";
pub(super) const TERMINATED: &str = "TERMINATED";

/// Idle minutes after which an application stops, if nobody said otherwise.
const IDLE_MINUTES: i64 = 15;
/// Entries of a page that nobody bounded.
const PAGE: usize = 50;

/// Makes an application. Under a token that was used already it is the same one.
pub(super) async fn create(
    runs: &Arc<Runs>,
    mut input: Map<String, Value>,
) -> Result<Value, Fault> {
    let token = text(&input, "clientToken");
    input.remove("clientToken");
    let request = Value::Object(input.clone());
    let tags: Tags = input.remove("tags").map(tags_of).unwrap_or_default();
    let document = checked(input)?;
    let new = NewOwner {
        service: Service::Emr,
        name: id(runs),
        most_runs: most_runs(&document),
        document: Value::Object(document),
        state: CREATED,
        client_token: Some(token),
        request: Some(request),
        tags,
    };
    let now_ms = runs.now_ms();
    let made = decide(runs, move |tx| {
        let token = new.client_token.as_deref().unwrap_or_default();
        if let Some(there) = Owner::of_token(tx, Service::Emr, token)? {
            return Ok(match there.request == new.request {
                true => Ok((there.name, there.document)),
                false => Err(conflict("the client token was used for another application")),
            });
        }
        Owner::insert(tx, &new, now_ms)?;
        Ok(Ok((new.name, new.document)))
    })
    .await?;
    let (id, document) = made;
    let mut answer = json!({ "applicationId": id, "arn": application_arn(runs.config(), &id) });
    if let Some(name) = document.get("name") {
        answer["name"] = name.clone();
    }
    Ok(answer)
}

/// Checks a definition, and fills in what the service fills in.
fn checked(mut document: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let engine = text(&document, "type");
    if !engine.eq_ignore_ascii_case("spark") {
        return Err(invalid("type: only SPARK applications are run here"));
    }
    document.insert("type".into(), json!("Spark"));
    let scheduler = document.get("schedulerConfiguration");
    for (member, most, least) in [("maxConcurrentRuns", 1_000, 1), ("queueTimeoutMinutes", 720, 15)]
    {
        let value = scheduler.and_then(|scheduler| scheduler.get(member)).and_then(Value::as_i64);
        if value.is_some_and(|value| !(least..=most).contains(&value)) {
            return Err(invalid(format!("{member} must be {least} to {most}")));
        }
    }
    if let Some(scheduler) =
        document.get_mut("schedulerConfiguration").and_then(Value::as_object_mut)
    {
        scheduler.entry("maxConcurrentRuns").or_insert(json!(15));
        scheduler.entry("queueTimeoutMinutes").or_insert(json!(360));
    }
    without_blank_images(&mut document);
    let settings = [
        ("autoStartConfiguration", json!({ "enabled": true })),
        ("autoStopConfiguration", json!({ "enabled": true, "idleTimeoutMinutes": IDLE_MINUTES })),
        ("architecture", json!("X86_64")),
    ];
    for (member, default) in settings {
        match (document.get_mut(member).and_then(Value::as_object_mut), default) {
            (Some(there), Value::Object(default)) => {
                for (name, value) in default {
                    there.entry(name).or_insert(value);
                }
            }
            (_, default) => {
                document.entry(member).or_insert(default);
            }
        }
    }
    Ok(document)
}

/// Leaves out images without an address, which stand for the service's own.
fn without_blank_images(document: &mut Map<String, Value>) {
    const IMAGE: &str = "imageConfiguration";
    let is_blank = |image: &Value| image.get("imageUri").is_none();
    if document.get(IMAGE).is_some_and(is_blank) {
        document.remove(IMAGE);
    }
    let workers = document.get_mut("workerTypeSpecifications").and_then(Value::as_object_mut);
    for worker in workers.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        if worker.get(IMAGE).is_some_and(is_blank) {
            worker.remove(IMAGE);
        }
    }
}

fn most_runs(document: &Map<String, Value>) -> Option<i64> {
    document.get("schedulerConfiguration")?.get("maxConcurrentRuns")?.as_i64()
}

/// Changes members of an application that does not run.
pub(super) async fn update(
    runs: &Arc<Runs>,
    mut input: Map<String, Value>,
) -> Result<Value, Fault> {
    let id = text(&input, "applicationId");
    input.remove("applicationId");
    input.remove("clientToken");
    let config = runs.config().clone();
    let now_ms = runs.now_ms();
    decide(runs, move |tx| {
        let mut owner = match current(tx, &id, now_ms)? {
            Ok(owner) => owner,
            Err(fault) => return Ok(Err(fault)),
        };
        if ![CREATED, STOPPED].contains(&owner.state.as_str()) {
            return Ok(Err(not_in_state(&owner, "changed")));
        }
        let mut document = owner.document.as_object().cloned().unwrap_or_default();
        document.extend(input);
        let document = match checked(document) {
            Ok(document) => document,
            Err(fault) => return Ok(Err(fault)),
        };
        owner.most_runs = most_runs(&document);
        owner.document = Value::Object(document);
        owner.version += 1;
        owner.modified_ms = now_ms;
        owner.update(tx)?;
        Ok(Ok(json!({ "application": shown(&config, &owner) })))
    })
    .await
}

/// One application.
pub(super) async fn get(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let id = text(input, "applicationId");
    let now_ms = runs.now_ms();
    let owner = look(runs, move |tx| current(tx, &id, now_ms)).await?;
    Ok(json!({ "application": shown(runs.config(), &owner) }))
}

/// All applications, or those in some states, a page at a time.
pub(super) async fn list(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let after = place(input)?.map_or(0, |(id, _)| id);
    let most = number(input, "maxResults").and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(PAGE);
    let states = input.get("states").and_then(Value::as_array).cloned();
    let now_ms = runs.now_ms();
    let mut found = look(runs, move |tx| {
        let mut owners = Owner::after(tx, Service::Emr, after)?;
        for owner in &mut owners {
            settle_idle(tx, owner, now_ms)?;
        }
        Ok(Ok(owners))
    })
    .await?;
    found.retain(|owner| {
        states.as_ref().is_none_or(|states| states.iter().any(|state| *state == owner.state))
    });
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|owner| token(owner.id, 0));
    let config = runs.config();
    let found: Vec<Value> = found.iter().map(|owner| application_summary(config, owner)).collect();
    Ok(paged(json!({ "applications": found }), next))
}

/// Starts an application. One that runs goes on.
pub(super) async fn start(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    turn(runs, input, |_, owner| match owner.state.as_str() {
        TERMINATED => Ok(Err(not_in_state(owner, "started"))),
        _ => Ok(Ok(STARTED)),
    })
    .await
}

/// Stops an application that has no runs under way.
pub(super) async fn stop(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    turn(runs, input, |tx, owner| {
        if owner.state == TERMINATED {
            return Ok(Err(not_in_state(owner, "stopped")));
        }
        Ok(match owner.runs_under_way(tx)? {
            0 => Ok(STOPPED),
            count => Err(invalid(format!(
                "Application {} has {count} job runs under way; cancel them or wait for them first",
                owner.name
            ))),
        })
    })
    .await
}

/// Removes an application that does not run. It can be read as terminated.
pub(super) async fn delete(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    turn(runs, input, |_, owner| match owner.state.as_str() {
        CREATED | STOPPED => Ok(Ok(TERMINATED)),
        _ => Ok(Err(not_in_state(owner, "deleted"))),
    })
    .await
}

/// Puts an application in another state.
async fn turn(
    runs: &Arc<Runs>,
    input: &Map<String, Value>,
    to: impl FnOnce(&Transaction<'_>, &Owner) -> northstar_iceberg::Result<Result<&'static str, Fault>>
    + Send
    + 'static,
) -> Result<Value, Fault> {
    let id = text(input, "applicationId");
    let now_ms = runs.now_ms();
    decide(runs, move |tx| {
        let owner = match current(tx, &id, now_ms)? {
            Ok(owner) => owner,
            Err(fault) => return Ok(Err(fault)),
        };
        match to(tx, &owner)? {
            Ok(state) => enter(tx, owner, state, now_ms).map(|()| Ok(json!({}))),
            Err(fault) => Ok(Err(fault)),
        }
    })
    .await
}

/// Notes that an application is in a state.
pub(super) fn enter(
    tx: &Transaction<'_>,
    mut owner: Owner,
    state: &str,
    now_ms: i64,
) -> northstar_iceberg::Result<()> {
    if owner.state != state {
        owner.modified_ms = now_ms;
    }
    owner.state = state.to_string();
    owner.active_ms = now_ms;
    owner.update(tx)
}

/// An application as it is now: stopped, if nothing ran in it for as long as it said.
pub(super) fn current(
    tx: &Transaction<'_>,
    id: &str,
    now_ms: i64,
) -> northstar_iceberg::Result<Result<Owner, Fault>> {
    let mut owner = match application(tx, id)? {
        Ok(owner) => owner,
        Err(fault) => return Ok(Err(fault)),
    };
    settle_idle(tx, &mut owner, now_ms)?;
    Ok(Ok(owner))
}

fn settle_idle(
    tx: &Transaction<'_>,
    owner: &mut Owner,
    now_ms: i64,
) -> northstar_iceberg::Result<()> {
    let auto_stop = &owner.document["autoStopConfiguration"];
    let minutes = auto_stop["idleTimeoutMinutes"].as_i64().unwrap_or(IDLE_MINUTES);
    let stopped_ms = owner.active_ms.saturating_add(minutes.saturating_mul(60_000));
    let is_idle = owner.state == STARTED
        && auto_stop["enabled"] != false
        && stopped_ms <= now_ms
        && owner.runs_under_way(tx)? == 0;
    if is_idle {
        owner.state = STOPPED.to_string();
        owner.modified_ms = stopped_ms;
        owner.update(tx)?;
    }
    Ok(())
}

fn not_in_state(owner: &Owner, to_be: &str) -> Fault {
    invalid(format!("Application {} is {}, and cannot be {to_be}", owner.name, owner.state))
}

/// Tags of a request.
pub(super) fn tags_of(tags: Value) -> Tags {
    let Value::Object(tags) = tags else { return Tags::new() };
    tags.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_string()))).collect()
}
