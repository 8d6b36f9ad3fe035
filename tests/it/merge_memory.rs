//! Statements far larger than the memory that they may use.

use std::sync::Arc;

use northstar_iceberg::engine::LocalEngine;
use northstar_iceberg::merge::{ChangeOptions, ChangeReport, Executed, LakeSession};
use northstar_iceberg::sql::SqlOptions;
use northstar_iceberg::write::WriteOptions;
use northstar_iceberg::{Error, ErrorKind};
use northstar_tests::changes::{BY_SHARE, rows, session};
use northstar_tests::lab::{Lab, run_context, small_writes, tester};

const MEMORY_BYTES: usize = 16 << 20;

/// Rows of the tables, each of about 400 bytes.
fn table_rows() -> usize {
    if std::env::var_os("NORTHSTAR_SOAK").is_some() { 1_000_000 } else { 90_000 }
}

/// A session that shares out its memory as the program does.
fn tight(lab: &Lab) -> LakeSession {
    let scratch = lab.path("tight");
    let write =
        WriteOptions { memory_bytes: MEMORY_BYTES / 4, threads: 2, ..small_writes(&scratch) };
    let (scratch_folder, costs) = (scratch.clone(), BY_SHARE);
    let options = ChangeOptions { write, scratch_folder, costs, whole_table: true };
    let sql = SqlOptions {
        target_partitions: 2,
        memory_bytes: Some(MEMORY_BYTES),
        spill_dir: Some(scratch),
        ..SqlOptions::default()
    };
    let engine = Arc::new(LocalEngine);
    LakeSession::new(lab.lake.clone(), tester(), run_context(), sql, engine, options)
        .expect("a session")
}

async fn run(session: &LakeSession, sql: &str) -> Result<ChangeReport, Error> {
    match session.execute(sql).await? {
        Executed::Changed(report) => Ok(report),
        other => panic!("no change: {other:?}"),
    }
}

/// `id, site, n, body` of numbers from `from` on; `body` differs with `version`.
fn numbers(from: usize, count: usize, version: usize) -> String {
    let to = from + count - 1;
    format!(
        "SELECT value AS id, concat('s', CAST(value % 3 AS VARCHAR)) AS site, value % 7 AS n, \
         repeat(concat(CAST(value * 7919 AS VARCHAR), '-{version}-'), 30) AS body \
         FROM generate_series({from}, {to})"
    )
}

async fn create(session: &LakeSession, table: &str, mode: &str, rows: &str) {
    let properties =
        ["merge", "update", "delete"].map(|verb| format!("'write.{verb}.mode' = '{mode}'"));
    let sql = format!(
        "CREATE TABLE {table} PARTITIONED BY (site) TBLPROPERTIES ({}) AS {rows}",
        properties.join(", ")
    );
    run(session, &sql).await.expect("a table");
}

/// The rows that two tables do not share.
async fn different(session: &LakeSession, one: &str, other: &str) -> Vec<String> {
    let side = |from: &str, less: &str| {
        format!("SELECT count(*) AS c FROM (SELECT * FROM {from} EXCEPT ALL SELECT * FROM {less})")
    };
    let sql = format!("{} UNION ALL {}", side(one, other), side(other, one));
    rows(session, &sql).await
}

