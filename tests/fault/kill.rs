//! SIGKILL at each stage edge of a load and at random moments, then again: the same tables as after an
//! undisturbed run (W1 to W4).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use northstar_iceberg::observer::Observer;
use tempfile::TempDir;

use super::child::{Death, Work, work_and_die};
use super::contents::Contents;
use super::observers::Recorder;
use super::place::{Place, first_extract, load, second_extract};

/// The edges of a commit: each of them is tried for each commit.
const COMMIT_EDGES: [&str; 4] =
    ["DataFilesComplete", "ManifestsWritten", "MetadataWritten", "Committed"];

/// A load and what it makes of a warehouse if nothing goes wrong.
struct Scenario {
    _sources: TempDir,
    /// What is loaded before, undisturbed.
    before: Option<PathBuf>,
    from: PathBuf,
    old: Contents,
    new: Contents,
    events: Vec<&'static str>,
}

impl Scenario {
    async fn first_load() -> Self {
        let sources = tempfile::tempdir().unwrap();
        let from = first_extract(sources.path());
        Self::undisturbed(sources, None, from).await
    }

    async fn second_load() -> Self {
        let sources = tempfile::tempdir().unwrap();
        let (before, from) = (first_extract(sources.path()), second_extract(sources.path()));
        Self::undisturbed(sources, Some(before), from).await
    }

    async fn undisturbed(sources: TempDir, before: Option<PathBuf>, from: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path());
        if let Some(before) = &before {
            load(&place.lake(0).await, before).await.unwrap();
        }
        let old = Contents::read(&place.lake(0).await).await;
        let recorder = Arc::new(Recorder::default());
        let lake = place.observed(1, Arc::clone(&recorder) as Arc<dyn Observer>).await;
        assert!(load(&lake, &from).await.unwrap().balances());
        let new = Contents::read(&lake).await;
        let events = recorder.kinds();
        Self { _sources: sources, before, from, old, new, events }
    }

    /// Dies as told, once or more often, then loads to the end; whether each child was killed.
    async fn survive(&self, deaths: &[Death]) -> Vec<bool> {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path());
        if let Some(before) = &self.before {
            load(&place.lake(0).await, before).await.unwrap();
        }
        let mut killed = Vec::new();
        for (run, death) in (1..).zip(deaths) {
            killed.push(work_and_die(&place, Work::Load(&self.from), run, death));
            let found = Contents::read(&place.lake(run).await).await;
            found.check_old_or_new(&self.old, &self.new, &format!("after {deaths:?}"));
        }
        for run in [50, 51] {
            let lake = place.lake(run).await;
            let report = load(&lake, &self.from).await.unwrap();
            assert!(report.balances(), "W1, run {run} after {deaths:?}");
            let found = Contents::read(&lake).await;
            assert!(
                found == self.new,
                "run {run} after {deaths:?}: {found:#?}\nexpected {:#?}",
                self.new
            );
            let made = report.tables.iter().filter_map(|table| table.snapshot_id).count();
            assert!(run == 50 || made == 0, "W2: run {run} made {made} snapshots");
        }
        killed
    }
}

/// Each (kind, n-th) of what was seen: all of a commit's edges, and of other kinds the first, second,
/// middle and last.
pub(crate) fn edges(events: &[&'static str]) -> BTreeSet<(&'static str, usize)> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    events.iter().for_each(|kind| *counts.entry(kind).or_default() += 1);
    let chosen = counts.into_iter().flat_map(|(kind, count)| {
        let all = COMMIT_EDGES.contains(&kind);
        (1..=count)
            .filter(move |nth| all || [1, 2, count.div_ceil(2), count].contains(nth))
            .map(move |nth| (kind, nth))
    });
    chosen.collect()
}

/// How many random deaths a test tries: [`RANDOM_DEATHS`], or 500 for a soak.
pub(crate) fn random_deaths() -> u32 {
    let soak = std::env::var("NORTHSTAR_SOAK").is_ok_and(|soak| soak == "1");
    if soak { 500 } else { RANDOM_DEATHS }
}

/// Seeded numbers below a bound.
pub(crate) fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        // Knuth's MMIX generator; its high bits are the good ones.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_killed_at_each_edge_of_a_first_load() {
    let scenario = Scenario::first_load().await;
    for kind in ["FileOpened", "RowsRead", "Spilled", "DataFileWritten", "ManifestsWritten"] {
        assert!(scenario.events.contains(&kind), "{kind} is never sent, so nothing dies at it");
    }
    // Two tables with their rejects, one without.
    assert_eq!(scenario.events.iter().filter(|kind| **kind == "Committed").count(), 5);
    for (kind, nth) in edges(&scenario.events) {
        let killed = scenario.survive(&[Death::at(kind, nth)]).await;
        assert_eq!(killed, [true], "{kind} {nth}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_killed_at_each_commit_edge_of_a_second_load() {
    let scenario = Scenario::second_load().await;
    assert_ne!(scenario.old, scenario.new);
    for (kind, nth) in edges(&scenario.events) {
        if COMMIT_EDGES.contains(&kind) {
            let killed = scenario.survive(&[Death::at(kind, nth)]).await;
            assert_eq!(killed, [true], "{kind} {nth}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_killed_again_while_it_recovers() {
    let scenario = Scenario::first_load().await;
    for (first, second) in [
        (("MetadataWritten", 1), ("MetadataWritten", 1)),
        (("Committed", 1), ("ManifestsWritten", 1)),
        (("Committed", 4), ("Committed", 1)),
        (("Spilled", 1), ("MetadataWritten", 2)),
    ] {
        let deaths = [Death::at(first.0, first.1), Death::at(second.0, second.1)];
        assert_eq!(scenario.survive(&deaths).await, [true, true], "{deaths:?}");
    }
}

/// Of [`RANDOM_DEATHS`] most fall between two edges. `NORTHSTAR_SOAK=1` makes it 500.
const RANDOM_DEATHS: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_killed_at_random_moments() {
    let trials = random_deaths();
    let scenarios = [Scenario::first_load().await, Scenario::second_load().await];
    let mut random = numbers(20_240_501);
    let mut killed = 0;
    for trial in 0..trials {
        let scenario = &scenarios[random(2)];
        let death = Death {
            kind: None,
            nth: 1 + random(scenario.events.len()),
            after_us: u64::try_from(random(4_000)).expect("small"),
        };
        let deaths = [death, Death { kind: None, nth: 1 + random(60), after_us: 0 }];
        // Each fourth dies once more on the way back.
        let deaths = if trial % 4 == 0 { &deaths[..] } else { &deaths[..1] };
        killed += u32::from(scenario.survive(deaths).await[0]);
    }
    assert!(killed * 2 > trials, "only {killed} of {trials} died before they were done");
}
