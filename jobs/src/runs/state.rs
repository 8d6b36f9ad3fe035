//! The states of an attempt, whichever service started the run.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// The state of an attempt.
///
/// ```text
/// Submitted ─▶ Queued ─▶ Pending ─▶ Scheduled ─▶ Running ─▶ Succeeded | Failed | Lost
///     └──────────────────▶┘                 └──▶ Stopping ◀┘ ─▶ Stopped | TimedOut
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It was asked for, and nothing has looked at it yet.
    Submitted,
    /// Its job or application has as many runs as it may.
    Queued,
    /// It waits until the server runs fewer.
    Pending,
    /// Its process is being started.
    Scheduled,
    /// Its process runs.
    Running,
    /// Its process was told to end.
    Stopping,
    /// It did what it was to do.
    Succeeded,
    /// It did not.
    Failed,
    /// It was stopped by request.
    Stopped,
    /// It took longer than it might.
    TimedOut,
    /// The server ended meanwhile.
    Lost,
    /// It waited longer than it might.
    Expired,
}

impl State {
    pub(crate) const ALL: [Self; 12] = [
        Self::Submitted,
        Self::Queued,
        Self::Pending,
        Self::Scheduled,
        Self::Running,
        Self::Stopping,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
        Self::TimedOut,
        Self::Lost,
        Self::Expired,
    ];

    /// Its name in the store.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::TimedOut => "timed out",
            Self::Lost => "lost",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing will happen any more.
    pub(crate) fn is_over(self) -> bool {
        !self.waits() && !self.has_process()
    }

    /// Whether it has no process yet.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Submitted | Self::Queued | Self::Pending)
    }

    /// Whether it has a process, or is about to.
    pub(crate) fn has_process(self) -> bool {
        matches!(self, Self::Scheduled | Self::Running | Self::Stopping)
    }
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_stored_under_a_name_of_its_own() {
        for state in State::ALL {
            let text = state.as_str().as_bytes();
            assert_eq!(State::column_result(ValueRef::Text(text)), Ok(state));
        }
        assert!(State::column_result(ValueRef::Text(b"asleep")).is_err());
    }

    #[test]
    fn a_state_waits_or_has_a_process_or_is_over() {
        for state in State::ALL {
            let kinds = [state.waits(), state.has_process(), state.is_over()];
            assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1, "{state:?}");
        }
    }
}
