//! Expiry: old snapshots go with what they alone hold; what is named stays, and so do watermarks.

use std::sync::Arc;

use iceberg::spec::{SnapshotReference, SnapshotRetention};
use northstar_catalog::faulty::{Fault, FaultyCatalog};
use northstar_iceberg::maintenance::{
    CompactOptions, DAY_MS, ExpireOptions, ExpireReport, expire, preview_expiry,
};
use northstar_iceberg::{ErrorKind, Lake};
use northstar_tests::changes::{rows, session};
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{Lab, START_MS, tester};

use super::place::Place;

const LARGE: u64 = 512 << 20;

async fn expire_in(lake: &Lake, place: &Place, options: ExpireOptions) -> ExpireReport {
    expire(lake, &tester(), &place.name, &options).await.unwrap()
}

/// Snapshots on days 0 to 3: rows 0..10, 10..20, all in one file, rows 20..30.
async fn four_days() -> (Place, [i64; 4]) {
    let place = Place::new(&[], &[], LARGE).await;
    let day = |day: i64| place.lab.clock.set(START_MS + day * DAY_MS);
    let first = place.append(0..10, "s", 1).await;
    day(1);
    let second = place.append(10..20, "s", 2).await;
    day(2);
    let third = place.compact(&CompactOptions::default()).await.snapshots[0];
    day(3);
    let fourth = place.append(20..30, "s", 3).await;
    (place, [first, second, third, fourth])
}

#[tokio::test]
async fn c2_snapshots_go_by_age_and_their_own_files_with_them() {
    let (place, [first, second, third, fourth]) = four_days().await;
    let history = place.history().await;
    place.lab.clock.set(START_MS + 35 * DAY_MS + DAY_MS / 2);
    let before = place.on_disk().await;
    let options = ExpireOptions::default();
    let preview = preview_expiry(&place.lab.lake, &tester(), &place.name, &options).await.unwrap();
    assert_eq!(preview.plan.snapshots, [first]);
    assert_eq!(place.on_disk().await, before, "a preview changes nothing");

    // The first snapshot's data is still read by the second: its list alone goes.
    place.lab.clock.set(START_MS + 35 * DAY_MS + DAY_MS / 2);
    let report = expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    assert_eq!((report.plan.snapshots.as_slice(), report.removed.files), (&[first][..], 1));
    assert_eq!(report.removed.files, preview.files);
    assert_eq!(report.removed.bytes, preview.bytes);

    // With the second go two data files, two manifests and a list.
    let options = ExpireOptions { max_age_ms: Some(34 * DAY_MS), min_kept: None };
    let report = expire_in(&place.lab.lake, &place, options).await;
    assert_eq!((report.plan.snapshots.as_slice(), report.removed.files), (&[second][..], 5));
    assert_eq!(place.on_disk().await.len(), before.len() + 2 - 6, "two metadata files came");
    let after = place.history().await;
    assert_eq!(
        after.keys().copied().collect::<std::collections::BTreeSet<_>>(),
        [third, fourth].into()
    );
    assert!(after.iter().all(|(id, rows)| history[id] == *rows));
    let again = expire_in(&place.lab.lake, &place, options).await;
    assert!(again.plan.is_empty() && again.removed.files == 0, "{again:?}");
}

#[tokio::test]
async fn c2_what_a_tag_or_branch_names_stays_whatever_its_age() {
    let (place, [first, second, third, fourth]) = four_days().await;
    place.tag("close", first, None).await;
    // A branch that keeps its last two.
    let keeps_two = SnapshotRetention::branch(Some(2), None, None);
    place.set_ref("audit", third, keeps_two).await;
    let history = place.history().await;
    place.lab.clock.set(START_MS + 400 * DAY_MS);
    let report = expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    assert!(report.plan.is_empty(), "{report:?}");
    assert_eq!(place.history().await, history);

    // Without the branch, the two in the middle go, and of the tag's files none.
    place.alter(|builder| builder.remove_ref("audit")).await;
    let report = expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    assert_eq!(report.plan.snapshots, [second, third]);
    let after = place.history().await;
    assert_eq!(
        after.keys().copied().collect::<std::collections::BTreeSet<_>>(),
        [first, fourth].into()
    );
    assert!(after.iter().all(|(id, rows)| history[id] == *rows));
    let tagged = rows(&session(&place.lab), "SELECT * FROM ns.t VERSION AS OF 'close'").await;
    assert_eq!(tagged, history[&first]);
}

