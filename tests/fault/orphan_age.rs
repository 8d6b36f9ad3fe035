//! Orphan removal beside a job that runs for longer than its age: the commit never names a file that
//! is gone or was changed, and a file that is being committed is not removed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use northstar_catalog::{ErrorKind, Retry};
use northstar_iceberg::Lake;
use northstar_iceberg::maintenance::{DAY_MS, OrphanPlan};
use northstar_tests::lab::tester;

use super::actions::{Bed, Trial, age, bed, named};
use super::contents::Contents;
use super::files::{below, orphans};
use super::observers::{At, blocking};
use super::place::{Place, load};
use super::writers::two_batches;

/// The actions that bring files, and the events between their last file and the swap.
const ACTIONS: [&str; 6] = [
    "compact",
    "merge on read",
    "delete on read",
    "insert",
    "replace partitions",
    "update on read",
];
const MOMENTS: [&str; 2] = ["ManifestsWritten", "Syncing"];

/// The orphans that are older than three days.
async fn plan(lake: &Lake) -> OrphanPlan {
    OrphanPlan::read(lake, &tester(), &bed(), 3 * DAY_MS).await.unwrap()
}

impl Trial<'_> {
    /// Data and delete files that were not there before.
    fn added(&self) -> Vec<PathBuf> {
        let now = self.bed.files_now();
        let new = now.difference(&self.bed.files).cloned();
        new.filter(|file| file.to_string_lossy().ends_with(".parquet")).collect()
    }

    /// Runs the action while `work` is done to the files that it adds at an event.
    async fn disturbed(
        &self,
        moment: &'static str,
        work: impl FnOnce(Vec<PathBuf>) + Send + 'static,
    ) -> northstar_iceberg::Result<bool> {
        let (before, place) = (self.bed.files.clone(), self.bed.place.clone());
        let at = Arc::new(At::new(moment, 1, move || {
            let now: BTreeSet<PathBuf> = below(&place.path().join("tables")).into_iter().collect();
            let new = now.difference(&before).cloned();
            work(new.filter(|file| file.to_string_lossy().ends_with(".parquet")).collect());
        }));
        self.bed.restore();
        let lake = self.bed.place.observed(1, Arc::clone(&at) as _).await;
        let ended = self.run(&lake).await;
        assert!(at.done(), "{} at {moment}", self.action.name);
        ended
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_commit_whose_files_orphan_removal_took_names_one_and_changes_nothing() {
    let bed = Bed::new().await;
    for (name, moment) in ACTIONS.iter().flat_map(|name| MOMENTS.map(|moment| (name, moment))) {
        let action = named(name);
        let trial = Trial::of(&bed, &action);
        let when = format!("without its files, at {moment}");
        let place = bed.place.clone();
        let ended = trial.disturbed(moment, move |added| {
            assert!(!added.is_empty());
            added.iter().for_each(|file| age(file, 4));
            blocking(async move {
                let lake = place.lake(2).await;
                let removed = plan(&lake).await.apply(&lake).await.unwrap();
                assert!(removed.files > added.len() as u64, "leftovers go as well");
                assert!(added.iter().all(|file| !file.try_exists().unwrap()));
            });
        });
        let error = ended.await.unwrap_err();
        trial.names(&error, ErrorKind::NotFound, ".parquet", &when);
        for part in ["maintain orphans", "--older-than", "run the job again", "bronze.bed"] {
            assert!(error.to_string().contains(part), "{name} {when}: {error}");
        }
        assert_eq!(error.retry(), Retry::Refresh, "{name}: the command ends with code 3");
        assert!(trial.added().is_empty(), "{name} {when}");
        assert!(!trial.is_new(&bed.place.lake(3).await, &when).await, "{name} {when}");
        trial.completes(&when, &[bed.young.clone()].into()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_commit_whose_file_was_cut_names_it_and_changes_nothing() {
    let bed = Bed::new().await;
    for name in ACTIONS {
        let action = named(name);
        let trial = Trial::of(&bed, &action);
        let cut = Arc::new(Mutex::new(PathBuf::new()));
        let which = Arc::clone(&cut);
        let ended = trial.disturbed("ManifestsWritten", move |added| {
            let file = std::fs::File::options().write(true).open(&added[0]).unwrap();
            file.set_len(file.metadata().unwrap().len() - 1).unwrap();
            *which.lock().unwrap() = added[0].clone();
        });
        let error = ended.await.unwrap_err();
        let file = cut.lock().unwrap().to_str().unwrap().to_string();
        trial.names(&error, ErrorKind::Damaged, &file, "with a file cut");
        trial.nothing_changed("with a file cut").await;
        trial.completes("with a file cut", &trial.tidy()).await;
    }
}

/// Orphan removal has looked before the commit and removes after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_file_that_is_committed_meanwhile_is_not_removed() {
    let bed = Bed::new().await;
    for name in ACTIONS {
        let action = named(name);
        let trial = Trial::of(&bed, &action);
        let looked = Arc::new(Mutex::new(OrphanPlan::default()));
        let (place, found) = (bed.place.clone(), Arc::clone(&looked));
        let ended = trial.disturbed("ManifestsWritten", move |added| {
            added.iter().for_each(|file| age(file, 4));
            blocking(async move {
                *found.lock().unwrap() = plan(&place.lake(2).await).await;
            });
        });
        assert!(ended.await.unwrap(), "{name}");
        let lake = bed.place.lake(3).await;
        let plan = std::mem::take(&mut *looked.lock().unwrap());
        let added = trial.added();
        assert!(added.iter().all(|file| plan.orphans.iter().any(|orphan| orphan.path == *file)));
        let removed = plan.apply(&lake).await.unwrap();
        assert_eq!((removed.files, removed.left), (3, 0), "{name}: the leftovers alone");
        assert!(trial.is_new(&lake, "after orphan removal").await, "{name}");
        trial.completes("after orphan removal", &[bed.young.clone()].into()).await;
    }
}

/// A load is such a job as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_load_whose_files_are_gone_names_one_and_the_rerun_loads_them() {
    let (_folder, place, from) = two_batches().await;
    let before = Contents::read(&place.lake(2).await).await;
    let tables = place.path().join("tables");
    let known: BTreeSet<PathBuf> = below(&tables).into_iter().collect();
    let observer = Arc::new(At::new("ManifestsWritten", 1, move || {
        for file in below(&tables).iter().filter(|file| !known.contains(*file)) {
            if file.to_string_lossy().ends_with(".parquet") {
                std::fs::remove_file(file).unwrap();
            }
        }
    }));
    let lake = place.observed(2, Arc::clone(&observer) as _).await;
    let error = load(&lake, &from).await.unwrap_err();
    assert!(observer.done());
    assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, Retry::Refresh), "{error}");
    assert!(error.to_string().contains(".parquet"), "{error}");
    let lake = Place::lake(&place, 3).await;
    assert_eq!(Contents::read(&lake).await, before);
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
    assert!(load(&lake, &from).await.unwrap().balances());
    assert_eq!(Contents::read(&lake).await.batches["visit"], (2, 2));
}
