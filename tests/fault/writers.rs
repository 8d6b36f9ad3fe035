//! Writers that race: every row is there once, and snapshots form one line (M5 for appends).

use std::path::PathBuf;
use std::sync::Arc;

use northstar_catalog::ErrorKind;
use northstar_catalog::faulty::{Fault, FaultyCatalog};
use northstar_iceberg::Lake;
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{self, Lab, tester};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::contents::Contents;
use super::files::orphans;
use super::observers::{At, blocking};
use super::place::{Place, first_extract, load};

/// Each snapshot's parent is the one before it, and totals are the sums of what was added.
async fn snapshots_form_one_line(lake: &Lake, table: &str) -> usize {
    let table = lake.open_table(&table.parse().unwrap(), &tester()).await.unwrap();
    let mut snapshots: Vec<_> = table.metadata().snapshots().collect();
    snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
    let mut parent = None;
    let mut total = 0;
    for snapshot in &snapshots {
        assert_eq!(snapshot.parent_snapshot_id(), parent, "{snapshot:?}");
        parent = Some(snapshot.snapshot_id());
        let number =
            |key: &str| -> i64 { snapshot.summary().additional_properties[key].parse().unwrap() };
        total += number("added-records");
        assert_eq!(number("total-records"), total);
    }
    assert_eq!(table.metadata().current_snapshot_id(), parent);
    snapshots.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn m5_racing_appends_all_land_once_in_one_line() {
    let lab = Lab::new().await;
    let base = folder(lab.folder.path(), "base", &[("visit.csv", visits(0, 50).as_bytes())]);
    lab.load(&base, VISITS).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..4_u64 {
        let (lake, name) = (lab.second().await, format!("in{writer}"));
        let text = visits(1_000 * (writer + 1), 100);
        let from = folder(lab.folder.path(), &name, &[("visit.csv", text.as_bytes())]);
        writers.spawn(async move { lab::load(&lake, &from, VISITS).await.unwrap() });
    }
    let reports = writers.join_all().await;
    assert!(
        reports.iter().all(|report| report.balances() && report.tables[0].landed_rows() == 100)
    );
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 450);
    assert_eq!(lab.number("SELECT count(DISTINCT id) FROM bronze.visit").await, 450);
    assert_eq!(lab.number("SELECT count(DISTINCT _seq) FROM bronze.visit").await, 5);
    assert_eq!(lab.number("SELECT max(_seq) FROM bronze.visit").await, 5);
    assert_eq!(snapshots_form_one_line(&lab.lake, "bronze.visit").await, 5);
    assert_eq!(orphans(&lab.lake).await, Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn m5_racing_loads_of_different_tables_share_the_quarantine() {
    let lab = Lab::new().await;
    let mut writers = JoinSet::new();
    for writer in 0..4_u64 {
        let (lake, name) = (lab.second().await, format!("in{writer}"));
        let (file, text) =
            (format!("visit{writer}.csv"), format!("{}a,b\n", visits(0, 60 + writer)));
        let from = folder(lab.folder.path(), &name, &[(&file, text.as_bytes())]);
        writers.spawn(async move { lab::load(&lake, &from, "").await });
    }
    for report in writers.join_all().await {
        assert!(report.unwrap().balances());
    }
    assert_eq!(lab.number("SELECT count(*) FROM bronze.quarantine").await, 4);
    assert_eq!(lab.number("SELECT count(DISTINCT _source_table) FROM bronze.quarantine").await, 4);
    assert_eq!(snapshots_form_one_line(&lab.lake, "bronze.quarantine").await, 4);
    assert_eq!(orphans(&lab.lake).await, Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_racing_loads_of_the_same_folder_land_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let (place, from) = (Place::new(folder.path()), first_extract(folder.path()));
    let alone = tempfile::tempdir().unwrap();
    let expected = Place::new(alone.path());
    load(&expected.lake(1).await, &from).await.unwrap();
    let expected = Contents::read(&expected.lake(2).await).await;
    let mut writers = JoinSet::new();
    for run in 1..=4 {
        let (lake, from) = (place.lake(1).await, from.clone());
        let ids = place.lake(run).await.ids;
        writers.spawn(async move { load(&Lake { ids, ..lake }, &from).await.unwrap() });
    }
    assert!(writers.join_all().await.iter().all(|report| report.balances()));
    let lake = place.lake(9).await;
    assert_eq!(Contents::read(&lake).await, expected);
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
}

/// A warehouse whose `visit` has a first batch, and a folder with a second one.
pub(crate) async fn two_batches() -> (TempDir, Place, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let place = Place::new(parent.path());
    let one = folder(parent.path(), "one", &[("visit.csv", visits(0, 100).as_bytes())]);
    load(&place.lake(1).await, &one).await.unwrap();
    let two = folder(parent.path(), "two", &[("visit.csv", visits(100, 100).as_bytes())]);
    (parent, place, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_dropped_in_the_middle_of_a_load_is_not_written_to() {
    let (_folder, place, from) = two_batches().await;
    let catalog = Arc::new(FaultyCatalog::new(place.lake(2).await.catalog));
    let name = "bronze.visit".parse().unwrap();
    catalog.on_swap([Fault::overtaken(move |catalog| async move {
        catalog.drop_table(&name).await.unwrap();
    })]);
    let lake = Lake { catalog: Arc::clone(&catalog) as _, ..place.lake(2).await };
    let error = load(&lake, &from).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("bronze.visit"), "{error}");
    let lake = place.lake(3).await;
    load(&lake, &from).await.unwrap();
    let contents = Contents::read(&lake).await;
    assert_eq!((contents.snapshots["visit"], contents.batches["visit"]), (1, (1, 1)));
    assert_eq!(contents.rows["visit"].lines().count(), 100 + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_made_again_in_the_middle_of_a_load_gets_each_row_once() {
    let (folder_, place, from) = two_batches().await;
    let other = folder(folder_.path(), "other", &[("visit.csv", visits(900, 50).as_bytes())]);
    let again = place.clone();
    let observer = Arc::new(At::new("DataFileWritten", 1, move || {
        blocking(async move {
            let lake = again.lake(2).await;
            lake.drop_table(&"bronze.visit".parse().unwrap(), &tester()).await.unwrap();
            load(&lake, &other).await.unwrap();
        });
    }));
    let lake = place.observed(3, Arc::clone(&observer) as _).await;
    assert!(load(&lake, &from).await.unwrap().balances());
    assert!(observer.done());
    let contents = Contents::read(&lake).await;
    assert_eq!((contents.snapshots["visit"], contents.batches["visit"]), (2, (2, 2)));
    assert_eq!(contents.rows["visit"].lines().count(), 50 + 100 + 4);
}
