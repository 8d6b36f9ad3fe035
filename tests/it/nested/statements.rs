//! Statements over nested columns: on a cluster, in comparisons, in what manifests say.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::spec::{DataFile, Datum};
use northstar_iceberg::diff::DiffRequest;
use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_iceberg::travel::AsOf;
use northstar_tests::changes::{rows, session};
use northstar_tests::lab::{Lab, tester};
use northstar_tests::layouts::opened;

use crate::cluster::Cluster;

pub(super) async fn run(session: &LakeSession, sql: &str) -> ChangeReport {
    match session.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}: {error:?}")) {
        Executed::Changed(report) => report,
        Executed::Defined(_) | Executed::Rows(_) => panic!("{sql} changes no rows"),
    }
}

pub(super) async fn define(session: &LakeSession, sql: &str) {
    match session.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}: {error:?}")) {
        Executed::Defined(_) => {}
        Executed::Changed(_) | Executed::Rows(_) => panic!("{sql} defines nothing"),
    }
}

const COLUMNS: &str = "id BIGINT, a STRUCT<s: STRING, n: INT, deep: STRUCT<x: ARRAY<DOUBLE NOT NULL>>>, \
    tags ARRAY<STRING>, m MAP<STRING, STRUCT<at: TIMESTAMP>>";

/// Rows `from` to `to`, every fifth with NULL in all columns but the first.
fn values(from: i64, to: i64) -> String {
    format!(
        "SELECT value AS id, \
         CASE WHEN value % 5 > 0 THEN named_struct('s', 's' || value, 'n', value, 'deep', \
              named_struct('x', [value * 0.5, CAST('NaN' AS DOUBLE), -0.0])) END AS a, \
         CASE WHEN value % 5 > 0 THEN [NULL, 't' || value] END AS tags, \
         CASE WHEN value % 5 > 0 THEN map(['k' || value], [named_struct('at', TIMESTAMP '0001-01-01 00:00:00')]) \
         END AS m FROM generate_series({from}, {to}) AS g(value)"
    )
}

const MERGE: &str = "MERGE INTO ns.t AS t USING ns.s AS s ON t.id = s.id \
    WHEN MATCHED AND s.id % 7 = 0 THEN DELETE \
    WHEN MATCHED AND s.id % 2 = 0 THEN UPDATE SET a = named_struct('s', upper(s.a.s), 'n', t.a.n + 1, \
         'deep', s.a.deep), tags = NULL \
    WHEN MATCHED THEN UPDATE SET a = s.a, m = map(['new'], [named_struct('at', TIMESTAMP '9999-12-31 00:00:00')]) \
    WHEN NOT MATCHED THEN INSERT *";

async fn tables(lab: &Lab, mode: &str) {
    let session = session(lab);
    define(&session, "CREATE SCHEMA ns").await;
    for (name, [from, middle, to]) in [("ns.t", [1, 20, 40]), ("ns.s", [21, 50, 60])] {
        define(
            &session,
            &format!(
                "CREATE TABLE {name} ({COLUMNS}) TBLPROPERTIES ('write.merge.mode' = '{mode}')"
            ),
        )
        .await;
        run(&session, &format!("INSERT INTO {name} {}", values(from, middle))).await;
        run(&session, &format!("INSERT INTO {name} {}", values(middle + 1, to))).await;
    }
}

