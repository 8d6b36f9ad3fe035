//! `INSERT`, `INSERT OVERWRITE`, `TRUNCATE` and `CREATE TABLE … AS`: one commit each, beside other
//! writers, and nothing left behind.

#![cfg(test)]

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use iceberg::spec::{SnapshotReference, SnapshotRetention};
use northstar_catalog::faulty::{Fault, FaultyCatalog};
use northstar_iceberg::merge::{Executed, LakeSession, StatementCommit};
use northstar_iceberg::observer::{Event, Observer};
use northstar_iceberg::{ErrorKind, Lake, Result};
use northstar_tests::changes::{rows, session, session_of};
use northstar_tests::lab::{Lab, observed, tester};

/// Runs statements, in a thread of their own, when another comes to an event for the first time.
struct Between {
    when: Event,
    other: Mutex<Option<(Lake, Vec<&'static str>)>>,
    scratch: std::path::PathBuf,
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

impl Observer for Between {
    fn event(&self, event: &Event) {
        if *event != self.when {
            return;
        }
        let Some((lake, statements)) = self.other.lock().unwrap().take() else { return };
        let scratch = self.scratch.clone();
        let work = async move {
            let session = session_of(&lake, &scratch);
            for sql in statements {
                session.execute(sql).await.unwrap();
            }
        };
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        std::thread::spawn(move || runtime().block_on(work)).join().unwrap();
    }
}

async fn while_others(lab: &Lab, sql: &str, others: &[&'static str]) -> Result<Executed> {
    // What writes no data files is met later.
    let when = match sql.starts_with("INSERT") {
        true => Event::DataFilesComplete,
        false => Event::MetadataWritten,
    };
    let lake = lab.second().await;
    let between = Arc::new(Between {
        when,
        other: Mutex::new(Some((lake, others.to_vec()))),
        scratch: lab.path("other"),
    });
    let session = session_of(&observed(&lab.lake, Arc::clone(&between) as _), &lab.path("scratch"));
    let outcome = session.execute(sql).await;
    assert!(between.other.lock().unwrap().is_none(), "{sql}: nothing came between");
    outcome
}

/// `ns.t`: (id, site, n), partitioned by site.
async fn table() -> (Lab, LakeSession) {
    let lab = Lab::new().await;
    let session = session(&lab);
    for sql in [
        "CREATE SCHEMA ns",
        "CREATE TABLE ns.t (id BIGINT, site STRING, n BIGINT) PARTITIONED BY (site)",
        "INSERT INTO ns.t VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30)",
    ] {
        session.execute(sql).await.unwrap();
    }
    (lab, session)
}

async fn snapshots(lab: &Lab) -> usize {
    let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    table.ancestors().count()
}

fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { files(&path) } else { 1 })
        .sum()
}

/// A statement, what comes between, how often the work is done, and what both leave.
type Case = (&'static str, &'static [&'static str], u32, &'static [&'static str]);

const CASES: [Case; 9] = [
    // An insert depends on no row.
    (
        "INSERT INTO ns.t VALUES (4, 'a', 40)",
        &["DELETE FROM ns.t WHERE site = 'a'"],
        1,
        &["3|b|30", "4|a|40"],
    ),
    // Unless it reads the table.
    (
        "INSERT INTO ns.t SELECT max(id) + 1, 'z', 0 FROM ns.t",
        &["INSERT INTO ns.t VALUES (7, 'c', 70)"],
        2,
        &["1|a|10", "2|a|20", "3|b|30", "7|c|70", "8|z|0"],
    ),
    // Files that were written for other columns are written again.
    (
        "INSERT INTO ns.t (id, n) VALUES (4, 40)",
        &[
            "ALTER TABLE ns.t RENAME COLUMN site TO place",
            "ALTER TABLE ns.t DROP PARTITION FIELD site",
        ],
        2,
        &["1|a|10", "2|a|20", "3|b|30", "4|NULL|40"],
    ),
    // An overwrite replaces what came to its partitions meanwhile, too.
    (
        "INSERT OVERWRITE ns.t VALUES (9, 'a', 90)",
        &["INSERT INTO ns.t VALUES (7, 'a', 70)"],
        2,
        &["3|b|30", "9|a|90"],
    ),
    (
        "INSERT OVERWRITE ns.t VALUES (9, 'a', 90)",
        &["DELETE FROM ns.t WHERE id = 1"],
        2,
        &["3|b|30", "9|a|90"],
    ),
    // What happens to other partitions is nothing to it.
    (
        "INSERT OVERWRITE ns.t VALUES (9, 'a', 90)",
        &["INSERT INTO ns.t VALUES (7, 'b', 70)", "DELETE FROM ns.t WHERE id = 3"],
        1,
        &["7|b|70", "9|a|90"],
    ),
    // Two overwrites of a new partition: the later one is left.
    (
        "INSERT OVERWRITE ns.t VALUES (9, 'c', 90)",
        &["INSERT OVERWRITE ns.t VALUES (8, 'c', 80)"],
        2,
        &["1|a|10", "2|a|20", "3|b|30", "9|c|90"],
    ),
    // All rows go, also those that came.
    ("TRUNCATE TABLE ns.t", &["INSERT INTO ns.t VALUES (7, 'c', 70)"], 2, &[]),
    // One that reads its table sees what came.
    (
        "INSERT OVERWRITE ns.t SELECT id, site, n + 1 FROM ns.t WHERE site = 'a'",
        &["UPDATE ns.t SET n = 0 WHERE id = 1"],
        2,
        &["1|a|1", "2|a|21", "3|b|30"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn m5_what_comes_between_is_wholly_before_or_wholly_after() {
    for (sql, others, rounds, left) in CASES {
        let (lab, session) = table().await;
        let Executed::Changed(report) = while_others(&lab, sql, others).await.unwrap() else {
            panic!("{sql} changes nothing");
        };
        assert_eq!(rows(&session, "SELECT * FROM ns.t").await, left, "{sql} | {others:?}");
        assert_eq!(report.rounds, rounds, "{sql} | {others:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_statement_with_its_id_runs_once() {
    for (sql, want) in [
        ("INSERT INTO ns.t VALUES (4, 'c', 40)", 4),
        ("INSERT OVERWRITE ns.t SELECT id, 'a', n FROM ns.t", 4),
        ("TRUNCATE TABLE ns.t", 0),
    ] {
        let (lab, session) = table().await;
        let commit = || StatementCommit { id: Some("run-7".into()), ..Default::default() };
        let first = session.change(sql, HashMap::new(), commit()).await.unwrap();
        session.execute("INSERT INTO ns.t VALUES (99, 'z', 0)").await.unwrap();
        let count = snapshots(&lab).await;
        let again = session.change(sql, HashMap::new(), commit()).await.unwrap();
        assert!(again.already_committed && !first.already_committed, "{sql}");
        assert_eq!(again.snapshot_id, first.snapshot_id, "{sql}");
        assert_eq!(snapshots(&lab).await, count, "{sql}");
        let counted = rows(&session, "SELECT * FROM ns.t WHERE id < 99").await.len();
        assert_eq!(counted, want, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_statement_is_one_snapshot_of_its_kind() {
    let (lab, session) = table().await;
    for (sql, operation, removed) in [
        ("INSERT INTO ns.t VALUES (4, 'c', 40)", "append", None),
        ("INSERT OVERWRITE ns.t VALUES (5, 'a', 50)", "overwrite", Some("1")),
        ("TRUNCATE TABLE ns.t", "delete", Some("3")),
    ] {
        let before = snapshots(&lab).await;
        session.execute(sql).await.unwrap();
        assert_eq!(snapshots(&lab).await, before + 1, "{sql}");
        let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
        let summary = table.metadata().current_snapshot().unwrap().summary();
        assert_eq!(summary.operation.as_str(), operation, "{sql}");
        let gone = summary.additional_properties.get("deleted-data-files");
        assert_eq!(gone.map(String::as_str), removed, "{sql}");
        if operation == "delete" {
            assert_eq!(summary.additional_properties["total-records"], "0");
            assert_eq!(summary.additional_properties["northstar.deleted-rows"], "3");
        }
    }
    for sql in ["TRUNCATE TABLE ns.t", "INSERT INTO ns.t SELECT * FROM ns.t"] {
        let before = snapshots(&lab).await;
        session.execute(sql).await.unwrap();
        assert_eq!(snapshots(&lab).await, before, "{sql} has nothing to do");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_table_has_no_delete_files_either() {
    let (lab, session) = table().await;
    for sql in [
        "ALTER TABLE ns.t SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')",
        "DELETE FROM ns.t WHERE id = 1",
        "TRUNCATE TABLE ns.t",
    ] {
        session.execute(sql).await.unwrap();
    }
    let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let summary = table.metadata().current_snapshot().unwrap().summary();
    for total in ["total-data-files", "total-delete-files", "total-position-deletes"] {
        assert_eq!(summary.additional_properties[total], "0", "{total}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_statement_that_fails_leaves_no_file_and_no_table() {
    let (lab, session) = table().await;
    let before = files(&lab.path("lake/tables"));
    for sql in [
        "INSERT INTO ns.t SELECT id, site, 1 / (n - 30) FROM ns.t",
        "INSERT OVERWRITE ns.t SELECT id, site, 1 / (n - 30) FROM ns.t",
        "CREATE TABLE ns.u AS SELECT id, 1 / (n - 30) AS x FROM ns.t",
        "CREATE TABLE ns.u PARTITIONED BY (month(id)) AS SELECT id FROM ns.t",
        "CREATE TABLE nowhere.u AS SELECT id FROM ns.t",
    ] {
        session.execute(sql).await.unwrap_err();
        assert_eq!(files(&lab.path("lake/tables")), before, "{sql}");
        assert_eq!(files(&lab.path("scratch")), 0, "{sql}");
    }
    let error = lab.lake.open_table(&"ns.u".parse().unwrap(), &tester()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_a_query_is_there_with_its_first_snapshot() {
    let (lab, session) = table().await;
    session.execute("CREATE TABLE ns.u PARTITIONED BY (site) AS SELECT * FROM ns.t").await.unwrap();
    let table = lab.lake.open_table(&"ns.u".parse().unwrap(), &tester()).await.unwrap();
    assert_eq!(table.ancestors().count(), 1);
    let summary = table.metadata().current_snapshot().unwrap().summary();
    assert_eq!(summary.additional_properties["total-records"], "3");
    assert_eq!(summary.additional_properties["northstar.actor"], "tester");
    assert_eq!(rows(&session, "SELECT * FROM ns.u WHERE site = 'a'").await, ["1|a|10", "2|a|20"]);
    session.execute("INSERT INTO ns.u SELECT * FROM ns.t").await.unwrap();
    assert_eq!(rows(&session, "SELECT count(*) FROM ns.u").await, ["6"]);
    // Each opening and each creation is recorded.
    let actions: Vec<String> = lab
        .access
        .records()
        .into_iter()
        .filter(|record| record.table == "ns.u")
        .map(|record| record.action)
        .collect();
    assert!(actions.starts_with(&["create".to_string()]), "{actions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_of_columns_at_once_are_both_made_and_share_no_id() {
    let (lab, session) = table().await;
    let sql = "ALTER TABLE ns.t ADD COLUMN one INT";
    while_others(&lab, sql, &["ALTER TABLE ns.t ADD COLUMN two STRING"]).await.unwrap();
    session.execute("INSERT INTO ns.t (id, one, two) VALUES (4, 1, 'b')").await.unwrap();
    let want = ["1|a|10|NULL|NULL", "2|a|20|NULL|NULL", "3|b|30|NULL|NULL", "4|NULL|NULL|b|1"];
    assert_eq!(rows(&session, "SELECT * FROM ns.t").await, want);
    // Where both cannot be, the later one says why.
    let sql = "ALTER TABLE ns.t RENAME COLUMN one TO three";
    let others = &["ALTER TABLE ns.t DROP COLUMN one"];
    let error = while_others(&lab, sql, others).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_a_query_survives_a_lost_reply_and_leaves_nothing_after_a_lost_race() {
    let (lab, _session) = table().await;
    let create = "CREATE TABLE ns.u AS SELECT * FROM ns.t";
    for (fault, kind) in [(Fault::Stale, Some(ErrorKind::AlreadyExists)), (Fault::LoseReply, None)]
    {
        let before = files(&lab.path("lake/tables"));
        let catalog = Arc::new(FaultyCatalog::new(Arc::clone(&lab.lake.catalog)));
        catalog.on_register([fault]);
        let lake = Lake { catalog, ..lab.lake.clone() };
        let session = session_of(&lake, &lab.path("scratch"));
        let outcome = session.execute(create).await;
        assert_eq!(outcome.as_ref().err().map(northstar_iceberg::Error::kind), kind);
        match kind {
            Some(_) => assert_eq!(files(&lab.path("lake/tables")), before),
            None => assert_eq!(rows(&session, "SELECT count(*) FROM ns.u").await, ["3"]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_filled_replaced_and_emptied_beside_main() {
    let (lab, session) = table().await;
    let name = "ns.t".parse().unwrap();
    let table = lab.lake.open_table(&name, &tester()).await.unwrap();
    let head = table.metadata().current_snapshot_id().unwrap();
    let branched = lab.lake.alter(&table, |_, builder| {
        let retention = SnapshotRetention::branch(None, None, None);
        let branch = SnapshotReference::new(head, retention);
        Ok(Some(builder.set_ref("audit", branch).unwrap()))
    });
    assert!(branched.await.unwrap().settled().unwrap());
    let on = || StatementCommit { branch: Some("audit".into()), ..Default::default() };
    for (sql, left) in [
        ("INSERT INTO ns.t VALUES (4, 'c', 40)", &["1|a|10", "2|a|20", "3|b|30", "4|c|40"][..]),
        (
            "INSERT INTO ns.t SELECT 5, 'd', count(*) FROM ns.t",
            &["1|a|10", "2|a|20", "3|b|30", "4|c|40", "5|d|4"],
        ),
        ("INSERT OVERWRITE ns.t VALUES (6, 'a', 60)", &["3|b|30", "4|c|40", "5|d|4", "6|a|60"]),
        ("TRUNCATE TABLE ns.t", &[]),
    ] {
        session.change(sql, HashMap::new(), on()).await.unwrap();
        let branch = rows(&session, "SELECT * FROM ns.t VERSION AS OF 'audit'").await;
        assert_eq!(branch, left, "{sql}");
        assert_eq!(rows(&session, "SELECT n FROM ns.t").await, ["10", "20", "30"], "{sql}");
    }
    let missing = StatementCommit { branch: Some("nowhere".into()), ..Default::default() };
    let sql = "INSERT OVERWRITE ns.t VALUES (6, 'a', 60)";
    let error = session.change(sql, HashMap::new(), missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