async fn m3_larger_than_memory(mode: &str) {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("m").await.unwrap();
    let (free, tight, count) = (session(&lab), tight(&lab), table_rows());
    for table in ["m.free", "m.tight"] {
        create(&free, table, mode, &numbers(1, count, 1)).await;
    }
    // Nearly all rows change, a tenth of them go, and as many come.
    let merge = |table: &str| {
        format!(
            "MERGE INTO {table} t USING ({}) s ON t.id = s.id \
             WHEN MATCHED AND s.id % 10 = 0 THEN DELETE \
             WHEN MATCHED THEN UPDATE SET n = s.n + 1, body = s.body \
             WHEN NOT MATCHED THEN INSERT *",
            numbers(count / 10, count, 2)
        )
    };
    let delete = |table: &str| {
        format!(
            "DELETE FROM {table} AS t WHERE NOT EXISTS (SELECT 1 FROM ({}) s WHERE s.body = t.body)",
            numbers(1, count / 2, 2)
        )
    };
    let statements: [&dyn Fn(&str) -> String; 2] = [&merge, &delete];
    for statement in statements {
        let expected = run(&free, &statement("m.free")).await.unwrap();
        let found = run(&tight, &statement("m.tight")).await.unwrap();
        let counts = |report: &ChangeReport| {
            [report.inserted_rows, report.updated_rows, report.deleted_rows]
        };
        assert_eq!(counts(&found), counts(&expected));
        assert!(counts(&found).iter().sum::<u64>() > count as u64 / 3, "{found:?}");
        assert_eq!(different(&free, "m.free", "m.tight").await, ["0", "0"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m3_a_merge_larger_than_memory_is_that_of_unlimited_memory_copy_on_write() {
    m3_larger_than_memory("copy-on-write").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m3_a_merge_larger_than_memory_is_that_of_unlimited_memory_merge_on_read() {
    m3_larger_than_memory("merge-on-read").await;
}

/// The rows of [`numbers`] with one key, from `from` on.
fn one_key(count: usize, key: i64, version: usize) -> String {
    format!("SELECT {key} AS id, site, n, body FROM ({})", numbers(1, count, version))
}

fn upsert(table: &str, source: &str) -> String {
    format!(
        "MERGE INTO {table} t USING ({source}) s ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET n = -1, body = s.body WHEN NOT MATCHED THEN INSERT *"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m3_a_key_of_very_many_rows_is_changed_and_inserted_within_memory() {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("m").await.unwrap();
    let (free, tight, count) = (session(&lab), tight(&lab), table_rows());
    create(&free, "m.t", "copy-on-write", &one_key(count, 7, 1)).await;
    // All rows of the target match one row of the source.
    let source = format!("{} LIMIT 1", one_key(1, 7, 2));
    let report = run(&tight, &upsert("m.t", &source)).await.unwrap();
    assert_eq!((report.updated_rows, report.inserted_rows), (count as u64, 0));
    // All rows of the source match none of the target.
    let report = run(&tight, &upsert("m.t", &one_key(count, 8, 2))).await.unwrap();
    assert_eq!((report.updated_rows, report.inserted_rows), (0, count as u64));
    let left = rows(
        &free,
        "SELECT id, count(*), sum(CASE WHEN n = -1 THEN 1 ELSE 0 END) FROM m.t \
        GROUP BY id ORDER BY id",
    );
    assert_eq!(left.await, [format!("7|{count}|{count}"), format!("8|{count}|0")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m1_very_many_source_rows_of_one_key_are_refused_and_change_nothing() {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("m").await.unwrap();
    let (free, tight, count) = (session(&lab), tight(&lab), table_rows());
    create(&free, "m.t", "merge-on-read", &numbers(1, 100, 1)).await;
    let before = rows(&free, "SELECT * FROM m.t ORDER BY id").await;
    let error = run(&tight, &upsert("m.t", &one_key(count, 7, 2))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().starts_with("1 target rows would be changed by more"), "{error}");
    assert_eq!(rows(&free, "SELECT * FROM m.t ORDER BY id").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_fit_names_the_option_to_raise_and_changes_nothing() {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("m").await.unwrap();
    let (free, tight) = (session(&lab), tight(&lab));
    let count = 90_000;
    create(&free, "m.t", "copy-on-write", &one_key(count, 7, 1)).await;
    // Each row of one side matches each of the other: no division makes a side smaller.
    let error = run(&tight, &upsert("m.t", &one_key(count, 7, 2))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("--memory"), "{error}");
    let left = rows(&free, "SELECT count(*), min(n) FROM m.t").await;
    assert_eq!(left, [format!("{count}|0")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_a_join_that_may_go_to_disk_still_tells_the_scan_its_keys() {
    let lab = Lab::new().await;
    let session = tight(&lab);
    let keys = |from: u32, to: u32| {
        let number = "CAST(value AS VARCHAR)";
        format!(
            "SELECT concat(lpad({number}, 6, '0'), encode(sha256({number}), 'hex')) AS key, 0 AS n \
             FROM generate_series({from}, {to}) ORDER BY value"
        )
    };
    for sql in [
        "CREATE SCHEMA ns".to_string(),
        format!(
            "CREATE TABLE ns.t TBLPROPERTIES ('write.merge.mode' = 'merge-on-read', \
             'write.parquet.row-group-size-bytes' = '262144') AS {}",
            keys(1, 60_000)
        ),
    ] {
        session.execute(&sql).await.unwrap();
    }
    let bytes = lab.number("SELECT sum(file_size_in_bytes) FROM ns.\"t$files\"").await;
    let merge = format!(
        "MERGE INTO ns.t USING ({}) AS s ON t.key = s.key WHEN MATCHED THEN UPDATE SET n = 1",
        keys(100, 104)
    );
    let report = run(&session, &merge).await.unwrap();
    assert_eq!((report.updated_rows, report.files_opened), (5, Some(1)), "{report:?}");
    // Without the keys those of each row group would be read, which are almost the whole file.
    let read = i64::try_from(report.bytes_read.unwrap()).unwrap();
    assert!(read * 2 < bytes, "read {read} of {bytes}");
}
