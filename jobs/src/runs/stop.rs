//! Stopping an attempt by request.

use northstar_iceberg::Result;
use rusqlite::Connection;

use super::end::REQUEST;
use super::run::Attempt;
use super::state::State;

impl Attempt {
    /// Asks that it end: at once if it waits; else its process is told to, and ended by force once
    /// `grace_ms` have passed. False if it is over already.
    pub(crate) fn ask_to_stop(
        &mut self,
        tx: &Connection,
        grace_ms: i64,
        now_ms: i64,
    ) -> Result<bool> {
        if self.state.is_over() {
            return Ok(false);
        }
        if self.state.waits() {
            self.stop = Some(REQUEST.to_string());
            self.enter(State::Stopped, "it was stopped before it began", now_ms);
            self.update(tx)?;
        } else if self.state != State::Stopping {
            self.told_to_stop(REQUEST, grace_ms, now_ms);
            self.update(tx)?;
        }
        Ok(true)
    }

    /// Notes that its process is told to end, and why.
    pub(super) fn told_to_stop(&mut self, reason: &str, grace_ms: i64, now_ms: i64) {
        self.stop = Some(reason.to_string());
        self.grace_ms = grace_ms;
        self.enter(State::Stopping, "its process was told to end", now_ms);
    }
}
