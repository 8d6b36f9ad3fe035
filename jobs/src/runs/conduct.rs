//! One attempt, from its start to its end.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use northstar_iceberg::{Error, Result};
use rustix::process::Signal;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Runs;
use super::bookmark::{Bookmark, BookmarkMode};
use super::end::{End, TIMEOUT, finish};
use super::inside;
use super::logs::AttemptFolder;
use super::owner::gone;
use super::process::{Start, began, signal};
use super::run::{Attempt, Run};
use super::state::State;
use super::work::Work;

/// How long a process may take to end when the server stops or its time is over.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait before the end of an attempt is written again.
const PAUSE: Duration = Duration::from_secs(1);

/// An attempt that was claimed, and its process.
struct Conducted {
    runs: Arc<Runs>,
    run: Run,
    attempt: i64,
    folder: AttemptFolder,
    server: watch::Receiver<bool>,
}

/// Runs an attempt to its end, and keeps how it ended.
pub(super) async fn conduct(
    runs: Arc<Runs>,
    (run, attempt): (Run, Attempt),
    server: watch::Receiver<bool>,
) {
    let folder = AttemptFolder::of(&runs.config.folder, &run.name, attempt.attempt);
    let mut conducted = Conducted { runs, run, attempt: attempt.attempt, folder, server };
    let end = match conducted.attend_to_end().await {
        Ok(end) => end,
        Err(error) => {
            tracing::error!(run = conducted.run.name, %error, "a run could not be conducted");
            End::Failed(short(&error))
        }
    };
    conducted.keep(end).await;
}

impl Conducted {
    async fn attend_to_end(&mut self) -> Result<End> {
        let mut child = self.start().await?;
        let process = child.id().map_or(0, i64::from);
        if let Err(error) = self.note_start(process).await {
            // What is not kept must not run: after a restart it would be started once more.
            signal(process, Signal::KILL);
            child.wait().await.map_err(waited)?;
            return Err(error);
        }
        let end = self.attend(&mut child, process).await?;
        let closed = self.folder.close();
        match (end, closed) {
            (End::Exited { status, .. }, Err(error)) if status.success() => {
                Ok(End::Failed(short(&error)))
            }
            (end, _) => Ok(end),
        }
    }

    /// Starts the process, with its own log files.
    async fn start(&self) -> Result<Child> {
        let config = &self.runs.config;
        let (stdout, stderr) = self.folder.create()?;
        let name = self.run.attempt_name(self.attempt);
        let mut arguments = config.warehouse_arguments.clone();
        let actor = Some(self.run.actor.trim()).filter(|actor| !actor.is_empty());
        arguments.push(joined("--actor=", actor.unwrap_or("unknown")));
        arguments.push(joined("--reason=", &format!("run {name}")));
        arguments.push(joined("--memory=", &config.run_memory_bytes.to_string()));
        arguments.extend(self.words().await?);
        self.runs
            .starter()?
            .start(Start {
                program: config.program.clone(),
                arguments,
                variables: inside::variables(
                    &name,
                    &self.folder.watermarks_path(),
                    config.run_memory_bytes,
                ),
                stdout,
                stderr,
            })
            .await
    }

    /// The command that does the work.
    async fn words(&self) -> Result<Vec<OsString>> {
        let (script, parameters) = match &self.run.work {
            Work::Command { words } => return Ok(words.iter().map(OsString::from).collect()),
            Work::Script { script, parameters } => (script, parameters),
        };
        let bookmark = match self.run.bookmark {
            BookmarkMode::Disable => None,
            _ => {
                let owner = self.run.owner;
                self.runs.read(move |tx| Bookmark::read(tx, owner, None)).await?
            }
        };
        let given = super::work::given(
            parameters,
            &self.run.attempt_name(self.attempt),
            bookmark.as_ref().map(|bookmark| bookmark.bookmark.as_str()),
        );
        let path = self.folder.hand_in(&given)?;
        let mut parameters = OsString::from("--parameters=");
        parameters.push(path);
        Ok(vec!["script".into(), parameters, "--".into(), script.into()])
    }

    async fn note_start(&self, process: i64) -> Result<()> {
        self.change(move |attempt, now_ms| {
            attempt.process = Some(process);
            attempt.process_started = began(process);
            attempt.started_ms = Some(now_ms);
            if attempt.state == State::Scheduled {
                attempt.enter(State::Running, "its process runs", now_ms);
            }
        })
        .await
    }

