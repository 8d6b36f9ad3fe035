//! Other writers between the plan of a compaction and its commit.

use std::sync::{Arc, Mutex};

use northstar_catalog::faulty::{Fault, FaultyCatalog};
use northstar_iceberg::maintenance::{CompactOptions, compact};
use northstar_iceberg::observer::{Event, Observer};
use northstar_iceberg::{ErrorKind, Lake};
use northstar_tests::changes::session_of;
use northstar_tests::lab::observed;

use super::place::Place;

const LARGE: u64 = 512 << 20;

/// Does something once, when the first data file of a compaction is written.
struct Between(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between")
    }
}

impl Observer for Between {
    fn event(&self, event: &Event) {
        if matches!(event, Event::DataFilesComplete) {
            let work = self.0.lock().unwrap().take();
            if let Some(work) = work {
                work();
            }
        }
    }
}

/// Compacts, and does something on another thread between reading and committing.
async fn disturbed(place: &Place, work: impl Future<Output = ()> + Send + 'static) -> (u64, usize) {
    let runtime = tokio::runtime::Handle::current();
    let work = Box::new(move || {
        std::thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(work));
        });
    });
    let between = Arc::new(Between(Mutex::new(Some(work))));
    let lake = observed(&place.lab.lake, Arc::clone(&between) as _);
    let session = session_of(&lake, &place.lab.path("scratch"));
    let report = compact(&session, &place.name, &CompactOptions::default()).await.unwrap();
    assert!(between.0.lock().unwrap().is_none(), "the other writer was there");
    (report.files_rewritten, report.snapshots.len())
}

async fn three_files() -> Arc<Place> {
    let place = Arc::new(Place::new(&[], &[], LARGE).await);
    for file in 0..3 {
        place.append(file * 10..file * 10 + 10, "s", file + 1).await;
    }
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_an_append_beside_a_compaction_is_kept() {
    let place = three_files().await;
    let other = Arc::clone(&place);
    disturbed(&place, async move {
        other.append(100..105, "s", 4).await;
    })
    .await;
    assert_eq!(place.rows().await.len(), 35);
    // The later file was taken in by a second round.
    assert_eq!(place.files().await.len(), 1);
    assert_eq!(place.table().await.inherited_summary("northstar.seq"), Some("4"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_row_deleted_beside_a_compaction_stays_deleted() {
    let place = three_files().await;
    let other = Arc::clone(&place);
    let (files, snapshots) = disturbed(&place, async move {
        let files = other.files().await;
        other.delete(&[(&files[1], &[4])]).await;
    })
    .await;
    assert_eq!((files, snapshots), (3, 1), "planned anew, once");
    assert_eq!(place.rows().await.len(), 29);
    assert_eq!(place.files().await.len(), 1);
    assert!(place.delete_files().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_two_compactions_at_once_keep_each_row_once() {
    let place = three_files().await;
    let rows = place.rows().await;
    let other = Arc::clone(&place);
    let second = async move {
        let lake: Lake = other.lab.second().await;
        let session = session_of(&lake, &other.lab.path("other"));
        compact(&session, &other.name, &CompactOptions::default()).await.unwrap();
    };
    disturbed(&place, Box::pin(second)).await;
    assert_eq!(place.rows().await, rows);
    assert_eq!(place.files().await.len(), 1);
    // What the slower one wrote is gone: three files, one that took their place.
    let on_disk = place.on_disk().await;
    let parquet = on_disk.iter().filter(|path| path.ends_with(".parquet")).count();
    assert_eq!(parquet, 4, "{on_disk:?}");
}

#[tokio::test]
async fn an_unknown_outcome_removes_nothing() {
    let place = three_files().await;
    let rows = place.rows().await;
    let faulty = Arc::new(FaultyCatalog::new(Arc::clone(&place.lab.lake.catalog)));
    faulty.on_swap([Fault::LoseRequest]);
    let lake = Lake { catalog: faulty, ..place.lab.lake.clone() };
    let session = session_of(&lake, &place.lab.path("scratch"));
    let error = compact(&session, &place.name, &CompactOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown);
    let on_disk = place.on_disk().await;
    let parquet = on_disk.iter().filter(|path| path.ends_with(".parquet")).count();
    assert_eq!(parquet, 4, "{on_disk:?}");
    // Asked for again, it is done.
    assert_eq!(place.compact(&CompactOptions::default()).await.files_added, 1);
    assert_eq!(place.rows().await, rows);
}
