//! Orphans: what nothing refers to goes once it is old, and nothing else does.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use northstar_iceberg::ErrorKind;
use northstar_iceberg::maintenance::{CompactOptions, DAY_MS, OrphanPlan};
use northstar_iceberg::storage;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_tests::lab::{START_MS, tester};

use super::place::Place;

const LARGE: u64 = 512 << 20;

/// When the test looks for orphans.
const NOW_MS: i64 = START_MS + 100 * DAY_MS;

async fn orphans(place: &Place) -> OrphanPlan {
    place.lab.clock.set(NOW_MS);
    OrphanPlan::read(&place.lab.lake, &tester(), &place.name, 3 * DAY_MS).await.unwrap()
}

/// Sets when a file was last written, in days before the test looks.
fn age(path: &Path, days: i64) {
    let ms = u64::try_from(NOW_MS - days * DAY_MS).unwrap();
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_millis(ms)).unwrap();
}

fn leftover(folder: &Path, name: &str, days: i64) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, "left by a writer that was killed").unwrap();
    age(&path, days);
    path
}

/// A table with history, a tag and deletes, all of whose files are old.
async fn old() -> (Place, PathBuf) {
    let place = Place::new(&["site"], &[], LARGE).await;
    let first = place.append(0..10, "a", 1).await;
    place.append(10..20, "a", 2).await;
    place.tag("close", first, None).await;
    let files = place.files().await;
    place.delete(&[(&files[0], &[1])]).await;
    place.compact(&CompactOptions::default()).await;
    place.append(20..30, "b", 3).await;
    for path in place.on_disk().await {
        age(Path::new(&path), 90);
    }
    let root = storage::local_path(place.table().await.location()).unwrap();
    (place, root)
}

#[tokio::test]
async fn a_healthy_table_has_no_orphans() {
    let (place, _) = old().await;
    let plan = orphans(&place).await;
    assert_eq!((plan.orphans.len(), plan.young), (0, 0), "{plan:?}");
    assert_eq!(plan.files, place.on_disk().await.len() as u64);
}

#[tokio::test]
async fn an_orphan_goes_and_a_young_one_stays() {
    let (place, root) = old().await;
    let (rows, history) = (place.rows().await, place.history().await);
    let gone = [
        leftover(&root.join("data/site=a"), "crashed.parquet", 4),
        leftover(&root.join("metadata"), "lost-m0.avro", 30),
        leftover(&root.join("metadata"), "00099-lost.metadata.json", 3),
    ];
    let stay = [
        leftover(&root.join("data"), "under-way.parquet", 2),
        leftover(&root.join("metadata"), "version-hint.text", 50),
    ];
    // A link to a file elsewhere is neither followed nor removed.
    let elsewhere = place.lab.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let target = leftover(&elsewhere, "precious", 90);
    std::os::unix::fs::symlink(&elsewhere, root.join("data/folder")).unwrap();
    std::os::unix::fs::symlink(&target, root.join("data/file")).unwrap();

    let plan = orphans(&place).await;
    let mut found: Vec<PathBuf> = plan.orphans.iter().map(|orphan| orphan.path.clone()).collect();
    let mut expected = gone.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!((found, plan.young), (expected, 1));
    assert!(gone.iter().all(|path| path.is_file()), "a plan changes nothing");

    let bytes = plan.bytes();
    let removed = plan.apply(&place.lab.lake).await.unwrap();
    assert_eq!((removed.files, removed.bytes, removed.left), (3, bytes, 0));
    assert!(gone.iter().all(|path| !path.is_file()));
    assert!(stay.iter().chain([&target]).all(|path| path.is_file()));
    assert_eq!(place.rows().await, rows);
    assert_eq!(place.history().await, history);
    assert!(orphans(&place).await.orphans.is_empty());
}

#[tokio::test]
async fn metadata_files_that_the_log_let_go_are_orphans() {
    let place = Place::new(&[], &[], LARGE).await;
    place.set_properties(&[("write.metadata.previous-versions-max", "2")]).await;
    for round in 0..5 {
        place.append(round..round + 1, "s", round).await;
    }
    for path in place.on_disk().await {
        age(Path::new(&path), 90);
    }
    let (rows, history) = (place.rows().await, place.history().await);
    let plan = orphans(&place).await;
    // Seven were written: the present one and two before it are known.
    assert_eq!(plan.orphans.len(), 4, "{plan:?}");
    let name = |path: &PathBuf| path.to_string_lossy().ends_with(".metadata.json");
    assert!(plan.orphans.iter().all(|orphan| name(&orphan.path)));
    assert_eq!(plan.apply(&place.lab.lake).await.unwrap().files, 4);
    assert_eq!(place.rows().await, rows);
    assert_eq!(place.history().await, history);
}

#[tokio::test]
async fn what_an_earlier_metadata_file_refers_to_is_no_orphan() {
    let (place, _) = old().await;
    let ids: Vec<i64> = place.table().await.ancestors().skip(1).map(|s| s.snapshot_id()).collect();
    // As an expiry that was killed leaves it: the log still leads to the snapshots.
    place.alter(|builder| builder.remove_ref("close").remove_snapshots(&ids)).await;
    for path in place.on_disk().await {
        age(Path::new(&path), 90);
    }
    assert_eq!(orphans(&place).await.orphans, []);
    // Once the log has let them go, they are.
    place.set_properties(&[("write.metadata.previous-versions-max", "1")]).await;
    let files = place.files().await.len();
    let plan = orphans(&place).await;
    let data = plan.orphans.iter().filter(|o| o.path.to_string_lossy().ends_with(".parquet"));
    assert_eq!((data.count(), files), (3, 2), "two that were compacted, and their deletes");
    let rows = place.rows().await;
    plan.apply(&place.lab.lake).await.unwrap();
    assert_eq!(place.rows().await, rows);
}

#[tokio::test]
async fn a_file_under_another_name_is_no_orphan() {
    let (place, root) = old().await;
    let file = place.files().await.remove(0);
    let path = storage::local_path(file.file_path()).unwrap();
    std::fs::hard_link(&path, root.join("data/same-file.parquet")).unwrap();
    assert!(orphans(&place).await.orphans.is_empty());
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let (place, root) = old().await;
    let access = tester();
    let read = |age_ms| OrphanPlan::read(&place.lab.lake, &access, &place.name, age_ms);
    let error = read(DAY_MS - 1).await.unwrap_err();
    assert!(error.message().contains("a day"), "{error}");
    // Another table in the same folder.
    let definition = TableDefinition {
        columns: vec![ColumnDefinition::new("id", arrow::datatypes::DataType::Int64)],
        ..TableDefinition::default()
    };
    let mut inside = place.lab.lake.clone();
    inside.warehouse = storage::location(&root);
    let name = "ns.inner".parse().unwrap();
    inside.create_table(&name, &definition, &tester()).await.unwrap();
    let error = read(3 * DAY_MS).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("ns.inner"), "{error}");
    inside.drop_table(&name, &tester()).await.unwrap();
    // A manifest that is missing may have named any file.
    let manifest = std::fs::read_dir(root.join("metadata")).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        path.to_string_lossy().ends_with("-m0.avro").then_some(path)
    });
    std::fs::write(manifest.unwrap(), "damaged").unwrap();
    assert_eq!(read(3 * DAY_MS).await.unwrap_err().kind(), ErrorKind::Damaged);
}
