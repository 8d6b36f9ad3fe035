//! Write, audit, publish: readers of main see a branch's commits all at once, after the check.

use std::collections::HashMap;

use northstar_catalog::faulty::Fault;
use northstar_iceberg::commit::{Altered, CommitRequest, Outcome};
use northstar_iceberg::merge::StatementCommit;
use northstar_iceberg::{ErrorKind, Retry};
use northstar_tests::changes::{session, session_of};
use northstar_tests::lab::{Lab, run_context};

use super::{append, branch, commit, faulty, history, named, numbers, open, tag};

const COUNT: &str = "SELECT count(*) FROM ns.numbers";

#[tokio::test]
async fn p1_readers_see_a_branch_only_once_it_is_published_and_then_all_of_it() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let first = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", first), false).await.unwrap().settled().unwrap();
    commit(&lab, &lab.lake, Some("audit"), 1).await;
    let head = commit(&lab, &lab.lake, Some("audit"), 2).await;
    let table = open(&lab.lake).await;
    assert_eq!(lab.number(COUNT).await, 10);
    assert_eq!(table.inherited_summary("northstar.seq"), Some("0"));
    assert_eq!(table.inherited_summary_on("audit", "northstar.seq"), Some("2"));
    let altered = lab.lake.fast_forward(&table, "audit", Some(head)).await.unwrap();
    assert!(altered.settled().unwrap());
    assert_eq!(lab.number(COUNT).await, 30);
    let now = open(&lab.lake).await;
    assert_eq!(now.inherited_summary("northstar.seq"), Some("2"), "W3");
    let last = now.metadata().history().last().unwrap();
    assert_eq!(
        (last.snapshot_id, last.timestamp_ms),
        (head, now.metadata().last_updated_ms()),
        "readers see it from now on, not from the commit to the branch on"
    );
    commit(&lab, &lab.lake, None, 3).await;
    let now = open(&lab.lake).await;
    let again = lab.lake.fast_forward(&now, "audit", None).await.unwrap();
    assert!(matches!(again, Altered::Unchanged), "{again:?}");
    assert_eq!(lab.number(COUNT).await, 40);
}

#[tokio::test]
async fn p1_what_came_to_the_branch_after_the_check_is_not_published() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let first = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", first), false).await.unwrap().settled().unwrap();
    let checked = commit(&lab, &lab.lake, Some("audit"), 1).await;
    let seen = open(&lab.lake).await;
    commit(&lab, &lab.second().await, Some("audit"), 2).await;
    let table = open(&lab.lake).await;
    let error = lab.lake.fast_forward(&table, "audit", Some(checked)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(lab.number(COUNT).await, 10);
    // Who looked before it came publishes what was there to be looked at.
    assert!(lab.lake.fast_forward(&seen, "audit", None).await.unwrap().settled().unwrap());
    assert_eq!(lab.number(COUNT).await, 20);
}

#[tokio::test]
async fn m5_main_is_not_set_forward_over_a_commit_that_the_branch_has_not() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let first = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", first), false).await.unwrap().settled().unwrap();
    commit(&lab, &lab.lake, Some("audit"), 1).await;
    let seen = open(&lab.lake).await;
    commit(&lab, &lab.second().await, None, 2).await;
    // Before it is known and after: main keeps its commit.
    let unseen = lab.lake.fast_forward(&seen, "audit", None).await.unwrap_err();
    assert_eq!((unseen.kind(), unseen.retry()), (ErrorKind::Conflict, Retry::Refresh), "{unseen}");
    let table = open(&lab.lake).await;
    let error = lab.lake.fast_forward(&table, "audit", None).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::Never), "{error}");
    assert!(error.to_string().contains("cherry-pick"), "{error}");
    assert_eq!(open(&lab.lake).await.metadata_location(), table.metadata_location());
}

#[tokio::test]
async fn a_table_without_a_snapshot_takes_its_first_from_a_branch() {
    let lab = Lab::new().await;
    numbers(&lab, 0).await;
    let head = commit(&lab, &lab.lake, Some("audit"), 0).await;
    assert_eq!(lab.number(COUNT).await, 0);
    let table = open(&lab.lake).await;
    assert!(lab.lake.fast_forward(&table, "audit", Some(head)).await.unwrap().settled().unwrap());
    assert_eq!(lab.number(COUNT).await, 10);
}

#[tokio::test]
async fn w2_w3_a_branch_that_is_yet_to_be_made_goes_on_from_main() {
    let lab = Lab::new().await;
    numbers(&lab, 2).await;
    let request = |batch: i64, expected: Option<&str>| CommitRequest {
        commit_id: format!("batch-{batch}"),
        run: run_context(),
        summary: [("northstar.seq".to_string(), batch.to_string())].into(),
        expect: Some(("northstar.seq".to_string(), expected.map(str::to_string))),
    };
    let to_audit = async |batch, expected| {
        append(&lab, &lab.lake, Some("audit"), batch, &request(batch, expected)).await.unwrap()
    };
    let again = to_audit(1, None).await;
    assert!(matches!(again, Outcome::AlreadyCommitted { .. }), "main has that batch: {again:?}");
    let behind = to_audit(2, None).await;
    assert!(matches!(behind, Outcome::Conflicted { .. }), "main has a watermark: {behind:?}");
    assert!(named(&open(&lab.lake).await, "audit").is_none());
    to_audit(2, Some("1")).await.settled().unwrap().expect("a snapshot");
    let table = open(&lab.lake).await;
    assert_eq!(table.inherited_summary_on("audit", "northstar.seq"), Some("2"));
    assert_eq!(lab.number(COUNT).await, 20);
    assert_eq!(lab.number(&format!("{COUNT} VERSION AS OF 'audit'")).await, 30);
}

