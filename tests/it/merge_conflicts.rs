//! A statement whose table another one changes after it has found its rows: it is put on top where
//! that changes nothing for it, and done again where it may (M5).

#![cfg(test)]

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use northstar_iceberg::ErrorKind;
use northstar_iceberg::merge::{ChangeReport, StatementCommit};
use northstar_iceberg::observer::{Event, Observer};
use northstar_iceberg::{Lake, Result};
use northstar_tests::changes::{Changes, rows, session, session_of};
use northstar_tests::lab::{Lab, observed, tester};

/// Runs a statement, in a thread of its own, when another has found its rows for the first time: it
/// has not written them, nor looked at the head again.
struct Between {
    other: Mutex<Option<(Lake, String, StatementCommit)>>,
    scratch: std::path::PathBuf,
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

impl Observer for Between {
    fn event(&self, event: &Event) {
        if !matches!(event, Event::RowsFound { .. }) {
            return;
        }
        let Some((lake, sql, commit)) = self.other.lock().unwrap().take() else { return };
        let scratch = self.scratch.clone();
        let work = async move {
            session_of(&lake, &scratch).change(&sql, HashMap::new(), commit).await.unwrap();
        };
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        std::thread::spawn(move || runtime().block_on(work)).join().unwrap();
    }
}

/// `ns.t`: (id, site, n), in one file for each of the sites a, b and c.
async fn table(lab: &Lab) -> Changes {
    let changes = Changes::new(lab, "ns.t", &["site"]).await;
    changes
        .change(
            "MERGE INTO ns.t USING (VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30), (4, 'c', 40)) \
             AS s(id, site, n) ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
        )
        .await;
    changes
}

/// Runs `sql` while `other` comes between.
async fn while_other(
    lab: &Lab,
    sql: &str,
    commit: StatementCommit,
    other: &str,
    other_commit: StatementCommit,
) -> Result<ChangeReport> {
    let lake = lab.second().await;
    let between = Arc::new(Between {
        other: Mutex::new(Some((lake, other.to_string(), other_commit))),
        scratch: lab.path("other"),
    });
    let session = session_of(&observed(&lab.lake, Arc::clone(&between) as _), &lab.path("scratch"));
    let outcome = session.change(sql, HashMap::new(), commit).await;
    assert!(between.other.lock().unwrap().is_none(), "{sql}: nothing came between");
    outcome
}

/// Data files of the lake, whether a table refers to them or not.
fn data_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => data_files(&path),
            false => usize::from(path.extension().is_some_and(|end| end == "parquet")),
        })
        .sum()
}

async fn files(lab: &Lab) -> usize {
    let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let said = table.metadata().current_snapshot().unwrap().summary();
    said.additional_properties["total-data-files"].parse().unwrap()
}

/// A statement, what comes between, how often the work is done, and what both leave.
type Case = (&'static str, &'static str, u32, &'static [&'static str]);

const UPSERT: &str = "MERGE INTO ns.t USING (VALUES (1, 'a', 11), (9, 'z', 9)) AS s(id, site, n) \
    ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT *";

