//! An explanation says what the statement then does: the same rows and the same files.

#![cfg(test)]

use std::collections::HashMap;

use northstar_iceberg::ErrorKind;
use northstar_iceberg::merge::{Executed, Explanation, LakeSession, Way};
use northstar_tests::changes::{Changes, rows, session};
use northstar_tests::lab::Lab;

async fn explained(session: &LakeSession, sql: &str) -> Explanation {
    let explained = session.explain(sql, HashMap::new(), None).await;
    explained.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// `ns.t` with ids 0 to 79 in eight files of two partitions.
async fn table(lab: &Lab, by_position: bool) -> Changes {
    let changes = match by_position {
        true => Changes::merge_on_read(lab, "ns.t", &["site"]).await,
        false => Changes::new(lab, "ns.t", &["site"]).await,
    };
    for part in 0..8 {
        let insert = format!(
            "INSERT INTO ns.t SELECT value AS id, '{}' AS site, value AS n FROM generate_series({}, {})",
            if part % 2 == 0 { "a" } else { "b" },
            10 * part,
            10 * part + 9
        );
        changes.change(&insert).await;
    }
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_what_is_explained_is_what_is_done() {
    for by_position in [false, true] {
        let lab = Lab::new().await;
        let changes = table(&lab, by_position).await;
        let session = session(&lab);
        for sql in [
            "MERGE INTO ns.t USING (VALUES (1, 5), (2, 2), (33, 5), (34, 5), (77, 0), (99, 1)) AS s(id, n) \
             ON t.id = s.id WHEN MATCHED AND s.n = 0 THEN DELETE \
             WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.n) \
             WHEN NOT MATCHED BY SOURCE AND t.id BETWEEN 50 AND 52 THEN DELETE",
            "DELETE FROM ns.t WHERE id >= 60 AND id % 2 = 0",
            "UPDATE ns.t SET n = -1 WHERE site = 'b' AND id < 15",
        ] {
            let before = rows(&session, "SELECT * FROM ns.t").await;
            let plan = explained(&session, sql).await;
            assert_eq!(rows(&session, "SELECT * FROM ns.t").await, before, "{sql}");
            let Executed::Changed(done) = session.execute(sql).await.unwrap() else {
                panic!("{sql}")
            };
            let counts = |report: &northstar_iceberg::merge::ChangeReport| {
                let rows = (report.inserted_rows, report.updated_rows, report.deleted_rows);
                (
                    rows,
                    report.unchanged_rows,
                    report.source_rows,
                    report.files,
                    report.files_touched,
                )
            };
            assert_eq!(counts(&plan.report), counts(&done), "{sql}");
            assert_eq!(plan.report.files_considered, done.files_considered, "{sql}");
            let touched: Vec<_> = plan.files.iter().filter(|file| file.touched_rows > 0).collect();
            assert_eq!(touched.len() as u64, done.files_touched, "{sql}");
            let rows: u64 = plan.files.iter().map(|file| file.touched_rows).sum();
            assert_eq!(rows, done.updated_rows + done.deleted_rows, "{sql}");
            let way = match by_position {
                true => Way::Deleted,
                false => Way::Rewritten,
            };
            assert!(touched.iter().all(|file| file.way == Some(way)), "{plan:?}");
            assert!(plan.files.is_sorted_by_key(|file| std::cmp::Reverse(file.touched_rows)));
        }
        drop(changes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_each_file_says_why_it_could_not_be_ruled_out() {
    let lab = Lab::new().await;
    let _changes = table(&lab, false).await;
    let all = session(&lab);
    let reasons = async |sql: &str| {
        let plan = explained(&all, sql).await;
        let mut reasons: Vec<_> = plan
            .files
            .iter()
            .map(|file| format!("{} {} {}", file.partition, file.reason, file.touched_rows))
            .collect();
        reasons.sort_unstable();
        reasons
    };
    let merge = |on: &str, clause: &str| {
        format!(
            "MERGE INTO ns.t USING (VALUES (25, 'a'), (39, 'a')) AS s(id, site) ON {on} {clause}"
        )
    };
    let delete = "WHEN MATCHED THEN DELETE";
    assert_eq!(
        reasons(&merge("t.id = s.id", delete)).await,
        [r#"{"site": "a"} keys in id 20 to 29 1"#, r#"{"site": "b"} keys in id 30 to 39 1"#]
    );
    assert_eq!(
        reasons(&merge("t.id = s.id AND t.site = s.site", delete)).await,
        [r#"{"site": "a"} keys in id 20 to 29, site a 1"#]
    );
    let scoped = "WHEN NOT MATCHED BY SOURCE AND t.id = 3 THEN DELETE";
    assert_eq!(
        reasons(&merge("t.id = s.id", scoped)).await,
        [
            r#"{"site": "a"} keys in id 20 to 29 0"#,
            r#"{"site": "a"} within the scope 1"#,
            r#"{"site": "b"} keys in id 30 to 39 0"#
        ]
    );
    assert_eq!(
        reasons("DELETE FROM ns.t WHERE id = 7").await,
        [r#"{"site": "a"} meets the conditions 1"#]
    );
    let whole = reasons(&merge("t.id > s.id AND s.id = 39", delete)).await;
    assert_eq!(whole.len(), 8);
    assert!(whole.iter().all(|reason| reason.contains("nothing rules it out")), "{whole:?}");
    // What would be refused is not explained either.
    let wary = all.clone().with_whole_table(false);
    let sql = merge("t.id > s.id", delete);
    let error = wary.explain(&sql, HashMap::new(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let twice =
        "MERGE INTO ns.t USING (VALUES (1), (1)) AS s(id) ON t.id = s.id WHEN MATCHED THEN DELETE";
    let error = all.explain(twice, HashMap::new(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
