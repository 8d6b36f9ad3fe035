//! Rollbacks: rows and watermarks go back together, and what is loaded again lands once.

use std::sync::Arc;

use northstar_catalog::faulty::{Fault, Gate};
use northstar_iceberg::commit::Altered;
use northstar_iceberg::refs::Rollback;
use northstar_iceberg::travel::{AsOf, resolve};
use northstar_iceberg::{ErrorKind, LakeTable, storage};
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{Lab, tester};

use super::{branch, commit, faulty, history, numbers, open};

async fn visit(lab: &Lab) -> LakeTable {
    lab.lake.open_table(&"bronze.visit".parse().unwrap(), &tester()).await.unwrap()
}

/// Loads batch `batch` of a hundred visits, one of its records broken.
async fn load(lab: &Lab, batch: u64) {
    let text = format!("{}broken,{batch}\n", visits(batch * 100, 100));
    let path = lab.path(&format!("in{batch}"));
    if !path.try_exists().unwrap() {
        folder(lab.folder.path(), &format!("in{batch}"), &[("visit.csv", text.as_bytes())]);
    }
    lab.load(&path, VISITS).await.unwrap();
}

async fn state(lab: &Lab) -> String {
    let rows = "SELECT _seq, count(*), count(DISTINCT id), min(id), max(id), sum(id) \
                FROM bronze.visit GROUP BY _seq ORDER BY _seq";
    let rejects = "SELECT count(*), count(DISTINCT raw) FROM bronze.quarantine";
    format!("{}\n{}", lab.text(rows).await, lab.text(rejects).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_what_is_rolled_back_is_loaded_again_once() {
    let lab = Lab::new().await;
    for batch in 0..3 {
        load(&lab, batch).await;
    }
    let before = state(&lab).await;
    let table = visit(&lab).await;
    let ids = history(&table);
    assert_eq!(table.inherited_summary("northstar.seq"), Some("3"));
    let plan = Rollback::plan(&table, "main", ids[0]).unwrap();
    assert_eq!((plan.undone.as_slice(), plan.is_ancestor), ([ids[2], ids[1]].as_slice(), true));
    assert!(lab.lake.roll_back(&table, &plan, false).await.unwrap().settled().unwrap());
    assert_eq!(visit(&lab).await.inherited_summary("northstar.seq"), Some("1"));
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 100);
    // The first batch is there, and the others are not.
    for batch in 0..3 {
        load(&lab, batch).await;
    }
    assert_eq!(state(&lab).await, before);
    let now = visit(&lab).await;
    assert_eq!(now.inherited_summary("northstar.seq"), Some("3"));
    assert_eq!(history(&now).len(), 3);
    let again = lab.load(&lab.path("in2"), VISITS).await.unwrap();
    assert_eq!(again.tables[0].snapshot_id, None, "W2");
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_a_load_that_a_rollback_overtakes_is_planned_again() {
    let lab = Lab::new().await;
    load(&lab, 0).await;
    load(&lab, 1).await;
    let quiet = lab.lake.clone();
    let rolled_back = Fault::overtaken(move |_| async move {
        let table = quiet.open_table(&"bronze.visit".parse().unwrap(), &tester()).await.unwrap();
        let plan = Rollback::plan(&table, "main", history(&table)[0]).unwrap();
        quiet.roll_back(&table, &plan, false).await.unwrap().settled().unwrap();
    });
    let (lake, catalog) = faulty(&lab.lake, [rolled_back]);
    let text = visits(200, 100);
    let from = folder(lab.folder.path(), "late", &[("visit.csv", text.as_bytes())]);
    let report = northstar_tests::lab::load(&lake, &from, VISITS).await.unwrap();
    assert_eq!((report.tables[0].landed_rows(), catalog.unplayed()), (100, 0));
    // The number of the batch follows that of the snapshot that was current when it came.
    let seqs = "SELECT count(*) FROM bronze.visit WHERE _seq = 2 AND id >= 200";
    assert_eq!(lab.number(seqs).await, 100);
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 200);
    assert_eq!(visit(&lab).await.inherited_summary("northstar.seq"), Some("2"));
    load(&lab, 1).await;
    assert_eq!(lab.number("SELECT count(DISTINCT id) FROM bronze.visit").await, 300);
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_each_moment_shows_what_readers_saw_before_and_after_a_rollback() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 3).await;
    let ids = history(&table);
    let commits: Vec<i64> = table.ancestors().map(|snapshot| snapshot.timestamp_ms()).collect();
    let plan = Rollback::plan(&table, "main", ids[0]).unwrap();
    let Altered::Done(back) = lab.lake.roll_back(&table, &plan, false).await.unwrap() else {
        panic!("it was done")
    };
    let rolled_ms = back.metadata().last_updated_ms();
    let last = back.metadata().history().last().unwrap();
    assert_eq!((last.snapshot_id, last.timestamp_ms), (ids[0], rolled_ms), "the lake's time");
    assert!(rolled_ms > commits[0] && rolled_ms < commits[0] + 600_000, "{rolled_ms}");
    let loaded = commit(&lab, &lab.lake, None, 9).await;
    let now = open(&lab.lake).await;
    let loaded_ms = now.metadata().current_snapshot().unwrap().timestamp_ms();
    let log: Vec<i64> = now.metadata().history().iter().map(|entry| entry.timestamp_ms).collect();
    assert!(log.is_sorted(), "{log:?}");
    for (ms, id) in [
        (commits[2], ids[0]),
        (commits[1], ids[1]),
        (commits[0], ids[2]),
        (rolled_ms - 1, ids[2]),
        (rolled_ms, ids[0]),
        (loaded_ms - 1, ids[0]),
        (loaded_ms, loaded),
    ] {
        assert_eq!(resolve(now.metadata(), &AsOf::Timestamp(ms)).unwrap(), Some(id), "{ms}");
    }
    let time = chrono::DateTime::from_timestamp_millis(rolled_ms - 1).unwrap().to_rfc3339();
    let sql = format!("SELECT count(*) FROM ns.numbers TIMESTAMP AS OF '{time}'");
    assert_eq!(lab.number(&sql).await, 30);
    let time = chrono::DateTime::from_timestamp_millis(rolled_ms).unwrap().to_rfc3339();
    let sql = format!("SELECT count(*) FROM ns.numbers TIMESTAMP AS OF '{time}'");
    assert_eq!(lab.number(&sql).await, 10);
}