const ALL: &str = "SELECT * FROM ns.t";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nested_columns_are_read_and_merged_on_a_cluster_as_they_are_here() {
    let cluster = Arc::new(Cluster::start(false).await);
    for mode in ["copy-on-write", "merge-on-read"] {
        let (here, there) = (Lab::new().await, Lab::new().await);
        tables(&here, mode).await;
        tables(&there, mode).await;
        let local = session(&here);
        let remote =
            session(&there).with_state(cluster.driver()).with_engine(Arc::clone(&cluster) as _);
        let (first, second) = (run(&local, MERGE).await, run(&remote, MERGE).await);
        let counts = |report: &ChangeReport| {
            (report.inserted_rows, report.updated_rows, report.deleted_rows, report.source_rows)
        };
        assert_eq!(counts(&first), (20, 17, 3, 40));
        assert_eq!(counts(&first), counts(&second));
        let insert = "INSERT INTO ns.t (id, a) SELECT 99, struct('by place', 1, NULL)";
        assert_eq!((run(&local, insert).await).inserted_rows, 1);
        assert_eq!((run(&remote, insert).await).inserted_rows, 1);
        let expected = rows(&local, ALL).await;
        assert_eq!(expected, rows(&session(&there), ALL).await, "{mode}");
        assert_eq!(expected.len(), 58);
        assert!(expected.contains(&"99|{s: by place, n: 1, deep: NULL}|NULL|NULL".to_string()));
        for sql in [
            ALL,
            "SELECT id, a, m FROM ns.t WHERE a.n > 30 AND tags[2] <> 't31'",
            "SELECT a.deep, count(*) FROM ns.t GROUP BY a.deep",
            "SELECT t.id, s.a FROM ns.t AS t JOIN ns.s AS s ON t.a.s = s.a.s",
        ] {
            let frame = remote.sql().query(sql).await.unwrap();
            let plan = frame.create_physical_plan().await.unwrap();
            let spread = cluster.run(plan).await.unwrap();
            let count: usize = spread.iter().map(|batch| batch.num_rows()).sum();
            let text = arrow::util::pretty::pretty_format_batches(&spread).unwrap().to_string();
            let mut lines: Vec<&str> = text.lines().skip(3).collect();
            lines.sort_unstable();
            let batches = local.sql().query(sql).await.unwrap().collect().await.unwrap();
            let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
            let mut same: Vec<&str> = text.lines().skip(3).collect();
            same.sort_unstable();
            assert!(count > 0, "{sql} has rows");
            assert_eq!(lines, same, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_rows_that_a_statement_does_not_name_keep_their_nested_bits() {
    for mode in ["copy-on-write", "merge-on-read"] {
        let lab = Lab::new().await;
        tables(&lab, mode).await;
        let session = session(&lab);
        let before = rows(&session, "SELECT * FROM ns.t WHERE id <> 3").await;
        let update = format!(
            "MERGE INTO ns.t AS t USING (SELECT 3 AS id) AS s ON t.id = s.id \
             WHEN MATCHED THEN UPDATE SET tags = [{}]",
            "'x'"
        );
        assert_eq!(run(&session, &update).await.updated_rows, 1);
        assert_eq!(rows(&session, "SELECT * FROM ns.t WHERE id <> 3").await, before, "{mode}");
        assert_eq!(run(&session, &update).await.updated_rows, 0, "the same values again");
        // The two zeros differ, also within a list within structs.
        let sign = "UPDATE ns.t SET a = named_struct('s', a.s, 'n', a.n, 'deep', named_struct('x', \
                    [a.deep.x[1], a.deep.x[2], 0.0])) WHERE id = 3";
        assert_eq!(run(&session, sign).await.updated_rows, 1);
        assert_eq!(run(&session, sign).await.updated_rows, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_a_comparison_finds_what_changed_in_nested_columns() {
    let lab = Lab::new().await;
    tables(&lab, "copy-on-write").await;
    let session = session(&lab);
    let before = opened(&lab, "ns.t").await.metadata().current_snapshot_id().unwrap();
    let report = run(&session, MERGE).await;
    for key in [vec!["id".to_string()], Vec::new()] {
        let by_key = !key.is_empty();
        let (from, to) = (AsOf::Snapshot(before), AsOf::Current);
        let request = DiffRequest { from, to, key };
        let name = "ns.t".parse().unwrap();
        let diff = lab.lake.diff(&name, &request, &tester(), session.sql()).await.unwrap();
        let counts = diff.counts().await.unwrap();
        let (came, went) = (report.inserted_rows, report.deleted_rows);
        match by_key {
            true => assert_eq!(
                (counts.inserted, counts.updated, counts.deleted),
                (came, report.updated_rows, went)
            ),
            false => assert_eq!(
                (counts.inserted, counts.deleted),
                (came + report.updated_rows, went + report.updated_rows)
            ),
        }
        let batches = diff.rows().unwrap().collect().await.unwrap();
        assert!(batches.iter().any(|batch| batch.num_rows() > 0));
    }
}

async fn files(lab: &Lab, name: &str) -> Vec<DataFile> {
    let table = opened(lab, name).await;
    let snapshot = table.metadata().current_snapshot().unwrap();
    let io = table.inner().file_io();
    let list = table.inner().manifest_list_reader(snapshot).load().await.unwrap();
    let mut files = Vec::new();
    for manifest in list.entries() {
        let manifest = manifest.load_manifest(io).await.unwrap();
        files.extend(manifest.entries().iter().map(|entry| entry.data_file().clone()));
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn b1_fields_of_structs_have_bounds_and_elements_have_none() {
    let lab = Lab::new().await;
    let session = session(&lab);
    define(&session, "CREATE SCHEMA ns").await;
    define(
        &session,
        "CREATE TABLE ns.t (id BIGINT, a STRUCT<s: STRING, n: INT, f: DOUBLE, l: ARRAY<INT>, \
         hidden: STRING>, phi STRUCT<name: STRING>, m MAP<STRING, INT>, seen STRUCT<by: STRING>) \
         TBLPROPERTIES ('northstar.phi.direct' = 'phi,seen', 'write.metadata.metrics.column.phi' = 'counts', \
         'write.metadata.metrics.column.a.hidden' = 'none')",
    )
    .await;
    run(
        &session,
        "INSERT INTO ns.t VALUES \
         (1, named_struct('s', 'a long text that is cut', 'n', 7, 'f', 1.5, 'l', [1, NULL], 'hidden', 'h'), \
             named_struct('name', 'Ada'), map(['k'], [1]), named_struct('by', 'Cleo')), \
         (2, named_struct('s', NULL, 'n', -3, 'f', 0.5, 'l', NULL, 'hidden', 'h'), NULL, NULL, NULL), \
         (3, NULL, named_struct('name', 'Ben'), NULL, NULL)",
    )
    .await;
    let table = opened(&lab, "ns.t").await;
    let schema = table.metadata().current_schema();
    let id = |name: &str| schema.field_by_name(name).unwrap_or_else(|| panic!("{name}")).id;
    let [file] = files(&lab, "ns.t").await.try_into().unwrap();
    let of = |counts: &HashMap<i32, u64>, name| counts.get(&id(name)).copied();
    for (name, values, nulls) in [
        ("a.s", Some(3), Some(2)),
        ("a.n", Some(3), Some(1)),
        ("a.f", Some(3), Some(1)),
        ("phi.name", Some(3), Some(1)),
        ("a.hidden", None, None),
        ("a.l.element", None, None),
        ("m.key", None, None),
        ("m.value", None, None),
    ] {
        assert_eq!(of(file.value_counts(), name), values, "{name}");
        assert_eq!(of(file.null_value_counts(), name), nulls, "{name}");
        assert!(of(file.column_sizes(), name).is_some_and(|bytes| bytes > 0), "{name}");
    }
    let low = |name| file.lower_bounds().get(&id(name)).cloned();
    let high = |name| file.upper_bounds().get(&id(name)).cloned();
    assert_eq!((low("a.n"), high("a.n")), (Some(Datum::int(-3)), Some(Datum::int(7))));
    assert_eq!(low("a.s"), Some(Datum::string("a long text that")));
    assert_eq!(high("a.s"), Some(Datum::string("a long text thau")));
    for name in ["a.f", "phi.name", "a.hidden", "a.l.element", "m.key", "m.value"] {
        assert_eq!((low(name), high(name)), (None, None), "{name}");
    }
    let shown = rows(&session, "SELECT lower_bounds FROM ns.\"t$files\"").await;
    assert!(shown[0].contains(r#""a.n": "-3""#) && !shown[0].contains("phi"), "{shown:?}");
    // What is in a column that is tagged is masked, where bounds were kept.
    assert!(low("seen.by").is_some() && shown[0].contains(r#""seen.by": "(masked)""#), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sorted_and_spilled_writes_keep_nested_rows() {
    let lab = Lab::new().await;
    let session = session(&lab);
    define(&session, "CREATE SCHEMA ns").await;
    define(
        &session,
        "CREATE TABLE ns.t (id BIGINT, a STRUCT<s: STRING>, l ARRAY<STRUCT<n: BIGINT>>)",
    )
    .await;
    // More than a megabyte: rows are put aside on disk and merged.
    let report = run(
        &session,
        "INSERT INTO ns.t SELECT value, CASE WHEN value % 3 > 0 THEN named_struct('s', repeat('é', 40)) \
         END, [named_struct('n', value), NULL] FROM generate_series(1, 40000) AS g(value)",
    )
    .await;
    assert_eq!(report.inserted_rows, 40_000);
    let sql = "SELECT count(*), sum(id), count(a), sum(character_length(a.s)), sum(l[1]['n']), \
               count(l[2]) FROM ns.t";
    let expected = 40_000 * 40_001 / 2;
    assert_eq!(
        rows(&session, sql).await,
        [format!("40000|{expected}|26667|{}|{expected}|0", 26_667 * 40)]
    );
}
