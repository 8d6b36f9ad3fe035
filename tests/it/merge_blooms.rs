//! Where bounds leave files for a few keys of a MERGE, bloom filters are asked, and no file with a key is
//! left out (M3, B1).

#![cfg(test)]

use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_tests::changes::session;
use northstar_tests::lab::Lab;

/// Types of a key, with the key of a row by its `id`.
const KINDS: [(&str, &str); 6] = [
    ("BIGINT", "id"),
    ("INT", "CAST(id AS INT)"),
    ("STRING", "'patient-record-' || CAST(id AS STRING)"),
    ("DATE", "CAST(CAST(id * 86400 AS TIMESTAMP) AS DATE)"),
    ("TIMESTAMP", "CAST(1704067200 + id * 3600 AS TIMESTAMP)"),
    ("TIMESTAMPTZ", "CAST(1704067200 + id * 3600 AS TIMESTAMPTZ)"),
];

async fn change(session: &LakeSession, sql: &str) -> ChangeReport {
    match session.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")) {
        Executed::Changed(report) => report,
        _ => panic!("{sql} changes nothing"),
    }
}

async fn lake() -> (Lab, LakeSession) {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let session = session(&lab);
    (lab, session)
}

/// A table of twelve files, each with every twelfth id: their bounds say nothing.
async fn made(session: &LakeSession, kind: &str, key: &str, properties: &str) {
    let create =
        format!("CREATE TABLE ns.t (id BIGINT, k {kind}, n BIGINT) TBLPROPERTIES ({properties})");
    session.execute(&create).await.unwrap();
    for part in 0..12 {
        let rows = format!(
            "INSERT INTO ns.t SELECT id, {key} AS k, 0 FROM \
             (SELECT value * 12 + {part} AS id FROM generate_series(0, 99))"
        );
        change(session, &rows).await;
    }
}

fn merge(key: &str, ids: &str) -> String {
    format!(
        "MERGE INTO ns.t AS t USING (SELECT id, {key} AS k FROM (VALUES {ids}) AS v(id)) AS s \
         ON t.k = s.k WHEN MATCHED THEN UPDATE SET n = 1 \
         WHEN NOT MATCHED THEN INSERT (id, k, n) VALUES (s.id, s.k, 2)"
    )
}

const BLOOM: &str = "'write.parquet.bloom-filter-enabled.column.k'='true', \
                     'write.parquet.bloom-filter-fpp.column.k'='0.0001'";

#[tokio::test(flavor = "multi_thread")]
async fn m3_bloom_filters_leave_the_files_that_hold_a_key() {
    for (kind, key) in KINDS {
        let (lab, session) = lake().await;
        made(&session, kind, key, BLOOM).await;
        let report = change(&session, &merge(key, "(25), (601), (1198), (30), (500000)")).await;
        let shown = format!("{kind}: {report:?}");
        // 25 and 601 are of one file; 1198 and 30 of two others.
        assert_eq!(
            (report.files, report.files_considered, report.files_touched),
            (12, 3, 3),
            "{shown}"
        );
        assert_eq!((report.files_asked, report.files_opened), (Some(12), Some(3)), "{shown}");
        assert_eq!((report.updated_rows, report.inserted_rows), (4, 1), "{shown}");
        assert_eq!(lab.number("SELECT count(*) FROM ns.t WHERE n = 1").await, 4, "{kind}");
        assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 1_201, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_files_without_filters_and_those_of_an_earlier_type_stay() {
    let (lab, session) = lake().await;
    let none = "'write.metadata.metrics.default'='full'";
    made(&session, "INT", "CAST(id AS INT)", none).await;
    let to_bloom = format!("ALTER TABLE ns.t SET TBLPROPERTIES ({BLOOM})");
    session.execute(&to_bloom).await.unwrap();
    let merge_one = merge("CAST(id AS INT)", "(25)");
    let report = change(&session, &merge_one).await;
    assert_eq!((report.files_considered, report.files_touched), (12, 1), "{report:?}");
    // The file that was just written has a filter, for an INT. Then keys are BIGINT.
    session.execute("ALTER TABLE ns.t ALTER COLUMN k TYPE BIGINT").await.unwrap();
    let report = change(&session, &merge("id", "(37), (26)")).await;
    assert_eq!((report.files_considered, report.updated_rows), (12, 2), "{report:?}");
    // Bounds leave the file of 37 and 26 for this key, its filter does not.
    let report = change(&session, &merge("id", "(30)")).await;
    assert_eq!((report.files_asked, report.files_considered), (Some(13), 12), "{report:?}");
    assert_eq!(report.updated_rows, 1);
    assert_eq!(lab.number("SELECT count(*) FROM ns.t WHERE n = 1").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn b1_no_key_is_lost_by_filters_that_take_many_for_their_own() {
    for (share, keys) in [("0.9", 40), ("0.5", 200), ("0.01", 900), ("0.01", 1_100)] {
        let (lab, session) = lake().await;
        let few = "'write.parquet.bloom-filter-enabled.column.k'='true', \
                   'write.parquet.bloom-filter-enabled.column.id'='true'";
        let properties = format!("{few}, 'write.parquet.bloom-filter-fpp.column.k'='{share}'");
        made(&session, "STRING", KINDS[2].1, &properties).await;
        let sql = format!(
            "MERGE INTO ns.t AS t USING (SELECT id, {} AS k FROM (SELECT value * 7 AS id \
             FROM generate_series(0, {keys} - 1) UNION ALL SELECT CAST(NULL AS BIGINT))) AS s \
             ON t.k = s.k AND t.id = s.id WHEN MATCHED THEN UPDATE SET n = 1",
            KINDS[2].1
        );
        let report = change(&session, &sql).await;
        let there = (0..keys).filter(|at| at * 7 < 1_200).count();
        let there = u64::try_from(there).unwrap();
        assert_eq!(report.updated_rows, there, "{share} {keys}: {report:?}");
        let sum = lab.number("SELECT count(*) FROM ns.t WHERE n = 1 AND id % 7 = 0").await;
        assert_eq!(u64::try_from(sum).unwrap(), there);
    }
}
