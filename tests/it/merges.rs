//! `MERGE`, `UPDATE` and `DELETE` on a small table: what each leaves, and what is refused.

#![cfg(test)]

use northstar_iceberg::ErrorKind;
use northstar_iceberg::merge::ChangeReport;
use northstar_tests::changes::{Changes, session};
use northstar_tests::lab::Lab;

/// `ns.t`: (id, site, n) in three files of two partitions, made by a MERGE.
async fn table(lab: &Lab) -> Changes {
    let changes = Changes::new(lab, "ns.t", &["site"]).await;
    changes
        .change(
            "MERGE INTO ns.t AS t USING (VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30), \
             (NULL, 'b', 40)) AS s(id, site, n) ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
        )
        .await;
    changes
}

fn rows(report: &ChangeReport) -> (u64, u64, u64) {
    (report.inserted_rows, report.updated_rows, report.deleted_rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_updates_deletes_and_inserts_in_one_snapshot() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let report = changes
        .change(
            "MERGE INTO ns.t USING (VALUES (1, 'a', 11), (2, 'x', 0), (4, 'c', 4), (NULL, 'z', 5)) \
             AS s(id, site, n) ON t.id = s.id \
             WHEN MATCHED AND s.site = 'x' THEN DELETE \
             WHEN MATCHED THEN UPDATE SET n = s.n + t.n \
             WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.n)",
        )
        .await;
    assert_eq!(rows(&report), (2, 1, 1));
    assert_eq!((report.source_rows, report.files_rewritten, report.rounds), (4, 1, 1));
    assert_eq!(changes.rows().await, ["1|a|21", "3|b|30", "4|NULL|4", "NULL|NULL|5", "NULL|b|40"],);
    assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changed_makes_no_snapshot() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    for sql in [
        "MERGE INTO ns.t USING (VALUES (1, 'a', 10), (9, 'a', 1)) AS s(id, site, n) ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET *",
        "UPDATE ns.t SET n = n",
        "UPDATE ns.t SET n = 5 WHERE false",
        "DELETE FROM ns.t WHERE NULL",
        "DELETE FROM ns.t WHERE id IN (SELECT 77)",
    ] {
        let report = changes.change(sql).await;
        assert_eq!(rows(&report), (0, 0, 0), "{sql}");
        assert_eq!(report.snapshot_id, None, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m1_a_row_that_two_source_rows_would_change_fails_the_statement() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let before = changes.rows().await;
    let source = "(VALUES (1, 'a', 1), (1, 'a', 2), (2, 'a', 3)) AS s(id, site, n)";
    let error = session(&lab)
        .execute(&format!(
            "MERGE INTO ns.t USING {source} ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = s.n"
        ))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let text = error.to_string();
    assert!(text.contains("1 target rows would be changed by more than one"), "{text}");
    assert!(text.contains("source rows 1 and 2"), "{text}");
    assert_eq!(changes.rows().await, before);
    // One of them is taken by no clause: then it is one change.
    let report = changes
        .change(&format!(
            "MERGE INTO ns.t USING {source} ON t.id = s.id \
             WHEN MATCHED AND s.n > 1 THEN UPDATE SET n = s.n"
        ))
        .await;
    assert_eq!(rows(&report), (0, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_match_nothing_in_the_source_have_clauses_of_their_own() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let report = changes
        .change(
            "MERGE INTO ns.t USING (VALUES (1)) AS s(id) ON t.id = s.id \
             WHEN NOT MATCHED BY SOURCE AND t.n > 30 THEN DELETE \
             WHEN NOT MATCHED BY SOURCE THEN UPDATE SET site = 'moved'",
        )
        .await;
    assert_eq!(rows(&report), (0, 2, 1));
    assert_eq!(changes.rows().await, ["1|a|10", "2|moved|20", "3|moved|30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn update_and_delete_take_subqueries_joins_and_limits() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    for (sql, counts, expected) in [
        (
            "UPDATE ns.t SET n = n + 1 WHERE id IN (SELECT id FROM ns.t WHERE site = 'a')",
            (0, 2, 0),
            vec!["1|a|11", "2|a|21", "3|b|30", "NULL|b|40"],
        ),
        (
            "UPDATE ns.t AS x SET n = v.n FROM (VALUES (3, 33), (7, 0)) AS v(id, n) WHERE v.id = x.id",
            (0, 1, 0),
            vec!["1|a|11", "2|a|21", "3|b|33", "NULL|b|40"],
        ),
        (
            "DELETE FROM ns.t WHERE EXISTS (SELECT 1 FROM ns.t AS u WHERE u.n = t.n + 10)",
            (0, 0, 1),
            vec!["2|a|21", "3|b|33", "NULL|b|40"],
        ),
        ("DELETE FROM ns.t ORDER BY n DESC LIMIT 1", (0, 0, 1), vec!["2|a|21", "3|b|33"]),
        (
            "UPDATE ns.t SET n = (SELECT max(n) FROM ns.t) WHERE id = 2",
            (0, 1, 0),
            vec!["2|a|33", "3|b|33"],
        ),
        (
            "DELETE FROM ns.t USING (VALUES (3)) AS v(id) WHERE t.id = v.id",
            (0, 0, 1),
            vec!["2|a|33"],
        ),
        ("DELETE FROM ns.t", (0, 0, 1), vec![]),
    ] {
        let report = changes.change(sql).await;
        assert_eq!(rows(&report), counts, "{sql}");
        assert_eq!(changes.rows().await, expected, "{sql}");
    }
}
