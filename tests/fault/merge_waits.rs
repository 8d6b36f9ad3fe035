//! How often a statement is tried while other writers come first: as the table's `commit.retry.*`
//! properties say, and then it ends without a trace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use northstar_catalog::faulty::{Fault, FaultyCatalog};
use northstar_catalog::{Error, ErrorKind};
use northstar_iceberg::Lake;

use super::alter::set_property;
use super::meeting::{Meeting, change, table};
use super::merge_races::MERGE;
use super::merging::session;
use super::observers::{Each, Recorder, blocking};

async fn set(meeting: &Meeting, key: &str, value: &str) {
    set_property(&meeting.place.lake(4).await, &table(), key, value).await;
}

/// Runs the statement while another writer changes its row before each swap.
async fn always_disturbed(meeting: &Meeting) -> Error {
    let other = meeting.place.lake(2).await;
    let observer = Arc::new(Each::new("MetadataWritten", move || {
        let other = other.clone();
        blocking(async move {
            change(&other, "UPDATE bronze.t SET n = n + 1 WHERE id = 2").await;
        });
    }));
    let error = meeting.run(MERGE, [].into(), observer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("another writer"), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_endless_conflicts_end_with_the_retries_and_leave_no_files() {
    for (retries, rounds) in [("4", 5), ("1", 2), ("0", 1)] {
        let meeting = Meeting::new().await;
        set(&meeting, "commit.retry.num-retries", retries).await;
        always_disturbed(&meeting).await;
        meeting.holds(retries, |rows| rows[2].2 += rounds).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_rounds_wait_for_each_other_as_the_table_says() {
    let meeting = Meeting::new().await;
    set(&meeting, "commit.retry.num-retries", "1").await;
    set(&meeting, "commit.retry.min-wait-ms", "600").await;
    let start = Instant::now();
    always_disturbed(&meeting).await;
    // One wait in the commit and one between the rounds, of at least half of the time each.
    assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
    meeting.holds("two rounds", |rows| rows[2].2 += 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_pointer_that_always_moves_first_ends_with_the_retries_and_leaves_no_files() {
    let meeting = Meeting::new().await;
    let recorder = Arc::new(Recorder::default());
    let lake = meeting.place.observed(1, Arc::clone(&recorder) as _).await;
    let catalog = Arc::new(FaultyCatalog::new(Arc::clone(&lake.catalog)));
    catalog.on_swap((0..5).map(|_| Fault::Stale));
    let lake = Lake { catalog: Arc::clone(&catalog) as _, ..lake };
    let changed = session(&lake).change(MERGE, [].into(), Default::default()).await;
    let error = changed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!((catalog.unplayed(), recorder.count("RowsFound")), (0, 1), "{error}");
    meeting.holds("untouched", |_| ()).await;
}
