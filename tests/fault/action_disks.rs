//! A disk that is full at each step of each action: a clear error, the table and its files as they
//! were, and the rerun completes it (W4).

use std::path::Path;
use std::sync::Arc;

use northstar_catalog::ErrorKind;

use super::actions::{Bed, Removes, Trial, actions};
use super::kill::edges;
use super::observers::At;
use super::storage::{child_folder, fill, on_a_small_disk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_disk_that_is_full_at_any_step_of_an_action_changes_nothing() {
    if let Some(folder) = child_folder() {
        return full_disk(&folder).await;
    }
    on_a_small_disk(
        "action_disks::w4_a_disk_that_is_full_at_any_step_of_an_action_changes_nothing",
    );
}

async fn full_disk(folder: &Path) {
    let bed = Bed::at(folder).await;
    for action in actions() {
        let trial = Trial::undisturbed(&bed, &action).await;
        let failures = little_room(&trial, folder).await;
        // Removing files needs no room.
        let needs_room = action.removes != Removes::Leftovers;
        assert_eq!(failures > 0, needs_room, "{}: {failures} failures", action.name);
        for (kind, nth) in edges(&trial.events) {
            if !["Committed", "FileRemoved"].contains(&kind) {
                full_at(&trial, folder, kind, nth).await;
            }
        }
    }
}

/// Tries with more and more room until there is enough; how often there was not.
async fn little_room(trial: &Trial<'_>, folder: &Path) -> usize {
    let filler = folder.join("filler");
    trial.bed.restore();
    for (run, free_kib) in (2..).zip((0_u64..).step_by(16)) {
        // The catalog's own files are there already, so that what comes after it is full too.
        let lake = trial.bed.place.lake(run).await;
        fill(&filler, free_kib << 10);
        let ended = trial.run(&lake).await;
        std::fs::remove_file(&filler).unwrap();
        let when = format!("with {free_kib} KiB free");
        match ended {
            Err(error) => {
                let place = trial.bed.place.path().to_str().unwrap();
                trial.names(&error, ErrorKind::StorageFull, place, &when);
                trial.nothing_changed(&when).await;
            }
            Ok(changed) => {
                assert!(changed, "{} {when}", trial.action.name);
                trial.completes(&when, &trial.tidy()).await;
                return usize::try_from(run).unwrap() - 2;
            }
        }
    }
    unreachable!("the numbers do not end");
}

/// The disk gets full at an event.
async fn full_at(trial: &Trial<'_>, folder: &Path, kind: &'static str, nth: usize) {
    let filler = folder.join("filler");
    trial.bed.restore();
    let path = filler.clone();
    let full = Arc::new(At::new(kind, nth, move || fill(&path, 0)));
    let lake = trial.bed.place.observed(1, Arc::clone(&full) as _).await;
    let ended = trial.run(&lake).await;
    std::fs::remove_file(&filler).unwrap();
    let when = format!("full at {kind} {nth}");
    assert!(full.done(), "{} {when}", trial.action.name);
    match ended {
        Err(error) => {
            let place = trial.bed.place.path().to_str().unwrap();
            trial.names(&error, ErrorKind::StorageFull, place, &when);
            trial.nothing_changed(&when).await;
        }
        // The catalog's log may have room of its own.
        Ok(_) => {
            let late = ["Syncing", "MetadataWritten"].contains(&kind);
            assert!(late, "{} {when}: it ended well", trial.action.name);
            assert!(trial.is_new(&trial.bed.place.lake(2).await, &when).await);
        }
    }
    trial.completes(&when, &trial.tidy()).await;
}
