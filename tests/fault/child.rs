//! A process of its own that works on a table, and is killed by the kernel in the middle of it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use northstar_iceberg::observer::{Event, Observer};
use rustix::process::{Signal, getpid, kill_process};
use serde_json::{Value, json};

use super::actions::named;
use super::contents::Contents;
use super::merging::merge;
use super::observers::kind;
use super::place::{Place, first_extract, load};

/// Where a child finds its order.
const ORDER: &str = "NORTHSTAR_FAULT_ORDER";

/// When a child dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Death {
    /// Only events of this kind count; all if there is none.
    pub(crate) kind: Option<String>,
    /// At the how many-th of them, from 1; never for 0.
    pub(crate) nth: usize,
    /// How long after it, in microseconds, while the work goes on.
    pub(crate) after_us: u64,
}

impl Death {
    /// No death.
    pub(crate) fn never() -> Self {
        Self { kind: None, nth: 0, after_us: 0 }
    }

    /// At the `nth` event of a kind.
    pub(crate) fn at(kind: &str, nth: usize) -> Self {
        Self { kind: Some(kind.into()), nth, after_us: 0 }
    }
}

/// Kills its own process when the time has come.
#[derive(Debug)]
struct Deadly {
    death: Death,
    seen: AtomicUsize,
}

impl Observer for Deadly {
    fn event(&self, event: &Event) {
        let counts = self.death.kind.as_deref().is_none_or(|wanted| wanted == kind(event));
        if !counts || self.seen.fetch_add(1, Ordering::SeqCst) + 1 != self.death.nth {
            return;
        }
        let die = || kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        match Duration::from_micros(self.death.after_us) {
            Duration::ZERO => die(),
            // Not to wait for anything: any moment will do.
            after => drop(std::thread::spawn(move || {
                std::thread::sleep(after);
                die();
            })),
        }
    }
}

/// What a child does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work<'a> {
    /// Loads a folder.
    Load(&'a Path),
    /// Runs the MERGE of `merging.rs`.
    Merge,
    /// Does the action of this name.
    Act(&'static str),
}

/// Works in a child; whether it was killed. A child that fails otherwise fails the test.
pub(crate) fn work_and_die(place: &Place, work: Work<'_>, run: u32, death: &Death) -> bool {
    let (work, what) = match work {
        Work::Load(from) => ("load", json!(from)),
        Work::Merge => ("merge", Value::Null),
        Work::Act(name) => ("act", json!(name)),
    };
    let order = json!({
        "folder": place.path().parent(), "work": work, "what": what, "run": run,
        "kind": death.kind, "nth": death.nth, "after_us": death.after_us,
    });
    let output = again("child::obeys_its_order", &[(ORDER, &order.to_string())]);
    let killed = output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "{death:?}: {}", text(&output));
    killed
}

/// Runs one test of this binary in a process of its own, with these variables.
pub(crate) fn again(test: &str, variables: &[(&str, &str)]) -> Output {
    let program = std::env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .envs(variables.iter().copied())
        .output()
        .expect("a child")
}

/// What a child said.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}\n{}\n{}", output.status, String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

async fn obey(order: &str) {
    let order: Value = serde_json::from_str(order).expect("an order in JSON");
    let said = |key: &str| order[key].as_str().expect("text");
    let number = |key: &str| order[key].as_u64().expect("a number");
    let death = Death {
        kind: order["kind"].as_str().map(str::to_string),
        nth: usize::try_from(number("nth")).expect("a small number"),
        after_us: number("after_us"),
    };
    let observer = Arc::new(Deadly { death, seen: AtomicUsize::new(0) });
    let run = u32::try_from(number("run")).expect("a small number");
    let place = Place::new(Path::new(said("folder")));
    let lake = place.observed(run, observer).await;
    match said("work") {
        "load" => {
            assert!(load(&lake, Path::new(said("what"))).await.expect("a load").balances());
        }
        "merge" => assert!(merge(&lake).await.expect("a MERGE").snapshot_id.is_some()),
        // What an action before it left may be all that was to be done.
        _ => drop((named(said("what")).run)(lake).await.expect("an action")),
    }
}

/// With an order it is the child; without one, it tests that children do as they are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn obeys_its_order() {
    if let Ok(order) = std::env::var(ORDER) {
        return obey(&order).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let (place, from) = (Place::new(folder.path()), first_extract(folder.path()));
    let work = Work::Load(&from);
    assert!(work_and_die(&place, work, 1, &Death::at("FileOpened", 1)));
    assert_eq!(Contents::read(&place.lake(2).await).await.rows.len(), 0);
    assert!(!work_and_die(&place, work, 3, &Death::never()));
    assert_eq!(Contents::read(&place.lake(4).await).await.rows.len(), 5);
}
