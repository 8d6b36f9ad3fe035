//! A run, watched until it is over.

use std::time::{Duration, Instant};

use aws_sdk_emrserverless::types::{JobRun, JobRunState};
use northstar_iceberg::{Error, ErrorKind, Result, Retry};

use super::client::Service;
use crate::exit::Done;
use crate::signal::Told;

/// The first wait between two looks, and the longest.
const FIRST_MS: u64 = 200;
const LONGEST_MS: u64 = 15_000;
/// How long a server may not answer before watching ends; its restart takes less.
const SILENCE: Duration = Duration::from_secs(300);

/// Waits between looks: short ones first, for runs that take seconds.
#[derive(Debug)]
pub(crate) struct Pace {
    next_ms: u64,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { next_ms: FIRST_MS }
    }

    /// Waits; half as long again as the last time.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.next_ms)).await;
        self.next_ms = (self.next_ms * 3 / 2).min(LONGEST_MS);
    }
}

/// What happens to a run when the one who watches it is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenTold {
    /// It is cancelled, with so many seconds to end by itself.
    Cancel(i32),
    /// It goes on.
    Leave,
}

/// Whether a run is over.
pub(crate) fn is_over(state: &JobRunState) -> bool {
    matches!(state, JobRunState::Success | JobRunState::Failed | JobRunState::Cancelled)
}

/// How a run that is over ended, as an exit code says it.
pub(crate) fn outcome(state: &JobRunState) -> Done {
    match state {
        JobRunState::Success => Done::Well,
        _ => Done::NeedsAttention,
    }
}

/// Watches a run until it is over, and tells each state that it is seen in. Told to end, it does as asked;
/// told so again, it ends.
///
/// # Errors
/// `NotFound` for a run that is not there; `Unavailable` where no answer comes for five minutes, or when
/// watching ends before the run does.
pub(crate) async fn until_over(
    service: &Service,
    run: &str,
    when_told: WhenTold,
    told: &dyn Fn(&str),
) -> Result<JobRun> {
    let mut signals = Told::listen()?;
    let mut pace = Pace::new();
    let mut seen: Option<(String, Option<i32>)> = None;
    let mut silent_since: Option<Instant> = None;
    let mut is_told = false;
    loop {
        match service.run(run, None).await {
            Ok(found) => {
                silent_since = None;
                let state = (found.state.as_str().to_string(), found.attempt);
                if seen.as_ref() != Some(&state) {
                    told(&line(&found));
                    seen = Some(state);
                    pace = Pace::new();
                }
                if is_over(&found.state) {
                    return Ok(found);
                }
            }
            Err(error) if error.retry() == Retry::Never => return Err(error),
            Err(error) => {
                let since = *silent_since.get_or_insert_with(|| {
                    told("no answer; the run goes on, and is asked for again");
                    Instant::now()
                });
                if since.elapsed() > SILENCE {
                    return Err(error.with_context("run", run));
                }
            }
        }
        tokio::select! {
            () = pace.wait() => continue,
            () = signals.ending() => {}
        }
        match when_told {
            WhenTold::Cancel(grace_seconds) if !is_told => {
                told("told to end: the run is cancelled; again ends the waiting");
                is_told = true;
                pace = Pace::new();
                // A run that is over meanwhile cannot be cancelled: the next look tells.
                if let Err(error) = cancel(service, run, grace_seconds).await {
                    told(&format!("not cancelled: {error}"));
                }
            }
            _ => {
                let text = "the waiting was ended; the run goes on: northstar status RUN --wait";
                return Err(Error::new(ErrorKind::Unavailable, text).with_context("run", run));
            }
        }
    }
}

/// A run in one line.
fn line(run: &JobRun) -> String {
    let attempt = match run.attempt {
        Some(attempt) if attempt > 1 => format!(", attempt {attempt}"),
        _ => String::new(),
    };
    format!("{} {}{attempt}: {}", run.job_run_id, run.state.as_str(), run.state_details)
}

/// Asks that a run ends.
///
/// # Errors
/// `InvalidInput` for a run that is over.
pub(crate) async fn cancel(service: &Service, run: &str, grace_seconds: i32) -> Result<()> {
    let asked = service.client.cancel_job_run().application_id(&service.application);
    let asked = asked.job_run_id(run).shutdown_grace_period_in_seconds(grace_seconds);
    asked.send().await.map_err(|error| service.failed(&error, "cancel the run"))?;
    Ok(())
}