#[tokio::test]
async fn only_an_ancestor_is_a_way_back_unless_any_is_meant() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let ids = history(&table);
    let plan = Rollback::plan(&table, "main", ids[0]).unwrap();
    lab.lake.roll_back(&table, &plan, false).await.unwrap().settled().unwrap();
    let table = open(&lab.lake).await;
    let again = Rollback::plan(&table, "main", ids[0]).unwrap();
    assert!(matches!(lab.lake.roll_back(&table, &again, false).await.unwrap(), Altered::Unchanged));
    let forth = Rollback::plan(&table, "main", ids[1]).unwrap();
    assert!(!forth.is_ancestor);
    let error = lab.lake.roll_back(&table, &forth, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(lab.lake.roll_back(&table, &forth, true).await.unwrap().settled().unwrap());
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 20);
    assert_eq!(open(&lab.lake).await.inherited_summary("northstar.seq"), Some("1"));
    let missing = Rollback::plan(&table, "main", 42).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
}

#[tokio::test]
async fn a_branch_is_set_back_and_main_stays() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let id = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", id), false).await.unwrap().settled().unwrap();
    let first = commit(&lab, &lab.lake, Some("audit"), 1).await;
    commit(&lab, &lab.lake, Some("audit"), 2).await;
    let table = open(&lab.lake).await;
    let logged = table.metadata().history().len();
    let plan = Rollback::plan(&table, "audit", first).unwrap();
    lab.lake.roll_back(&table, &plan, false).await.unwrap().settled().unwrap();
    let now = open(&lab.lake).await;
    assert_eq!(now.head_of("audit").unwrap().snapshot_id(), first);
    assert_eq!(now.metadata().current_snapshot_id(), Some(id));
    assert_eq!(now.metadata().history().len(), logged, "the log is of main alone");
}

#[tokio::test]
async fn m5_a_commit_that_came_in_between_is_not_undone_unseen() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let plan = Rollback::plan(&table, "main", history(&table)[0]).unwrap();
    commit(&lab, &lab.second().await, None, 2).await;
    let error = lab.lake.roll_back(&table, &plan, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 30);
}

#[tokio::test]
async fn w2_a_lost_reply_to_a_rollback_is_settled_by_reading() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let plan = Rollback::plan(&table, "main", history(&table)[0]).unwrap();
    let (lake, catalog) = faulty(&lab.lake, [Fault::LoseReply]);
    assert!(lake.roll_back(&table, &plan, false).await.unwrap().settled().unwrap());
    assert_eq!(catalog.unplayed(), 0);
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 10);
    let logged = open(&lab.lake).await.metadata().history().len();
    let again = lake.roll_back(&table, &plan, false).await.unwrap();
    assert!(matches!(again, Altered::Unchanged), "{again:?}");
    assert_eq!(open(&lab.lake).await.metadata().history().len(), logged);
}

#[tokio::test]
async fn a_rollback_makes_a_table_with_a_damaged_manifest_list_readable() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let list = table.metadata().current_snapshot().unwrap().manifest_list();
    std::fs::write(storage::local_path(list).unwrap(), b"torn").unwrap();
    let error = lab.query("SELECT * FROM ns.numbers").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let plan = Rollback::plan(&table, "main", history(&table)[0]).unwrap();
    lab.lake.roll_back(&table, &plan, false).await.unwrap().settled().unwrap();
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 10);
    commit(&lab, &lab.lake, None, 1).await;
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 20);
}

#[tokio::test]
async fn w4_a_slow_rollback_shows_the_old_table_until_the_pointer_moves() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let ids = history(&table);
    let (asked, answered) = (Gate::new(), Gate::new());
    let slow = [Fault::Slow(Arc::clone(&asked)), Fault::SlowReply(Arc::clone(&answered))];
    let (lake, catalog) = faulty(&lab.lake, slow);
    // There, and back again.
    for (to, gate, rows) in [(ids[0], asked, 20), (ids[1], answered, 20)] {
        let table = open(&lab.lake).await;
        let plan = Rollback::plan(&table, "main", to).unwrap();
        let (altered, ()) = tokio::join!(lake.roll_back(&table, &plan, true), async {
            gate.arrived().await;
            assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, rows);
            gate.open();
        });
        assert!(altered.unwrap().settled().unwrap());
    }
    assert_eq!(catalog.unplayed(), 0);
}
