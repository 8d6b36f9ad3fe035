//! Replies to the commits of each action that are lost, wrong or never sent: the old table or the new
//! one, nothing removed that either needs, and the rerun completes it once (W2 to W4).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use iceberg::spec::TableMetadata;
use northstar_catalog::faulty::{Fault, FaultyCatalog, PointerFault};
use northstar_catalog::{ErrorKind, Retry, Swap};
use northstar_iceberg::observer::{Observer, Silent};
use northstar_iceberg::{Lake, storage};
use tokio::task::JoinSet;

use super::actions::{Action, Bed, Removes, Trial, actions, bed};
use super::files::ending;
use super::observers::{At, Recorder};

/// A test of one action, which waits for the clock at times.
pub(crate) type Testing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tests the actions that move the pointer, on so many tables at a time.
pub(crate) async fn for_each_swap(tables: usize, test: fn(Arc<Bed>, Action) -> Testing) {
    let mut workers = JoinSet::new();
    for worker in 0..tables {
        let swaps = actions().into_iter().filter(|action| action.swaps > 0);
        let own: Vec<Action> = swaps.skip(worker).step_by(tables).collect();
        workers.spawn(async move {
            let bed = Arc::new(Bed::new().await);
            for action in own {
                test(Arc::clone(&bed), action).await;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("the tests of some actions");
    }
}

impl Trial<'_> {
    /// The table as it was, behind a catalog that plays faults.
    pub(crate) async fn faulty(&self) -> Arc<FaultyCatalog> {
        self.bed.restore();
        Arc::new(FaultyCatalog::new(self.bed.place.lake(1).await.catalog))
    }

    /// The lake behind it.
    pub(crate) async fn behind(
        &self,
        catalog: &Arc<FaultyCatalog>,
        observer: Arc<dyn Observer>,
    ) -> Lake {
        let lake = self.bed.place.observed(1, observer).await;
        Lake { catalog: Arc::clone(catalog) as _, ..lake }
    }

    /// Nothing that the table had is gone, which is what may be removed only once it is known that
    /// the table needs it no more.
    pub(crate) fn nothing_removed(&self, when: &str) {
        let now = self.bed.files_now();
        let gone: Vec<_> = self.bed.files.difference(&now).collect();
        assert!(gone.is_empty(), "{} {when}: gone are {gone:?}", self.action.name);
    }

    /// What nothing refers to, beside what the next expiry removes: the files of attempts.
    pub(crate) async fn of_attempts(&self, lake: &Lake, when: &str) -> BTreeSet<PathBuf> {
        let (of_table, of_attempts): (BTreeSet<PathBuf>, BTreeSet<PathBuf>) =
            self.left(lake).await.into_iter().partition(|file| self.bed.files.contains(file));
        let expires = self.action.removes == Removes::Expired;
        assert!(of_table.is_empty() || expires, "{} {when}: {of_table:?}", self.action.name);
        of_attempts
    }

    /// The leftovers and these.
    pub(crate) fn tidy_and(&self, more: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        self.tidy().union(more).cloned().collect()
    }
}

async fn in_spite_of(bed: Arc<Bed>, action: Action) {
    let trial = Trial::of(&bed, &action);
    let locked = || Fault::Fail(ErrorKind::Unavailable);
    for (faults, retries) in [
        (vec![Fault::LoseReply], 0),
        (vec![Fault::Stale], 1),
        (vec![Fault::Stale, locked(), Fault::LoseReply], 2),
    ] {
        let when = format!("in spite of {faults:?}");
        let catalog = trial.faulty().await;
        catalog.on_swap(faults);
        let recorder = Arc::new(Recorder::default());
        let lake = trial.behind(&catalog, Arc::clone(&recorder) as _).await;
        assert!(trial.run(&lake).await.unwrap(), "{} {when}", action.name);
        assert_eq!(recorder.count("Retried"), retries, "{} {when}", action.name);
        assert_eq!(catalog.unplayed(), 0, "{} {when}", action.name);
        assert!(trial.is_new(&bed.place.lake(2).await, &when).await, "{} {when}", action.name);
        assert_eq!(bed.orphans(&bed.place.lake(2).await).await, trial.tidy(), "{}", action.name);
        trial.completes(&when, &trial.tidy()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_lost_replies_stale_pointers_and_locks_do_not_stop_an_action() {
    for_each_swap(2, |bed, action| Box::pin(in_spite_of(bed, action))).await;
}

async fn refused(bed: Arc<Bed>, action: Action) {
    let trial = Trial::of(&bed, &action);
    for (kind, retry) in [
        (ErrorKind::PermissionDenied, Retry::Never),
        (ErrorKind::StorageFull, Retry::Never),
        (ErrorKind::Unavailable, Retry::Again),
    ] {
        let when = format!("refused with {kind:?}");
        let catalog = trial.faulty().await;
        catalog.on_swap((0..if retry == Retry::Again { 5 } else { 1 }).map(|_| Fault::Fail(kind)));
        let lake = trial.behind(&catalog, Arc::new(Silent)).await;
        let error = trial.run(&lake).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{} {when}", action.name);
        assert_eq!(catalog.unplayed(), 0, "{} {when}", action.name);
        trial.nothing_changed(&when).await;
        trial.completes(&when, &trial.tidy()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_refused_action_changes_nothing_and_leaves_no_files() {
    for_each_swap(2, |bed, action| Box::pin(refused(bed, action))).await;
}

/// What becomes of a swap whose reply nobody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    NotDone,
    /// It is done after the caller was told that this is not known.
    Late,
}

async fn unknown(bed: Arc<Bed>, action: Action) {
    let trial = Trial::of(&bed, &action);
    for fate in [Fate::Done, Fate::NotDone, Fate::Late] {
        let when = format!("unknown, {fate:?}");
        let catalog = trial.faulty().await;
        let done = fate == Fate::Done;
        catalog.on_swap([if done { Fault::LoseReply } else { Fault::LoseRequest }]);
        let reads = Arc::clone(&catalog);
        let blind = Arc::new(At::new("MetadataWritten", 1, move || {
            reads.on_pointer((0..5).map(|_| PointerFault::Fail(ErrorKind::Unavailable)));
        }));
        let lake = trial.behind(&catalog, blind).await;
        let error = trial.run(&lake).await.unwrap_err();
        let kinds = (error.kind(), error.retry());
        assert_eq!(kinds, (ErrorKind::CommitUnknown, Retry::Refresh), "{}: {error}", action.name);
        assert!(error.to_string().contains("bronze.bed"), "{} {when}: {error}", action.name);
        assert_eq!(catalog.unplayed(), 0, "{} {when}", action.name);
        // It could be either: nothing is removed, neither of the old table nor of the new one.
        trial.nothing_removed(&when);
        let lake = bed.place.lake(2).await;
        assert_eq!(trial.is_new(&lake, &when).await, done, "{} {when}", action.name);
        let mut attempts = trial.of_attempts(&lake, &when).await;
        let metadata =
            attempts.iter().find(|file| file.to_string_lossy().ends_with(".metadata.json"));
        assert_eq!(metadata.is_none(), done, "{} {when}: {attempts:?}", action.name);
        if let (Some(metadata), Fate::Late) = (metadata, fate) {
            arrive(&lake, metadata).await;
            assert!(trial.is_new(&bed.place.lake(3).await, &when).await, "{} {when}", action.name);
            trial.nothing_removed(&when);
            attempts = BTreeSet::new();
        }
        let files: Vec<PathBuf> = attempts.iter().cloned().collect();
        assert_eq!(ending(&files, ".metadata.json"), usize::from(fate == Fate::NotDone));
        trial.completes(&when, &trial.tidy_and(&attempts)).await;
    }
}

/// The request that was lost arrives: it moves the pointer, which has not moved meanwhile.
async fn arrive(lake: &Lake, metadata: &std::path::Path) {
    let location = storage::location(metadata);
    let next = TableMetadata::read_from(&lake.file_io(), &location).await.unwrap();
    let pointer = lake.catalog.pointer(&bed()).await.unwrap();
    let swap = lake.catalog.swap(&bed(), &pointer.metadata_location, &location, &next).await;
    assert!(matches!(swap.unwrap(), Swap::Committed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w2_an_action_whose_outcome_is_unknown_removes_nothing_and_is_done_once() {
    for_each_swap(6, |bed, action| Box::pin(unknown(bed, action))).await;
}

async fn stale_readings(bed: Arc<Bed>, action: Action) {
    let trial = Trial::of(&bed, &action);
    for readings in [1, 2] {
        let when = format!("after {readings} stale readings");
        let catalog = trial.faulty().await;
        catalog.on_pointer((0..readings).map(|_| PointerFault::Stale));
        let lake = trial.behind(&catalog, Arc::new(Silent)).await;
        let ended = trial.run(&lake).await;
        let is_new = trial.is_new(&bed.place.lake(2).await, &when).await;
        match ended {
            Ok(changed) => assert_eq!(is_new, changed, "{} {when}", action.name),
            // The branch that it is about was not seen, or not where it is.
            Err(error) => {
                let kinds = [ErrorKind::Conflict, ErrorKind::NotFound];
                assert!(kinds.contains(&error.kind()), "{} {when}: {error:?}", action.name);
                trial.nothing_changed(&when).await;
            }
        }
        trial.completes(&when, &trial.tidy()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_stale_pointer_costs_an_action_a_retry_at_most() {
    for_each_swap(2, |bed, action| Box::pin(stale_readings(bed, action))).await;
}
