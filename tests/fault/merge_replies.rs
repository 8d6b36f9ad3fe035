//! Replies to the commit of a MERGE that come late, wrong or not at all, and a catalog that is
//! locked: the old table or the new one, and the rerun completes it once (W2 to W4).

use std::path::PathBuf;
use std::sync::Arc;

use northstar_catalog::faulty::{Fault, FaultyCatalog, Gate, PointerFault};
use northstar_catalog::{ErrorKind, Retry};
use northstar_iceberg::Lake;
use northstar_iceberg::observer::{Observer, Silent};
use tempfile::TempDir;

use super::alter::set_property;
use super::files::{ending, orphans};
use super::merged::{State, Undisturbed};
use super::merging::{before, merge, put_aside, stay};
use super::observers::{At, Recorder, blocking};
use super::place::Place;

/// The table of the statement behind a catalog that plays faults.
struct Script {
    _folder: TempDir,
    place: Place,
    catalog: Arc<FaultyCatalog>,
}

impl Script {
    async fn new() -> Self {
        let (folder, place) = before().await;
        let catalog = Arc::new(FaultyCatalog::new(place.lake(1).await.catalog));
        Self { _folder: folder, place, catalog }
    }

    async fn lake(&self) -> Lake {
        self.observed(Arc::new(Silent)).await
    }

    async fn observed(&self, observer: Arc<dyn Observer>) -> Lake {
        let lake = self.place.observed(1, observer).await;
        Lake { catalog: Arc::clone(&self.catalog) as _, ..lake }
    }

    /// The table as it is, and the files that nothing refers to.
    async fn found(&self) -> (State, Vec<PathBuf>) {
        let lake = self.place.lake(2).await;
        assert_eq!(put_aside(&self.place), Vec::<PathBuf>::new());
        (State::read(&lake).await, orphans(&lake).await)
    }

