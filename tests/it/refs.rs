//! Branches and tags: made once, dropped, set back, published; no commit is lost on the way.

mod pick;
mod publish;
mod rollback;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::DataType;
use iceberg::spec::DataFile;
use northstar_catalog::faulty::{Fault, FaultyCatalog};
use northstar_iceberg::commit::{Altered, CommitRequest, FileChange, Outcome, Validation};
use northstar_iceberg::refs::{FOREVER_MS, NewRef, RefKind, Retention, TableRef, refs};
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{ErrorKind, Lake, LakeTable, Result, TableName};
use northstar_tests::lab::{Lab, run_context, small_writes, tester};

/// The table of most of these tests.
fn name() -> TableName {
    "ns.numbers".parse().unwrap()
}

async fn open(lake: &Lake) -> LakeTable {
    lake.open_table(&name(), &tester()).await.unwrap()
}

/// An append depends on nothing that is there.
struct Anywhere;

#[async_trait::async_trait]
impl Validation for Anywhere {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(None)
    }
}

/// A table `(n bigint)` with `batches` commits of ten numbers each: 0 to 9, 10 to 19, …
async fn numbers(lab: &Lab, batches: i64) -> LakeTable {
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let definition = TableDefinition {
        columns: vec![ColumnDefinition::new("n", DataType::Int64).required()],
        properties: [("commit.retry.min-wait-ms".to_string(), "1".to_string())].into(),
        ..TableDefinition::default()
    };
    lab.lake.create_table(&name(), &definition, &tester()).await.unwrap();
    for batch in 0..batches {
        commit(lab, &lab.lake, None, batch).await;
    }
    open(&lab.lake).await
}

/// Commits a batch of ten numbers to a branch, with the batch's number as its watermark, and gives
/// the new snapshot.
async fn commit(lab: &Lab, lake: &Lake, branch: Option<&str>, batch: i64) -> i64 {
    let request = CommitRequest {
        commit_id: format!("batch-{batch}"),
        run: run_context(),
        summary: [("northstar.seq".to_string(), batch.to_string())].into(),
        expect: None,
    };
    let outcome = append(lab, lake, branch, batch, &request).await.unwrap();
    outcome.settled().unwrap().expect("a snapshot").0
}

async fn append(
    lab: &Lab,
    lake: &Lake,
    branch: Option<&str>,
    batch: i64,
    request: &CommitRequest,
) -> Result<Outcome> {
    let table = open(lake).await;
    let change = FileChange {
        added: files(lab, lake, &table, batch),
        branch: branch.map(str::to_string),
        ..FileChange::default()
    };
    lake.commit(&table, &change, request, &Anywhere).await
}

/// Writes a batch of ten numbers that no snapshot has yet.
fn files(lab: &Lab, lake: &Lake, table: &LakeTable, batch: i64) -> Vec<DataFile> {
    let options = small_writes(lab.folder.path());
    let mut writer = TableWriter::new(lake, table, "test", options).unwrap();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(batch * 10..batch * 10 + 10));
    writer.write(RecordBatch::try_from_iter([("n", values)]).unwrap()).unwrap();
    writer.finish().unwrap().files
}

/// The snapshots of `main`, oldest first.
fn history(table: &LakeTable) -> Vec<i64> {
    let mut ids: Vec<i64> = table.ancestors().map(|snapshot| snapshot.snapshot_id()).collect();
    ids.reverse();
    ids
}

fn tag(name: &str, snapshot_id: i64) -> NewRef {
    NewRef {
        name: name.to_string(),
        kind: RefKind::Tag,
        snapshot_id,
        retention: Retention { max_ref_age_ms: Some(FOREVER_MS), ..Retention::default() },
        owner: Some("finance".to_string()),
        reason: Some("month close".to_string()),
    }
}

fn branch(name: &str, snapshot_id: i64) -> NewRef {
    NewRef {
        kind: RefKind::Branch,
        retention: Retention::default(),
        owner: None,
        reason: None,
        ..tag(name, snapshot_id)
    }
}

fn named(table: &LakeTable, name: &str) -> Option<TableRef> {
    refs(table.metadata()).unwrap().into_iter().find(|found| found.name == name)
}

/// The lake behind a catalog with the given faults for its next swaps.
fn faulty(lake: &Lake, faults: impl IntoIterator<Item = Fault>) -> (Lake, Arc<FaultyCatalog>) {
    let catalog = Arc::new(FaultyCatalog::new(Arc::clone(&lake.catalog)));
    catalog.on_swap(faults);
    (Lake { catalog: Arc::clone(&catalog) as _, ..lake.clone() }, catalog)
}

