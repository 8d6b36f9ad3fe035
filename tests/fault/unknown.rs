//! A commit whose reply is lost for good: nothing is removed before reading settles what happened.

use std::sync::Arc;

use iceberg::spec::TableMetadata;
use northstar_catalog::faulty::{Fault, PointerFault};
use northstar_catalog::{ErrorKind, Retry, Swap};
use northstar_iceberg::{Lake, storage};
use northstar_lakehouse::bronze::FileOutcome;

use super::contents::Contents;
use super::files::{ending, orphans};
use super::observers::{At, blocking};
use super::place::load;
use super::replies::Script;

/// Loads while the request of the swap is lost; the error says that this is not known.
async fn lose_the_request(script: &Script) {
    script.catalog.on_swap([Fault::LoseRequest]);
    let error = load(&script.lake().await, &script.from).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::CommitUnknown, Retry::Refresh),
        "{error}"
    );
    assert!(error.to_string().contains("bronze.visit"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_keeps_its_files_and_the_rerun_commits_once() {
    let script = Script::new().await;
    lose_the_request(&script).await;
    let kept = orphans(&script.place.lake(2).await).await;
    // The attempt as a whole: it could still become visible.
    assert_eq!(ending(&kept, ".metadata.json"), 1, "{kept:?}");
    assert_eq!(ending(&kept, ".avro"), 2, "{kept:?}");
    assert!(ending(&kept, ".parquet") >= 9, "{kept:?}");
    let lake = script.completes().await;
    assert_eq!(orphans(&lake).await, kept, "only the lost attempt is left over");
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_request_that_arrives_late_is_found_by_the_rerun() {
    let script = Script::new().await;
    lose_the_request(&script).await;
    let lake = script.place.lake(2).await;
    let kept = orphans(&lake).await;
    let late = kept.iter().find(|file| file.to_string_lossy().ends_with(".metadata.json")).unwrap();
    let table = "bronze.visit".parse().unwrap();
    let head = lake.catalog.pointer(&table).await.unwrap().metadata_location;
    let next = storage::location(late);
    let metadata = TableMetadata::read_from(&lake.file_io(), &next).await.unwrap();
    let swap = lake.catalog.swap(&table, &head, &next, &metadata).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
    let report = load(&lake, &script.from).await.unwrap();
    assert!(matches!(report.tables[0].files[0].outcome, FileOutcome::AlreadyLoaded));
    let lake = script.completes().await;
    assert_eq!(orphans(&lake).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_arrives_after_the_rerun_changes_nothing() {
    let script = Script::new().await;
    lose_the_request(&script).await;
    let lake = script.place.lake(2).await;
    let table = "bronze.visit".parse().unwrap();
    let head = lake.catalog.pointer(&table).await.unwrap().metadata_location;
    let kept = orphans(&lake).await;
    let late = kept.iter().find(|file| file.to_string_lossy().ends_with(".metadata.json")).unwrap();
    let next = storage::location(late);
    let metadata = TableMetadata::read_from(&lake.file_io(), &next).await.unwrap();
    load(&lake, &script.from).await.unwrap();
    let swap = lake.catalog.swap(&table, &head, &next, &metadata).await.unwrap();
    assert!(matches!(swap, Swap::Conflicted), "{swap:?}");
    script.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pointer_that_cannot_be_read_leaves_the_outcome_unknown_and_all_files_there() {
    for (readings, known) in [(2, true), (5, false)] {
        let script = Script::new().await;
        script.catalog.on_swap([Fault::LoseReply]);
        let catalog = Arc::clone(&script.catalog);
        let observer = Arc::new(At::new("MetadataWritten", 1, move || {
            let faults = (0..readings).map(|_| PointerFault::Fail(ErrorKind::Unavailable));
            catalog.on_pointer(faults);
        }));
        let loaded = load(&script.observed(observer).await, &script.from).await;
        assert_eq!(loaded.is_ok(), known, "{readings} readings: {loaded:?}");
        if let Err(error) = loaded {
            assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
        }
        // It was committed, so each of its files must be there, and no other.
        let lake = script.place.lake(2).await;
        assert_eq!(Contents::read(&lake).await.snapshots["visit"], 1);
        assert_eq!(orphans(&lake).await.len(), 0);
        script.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_lost_request_behind_the_same_load_of_another_writer_is_not_taken_for_it() {
    let script = Script::new().await;
    script.catalog.on_swap([Fault::LoseRequest]);
    let (place, from) = (script.place.clone(), script.from.clone());
    let observer = Arc::new(At::new("MetadataWritten", 1, move || {
        blocking(async move {
            load(&place.lake(2).await, &from).await.unwrap();
        });
    }));
    let lake = script.observed(Arc::clone(&observer) as _).await;
    let report = load(&lake, &script.from).await.unwrap();
    assert!(observer.done());
    assert_eq!(report.tables[0].snapshot_id, None, "the snapshot is the other writer's");
    let lake = script.completes().await;
    assert_eq!(orphans(&lake).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_behind_another_writer_is_tried_again_w3() {
    let script = Script::new().await;
    load(&script.place.lake(0).await, &script.from).await.unwrap();
    script.catalog.on_swap([Fault::LoseRequest]);
    let (other, mine) = (script.more("other", 1_000), script.more("mine", 2_000));
    let place = script.place.clone();
    let observer = Arc::new(At::new("MetadataWritten", 1, move || {
        blocking(async move {
            load(&place.lake(2).await, &other).await.unwrap();
        });
    }));
    let lake: Lake = script.observed(observer).await;
    load(&lake, &mine).await.unwrap();
    let contents = Contents::read(&lake).await;
    assert_eq!((contents.snapshots["visit"], contents.batches["visit"]), (3, (3, 3)));
    assert_eq!(contents.rows["visit"].lines().count(), 200 + 100 + 100 + 4);
    assert_eq!(orphans(&lake).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn w1_rejects_whose_commit_is_unknown_are_there_once_after_the_rerun() {
    for committed in [false, true] {
        let script = Script::new().await;
        let from = script.with_reject("rejects", 5_000);
        let fault = if committed { Fault::LoseReply } else { Fault::LoseRequest };
        script.catalog.on_swap([fault]);
        let catalog = Arc::clone(&script.catalog);
        let observer = Arc::new(At::new("MetadataWritten", 1, move || {
            let faults = (0..5).map(|_| PointerFault::Fail(ErrorKind::Unavailable));
            catalog.on_pointer(faults);
        }));
        let error = load(&script.observed(observer).await, &from).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
        assert!(error.to_string().contains("bronze.quarantine"), "{error}");
        let lake = script.place.lake(2).await;
        let found = Contents::read(&lake).await;
        assert_eq!(found.snapshots["quarantine"], usize::from(committed));
        assert!(!found.rows.contains_key("visit"), "rows before their rejects: {found:?}");
        let report = load(&lake, &from).await.unwrap();
        assert_eq!((report.tables[0].landed_rows(), report.balances()), (100, true));
        let found = Contents::read(&lake).await;
        assert_eq!((found.snapshots["quarantine"], found.snapshots["visit"]), (1, 1));
        assert_eq!(found.rows["quarantine/visit"].lines().count(), 1 + 4);
        assert_eq!(script.catalog.unplayed(), 0);
    }
}
