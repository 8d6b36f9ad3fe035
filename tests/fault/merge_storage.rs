//! A disk that is full at each step of a MERGE, and a write that fails: a clear error, the table as
//! it was, and nothing put aside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use northstar_catalog::{Error, ErrorKind};

use super::files::orphans;
use super::merged::{State, Undisturbed};
use super::merging::{merge, put_aside, seed};
use super::observers::At;
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
    for (run, free_kib) in (10..).zip((0_u64..).step_by(16)) {
        // The catalog's own files are there already, so that what comes after it is full too.
        let lake = place.lake(run).await;
        fill(&filler, free_kib << 10);
        let merged = merge(&lake).await;
        std::fs::remove_file(&filler).unwrap();
        let Err(error) = merged else { break };
        let when = format!("{free_kib} KiB free");
        nothing_changed(&place, &undisturbed.old, &error, &when).await;
    }
    undisturbed.completes(&place, "with room again").await;
    drop(place);
    for (kind, fails, surely) in [
        // Which rows come first, and so whether some are put aside before others are written, is open.
        ("RowsFound", ["cannot put rows aside on disk", "cannot write a data file"], true),
        // Spilled rows that have been written make room again.
        ("DataFileWritten", ["cannot put rows aside on disk", "cannot write a"], false),
        ("DataFilesComplete", ["cannot write a manifest"; 2], true),
        ("ManifestsWritten", ["cannot write a metadata file"; 2], true),
        // The catalog's log may have room of its own.
        ("MetadataWritten", ["cannot move the table's pointer"; 2], false),
    ] {
        std::fs::remove_dir_all(folder.join("lake")).unwrap();
        let place = Place::new(folder);
        seed(&place.lake(0).await).await;
        let path = filler.clone();
        let full = Arc::new(At::new(kind, 1, move || fill(&path, 0)));
        let lake = place.observed(1, Arc::clone(&full) as _).await;
        let merged = merge(&lake).await;
        std::fs::remove_file(&filler).unwrap();
        assert!(full.done(), "{kind}");
        let when = format!("full at {kind}");
        match merged {
            Err(error) => {
                let failed = nothing_changed(&place, &undisturbed.old, &error, &when).await;
                assert!(fails.iter().any(|fails| failed.starts_with(fails)), "{when}: {failed}");
            }
            Ok(report) => assert!(!surely, "{when}: {report:?}"),
        }
        undisturbed.completes(&place, &when).await;
    }
}

/// The error says that the disk is full and where, and the table is as it was; what failed.
async fn nothing_changed(place: &Place, old: &State, error: &Error, when: &str) -> String {
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{when}: {error:?}");
    let named = error.to_string().contains(place.path().to_str().unwrap());
    assert!(named, "{when}: no file is named: {error}");
    let lake = place.lake(2).await;
    assert_eq!(State::read(&lake).await, *old, "{when}");
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new(), "{when}");
    assert_eq!(put_aside(place), Vec::<PathBuf>::new(), "{when}");
    error.message().to_string()
}