#[tokio::test]
async fn a_ref_past_its_own_age_goes_first() {
    let (place, [first, second, third, fourth]) = four_days().await;
    place.tag("short", first, Some(10 * DAY_MS)).await;
    place.tag("long", second, Some(100 * DAY_MS)).await;
    place.lab.clock.set(START_MS + 50 * DAY_MS);
    let report = expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    assert_eq!(report.plan.refs, ["short"]);
    assert_eq!(report.plan.snapshots, [first, third]);
    let ids: std::collections::BTreeSet<i64> = place.history().await.into_keys().collect();
    assert_eq!(ids, [second, fourth].into());
}

#[tokio::test]
async fn the_tables_own_limits_count() {
    let (place, [first, ..]) = four_days().await;
    place
        .set_properties(&[
            ("history.expire.max-snapshot-age-ms", "1000"),
            ("history.expire.min-snapshots-to-keep", "3"),
        ])
        .await;
    place.lab.clock.set(START_MS + 4 * DAY_MS);
    let report = expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    assert_eq!(report.plan.snapshots, [first]);
    place.set_properties(&[("gc.enabled", "false")]).await;
    let error = expire(&place.lab.lake, &tester(), &place.name, &ExpireOptions::default()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn w3_a_watermark_outlives_its_snapshot() {
    let (place, [first, second, ..]) = four_days().await;
    place.tag("close", first, None).await;
    // A later compaction is all that stays of `main`.
    place.compact(&CompactOptions::default()).await;
    assert_eq!(place.table().await.inherited_summary("northstar.seq"), Some("3"));
    place.lab.clock.set(START_MS + 400 * DAY_MS);
    let report = expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    assert_eq!(report.plan.kept, 2);
    assert!(report.plan.snapshots.contains(&second));
    let table = place.table().await;
    assert_eq!(table.ancestors().count(), 1);
    assert_eq!(table.inherited_summary("northstar.seq"), Some("3"), "from a property");
    assert_eq!(table.inherited_summary("northstar.nothing"), None);
    assert_eq!(table.inherited_summary_on("close", "northstar.seq"), Some("1"), "its own");
    let bases = |table: &northstar_iceberg::LakeTable| {
        let keys = table.metadata().properties().keys();
        keys.filter(|key| key.starts_with("northstar.base.")).count()
    };
    assert_eq!(bases(&table), 1, "what tells of one commit alone is not kept");

    // A second generation: what the property says is handed on, and the property of the snapshot
    // that goes is dropped.
    place.append(30..40, "s", 4).await;
    place.compact(&CompactOptions::default()).await;
    place.lab.clock.set(START_MS + 800 * DAY_MS);
    expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    let table = place.table().await;
    assert_eq!(table.inherited_summary("northstar.seq"), Some("4"));
    assert_eq!(bases(&table), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w3_a_load_after_expiry_goes_on_counting() {
    let lab = Lab::new().await;
    let load = async |day: &str, from: u64| {
        let file = visits(from, 50);
        let path = folder(&lab.path(""), day, &[("visit.csv", file.as_bytes())]);
        lab.load(&path, VISITS).await.unwrap()
    };
    load("one", 0).await;
    load("two", 50).await;
    let name: northstar_iceberg::TableName = "bronze.visit".parse().unwrap();
    let session = session(&lab);
    let options = CompactOptions::default();
    let report = northstar_iceberg::maintenance::compact(&session, &name, &options).await.unwrap();
    assert_eq!(report.snapshots.len(), 1);
    lab.clock.set(START_MS + 40 * DAY_MS);
    let report = expire(&lab.lake, &tester(), &name, &ExpireOptions::default()).await.unwrap();
    assert_eq!((report.plan.snapshots.len(), report.plan.kept), (2, 1));
    // The same files again are known by their rows, others get the next number.
    let before = lab.number("SELECT count(*) FROM bronze.visit").await;
    load("one", 0).await;
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, before);
    load("three", 100).await;
    assert_eq!(lab.number("SELECT max(_seq) FROM bronze.visit").await, 3);
    assert_eq!(lab.number("SELECT count(DISTINCT _seq) FROM bronze.visit").await, 3);
}

#[tokio::test]
async fn an_unknown_outcome_removes_nothing_and_the_next_expiry_finishes() {
    for fault in [Fault::LoseRequest, Fault::LoseReply] {
        let known = matches!(fault, Fault::LoseReply);
        let (place, _) = four_days().await;
        place.lab.clock.set(START_MS + 400 * DAY_MS);
        let before = place.on_disk().await;
        let faulty = Arc::new(FaultyCatalog::new(Arc::clone(&place.lab.lake.catalog)));
        faulty.on_swap([fault]);
        let lake = Lake { catalog: faulty, ..place.lab.lake.clone() };
        let ended = expire(&lake, &tester(), &place.name, &ExpireOptions::default()).await;
        if known {
            // Reading showed that it took effect.
            assert_eq!(ended.unwrap().plan.snapshots.len(), 3);
        } else {
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::CommitUnknown);
            let now = place.on_disk().await;
            assert!(before.iter().all(|path| now.contains(path)));
        }
        expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
        assert_eq!(place.history().await.len(), 1);
        assert_eq!(place.rows().await.len(), 30);
    }
}

#[tokio::test]
async fn an_expiry_that_was_broken_off_is_taken_up() {
    let (place, ids) = four_days().await;
    // What a crash after the swap leaves: the metadata is changed, no file is gone.
    place.alter(|builder| builder.remove_snapshots(&ids[..3])).await;
    let rows = place.rows().await;
    let report = expire_in(&place.lab.lake, &place, ExpireOptions::default()).await;
    assert!(report.plan.is_empty());
    // Two of the manifests tell of the files that the compaction removed, and go with its snapshot.
    assert_eq!(report.removed.files, 9, "two data files, four manifests, three lists");
    assert_eq!(place.rows().await, rows);
}

/// What is to be removed was found out before the tag came, and must not be believed after it.
#[tokio::test]
async fn c2_a_tag_that_comes_during_an_expiry_keeps_its_rows() {
    let (place, [first, second, ..]) = four_days().await;
    let history = place.history().await;
    place.lab.clock.set(START_MS + 400 * DAY_MS);
    let (other, table) = (place.lab.lake.clone(), place.table().await);
    let faulty = Arc::new(FaultyCatalog::new(Arc::clone(&place.lab.lake.catalog)));
    faulty.on_swap([Fault::overtaken(move |_| async move {
        let forever = SnapshotRetention::Tag { max_ref_age_ms: Some(i64::MAX) };
        let tag = SnapshotReference::new(second, forever);
        let tagged = other.alter(&table, |_, builder| {
            Ok(Some(builder.set_ref("close", tag.clone()).expect("a tag")))
        });
        assert!(tagged.await.unwrap().settled().unwrap());
    })]);
    let lake = Lake { catalog: Arc::clone(&faulty) as _, ..place.lab.lake.clone() };
    let report = expire_in(&lake, &place, ExpireOptions::default()).await;
    assert_eq!(faulty.unplayed(), 0);
    assert_eq!((report.plan.snapshots[0], report.plan.snapshots.len()), (first, 2));
    let now = place.history().await;
    assert_eq!(now.len(), 2);
    assert_eq!(now[&second], history[&second], "the tag came in time");
}
