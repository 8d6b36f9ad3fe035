//! Clocks that were set back: a little is made up, much is refused, and time never moves back in a
//! table.

use std::path::PathBuf;
use std::sync::Arc;

use northstar_catalog::ErrorKind;
use northstar_iceberg::Lake;
use northstar_iceberg::clock::SteppingClock;
use northstar_tests::lab::tester;

use super::files::orphans;
use super::merged::{State, Undisturbed};
use super::merging::{before, merge, put_aside, stay};
use super::place::Place;

/// The warehouse as a machine sees it whose clock is behind the table's last commit.
async fn behind(place: &Place, minutes: i64) -> (Lake, i64) {
    let lake = place.lake(1).await;
    let table = lake.open_table(&stay(), &tester()).await.unwrap();
    let last_ms = table.metadata().last_updated_ms();
    let clock = Arc::new(SteppingClock::new(last_ms - minutes * 60_000, 10));
    (Lake { clock, ..lake }, last_ms)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_clock_five_minutes_back_commits_a_merge_right_after_the_last_commit() {
    let undisturbed = Undisturbed::new().await;
    let (_folder, place) = before().await;
    let (lake, last_ms) = behind(&place, 5).await;
    assert!(merge(&lake).await.unwrap().snapshot_id.is_some());
    // Reading it checks that time moves forward all along the line of snapshots.
    assert_eq!(State::read(&lake).await, undisturbed.new);
    let table = lake.open_table(&stay(), &tester()).await.unwrap();
    assert_eq!(table.metadata().current_snapshot().unwrap().timestamp_ms(), last_ms + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_clock_twenty_minutes_back_refuses_a_merge_and_says_why() {
    let undisturbed = Undisturbed::new().await;
    let (_folder, place) = before().await;
    let (lake, _) = behind(&place, 20).await;
    let error = merge(&lake).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let said = error.to_string();
    for part in ["minutes behind the table's last commit", "set the clock", "bronze.stay"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(State::read(&lake).await, undisturbed.old);
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
    assert_eq!(put_aside(&place), Vec::<PathBuf>::new());
    undisturbed.completes(&place, "with the clock set").await;
}
