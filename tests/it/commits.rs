//! Commits: made once, on top of whatever came first, or refused with the table as it was.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::DataType;
use northstar_catalog::faulty::{Fault, FaultyCatalog};
use northstar_iceberg::commit::{CommitRequest, FileChange, Outcome, Validation};
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::{TableWriter, Written};
use northstar_iceberg::{ErrorKind, Lake, LakeTable, TableName};
use northstar_tests::lab::{Lab, run_context, small_writes, tester};

fn name() -> TableName {
    "ns.numbers".parse().unwrap()
}

/// A table of one column, whose commits are tried again without much waiting.
async fn numbers(lake: &Lake) -> LakeTable {
    lake.catalog.create_namespace("ns").await.unwrap();
    let definition = TableDefinition {
        columns: vec![ColumnDefinition::new("n", DataType::Int64).required()],
        properties: [("commit.retry.min-wait-ms".to_string(), "1".to_string())].into(),
        ..TableDefinition::default()
    };
    lake.create_table(&name(), &definition, &tester()).await.unwrap()
}

fn files(lab: &Lab, lake: &Lake, table: &LakeTable, range: std::ops::Range<i64>) -> Written {
    let options = small_writes(lab.folder.path());
    let mut writer = TableWriter::new(lake, table, "test", options).unwrap();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    writer.write(RecordBatch::try_from_iter([("n", values)]).unwrap()).unwrap();
    writer.finish().unwrap()
}

fn request(id: &str) -> CommitRequest {
    CommitRequest {
        commit_id: id.to_string(),
        run: run_context(),
        summary: [("northstar.seq".to_string(), id.len().to_string())].into(),
        expect: None,
    }
}

#[tokio::test]
async fn w2_a_commit_applied_again_is_a_no_op() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let written = files(&lab, &lab.lake, &table, 0..10);
    let first = lab.lake.append(&table, &written.files, &request("a")).await.unwrap();
    let Outcome::Committed { snapshot_id, table: now, .. } = first else { panic!("{first:?}") };
    let again = lab.lake.append(&table, &written.files, &request("a")).await.unwrap();
    assert!(matches!(again, Outcome::AlreadyCommitted { snapshot_id: id } if id == snapshot_id));
    assert_eq!(now.metadata().snapshots().len(), 1);
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 10);
}

#[tokio::test]
async fn no_files_make_no_snapshot() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let outcome = lab.lake.append(&table, &[], &request("a")).await.unwrap();
    assert!(matches!(outcome, Outcome::Unchanged));
    let table = lab.lake.open_table(&name(), &tester()).await.unwrap();
    assert_eq!(table.metadata().snapshots().len(), 0);
}

#[tokio::test]
async fn an_append_goes_on_top_of_one_that_came_first() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let mine = files(&lab, &lab.lake, &table, 0..10);
    let theirs = files(&lab, &lab.lake, &table, 100..105);
    lab.lake.append(&table, &theirs.files, &request("b")).await.unwrap().settled().unwrap();
    // `table` is as it was before theirs.
    lab.lake.append(&table, &mine.files, &request("a")).await.unwrap().settled().unwrap();
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 15);
    let now = lab.lake.open_table(&name(), &tester()).await.unwrap();
    let totals: Vec<_> = now
        .ancestors()
        .map(|snapshot| snapshot.summary().additional_properties["total-records"].clone())
        .collect();
    assert_eq!(totals, ["15", "5"]);
}

#[tokio::test]
async fn a_watermark_that_moved_is_a_conflict_and_changes_nothing() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let theirs = files(&lab, &lab.lake, &table, 100..105);
    lab.lake.append(&table, &theirs.files, &request("bb")).await.unwrap().settled().unwrap();
    let mine = files(&lab, &lab.lake, &table, 0..10);
    let mut late = request("a");
    late.expect = Some(("northstar.seq".into(), None));
    let outcome = lab.lake.append(&table, &mine.files, &late).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Conflicted { reason, .. } if reason.contains("northstar.seq"))
    );
    assert_eq!(outcome.settled().unwrap_err().kind(), ErrorKind::Conflict);
    late.expect = Some(("northstar.seq".into(), Some("2".into())));
    lab.lake.append(&table, &mine.files, &late).await.unwrap().settled().unwrap();
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 15);
}

