//! Replies that come late, wrong or not at all: a commit ends as committed or as a typed error, and a
//! rerun completes it exactly once.

use std::path::PathBuf;
use std::sync::Arc;

use northstar_catalog::faulty::{Fault, FaultyCatalog, Gate, PointerFault};
use northstar_catalog::{ErrorKind, Retry};
use northstar_iceberg::Lake;
use northstar_iceberg::observer::{Observer, Silent};
use northstar_lakehouse::bronze::FileOutcome;
use northstar_tests::csv_files::{folder, visits};
use tempfile::TempDir;

use super::contents::Contents;
use super::files::{ending, orphans};
use super::observers::Recorder;
use super::place::{Place, load};

/// How many rows [`Script::from`] holds.
const ROWS: usize = 200;

/// A warehouse behind a catalog that plays faults, and a folder of one table without rejects.
pub(crate) struct Script {
    folder: TempDir,
    pub(crate) place: Place,
    pub(crate) from: PathBuf,
    pub(crate) catalog: Arc<FaultyCatalog>,
}

impl Script {
    pub(crate) async fn new() -> Self {
        let folder_ = tempfile::tempdir().unwrap();
        let place = Place::new(folder_.path());
        let text = visits(0, 200);
        let from = folder(folder_.path(), "in", &[("visit.csv", text.as_bytes())]);
        let catalog = Arc::new(FaultyCatalog::new(place.lake(1).await.catalog));
        Self { folder: folder_, place, from, catalog }
    }

    /// A folder with rows that stand in no other.
    pub(crate) fn more(&self, name: &str, first: u64) -> PathBuf {
        folder(self.folder.path(), name, &[("visit.csv", visits(first, 100).as_bytes())])
    }

    /// The same, with a record that cannot land.
    pub(crate) fn with_reject(&self, name: &str, first: u64) -> PathBuf {
        let text = format!("{}only,two\n", visits(first, 100));
        folder(self.folder.path(), name, &[("visit.csv", text.as_bytes())])
    }

    /// The lake behind the faulty catalog.
    pub(crate) async fn lake(&self) -> Lake {
        self.observed(Arc::new(Silent)).await
    }

    pub(crate) async fn observed(&self, observer: Arc<dyn Observer>) -> Lake {
        let lake = self.place.observed(1, observer).await;
        Lake { catalog: Arc::clone(&self.catalog) as _, ..lake }
    }

    /// Loads again without faults: the rows of [`Script::from`] are there once, in one snapshot.
    pub(crate) async fn completes(&self) -> Lake {
        assert_eq!(self.catalog.unplayed(), 0);
        let lake = self.place.lake(9).await;
        assert!(load(&lake, &self.from).await.unwrap().balances());
        let contents = Contents::read(&lake).await;
        assert_eq!(contents.snapshots["visit"], 1);
        assert_eq!(contents.batches["visit"], (1, 1));
        // A table as text has a frame of three lines above its rows and one below.
        assert_eq!(contents.rows["visit"].lines().count(), ROWS + 4);
        lake
    }
}

