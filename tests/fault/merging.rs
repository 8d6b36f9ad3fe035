//! One MERGE over a table of several files and partitions, with so little memory that rows are
//! spilled.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use northstar_catalog::Result;
use northstar_iceberg::commit::CommitRequest;
use northstar_iceberg::engine::LocalEngine;
use northstar_iceberg::merge::{ChangeOptions, ChangeReport, LakeSession, StatementCommit};
use northstar_iceberg::sql::SqlOptions;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::{TableWriter, WriteOptions};
use northstar_iceberg::{Lake, TableName, storage};
use northstar_tests::changes::BY_SHARE;
use northstar_tests::lab::{run_context, tester};
use tempfile::TempDir;

use super::files::below;
use super::place::Place;

/// The summary entry that moves with the rows.
pub(crate) const WATERMARK: &str = "test.watermark";
/// The id of the statement's commit.
pub(crate) const ID: &str = "arrivals-7";

const MERGE: &str = "MERGE INTO bronze.stay AS t USING given.arrivals AS s ON t.id = s.id \
    WHEN MATCHED AND s.gone THEN DELETE \
    WHEN MATCHED THEN UPDATE SET n = t.n + s.n, site = s.site \
    WHEN NOT MATCHED THEN INSERT (id, site, n, note) VALUES (s.id, s.site, s.n, s.note) \
    WHEN NOT MATCHED BY SOURCE AND t.n % 7 = 0 THEN UPDATE SET n = t.n + 1";

/// The table that the statement changes.
pub(crate) fn stay() -> TableName {
    "bronze.stay".parse().expect("a name")
}

/// A warehouse with the table as it is before the statement.
pub(crate) async fn before() -> (TempDir, Place) {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new(folder.path());
    seed(&place.lake(0).await).await;
    (folder, place)
}

/// Makes the table: 600 rows in nine files, three of each site, and a watermark.
pub(crate) async fn seed(lake: &Lake) {
    lake.catalog.create_namespace("bronze").await.expect("a namespace");
    let definition = TableDefinition {
        columns: vec![
            ColumnDefinition::new("id", DataType::Int64).required(),
            ColumnDefinition::new("site", DataType::Utf8),
            ColumnDefinition::new("n", DataType::Int64),
            ColumnDefinition::new("note", DataType::Utf8),
        ],
        partition: vec!["site".parse().expect("a field")],
        sort: Vec::new(),
        properties: [("commit.retry.min-wait-ms".to_string(), "1".to_string())].into(),
    };
    let mut table = lake.create_table(&stay(), &definition, &tester()).await.expect("a table");
    for file in 0..3_i64 {
        let of_file: Vec<i64> = (file * 200..(file + 1) * 200).collect();
        let columns: [(&str, ArrayRef); 4] = [
            ("id", Arc::new(Int64Array::from(of_file.clone()))),
            ("site", Arc::new(text(&of_file, |id| format!("s{}", id % 3)))),
            ("n", Arc::new(Int64Array::from(of_file.clone()))),
            ("note", Arc::new(text(&of_file, note))),
        ];
        let mut writer = TableWriter::new(lake, &table, "seed", writes(lake)).expect("a writer");
        writer.write(RecordBatch::try_from_iter(columns).expect("rows")).expect("room");
        let written = writer.finish().expect("files");
        let request = CommitRequest {
            commit_id: format!("seed-{file}"),
            run: run_context(),
            summary: [(WATERMARK.to_string(), (file + 4).to_string())].into(),
            expect: None,
        };
        let outcome = lake.append(&table, &written.files, &request).await.expect("a commit");
        outcome.settled().expect("a snapshot");
        table = lake.open_table(&stay(), &tester()).await.expect("a table");
    }
}

/// Long enough that a table does not fit into a writer's memory.
fn note(id: &i64) -> String {
    format!("{id:0150}")
}

fn text(ids: &[i64], of: impl Fn(&i64) -> String) -> StringArray {
    ids.iter().map(|id| Some(of(id))).collect()
}

/// What the statement reads: each second row of the table, in other sites, and 150 new ones.
fn arrivals() -> RecordBatch {
    let ids: Vec<i64> = (0..450).map(|at| at * 2).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("id", Arc::new(Int64Array::from(ids.clone()))),
        ("site", Arc::new(text(&ids, |id| format!("s{}", id / 2 % 4)))),
        ("n", Arc::new(Int64Array::from(vec![1_000; ids.len()]))),
        ("note", Arc::new(text(&ids, note))),
        ("gone", Arc::new(ids.iter().map(|id| Some(id % 10 == 0)).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter(columns).expect("rows")
}

/// How a session of a lake writes: with so little memory that some rows are spilled.
pub(crate) fn writes(lake: &Lake) -> WriteOptions {
    let spill_folder = beside(lake, "spill");
    WriteOptions { memory_bytes: 48 << 10, spill_folder, threads: 2 }
}

fn beside(lake: &Lake, name: &str) -> PathBuf {
    storage::local_path(&lake.warehouse).expect("a path").with_file_name(name)
}

/// A session with little memory for writing.
pub(crate) fn session(lake: &Lake) -> LakeSession {
    let sql = SqlOptions { target_partitions: 2, batch_rows: 64, ..SqlOptions::default() };
    let options = ChangeOptions {
        write: writes(lake),
        scratch_folder: beside(lake, "scratch"),
        costs: BY_SHARE,
        whole_table: true,
    };
    let engine = Arc::new(LocalEngine);
    LakeSession::new(lake.clone(), tester(), run_context(), sql, engine, options)
        .expect("a session")
}

/// Runs the statement: with the same id and watermark each time.
pub(crate) async fn merge(lake: &Lake) -> Result<ChangeReport> {
    let rows = arrivals();
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).expect("a table");
    let given: HashMap<TableName, Arc<dyn TableProvider>> =
        [("given.arrivals".parse().expect("a name"), Arc::new(table) as _)].into();
    let commit = StatementCommit {
        id: Some(ID.to_string()),
        summary: [(WATERMARK.to_string(), "7".to_string())].into(),
        expect: Some((WATERMARK.to_string(), Some("6".to_string()))),
        branch: None,
    };
    session(lake).change(MERGE, given, commit).await
}

/// What statements have put aside and not removed.
pub(crate) fn put_aside(place: &Place) -> Vec<PathBuf> {
    below(&place.path().join("scratch"))
}
