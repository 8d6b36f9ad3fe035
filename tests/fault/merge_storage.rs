//! A disk that is full at each step of a MERGE, and a write that fails: a clear error, the table as
//! it was, and nothing put aside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use northstar_catalog::ErrorKind;

use super::files::orphans;
use super::merged::{State, Undisturbed};
use super::merging::{merge, put_aside, seed};
use super::place::Place;
use super::storage::{child_folder, fill, on_a_small_disk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_disk_that_is_full_at_any_step_of_a_merge_changes_nothing() {
    if let Some(folder) = child_folder() {
        return full_disk(&folder).await;
    }
    on_a_small_disk("merge_storage::w4_a_disk_that_is_full_at_any_step_of_a_merge_changes_nothing");
}

async fn full_disk(folder: &Path) {
    let undisturbed = Undisturbed::new().await;
    let place = Place::new(folder);
    seed(&place.lake(0).await).await;
    let filler = folder.join("filler");
    let mut stages = BTreeSet::new();
    for (run, free_kib) in (10..).zip((0_u64..).step_by(8)) {
        // The catalog's own files are there already, so that what comes after it is full too.
        let lake = place.lake(run).await;
        fill(&filler, free_kib << 10);
        let merged = merge(&lake).await;
        std::fs::remove_file(&filler).unwrap();
        let when = format!("{free_kib} KiB free");
        let Err(error) = merged else { break };
        stages.insert(error.message().to_string());
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{when}: {error:?}");
        let named = error.to_string().contains(place.path().to_str().unwrap());
        assert!(named, "{when}: no file is named: {error}");
        assert_eq!(State::read(&lake).await, undisturbed.old, "{when}");
        assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new(), "{when}");
        assert_eq!(put_aside(&place), Vec::<PathBuf>::new(), "{when}");
    }
    println!("the disk was full at: {stages:#?}");
    assert!(stages.len() > 3, "the disk was full at too few stages: {stages:?}");
    undisturbed.completes(&place, "with room again").await;
}
