//! Which attempts may start: as many of an owner as it may have, and of all as the server may run.

use std::collections::HashMap;

use northstar_iceberg::Result;
use rusqlite::Connection;

use super::run::{Attempt, Run, rows};
use super::state::State;

/// What settling the queue came to.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Attempts that are to be started now.
    pub(super) claimed: Vec<(Run, Attempt)>,
    /// Whether any state changed.
    pub(super) changed: bool,
    /// When the queue changes next by the passing of time alone.
    pub(super) next_ms: Option<i64>,
}

/// What bounds the waiting of a run.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    owner: i64,
    most_runs: Option<i64>,
    queue_ms: Option<i64>,
}

/// Moves waiting attempts on, the oldest run first, and claims those that may start.
pub(super) fn settle(tx: &Connection, most_at_once: usize, now_ms: i64) -> Result<Settled> {
    let mut attempts = Attempt::under_way(tx)?;
    let bounds = bounds(tx)?;
    let of = |attempt: &Attempt| bounds.get(&attempt.run).copied().unwrap_or_default();
    let mut admitted: HashMap<i64, i64> = HashMap::new();
    for attempt in attempts.iter().filter(|attempt| is_admitted(attempt.state)) {
        *admitted.entry(of(attempt).owner).or_default() += 1;
    }
    let mut busy = attempts.iter().filter(|attempt| attempt.state.has_process()).count();
    let mut settled = Settled::default();
    for attempt in &mut attempts {
        let before = attempt.state;
        if matches!(before, State::Submitted | State::Queued) {
            let bounds = of(attempt);
            let next_ms = admit(attempt, bounds, admitted.entry(bounds.owner).or_default(), now_ms);
            settled.next_ms = settled.next_ms.into_iter().chain(next_ms).min();
        }
        if attempt.state == State::Pending && busy < most_at_once {
            busy += 1;
            attempt.enter(State::Scheduled, "its process is being started", now_ms);
            settled.claimed.push((Run::with_id(tx, attempt.run)?, attempt.clone()));
        }
        if attempt.state != before {
            settled.changed = true;
            attempt.update(tx)?;
        }
    }
    Ok(settled)
}

/// Whether it counts among the runs that its owner has at once.
fn is_admitted(state: State) -> bool {
    state == State::Pending || state.has_process()
}

/// Lets an attempt in if its owner has room, lets it go if it waited too long, or has it wait; until
/// when.
fn admit(attempt: &mut Attempt, bounds: Bounds, admitted: &mut i64, now_ms: i64) -> Option<i64> {
    if bounds.most_runs.is_none_or(|most| *admitted < most) {
        *admitted += 1;
        attempt.admitted_ms = Some(now_ms);
        attempt.enter(State::Pending, "it waits until the server runs fewer jobs", now_ms);
        return None;
    }
    let until_ms = bounds.queue_ms.map(|wait_ms| attempt.created_ms.saturating_add(wait_ms));
    if until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
        attempt.enter(State::Expired, "it waited in the queue for as long as it might", now_ms);
        return None;
    }
    if attempt.state != State::Queued {
        let detail = "as many runs as are allowed at once are under way; it waits for one to end";
        attempt.enter(State::Queued, detail, now_ms);
    }
    until_ms
}

fn bounds(tx: &Connection) -> Result<HashMap<i64, Bounds>> {
    let sql = "SELECT runs.id, runs.owner, owners.most_runs, runs.queue_ms FROM runs \
               JOIN owners ON owners.id = runs.owner \
               WHERE runs.id IN (SELECT run FROM attempts WHERE ended_ms IS NULL)";
    let read = rows(tx, sql, [], |row| {
        let bounds = Bounds { owner: row.get(1)?, most_runs: row.get(2)?, queue_ms: row.get(3)? };
        Ok((row.get(0)?, bounds))
    })?;
    Ok(read.into_iter().collect())
}
