//! What a server finds that another one left: attempts whose process is gone, or must go.

use std::time::Duration;

use northstar_iceberg::{Error, ErrorKind, Result};
use rustix::process::Signal;
use tokio::time::sleep;

use super::Runs;
use super::end::{End, finish};
use super::process::{began, signal};
use super::run::Attempt;

/// How often, and at what distance, a process is looked for that was told to go.
const LOOKS: u32 = 500;
const BETWEEN: Duration = Duration::from_millis(10);

/// Ends the attempts that an earlier server had started: they are lost, and tried again if they may
/// be. What waits goes on waiting.
///
/// # Errors
/// `Unavailable` if a process of theirs does not go: what it does must not be done twice at once.
pub(super) async fn recover(runs: &Runs) -> Result<()> {
    let attempts = runs.read(Attempt::under_way).await?;
    for attempt in attempts.into_iter().filter(|attempt| attempt.state.has_process()) {
        end_process(&attempt).await?;
        let key = (attempt.run, attempt.attempt);
        let now_ms = runs.now_ms();
        runs.write(move |tx| finish(tx, key, &End::ServerRestarted, now_ms)).await?;
    }
    Ok(())
}

/// Ends the process of an attempt, if it outlived its server.
async fn end_process(attempt: &Attempt) -> Result<()> {
    let (Some(process), Some(started)) = (attempt.process, attempt.process_started) else {
        return Ok(());
    };
    for _ in 0..LOOKS {
        if began(process) != Some(started) {
            return Ok(());
        }
        signal(process, Signal::KILL);
        sleep(BETWEEN).await;
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "the process of a run of an earlier server does not end",
    )
    .with_context("process", process))
}