const CASES: [Case; 13] = [
    // Rows of other files, and other new rows, are nothing to it.
    (
        UPSERT,
        "UPDATE ns.t SET n = 0 WHERE id = 3",
        1,
        &["1|a|11", "2|a|20", "3|b|0", "4|c|40", "9|z|9"],
    ),
    (
        UPSERT,
        "MERGE INTO ns.t USING (VALUES (8)) AS s(id) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
        1,
        &["1|a|11", "2|a|20", "3|b|30", "4|c|40", "8|NULL|NULL", "9|z|9"],
    ),
    // The file of its row was rewritten, though the row is the same.
    (
        UPSERT,
        "UPDATE ns.t SET n = 0 WHERE id = 2",
        2,
        &["1|a|11", "2|a|0", "3|b|30", "4|c|40", "9|z|9"],
    ),
    // The row that it would insert is there now: it is updated.
    (
        UPSERT,
        "MERGE INTO ns.t USING (VALUES (9)) AS s(id) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT (id, site) VALUES (s.id, 'y')",
        2,
        &["1|a|11", "2|a|20", "3|b|30", "4|c|40", "9|y|9"],
    ),
    // The row that it would update is gone: it is inserted.
    (
        UPSERT,
        "DELETE FROM ns.t WHERE id = 1",
        2,
        &["1|a|11", "2|a|20", "3|b|30", "4|c|40", "9|z|9"],
    ),
    // So is one that it only found to be as it should be, or that keeps another from being inserted:
    // no file of theirs is rewritten, and still they count.
    (
        "MERGE INTO ns.t USING (VALUES (1, 'a', 10), (9, 'z', 9)) AS s(id, site, n) ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT *",
        "UPDATE ns.t SET n = 0 WHERE id = 1",
        2,
        &["1|a|10", "2|a|20", "3|b|30", "4|c|40", "9|z|9"],
    ),
    (
        "MERGE INTO ns.t USING (VALUES (1, 'new', 1), (9, 'z', 9)) AS s(id, site, n) \
         ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
        "DELETE FROM ns.t WHERE id = 1",
        2,
        &["1|new|1", "2|a|20", "3|b|30", "4|c|40", "9|z|9"],
    ),
    // New rows that WHERE takes.
    (
        "DELETE FROM ns.t WHERE n > 15",
        "MERGE INTO ns.t USING (VALUES (5, 'd', 50), (6, 'd', 5)) AS s(id, site, n) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT *",
        2,
        &["1|a|10", "6|d|5"],
    ),
    // New rows that no source row matches.
    (
        "MERGE INTO ns.t USING (VALUES (1)) AS s(id) ON t.id = s.id \
         WHEN NOT MATCHED BY SOURCE AND t.n > 35 THEN DELETE",
        "MERGE INTO ns.t USING (VALUES (5, 'd', 50)) AS s(id, site, n) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT *",
        2,
        &["1|a|10", "2|a|20", "3|b|30"],
    ),
    // It reads the table elsewhere too, so whatever changes may matter.
    (
        "UPDATE ns.t SET n = (SELECT max(n) FROM ns.t) WHERE id = 1",
        "UPDATE ns.t SET n = 400 WHERE id = 4",
        2,
        &["1|a|400", "2|a|20", "3|b|30", "4|c|400"],
    ),
    // What is replaced are all rows that the condition takes, also those that came meanwhile.
    (
        "INSERT INTO ns.t REPLACE WHERE site = 'a' VALUES (7, 'a', 70)",
        "INSERT INTO ns.t VALUES (5, 'a', 50)",
        2,
        &["3|b|30", "4|c|40", "7|a|70"],
    ),
    (
        "INSERT INTO ns.t REPLACE WHERE site = 'a' VALUES (7, 'a', 70)",
        "UPDATE ns.t SET n = 0 WHERE site = 'b'",
        1,
        &["3|b|0", "4|c|40", "7|a|70"],
    ),
    (
        "DELETE FROM ns.t ORDER BY n DESC LIMIT 1",
        "MERGE INTO ns.t USING (VALUES (5, 'd', 50)) AS s(id, site, n) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT *",
        2,
        &["1|a|10", "2|a|20", "3|b|30", "4|c|40"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn m5_a_statement_is_done_again_exactly_where_another_may_change_what_it_does() {
    for (sql, other, rounds, expected) in CASES {
        let lab = Lab::new().await;
        let changes = table(&lab).await;
        let nothing = StatementCommit::default;
        let report = while_other(&lab, sql, nothing(), other, nothing()).await.unwrap();
        assert_eq!(changes.rows().await, expected, "{sql}\nwhile\n{other}");
        assert_eq!(report.rounds, rounds, "{sql}\nwhile\n{other}");
        // The file that a round wrote in vain is gone; those that were replaced stay for time travel.
        let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
        let added: usize = table
            .metadata()
            .snapshots()
            .filter_map(|snapshot| snapshot.summary().additional_properties.get("added-data-files"))
            .map(|text| text.parse::<usize>().unwrap())
            .sum();
        assert_eq!(data_files(lab.folder.path()), added, "{sql}\nwhile\n{other}");
    }
}

/// With snapshot isolation: a statement, what comes between, how often the work is done, what both
/// leave.
const SNAPSHOT_CASES: [Case; 5] = [
    // The key that both insert is there twice.
    (
        UPSERT,
        "MERGE INTO ns.t USING (VALUES (9)) AS s(id) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT (id, site) VALUES (s.id, 'y')",
        1,
        &["1|a|11", "2|a|20", "3|b|30", "4|c|40", "9|y|NULL", "9|z|9"],
    ),
    // New rows are not searched, and a second reading of the table is that of its snapshot.
    (
        "DELETE FROM ns.t WHERE n > 15",
        "MERGE INTO ns.t USING (VALUES (5, 'd', 50)) AS s(id, site, n) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT *",
        1,
        &["1|a|10", "5|d|50"],
    ),
    (
        "UPDATE ns.t SET n = (SELECT max(n) FROM ns.t) WHERE id = 1",
        "UPDATE ns.t SET n = 400 WHERE id = 4",
        1,
        &["1|a|40", "2|a|20", "3|b|30", "4|c|400"],
    ),
    // Yet no update is lost and no row comes back: rows of its own files count as ever.
    (
        UPSERT,
        "UPDATE ns.t SET n = 0 WHERE id = 2",
        2,
        &["1|a|11", "2|a|0", "3|b|30", "4|c|40", "9|z|9"],
    ),
    (
        "UPDATE ns.t SET n = n + 1 WHERE id < 3",
        "DELETE FROM ns.t WHERE id = 1",
        2,
        &["2|a|21", "3|b|30", "4|c|40"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn m5_with_snapshot_isolation_only_rows_that_the_statement_takes_matter() {
    for mode in ["copy-on-write", "merge-on-read"] {
        for (sql, other, rounds, expected) in SNAPSHOT_CASES {
            let lab = Lab::new().await;
            let changes = table(&lab).await;
            let settings = ["merge", "update", "delete"].map(|verb| {
                format!(
                    "'write.{verb}.isolation-level' = 'snapshot', 'write.{verb}.mode' = '{mode}'"
                )
            });
            let settings = format!("ALTER TABLE ns.t SET TBLPROPERTIES ({})", settings.join(", "));
            session(&lab).execute(&settings).await.unwrap();
            let nothing = StatementCommit::default;
            let report = while_other(&lab, sql, nothing(), other, nothing()).await.unwrap();
            assert_eq!(changes.rows().await, expected, "{mode}: {sql}\nwhile\n{other}");
            assert_eq!(report.rounds, rounds, "{mode}: {sql}\nwhile\n{other}");
        }
    }
}

fn commit(id: &str, watermark: &str, expect: Option<&str>) -> StatementCommit {
    let key = "northstar.watermark.feed".to_string();
    StatementCommit {
        id: Some(id.to_string()),
        summary: [(key.clone(), watermark.to_string())].into(),
        expect: expect.map(|value| (key, Some(value.to_string()))),
        ..StatementCommit::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_statement_with_an_id_is_done_once() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let sql = "UPDATE ns.t SET n = n + 1 WHERE id = 1";
    let other = lab.second().await;
    let first = session(&lab).change(sql, HashMap::new(), commit("one", "1", None)).await.unwrap();
    let again = session_of(&other, &lab.path("other"));
    let again = again.change(sql, HashMap::new(), commit("one", "1", None)).await.unwrap();
    assert!(again.already_committed && !first.already_committed);
    assert_eq!(again.snapshot_id, first.snapshot_id);
    assert_eq!(changes.rows().await[0], "1|a|11");

    // The same statement by another process, while this one is at work.
    let report =
        while_other(&lab, sql, commit("two", "2", None), sql, commit("two", "2", None)).await;
    assert!(report.unwrap().already_committed);
    assert_eq!(changes.rows().await[0], "1|a|12");
    assert_eq!((files(&lab).await, data_files(lab.folder.path())), (3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_a_watermark_stands_in_the_snapshot_of_the_rows_and_must_not_have_moved() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let sql = "UPDATE ns.t SET n = n + 1 WHERE id = 1";
    session(&lab).change(sql, HashMap::new(), commit("one", "1", None)).await.unwrap();
    let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let key = "northstar.watermark.feed";
    let said = &table.metadata().current_snapshot().unwrap().summary().additional_properties;
    assert_eq!(said[key], "1");
    assert_eq!(said["northstar.commit-id"], "one");

    // Another process took the same step, on other rows.
    let other = "UPDATE ns.t SET n = 0 WHERE id = 4";
    let error =
        while_other(&lab, sql, commit("two", "2", Some("1")), other, commit("2", "2", None))
            .await
            .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("northstar.watermark.feed moved"), "{error}");
    assert_eq!(changes.rows().await, ["1|a|11", "2|a|20", "3|b|30", "4|c|0"]);
    session(&lab).change(sql, HashMap::new(), commit("three", "3", Some("2"))).await.unwrap();
    assert_eq!(rows(&session(&lab), "SELECT n FROM ns.t WHERE id = 1").await, ["12"]);
}
