//! Bookmarks of jobs: read, and set back.

use std::sync::Arc;

use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::run::find;
use super::{decide, job, look, text};
use crate::api::fault::Fault;
use crate::runs::{Bookmark, Owner, Runs};

/// The bookmark of a job, or as one of its runs left it.
pub(super) async fn get(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let (name, run) = (text(input, "JobName"), input.get("RunId").cloned());
    let entry = look(runs, move |tx| {
        let job = match job(tx, &name)? {
            Ok(job) => job,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(read(tx, &job, run.as_ref())?.map(|bookmark| shown(&job, &bookmark)))
    })
    .await?;
    Ok(json!({ "JobBookmarkEntry": entry }))
}

/// Sets the bookmark of a job back: to what one of its runs left, or to nothing. Tables stay as they
/// are, and so do the watermarks that stand in them.
pub(super) async fn reset(runs: &Arc<Runs>, input: &Map<String, Value>) -> Result<Value, Fault> {
    let (name, run) = (text(input, "JobName"), input.get("RunId").cloned());
    let entry = decide(runs, move |tx| {
        let job = match job(tx, &name)? {
            Ok(job) => job,
            Err(fault) => return Ok(Err(fault)),
        };
        let to = match &run {
            None => Bookmark { bookmark: "{}".to_string(), ..Bookmark::default() },
            Some(_) => match read(tx, &job, run.as_ref())? {
                Ok(bookmark) => bookmark,
                Err(fault) => return Ok(Err(fault)),
            },
        };
        let kept = to.keep(tx, job.id)?;
        Ok(Ok(shown(&job, &kept)))
    })
    .await?;
    Ok(json!({ "JobBookmarkEntry": entry }))
}

fn read(
    tx: &Transaction<'_>,
    job: &Owner,
    run: Option<&Value>,
) -> northstar_iceberg::Result<Result<Bookmark, Fault>> {
    let run = run.and_then(Value::as_str);
    if let Some(id) = run
        && let Err(fault) = find(tx, job, id)?
    {
        return Ok(Err(fault));
    }
    Ok(Bookmark::read(tx, job.id, run)?.ok_or_else(|| {
        Fault::refused(
            "EntityNotFoundException",
            format!("Continuation for job {} is not found: no run moved its bookmark.", job.name),
        )
    }))
}

fn shown(job: &Owner, bookmark: &Bookmark) -> Value {
    let mut shown = json!({
        "JobName": job.name,
        "Version": bookmark.version,
        "Run": bookmark.number,
        "Attempt": bookmark.attempt,
        "JobBookmark": bookmark.bookmark,
    });
    for (member, run) in [("RunId", &bookmark.run), ("PreviousRunId", &bookmark.previous)] {
        if let Some(run) = run {
            shown[member] = json!(run);
        }
    }
    shown
}