    /// Waits for the process to end, and has it end when its time is over, somebody asks for that or
    /// the server stops.
    async fn attend(&mut self, child: &mut Child, process: i64) -> Result<End> {
        let mut changes = self.runs.changes();
        let mut deadline =
            self.run.timeout_ms.map(|ms| after(Duration::from_millis(ms.unsigned_abs())));
        let mut kill_at = None;
        let mut stopping = false;
        let mut server_stops = false;
        loop {
            if !stopping && let Some(grace) = self.asked_to_stop().await {
                stopping = true;
                kill_at = Some(end_within(process, grace));
            }
            tokio::select! {
                status = child.wait() => {
                    let status = status.map_err(waited)?;
                    return Ok(if server_stops && !status.success() {
                        End::ServerStopped
                    } else {
                        End::Exited { status, watermarks: self.folder.watermarks() }
                    });
                }
                () = at(deadline), if !stopping => {
                    deadline = None;
                    let grace_ms = i64::try_from(GRACE.as_millis()).unwrap_or_default();
                    self.change(move |attempt, now_ms| {
                        if attempt.state != State::Stopping {
                            attempt.told_to_stop(TIMEOUT, grace_ms, now_ms);
                        }
                    })
                    .await?;
                }
                () = at(kill_at) => {
                    kill_at = None;
                    signal(process, Signal::KILL);
                }
                changed = changes.changed(), if !stopping => {
                    if changed.is_err() { stopping = true; }
                }
                () = told(&mut self.server), if !server_stops => {
                    server_stops = true;
                    stopping = true;
                    kill_at = Some(kill_at.unwrap_or_else(|| end_within(process, GRACE)));
                }
            }
        }
    }

    /// How long the process may take to end, if it was asked to.
    async fn asked_to_stop(&self) -> Option<Duration> {
        let (run, attempt) = (self.run.id, self.attempt);
        let read = self.runs.read(move |tx| Attempt::numbered(tx, run, attempt)).await;
        match read {
            Ok(Some(attempt)) if attempt.state == State::Stopping => {
                Some(Duration::from_millis(attempt.grace_ms.unsigned_abs()))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::error!(run = self.run.name, %error, "the state of a run cannot be read");
                None
            }
        }
    }

    /// Changes the attempt in the store.
    async fn change(&self, change: impl FnOnce(&mut Attempt, i64) + Send + 'static) -> Result<()> {
        let (run, attempt) = (self.run.id, self.attempt);
        let now_ms = self.runs.now_ms();
        self.runs
            .write(move |tx| {
                let mut attempt = Attempt::numbered(tx, run, attempt)?
                    .ok_or_else(|| gone("an attempt of a run"))?;
                change(&mut attempt, now_ms);
                attempt.update(tx)
            })
            .await
    }

    /// Keeps how the attempt ended; as often as it takes, for the run must not hang. If the server
    /// stops before that, it finds the run when it starts again.
    async fn keep(mut self, end: End) {
        let key = (self.run.id, self.attempt);
        let end = Arc::new(end);
        loop {
            let (ended, now_ms) = (Arc::clone(&end), self.runs.now_ms());
            match self.runs.write(move |tx| finish(tx, key, &ended, now_ms)).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(run = self.run.name, %error, "the end of a run is not kept yet");
                }
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = told(&mut self.server) => return,
            }
        }
    }
}

/// Tells a process to end, at once if there is no grace; when to end it by force.
fn end_within(process: i64, grace: Duration) -> Instant {
    signal(process, if grace.is_zero() { Signal::KILL } else { Signal::TERM });
    after(grace)
}

fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or(now + Duration::from_secs(86_400 * 365))
}

/// Returns when the server stops, or is gone.
async fn told(server: &mut watch::Receiver<bool>) {
    drop(server.wait_for(|stops| *stops).await);
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn joined(option: &str, value: &str) -> OsString {
    format!("{option}{value}").into()
}

fn waited(error: std::io::Error) -> Error {
    Error::io(error, "wait for the process of a run", "process")
}

/// An error as the state of a run can hold it.
fn short(error: &Error) -> String {
    error.message().chars().take(250).collect()
}