/// Loads while `faults` hit the swaps; the load succeeds, and nothing is left over.
async fn commits_in_spite_of(faults: Vec<Fault>, retries: usize) {
    let script = Script::new().await;
    script.catalog.on_swap(faults);
    let recorder = Arc::new(Recorder::default());
    let lake = script.observed(Arc::clone(&recorder) as _).await;
    let report = load(&lake, &script.from).await.unwrap();
    assert_eq!(report.tables[0].landed_rows(), 200);
    assert_eq!(recorder.count("Retried"), retries);
    let lake = script.completes().await;
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_settled_by_reading_again() {
    commits_in_spite_of(vec![Fault::LoseReply], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_and_a_locked_catalog_are_tried_again_and_leave_no_files() {
    let locked = || Fault::Fail(ErrorKind::Unavailable);
    commits_in_spite_of(vec![Fault::Stale, locked(), Fault::Stale, Fault::LoseReply], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_end_the_commit_with_their_kind_and_leave_no_files() {
    for (fault, times, kind, retry) in [
        (ErrorKind::Unavailable, 5, ErrorKind::Unavailable, Retry::Again),
        (ErrorKind::PermissionDenied, 1, ErrorKind::PermissionDenied, Retry::Never),
        (ErrorKind::StorageFull, 1, ErrorKind::StorageFull, Retry::Never),
    ] {
        let script = Script::new().await;
        script.catalog.on_swap((0..times).map(|_| Fault::Fail(fault)));
        let error = load(&script.lake().await, &script.from).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{error}");
        assert_eq!(orphans(&script.place.lake(2).await).await, Vec::<PathBuf>::new());
        let lake = script.completes().await;
        assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_overtaken_plans_again_and_both_are_there_w3() {
    let script = Script::new().await;
    load(&script.place.lake(0).await, &script.from).await.unwrap();
    let (other, mine) = (script.more("other", 1_000), script.more("mine", 2_000));
    let place = script.place.clone();
    script.catalog.on_swap([Fault::overtaken(move |_| async move {
        load(&place.lake(2).await, &other).await.unwrap();
    })]);
    let lake = script.lake().await;
    let report = load(&lake, &mine).await.unwrap();
    assert!(report.tables[0].snapshot_id.is_some());
    let sql = "SELECT _seq, count(*), min(id) FROM bronze.visit GROUP BY _seq ORDER BY _seq";
    let rows = northstar_tests::lab::query(&lake, sql).await.unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    let numbers: Vec<&str> = text
        .split(['|', '\n', ' ', '+', '-'])
        .filter(|part| !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit()))
        .collect();
    assert_eq!(numbers, ["1", "200", "0", "2", "100", "1000", "3", "100", "2000"], "{text}");
    assert_eq!(script.catalog.unplayed(), 0);
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_slow_swap_shows_the_old_table_and_a_slow_reply_the_new_one() {
    for (late_reply, visible) in [(false, 0), (true, 1)] {
        let script = Script::new().await;
        let gate = Gate::new();
        let fault = Arc::clone(&gate);
        let fault = if late_reply { Fault::SlowReply(fault) } else { Fault::Slow(fault) };
        script.catalog.on_swap([fault]);
        let lake = script.lake().await;
        let mut loading = Box::pin(load(&lake, &script.from));
        tokio::select! {
            () = gate.arrived() => {}
            ended = &mut loading => panic!("the load ended before its swap: {ended:?}"),
        }
        let contents = Contents::read(&script.place.lake(2).await).await;
        assert_eq!(contents.snapshots["visit"], visible);
        assert_eq!(contents.rows.len(), visible);
        gate.open();
        assert!(loading.await.unwrap().tables[0].snapshot_id.is_some());
        script.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_stale_reader_loads_again_and_makes_no_snapshot() {
    let script = Script::new().await;
    let mine = script.more("mine", 2_000);
    load(&script.place.lake(2).await, &script.from).await.unwrap();
    load(&script.place.lake(3).await, &mine).await.unwrap();
    let before = Contents::read(&script.place.lake(4).await).await;
    // Opening the table and asking for its files both see the table before `mine`.
    script.catalog.on_pointer([PointerFault::Stale, PointerFault::Stale]);
    let lake = script.place.lake(5).await;
    let lake = Lake { catalog: Arc::clone(&script.catalog) as _, ..lake };
    let report = load(&lake, &mine).await.unwrap();
    assert_eq!(script.catalog.unplayed(), 0);
    assert!(!matches!(report.tables[0].files[0].outcome, FileOutcome::Refused(_)));
    assert_eq!(Contents::read(&lake).await, before);
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_registration_goes_wrong_is_made_once() {
    for faults in
        [vec![Fault::LoseReply, Fault::LoseReply], vec![Fault::Stale, Fault::Pass, Fault::Stale]]
    {
        let script = Script::new().await;
        script.catalog.on_register(faults);
        load(&script.lake().await, &script.from).await.unwrap();
        let lake = script.completes().await;
        assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_was_lost_or_refused_says_so() {
    for (fault, kind, left) in [
        (Fault::LoseRequest, ErrorKind::CommitUnknown, 1),
        (Fault::Fail(ErrorKind::Unavailable), ErrorKind::Unavailable, 0),
        (Fault::Fail(ErrorKind::PermissionDenied), ErrorKind::PermissionDenied, 0),
    ] {
        let script = Script::new().await;
        script.catalog.on_register([fault]);
        let error = load(&script.lake().await, &script.from).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let lake = script.completes().await;
        let left_over = orphans(&lake).await;
        assert_eq!((left_over.len(), ending(&left_over, ".metadata.json")), (left, left));
    }
}