    /// Merges without faults, after which only `left` is left over.
    async fn completes(&self, undisturbed: &Undisturbed, when: &str, left: &[PathBuf]) {
        assert_eq!(self.catalog.unplayed(), 0, "{when}");
        undisturbed.completes(&self.place, when).await;
        assert_eq!(orphans(&self.place.lake(3).await).await, left, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_lost_replies_and_conflicts_do_not_stop_a_merge() {
    let undisturbed = Undisturbed::new().await;
    let locked = || Fault::Fail(ErrorKind::Unavailable);
    for (faults, retries) in [
        (vec![Fault::LoseReply], 0),
        (vec![Fault::Stale, locked(), Fault::Stale, Fault::LoseReply], 3),
    ] {
        let script = Script::new().await;
        let when = format!("after {faults:?}");
        script.catalog.on_swap(faults);
        let recorder = Arc::new(Recorder::default());
        let lake = script.observed(Arc::clone(&recorder) as _).await;
        let report = merge(&lake).await.unwrap();
        assert_eq!((report.rounds, recorder.count("Retried")), (1, retries), "{when}");
        assert_eq!(script.found().await, (undisturbed.new.clone(), Vec::new()), "{when}");
        script.completes(&undisturbed, &when, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_refused_commit_of_a_merge_changes_nothing_and_leaves_no_files() {
    let undisturbed = Undisturbed::new().await;
    for (kind, times, retry) in [
        (ErrorKind::Unavailable, 5, Retry::Again),
        (ErrorKind::PermissionDenied, 1, Retry::Never),
        (ErrorKind::StorageFull, 1, Retry::Never),
    ] {
        let script = Script::new().await;
        script.catalog.on_swap((0..times).map(|_| Fault::Fail(kind)));
        let error = merge(&script.lake().await).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{error}");
        assert_eq!(script.found().await, (undisturbed.old.clone(), Vec::new()), "{kind:?}");
        script.completes(&undisturbed, &format!("after {kind:?}"), &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_merge_whose_commit_is_unknown_is_there_once_after_the_rerun() {
    let undisturbed = Undisturbed::new().await;
    for committed in [false, true] {
        let script = Script::new().await;
        script.catalog.on_swap([if committed { Fault::LoseReply } else { Fault::LoseRequest }]);
        let catalog = Arc::clone(&script.catalog);
        let blind = Arc::new(At::new("MetadataWritten", 1, move || {
            catalog.on_pointer((0..5).map(|_| PointerFault::Fail(ErrorKind::Unavailable)));
        }));
        let error = merge(&script.observed(blind).await).await.unwrap_err();
        let kinds = (error.kind(), error.retry());
        assert_eq!(kinds, (ErrorKind::CommitUnknown, Retry::Refresh), "{error}");
        assert!(error.to_string().contains("bronze.stay"), "{error}");
        let (state, left) = script.found().await;
        assert_eq!(state, if committed { &undisturbed.new } else { &undisturbed.old }.clone());
        // What could still become visible stays.
        assert_eq!(ending(&left, ".metadata.json"), usize::from(!committed), "{left:?}");
        assert_eq!(left.is_empty(), committed, "{left:?}");
        script.completes(&undisturbed, "after a lost request or reply", &left).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_slow_catalog_shows_the_old_table_before_the_swap_and_the_new_one_after() {
    let undisturbed = Undisturbed::new().await;
    // A statement that is broken off meanwhile has made its commit or has not.
    for (late_reply, broken_off) in [(false, false), (true, false), (false, true), (true, true)] {
        let script = Script::new().await;
        let gate = Gate::new();
        let fault = Arc::clone(&gate);
        let fault = if late_reply { Fault::SlowReply(fault) } else { Fault::Slow(fault) };
        script.catalog.on_swap([fault]);
        let lake = script.lake().await;
        let mut merging = Box::pin(merge(&lake));
        tokio::select! {
            () = gate.arrived() => {}
            ended = &mut merging => panic!("the statement ended before its swap: {ended:?}"),
        }
        let visible = if late_reply { &undisturbed.new } else { &undisturbed.old };
        assert_eq!(State::read(&script.place.lake(2).await).await, *visible);
        if broken_off {
            drop(merging);
            let (state, left) = script.found().await;
            assert_eq!(state, *visible);
            assert_eq!(left.is_empty(), late_reply, "{left:?}");
            script.completes(&undisturbed, "after it was broken off", &left).await;
        } else {
            gate.open();
            assert!(merging.await.unwrap().snapshot_id.is_some());
            script.completes(&undisturbed, "after a slow catalog", &[]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_stale_pointer_costs_a_round_and_no_row() {
    let undisturbed = Undisturbed::new().await;
    let stale = |times: usize| (0..times).map(|_| PointerFault::Stale);
    // The table's opening is stale, and then the look for commits that came between as well.
    for readings in [1, 2] {
        let script = Script::new().await;
        script.catalog.on_pointer(stale(readings));
        let when = format!("{readings} stale readings");
        let report = merge(&script.lake().await).await.unwrap();
        assert_eq!(report.rounds, 2, "{when}: the last file was not seen at first");
        assert_eq!(script.found().await, (undisturbed.new.clone(), Vec::new()), "{when}");
        // Nor is the commit itself, by the same statement run again.
        script.catalog.on_pointer(stale(readings));
        let report = merge(&script.lake().await).await.unwrap();
        assert!(report.already_committed, "{when}: {report:?}");
        script.completes(&undisturbed, &when, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_the_same_merge_by_another_writer_meanwhile_is_there_once() {
    let undisturbed = Undisturbed::new().await;
    for fault in [Fault::Pass, Fault::LoseRequest] {
        let script = Script::new().await;
        let when = format!("{fault:?}");
        script.catalog.on_swap([fault]);
        let place = script.place.clone();
        let observer = Arc::new(At::new("MetadataWritten", 1, move || {
            blocking(async move {
                assert!(!merge(&place.lake(2).await).await.unwrap().already_committed);
            });
        }));
        let lake = script.observed(Arc::clone(&observer) as _).await;
        let report = merge(&lake).await.unwrap();
        assert!(observer.done());
        assert!(report.already_committed, "{when}: the snapshot is the other writer's");
        script.completes(&undisturbed, &when, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_locked_catalog_is_unavailable_to_a_merge_and_works_later() {
    let undisturbed = Undisturbed::new().await;
    let script = Script::new().await;
    // Each attempt waits some seconds for the lock.
    set_property(&script.place.lake(3).await, &stay(), "commit.retry.num-retries", "0").await;
    let holder = rusqlite::Connection::open(script.place.path().join("catalog.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = merge(&script.lake().await).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{error}");
    assert!(error.to_string().contains("catalog.db"), "{error}");
    // Readers do not wait for the writer.
    assert_eq!(script.found().await, (undisturbed.old.clone(), Vec::new()));
    holder.execute_batch("ROLLBACK").unwrap();
    script.completes(&undisturbed, "after a lock", &[]).await;
}