#[tokio::test]
async fn a_tag_is_made_once_and_says_who_why_and_how_long() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let first = history(&table)[0];
    let age = Some(400 * 86_400_000);
    let retention = Retention { max_ref_age_ms: age, ..Retention::default() };
    let close = NewRef { retention, ..tag("close-2024-05", first) };
    let made = lab.lake.create_ref(&table, &close, false).await.unwrap();
    let Altered::Done(now) = made else { panic!("{made:?}") };
    let found = named(&now, "close-2024-05").unwrap();
    assert_eq!((found.kind, found.snapshot_id), (RefKind::Tag, first));
    assert_eq!(found.notes.owner.as_deref(), Some("finance"));
    assert_eq!(found.notes.reason.as_deref(), Some("month close"));
    assert!(found.notes.created_ms.is_some_and(|ms| ms < now.metadata().last_updated_ms()));
    let committed_ms = now.metadata().snapshot_by_id(first).unwrap().timestamp_ms();
    assert_eq!(found.expires_ms(now.metadata()), Some(committed_ms + 400 * 86_400_000));
    let again = lab.lake.create_ref(&table, &close, false).await.unwrap();
    assert!(matches!(again, Altered::Unchanged), "{again:?}");
    assert_eq!(open(&lab.lake).await.metadata_location(), now.metadata_location());
    let sql = "SELECT count(*) FROM ns.numbers VERSION AS OF 'close-2024-05'";
    assert_eq!(lab.number(sql).await, 10);
}

#[tokio::test]
async fn a_tag_of_another_snapshot_needs_to_be_replaced() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let ids = history(&table);
    lab.lake.create_ref(&table, &tag("x", ids[0]), false).await.unwrap().settled().unwrap();
    let table = open(&lab.lake).await;
    for other in [
        tag("x", ids[1]),
        NewRef { reason: Some("audit".into()), ..tag("x", ids[0]) },
        NewRef {
            retention: Retention { max_ref_age_ms: Some(86_400_000), ..Retention::default() },
            ..tag("x", ids[0])
        },
    ] {
        let error = lab.lake.create_ref(&table, &other, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    let error = lab.lake.create_ref(&table, &branch("x", ids[0]), true).await.unwrap_err();
    assert!(error.to_string().contains("is a tag, not a branch"), "{error}");
    assert!(lab.lake.create_ref(&table, &tag("x", ids[1]), true).await.unwrap().settled().unwrap());
    assert_eq!(named(&open(&lab.lake).await, "x").unwrap().snapshot_id, ids[1]);
}

#[tokio::test]
async fn a_tag_without_owner_reason_or_end_is_refused() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let id = history(&table)[0];
    let short = Retention { max_ref_age_ms: Some(1), ..Retention::default() };
    for (new, part) in [
        (NewRef { owner: None, ..tag("x", id) }, "owner and a reason"),
        (NewRef { reason: None, ..tag("x", id) }, "owner and a reason"),
        (NewRef { retention: Retention::default(), ..tag("x", id) }, "expiry"),
        (NewRef { retention: short, ..tag("x", id) }, "expired already"),
        (NewRef { reason: Some("y".repeat(4_096)), ..tag("x", id) }, "4096"),
        (tag("it's", id), "quotes"),
        (tag("main", id), "main is there"),
        (branch("main", id), "main is there"),
    ] {
        let error = lab.lake.create_ref(&table, &new, true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(part), "`{part}` in {error}");
    }
    let error = lab.lake.create_ref(&table, &tag("x", 42), false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(open(&lab.lake).await.metadata_location(), table.metadata_location());
}

#[tokio::test]
async fn a_dropped_ref_takes_its_notes_along_and_main_stays() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let id = history(&table)[0];
    lab.lake.create_ref(&table, &tag("x", id), false).await.unwrap().settled().unwrap();
    let table = open(&lab.lake).await;
    let wrong = lab.lake.drop_ref(&table, RefKind::Branch, "x").await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidInput, "{wrong}");
    assert!(lab.lake.drop_ref(&table, RefKind::Tag, "x").await.unwrap().settled().unwrap());
    let now = open(&lab.lake).await;
    assert_eq!(named(&now, "x"), None);
    assert!(!now.metadata().properties().keys().any(|key| key.starts_with("northstar.ref.")));
    // Who asks on the old state, after a lost reply for instance, is told that all is as wanted.
    let again = lab.lake.drop_ref(&table, RefKind::Tag, "x").await.unwrap();
    assert!(matches!(again, Altered::Unchanged), "{again:?}");
    let missing = lab.lake.drop_ref(&now, RefKind::Tag, "x").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    let main = lab.lake.drop_ref(&now, RefKind::Branch, "main").await.unwrap_err();
    assert_eq!(main.kind(), ErrorKind::InvalidInput, "{main}");
}

