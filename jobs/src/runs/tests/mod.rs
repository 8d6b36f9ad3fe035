//! Runs whose processes are shell scripts in the place of this program.

mod bookmarks;
mod ends;
mod queues;
mod restarts;

use std::path::Path;
use std::sync::Arc;

use northstar_iceberg::clock::{Clock, SystemClock};
use northstar_iceberg::ids::SeededIds;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::*;

/// What runs in the place of the program. `/bin/sh` reads it as a file, so that it is never executed
/// while another test's process still has it open for writing.
const PROGRAM: &str = r#"
for option in "$@"; do case "$option" in --*) shift;; *) break;; esac; done
folder=$(dirname "$NORTHSTAR_WATERMARKS")
case "$1" in
exit) echo printed; echo logged >&2; exit "$2" ;;
variables) env; exit 0 ;;
nth) echo x >> "$2"; [ "$(wc -l < "$2")" -ge "$3" ] && exit 0; exit 3 ;;
held) echo ready > "$2"; read line < "$3"; exit 0 ;;
deaf) trap '' TERM; echo ready > "$2"; while :; do sleep 1000; done ;;
mark) printf '%s' "$2" > "$NORTHSTAR_WATERMARKS"; exit "$3" ;;
script) cat "${2#--parameters=}"; printf '{"a.b":{"snapshot-id":"9"}}' > "$NORTHSTAR_WATERMARKS"; exit 0 ;;
esac
exit 70
"#;

/// A server's runs in a folder of their own.
pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) config: RunsConfig,
    pub(crate) runs: Arc<Runs>,
    supervisors: JoinSet<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Fixture {
    pub(crate) fn new(most_at_once: usize) -> Self {
        Self::with_clock(most_at_once, Arc::new(SystemClock))
    }

    pub(crate) fn with_clock(most_at_once: usize, clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("program.sh");
        std::fs::write(&script, PROGRAM).unwrap();
        let config = RunsConfig {
            folder: folder.path().to_path_buf(),
            program: "/bin/sh".into(),
            warehouse_arguments: vec![script.into(), "--warehouse=/lake".into()],
            most_at_once,
            run_memory_bytes: 64 << 20,
            clock,
            ids: Arc::new(SeededIds::new(7)),
            account: "123456789012".into(),
            region: "eu-west-2".into(),
        };
        let runs = Runs::open(config.clone()).unwrap();
        Self { folder, config, runs, supervisors: JoinSet::new(), stop: None }
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Starts the supervisor.
    pub(crate) fn supervise(&mut self) {
        let (stop, stopped) = oneshot::channel::<()>();
        self.stop = Some(stop);
        self.supervisors.spawn(Arc::clone(&self.runs).supervise(stopped));
    }

    /// Stops the supervisor, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        while let Some(ended) = self.supervisors.join_next().await {
            ended.unwrap();
        }
    }

    /// Another server on the same folder, after this one has gone.
    pub(crate) fn restart(mut self) -> Self {
        let ids = Arc::new(SeededIds::new(8));
        self.config.ids = ids;
        drop(self.runs);
        let runs = Runs::open(self.config.clone()).unwrap();
        Self { runs, ..self }
    }

    /// A job that has so many runs at once.
    pub(crate) async fn owner(&self, name: &str, most_runs: Option<i64>) -> i64 {
        let new = NewOwner {
            service: Service::Glue,
            name: name.to_string(),
            document: json!({}),
            state: "",
            most_runs,
            client_token: None,
            request: None,
            tags: Tags::new(),
        };
        self.runs.write(move |tx| Owner::insert(tx, &new, 1)).await.unwrap()
    }

    /// A run that waits; its id.
    pub(crate) async fn start(&self, new: NewRun) -> i64 {
        let now_ms = self.runs.now_ms();
        self.runs.write(move |tx| Run::insert(tx, &new, now_ms)).await.unwrap()
    }

    /// Waits until something holds of what is kept. It is looked at after each change.
    pub(crate) async fn until<T: Send + 'static>(
        &self,
        look: impl Fn(&Connection) -> Option<T> + Clone + Send + 'static,
    ) -> T {
        let mut changes = self.runs.changes();
        loop {
            changes.borrow_and_update();
            let look = look.clone();
            if let Some(found) = self.runs.read(move |tx| Ok(look(tx))).await.unwrap() {
                return found;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Waits until an attempt is over.
    pub(crate) async fn over(&self, run: i64, attempt: i64) -> Attempt {
        self.until(move |tx| {
            Attempt::numbered(tx, run, attempt).unwrap().filter(|one| one.state.is_over())
        })
        .await
    }

    /// Waits until an attempt is in a state.
    pub(crate) async fn in_state(&self, run: i64, attempt: i64, state: State) -> Attempt {
        self.until(move |tx| {
            Attempt::numbered(tx, run, attempt).unwrap().filter(|one| one.state == state)
        })
        .await
    }

    pub(crate) async fn attempts(&self, run: i64) -> Vec<Attempt> {
        self.runs.read(move |tx| Attempt::all(tx, run)).await.unwrap()
    }

    async fn ask_to_stop(&self, run: i64, grace_ms: i64) -> bool {
        let now_ms = self.runs.now_ms();
        self.runs
            .write(move |tx| {
                let mut attempt = Attempt::all(tx, run)?.pop().unwrap();
                attempt.ask_to_stop(tx, grace_ms, now_ms)
            })
            .await
            .unwrap()
    }

    /// A pipe that holds a process until something is written into it.
    fn pipe(&self, name: &str) -> String {
        let path = self.path(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, path.as_str(), 0o600.into()).unwrap();
        path
    }
}

/// A run of these words.
pub(crate) fn run(owner: i64, name: &str, words: &[&str]) -> NewRun {
    NewRun {
        name: name.to_string(),
        owner,
        previous: None,
        actor: "dr".into(),
        client_token: None,
        request: json!({}),
        work: Work::Command { words: words.iter().map(|word| (*word).to_string()).collect() },
        bookmark: BookmarkMode::Disable,
        max_attempts: 1,
        timeout_ms: None,
        queue_ms: None,
        tags: Tags::new(),
    }
}

/// Waits for a line from a process that writes it into a pipe once it is ready.
async fn line(path: String) -> String {
    tokio::task::spawn_blocking(move || std::fs::read_to_string(path).unwrap()).await.unwrap()
}

/// Lets a process go on that reads from a pipe.
async fn let_go(path: String) {
    tokio::task::spawn_blocking(move || std::fs::write(path, "go\n").unwrap()).await.unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