#[tokio::test]
async fn w2_a_lost_reply_to_a_fast_forward_is_settled_by_reading() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let new = tag("x", history(&table)[0]);
    lab.lake.create_ref(&table, &new, false).await.unwrap().settled().unwrap();
    commit(&lab, &lab.lake, Some("audit"), 1).await;
    let table = open(&lab.lake).await;
    for (name, kind) in [("x", ErrorKind::InvalidInput), ("y", ErrorKind::NotFound)] {
        let error = lab.lake.fast_forward(&table, name, None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let (lake, catalog) = faulty(&lab.lake, [Fault::Stale, Fault::LoseReply]);
    assert!(lake.fast_forward(&table, "audit", None).await.unwrap().settled().unwrap());
    assert_eq!(catalog.unplayed(), 0);
    assert_eq!(lab.number(COUNT).await, 20);
    let now = open(&lab.lake).await;
    assert_eq!(now.metadata().history().len(), 2);
    assert_eq!(named(&now, "audit").unwrap().snapshot_id, history(&now)[1]);
}

#[tokio::test]
async fn p1_a_merge_on_a_branch_is_seen_once_it_is_published() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let second = history(&table)[1];
    lab.lake.create_ref(&table, &branch("audit", second), false).await.unwrap().settled().unwrap();
    let session = session(&lab);
    let on = |branch: &str| StatementCommit {
        id: Some(format!("merge on {branch}")),
        summary: [("northstar.seq".to_string(), "5".to_string())].into(),
        expect: Some(("northstar.seq".to_string(), Some("1".to_string()))),
        branch: Some(branch.to_string()),
    };
    let sql = "MERGE INTO ns.numbers t USING (VALUES (3, 3), (25, 25)) AS s(n, to) ON t.n = s.n \
               WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (n) VALUES (s.to)";
    let report = session.change(sql, HashMap::new(), on("audit")).await.unwrap();
    assert_eq!((report.deleted_rows, report.inserted_rows), (1, 1));
    // The statement's subqueries read the branch too.
    let more = "DELETE FROM ns.numbers WHERE n = (SELECT max(n) FROM ns.numbers)";
    let commit = StatementCommit { branch: Some("audit".into()), ..StatementCommit::default() };
    assert_eq!(session.change(more, HashMap::new(), commit).await.unwrap().deleted_rows, 1);
    let audited = format!("{COUNT} VERSION AS OF 'audit'");
    assert_eq!((lab.number(COUNT).await, lab.number(&audited).await), (20, 19));
    let again = session.change(sql, HashMap::new(), on("audit")).await.unwrap();
    assert!(again.already_committed, "W2");
    let table = open(&lab.lake).await;
    assert_eq!(table.inherited_summary("northstar.seq"), Some("1"));
    assert!(lab.lake.fast_forward(&table, "audit", None).await.unwrap().settled().unwrap());
    assert_eq!(lab.number(COUNT).await, 19);
    assert_eq!(open(&lab.lake).await.inherited_summary("northstar.seq"), Some("5"), "W3");
    let error = session.change(sql, HashMap::new(), on("nowhere")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn m5_a_merge_on_a_branch_that_another_writer_moved_is_done_again_on_top() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let first = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", first), false).await.unwrap().settled().unwrap();
    let theirs = lab.second().await;
    let folder = lab.folder.path().to_path_buf();
    let overtaken = Fault::overtaken(move |_| async move {
        let sql = "UPDATE ns.numbers SET n = n + 1";
        let commit = StatementCommit { branch: Some("audit".into()), ..StatementCommit::default() };
        let session = session_of(&theirs, &folder.join("theirs"));
        session.change(sql, HashMap::new(), commit).await.unwrap();
    });
    let (lake, catalog) = faulty(&lab.lake, [overtaken]);
    let session = session_of(&lake, &lab.path("scratch"));
    let commit = StatementCommit { branch: Some("audit".into()), ..StatementCommit::default() };
    let sql = "DELETE FROM ns.numbers WHERE n % 2 = 1";
    let report = session.change(sql, HashMap::new(), commit).await.unwrap();
    assert_eq!((report.deleted_rows, report.rounds, catalog.unplayed()), (5, 2, 0));
    let sum = "SELECT sum(n) FROM ns.numbers VERSION AS OF 'audit'";
    assert_eq!(lab.number(sum).await, 2 + 4 + 6 + 8 + 10);
    assert_eq!(lab.number(COUNT).await, 10);
}