#[tokio::test]
async fn a_branch_keeps_what_it_was_told_and_its_notes_while_commits_move_it() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let retention = Retention {
        max_ref_age_ms: Some(9 * 86_400_000),
        min_snapshots_to_keep: Some(5),
        max_snapshot_age_ms: Some(86_400_000),
    };
    let owner = Some("data".to_string());
    let audit = NewRef { retention, owner, ..branch("audit", history(&table)[0]) };
    lab.lake.create_ref(&table, &audit, false).await.unwrap().settled().unwrap();
    let head = commit(&lab, &lab.lake, Some("audit"), 1).await;
    let found = named(&open(&lab.lake).await, "audit").unwrap();
    assert_eq!((found.snapshot_id, found.retention), (head, retention));
    assert_eq!(found.notes.owner.as_deref(), Some("data"));
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 10);
    let sql = "SELECT count(*) FROM ns.numbers VERSION AS OF 'audit'";
    assert_eq!(lab.number(sql).await, 20);
}

#[tokio::test]
async fn no_commit_goes_to_a_tag_or_to_a_branch_without_a_proper_name() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let new = tag("x", history(&table)[0]);
    lab.lake.create_ref(&table, &new, false).await.unwrap().settled().unwrap();
    let request = CommitRequest {
        commit_id: "a".into(),
        run: run_context(),
        summary: [].into(),
        expect: None,
    };
    for (to, part) in [("x", "is a tag"), ("it's", "quotes")] {
        let error = append(&lab, &lab.lake, Some(to), 7, &request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn m5_a_commit_that_races_with_a_ref_is_there_as_the_ref_is() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let id = history(&table)[0];
    let second = lab.second().await;
    let (made, committed) = tokio::join!(
        async { lab.lake.create_ref(&table, &tag("x", id), false).await.unwrap().settled() },
        commit(&lab, &second, None, 1)
    );
    assert!(made.unwrap());
    let now = open(&lab.lake).await;
    assert_eq!(history(&now), [id, committed]);
    assert_eq!(named(&now, "x").unwrap().snapshot_id, id);
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 20);
}

#[tokio::test]
async fn m5_a_branch_that_another_writer_moved_is_neither_dropped_nor_replaced() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let id = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", id), false).await.unwrap().settled().unwrap();
    let seen = open(&lab.lake).await;
    let head = commit(&lab, &lab.second().await, Some("audit"), 1).await;
    let dropped = lab.lake.drop_ref(&seen, RefKind::Branch, "audit").await.unwrap_err();
    let replaced = lab.lake.create_ref(&seen, &branch("audit", id), true).await.unwrap_err();
    for error in [dropped, replaced] {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert_eq!(named(&open(&lab.lake).await, "audit").unwrap().snapshot_id, head);
}

#[tokio::test]
async fn w2_a_lost_reply_to_a_ref_change_is_settled_by_reading() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let new = tag("x", history(&table)[0]);
    let (lake, catalog) = faulty(&lab.lake, [Fault::LoseReply]);
    assert!(lake.create_ref(&table, &new, false).await.unwrap().settled().unwrap());
    let (lake, lost) = faulty(&lab.lake, [Fault::LoseRequest]);
    let table = open(&lab.lake).await;
    let altered = lake.drop_ref(&table, RefKind::Tag, "x").await.unwrap();
    let Altered::Unknown(error) = altered else { panic!("{altered:?}") };
    assert_eq!(error.kind(), ErrorKind::CommitUnknown);
    assert!(named(&open(&lab.lake).await, "x").is_some());
    assert!(lake.drop_ref(&table, RefKind::Tag, "x").await.unwrap().settled().unwrap());
    assert_eq!((catalog.unplayed(), lost.unplayed()), (0, 0));
    assert_eq!(named(&open(&lab.lake).await, "x"), None);
}

#[tokio::test]
async fn w2_a_ref_change_that_is_overtaken_is_made_on_top() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let id = history(&table)[0];
    let other = Lake { ids: Arc::new(northstar_iceberg::ids::RandomIds), ..lab.lake.clone() };
    let folder = lab.folder.path().to_path_buf();
    let theirs = Fault::overtaken(move |_| async move {
        let table = open(&other).await;
        let mut writer = TableWriter::new(&other, &table, "o", small_writes(&folder)).unwrap();
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(50..60));
        writer.write(RecordBatch::try_from_iter([("n", values)]).unwrap()).unwrap();
        let request = CommitRequest {
            commit_id: "theirs".into(),
            run: run_context(),
            summary: [].into(),
            expect: None,
        };
        let files = writer.finish().unwrap().files;
        other.append(&table, &files, &request).await.unwrap().settled().unwrap();
    });
    let (lake, catalog) = faulty(&lab.lake, [theirs]);
    assert!(lake.create_ref(&table, &tag("x", id), false).await.unwrap().settled().unwrap());
    assert_eq!(catalog.unplayed(), 0);
    let now = open(&lab.lake).await;
    assert_eq!(history(&now).len(), 2);
    assert_eq!(named(&now, "x").unwrap().snapshot_id, id);
    assert_eq!(lab.number("SELECT count(*) FROM ns.numbers").await, 20);
}
