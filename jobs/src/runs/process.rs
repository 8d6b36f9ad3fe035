//! The process of an attempt: started on a thread that stays, signalled, looked for by number.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;

use northstar_iceberg::{Error, ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// What a process is given of the server's environment, beside `AWS_*`, `LC_*` and `SSL_*`. The
/// server's own settings and keys stay with it.
const PASSED: [&str; 6] = ["PATH", "HOME", "LANG", "TMPDIR", "TZ", "NORTHSTAR_LOG"];
const PASSED_PREFIXES: [&str; 3] = ["AWS_", "LC_", "SSL_CERT_"];

/// What to start.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: Vec<(&'static str, OsString)>,
    pub(super) stdout: File,
    pub(super) stderr: File,
}

type Request = (Start, oneshot::Sender<std::io::Result<Child>>);

/// A thread that starts processes.
///
/// Linux sends the signal that ties a process to its parent when the *thread* that started it ends.
/// Threads of a pool come and go; this one ends with the server.
#[derive(Debug)]
pub(super) struct Starter {
    requests: mpsc::Sender<Request>,
}

impl Starter {
    /// Starts the thread. To be called where there is a runtime.
    pub(super) fn new() -> Result<Self> {
        let (requests, asked) = mpsc::channel::<Request>();
        let runtime = tokio::runtime::Handle::try_current().map_err(unable)?;
        std::thread::Builder::new()
            .name("runs".to_string())
            .spawn(move || {
                let _inside = runtime.enter();
                for (start, reply) in asked {
                    // The one who asked may have gone; then the process is ended as it is dropped.
                    drop(reply.send(command(start).spawn()));
                }
            })
            .map_err(unable)?;
        Ok(Self { requests })
    }

    /// Starts a process.
    pub(super) async fn start(&self, start: Start) -> Result<Child> {
        let program = start.program.clone();
        let (reply, started) = oneshot::channel();
        self.requests.send((start, reply)).map_err(|_| over())?;
        started
            .await
            .map_err(|_| over())?
            .map_err(|error| Error::io(error, "start the program of a run", program.display()))
    }
}

fn unable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "processes cannot be started here").with_source(error)
}

fn over() -> Error {
    Error::new(ErrorKind::Internal, "the thread that starts processes has ended")
}

fn command(start: Start) -> Command {
    let mut command = Command::new(start.program);
    command
        .args(start.arguments)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed)))
        .envs(start.variables)
        .stdin(Stdio::null())
        .stdout(start.stdout)
        .stderr(start.stderr)
        // An interrupt at the terminal is for the server, which ends its processes in order.
        .process_group(0)
        .kill_on_drop(true);
    command
}

fn is_passed(name: &str) -> bool {
    PASSED.contains(&name) || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Sends a signal to a process and those that it started.
pub(super) fn signal(process: i64, signal: Signal) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = pid.map(|pid| kill_process_group(pid, signal)) {
        tracing::debug!(process, %error, "a process could not be signalled; it may have ended");
    }
}

/// When a process began, by which it is told from a later one of the same number; none if it is gone
/// (or only waits to be taken away) or the system does not say.
pub(super) fn began(process: i64) -> Option<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything. Behind it the first field is the state.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_server_are_not_passed_on() {
        for name in ["PATH", "HOME", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "SSL_CERT_FILE"] {
            assert!(is_passed(name), "{name}");
        }
        for name in ["NORTHSTAR_KEYS", "USER", "PATHS", "DATABASE_PASSWORD", "LD_PRELOAD"] {
            assert!(!is_passed(name), "{name}");
        }
    }

    #[test]
    fn a_process_that_runs_has_begun_and_one_that_is_not_there_has_not() {
        let own = i64::from(std::process::id());
        assert!(began(own).is_some());
        assert_eq!(began(own), began(own));
        assert_eq!(began(i64::from(i32::MAX)), None);
    }
}