#[tokio::test]
async fn a_table_made_anew_takes_no_files_of_the_old_one() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let written = files(&lab, &lab.lake, &table, 0..10);
    lab.lake.drop_table(&name(), &tester()).await.unwrap();
    numbers(&lab.lake).await;
    let outcome = lab.lake.append(&table, &written.files, &request("a")).await.unwrap();
    assert!(matches!(outcome, Outcome::Conflicted { .. }), "{outcome:?}");
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 0);
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_reading() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let written = files(&lab, &lab.lake, &table, 0..10);
    let faulty = Arc::new(FaultyCatalog::new(Arc::clone(&lab.lake.catalog)));
    faulty.on_swap([Fault::LoseReply]);
    let lake = Lake { catalog: faulty, ..lab.lake.clone() };
    let outcome = lake.append(&table, &written.files, &request("a")).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 10);
}

#[tokio::test]
async fn commits_say_who_and_why() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let written = files(&lab, &lab.lake, &table, 0..1);
    lab.lake.append(&table, &written.files, &request("a")).await.unwrap().settled().unwrap();
    let now = lab.lake.open_table(&name(), &tester()).await.unwrap();
    let said = &now.metadata().current_snapshot().unwrap().summary().additional_properties;
    for (key, value) in [
        ("northstar.commit-id", "a"),
        ("northstar.job", "test"),
        ("northstar.run-id", "run-1"),
        ("northstar.actor", "tester"),
        ("northstar.reason", "test"),
    ] {
        assert_eq!(said[key], value, "{key}");
    }
    assert!(said.contains_key("northstar.version"));
    let mut long = request("b");
    long.summary.insert("x".into(), "y".repeat(5_000));
    let error = lab.lake.append(&table, &written.files, &long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_clock_far_behind_the_table_is_refused_and_a_little_is_made_up() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let last = table.metadata().last_updated_ms();
    let written = files(&lab, &lab.lake, &table, 0..10);
    lab.clock.set(last - 11 * 60_000);
    let error = lab.lake.append(&table, &written.files, &request("a")).await.unwrap_err();
    assert!(error.to_string().contains("set the clock"), "{error}");
    lab.clock.set(last - 5 * 60_000);
    let outcome = lab.lake.append(&table, &written.files, &request("a")).await.unwrap();
    let Outcome::Committed { table, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(table.metadata().current_snapshot().unwrap().timestamp_ms(), last + 1);
}

/// Lets a change pass whatever came before it, so that only the commit's own checks are left.
struct Anyhow;

#[async_trait::async_trait]
impl Validation for Anyhow {
    async fn conflict(&self, _: &LakeTable) -> northstar_iceberg::Result<Option<String>> {
        Ok(None)
    }
}

#[tokio::test]
async fn m5_a_file_that_is_gone_is_not_replaced_a_second_time() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let first = files(&lab, &lab.lake, &table, 0..10);
    lab.lake.append(&table, &first.files, &request("a")).await.unwrap().settled().unwrap();
    let removed = || first.files.iter().map(|file| file.file_path().to_string()).collect();
    for (id, number) in [("by one", 1), ("by another", 2)] {
        let written = files(&lab, &lab.lake, &table, 10 * number..10 * number + 10);
        let change = FileChange {
            added: written.files.clone(),
            removed: removed(),
            ..FileChange::default()
        };
        let outcome = lab.lake.commit(&table, &change, &request(id), &Anyhow).await.unwrap();
        match number {
            1 => assert!(matches!(outcome, Outcome::Committed { .. })),
            _ => assert!(matches!(outcome, Outcome::Conflicted { .. }), "{outcome:?}"),
        }
    }
    assert_eq!(lab.number("SELECT sum(n) FROM ns.numbers").await, 145);
}

#[tokio::test]
async fn a_data_file_that_does_not_come_to_disk_is_never_part_of_the_table() {
    let lab = Lab::new().await;
    let table = numbers(&lab.lake).await;
    let written = files(&lab, &lab.lake, &table, 0..10);
    for file in &written.files {
        std::fs::remove_file(file.file_path().trim_start_matches("file://")).unwrap();
    }
    let error = lab.lake.append(&table, &written.files, &request("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let table = lab.lake.open_table(&name(), &tester()).await.unwrap();
    assert_eq!(table.metadata().snapshots().len(), 0);
}
