//! How an attempt ends, and what follows: another attempt, a bookmark.

use std::process::ExitStatus;

use northstar_iceberg::Result;
use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use super::bookmark::{Bookmark, BookmarkMode};
use super::owner::gone;
use super::run::{Attempt, Run};
use super::state::State;
use super::store::broken;

/// The reason of a stop that somebody asked for.
pub(super) const REQUEST: &str = "request";
/// The reason of a stop for want of time.
pub(super) const TIMEOUT: &str = "timeout";

/// What became of an attempt's process.
#[derive(Debug)]
pub(super) enum End {
    /// It ended, with what it says that it committed and read.
    Exited { status: ExitStatus, watermarks: Option<Map<String, Value>> },
    /// It could not be started, or what it printed could not be kept.
    Failed(String),
    /// The server ended it because it stopped itself.
    ServerStopped,
    /// The server was started anew and does not have it any more.
    ServerRestarted,
}

impl Run {
    /// What one of its attempts is called: as Glue does, the later ones by number.
    pub(crate) fn attempt_name(&self, attempt: i64) -> String {
        match attempt {
            ..=1 => self.name.clone(),
            later => format!("{}_attempt_{}", self.name, later - 1),
        }
    }
}

/// Ends an attempt: its state, the bookmark that it moves, the next attempt if there is to be one.
pub(super) fn finish(
    tx: &Connection,
    (run, attempt): (i64, i64),
    end: &End,
    now_ms: i64,
) -> Result<()> {
    let mut attempt =
        Attempt::numbered(tx, run, attempt)?.ok_or_else(|| gone("an attempt of a run"))?;
    if attempt.state.is_over() {
        return Ok(());
    }
    let run = Run::with_id(tx, attempt.run)?;
    let (state, detail) = outcome(&attempt, end);
    if let End::Exited { status, .. } = end {
        attempt.exit_code = status.code().map(i64::from);
    }
    attempt.enter(state, detail, now_ms);
    attempt.update(tx)?;
    tx.execute("UPDATE owners SET active_ms = ?2 WHERE id = ?1", params![run.owner, now_ms])
        .map_err(broken)?;
    match (state, end) {
        (State::Succeeded, End::Exited { watermarks, .. })
            if run.bookmark == BookmarkMode::Enable =>
        {
            advance(tx, &run, &attempt, watermarks.as_ref())
        }
        (State::Failed | State::Lost, _) if attempt.attempt < run.max_attempts => {
            Attempt::insert(tx, run.id, attempt.attempt + 1, now_ms)
        }
        _ => Ok(()),
    }
}

fn outcome(attempt: &Attempt, end: &End) -> (State, String) {
    match (attempt.stop.as_deref(), end) {
        (Some(TIMEOUT), _) => {
            (State::TimedOut, "it took longer than it might, and was ended".to_string())
        }
        (Some(_), _) => (State::Stopped, "it was stopped on request".to_string()),
        (None, End::Exited { status, .. }) => exited(*status),
        (None, End::Failed(why)) => (State::Failed, why.clone()),
        (None, End::ServerStopped) => (State::Lost, "the server was stopped".to_string()),
        (None, End::ServerRestarted) => (State::Lost, "server restarted".to_string()),
    }
}

fn exited(status: ExitStatus) -> (State, String) {
    use std::os::unix::process::ExitStatusExt;
    let why = match (status.code(), status.signal()) {
        (Some(0), _) => return (State::Succeeded, "it ended well".to_string()),
        (Some(1), _) => "the data or the request is not right; its log says why".to_string(),
        (Some(2), _) => "an internal error; its log says which".to_string(),
        (Some(3), _) => "a retry may help; its log says why".to_string(),
        (Some(_), _) => "its log says why".to_string(),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            let why = format!("signal {signal} ended it, as when memory is short");
            return (State::Failed, why);
        }
    };
    (State::Failed, format!("exit code {}: {why}", status.code().unwrap_or_default()))
}

/// Moves the bookmark of a run's job on. Tables that the run did not touch keep their marks.
fn advance(
    tx: &Connection,
    run: &Run,
    attempt: &Attempt,
    watermarks: Option<&Map<String, Value>>,
) -> Result<()> {
    let before = Bookmark::read(tx, run.owner, None)?.unwrap_or_default();
    let mut marks = marks(&before.bookmark);
    marks.extend(watermarks.cloned().unwrap_or_default());
    let bookmark = Bookmark {
        number: run.number,
        attempt: attempt.attempt - 1,
        run: Some(run.attempt_name(attempt.attempt)),
        bookmark: Value::Object(marks).to_string(),
        ..Bookmark::default()
    };
    bookmark.keep(tx, run.owner).map(drop)
}

/// The marks of a bookmark, by table.
pub(super) fn marks(bookmark: &str) -> Map<String, Value> {
    serde_json::from_str(bookmark).unwrap_or_default()
}
