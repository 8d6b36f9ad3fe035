//! Cherry-picks: what one snapshot appended comes to main once, with its watermark, or not at all.

use northstar_catalog::faulty::Fault;
use northstar_iceberg::commit::{CommitRequest, FileChange, Outcome};
use northstar_iceberg::refs::{Rollback, SOURCE_SNAPSHOT_ID};
use northstar_iceberg::{ErrorKind, Lake, LakeTable, Result};
use northstar_tests::changes::Changes;
use northstar_tests::lab::{Lab, run_context, tester};

use super::{Anywhere, append, branch, commit, faulty, files, history, numbers, open};

const COUNT: &str = "SELECT count(*) FROM ns.numbers";

async fn pick(lake: &Lake, table: &LakeTable, id: i64) -> Result<Outcome> {
    lake.cherry_pick(table, id, run_context()).await
}

/// Commits a batch without a watermark.
async fn plain(lab: &Lab, to: Option<&str>, batch: i64) -> i64 {
    let request = CommitRequest {
        commit_id: format!("plain-{batch}"),
        run: run_context(),
        summary: [].into(),
        expect: None,
    };
    let outcome = append(lab, &lab.lake, to, batch, &request).await.unwrap();
    outcome.settled().unwrap().expect("a snapshot").0
}

#[tokio::test]
async fn w2_an_append_is_picked_once_and_names_its_source() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let first = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", first), false).await.unwrap().settled().unwrap();
    let left = plain(&lab, Some("audit"), 1).await;
    let wanted = plain(&lab, Some("audit"), 2).await;
    plain(&lab, None, 3).await;
    let table = open(&lab.lake).await;
    let outcome = pick(&lab.lake, &table, wanted).await.unwrap();
    let (id, is_new) = outcome.settled().unwrap().unwrap();
    assert!(is_new);
    assert_eq!(lab.number(COUNT).await, 30);
    assert_eq!(lab.number("SELECT sum(n) FROM ns.numbers WHERE n >= 20 AND n < 30").await, 245);
    let now = open(&lab.lake).await;
    let said = now.metadata().current_snapshot().unwrap().summary();
    assert_eq!(said.additional_properties[SOURCE_SNAPSHOT_ID], wanted.to_string());
    assert_eq!(said.additional_properties["total-records"], "30");
    assert_eq!(now.snapshot_of_commit("plain-2"), Some(id));
    for from in [&table, &now] {
        let again = pick(&lab.lake, from, wanted).await.unwrap();
        assert!(matches!(again, Outcome::AlreadyCommitted { snapshot_id } if snapshot_id == id));
    }
    let own = pick(&lab.lake, &now, first).await.unwrap();
    assert!(matches!(own, Outcome::AlreadyCommitted { snapshot_id } if snapshot_id == first));
    assert_eq!(open(&lab.lake).await.metadata_location(), now.metadata_location());
    assert_eq!(lab.number(&format!("{COUNT} VERSION AS OF {left}")).await, 20);
}

#[tokio::test]
async fn w2_a_batch_that_main_has_by_another_commit_is_not_doubled() {
    let lab = Lab::new().await;
    numbers(&lab, 1).await;
    let there = plain(&lab, Some("audit"), 1).await;
    let here = plain(&lab, None, 1).await;
    let table = open(&lab.lake).await;
    let outcome = pick(&lab.lake, &table, there).await.unwrap();
    assert!(matches!(outcome, Outcome::AlreadyCommitted { snapshot_id } if snapshot_id == here));
    assert_eq!(lab.number(COUNT).await, 20);
}

#[tokio::test]
async fn w2_a_file_that_main_has_under_another_commit_id_is_not_added_again() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let request = |id: &str| CommitRequest {
        commit_id: id.to_string(),
        run: run_context(),
        summary: [].into(),
        expect: None,
    };
    let added = files(&lab, &lab.lake, &table, 1);
    let on_branch =
        FileChange { added: added.clone(), branch: Some("audit".into()), ..FileChange::default() };
    let there = lab.lake.commit(&table, &on_branch, &request("theirs"), &Anywhere).await.unwrap();
    let there = there.settled().unwrap().unwrap().0;
    lab.lake.append(&table, &added, &request("mine")).await.unwrap().settled().unwrap();
    let error = pick(&lab.lake, &open(&lab.lake).await, there).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("part of main already"), "{error}");
    assert_eq!(lab.number(COUNT).await, 20);
}

#[tokio::test]
async fn w3_a_pick_brings_its_watermark_or_is_refused() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 1).await;
    let first = history(&table)[0];
    lab.lake.create_ref(&table, &branch("audit", first), false).await.unwrap().settled().unwrap();
    let one = commit(&lab, &lab.lake, Some("audit"), 1).await;
    let two = commit(&lab, &lab.lake, Some("audit"), 2).await;
    let table = open(&lab.lake).await;
    // The watermark would jump over the rows of the one between.
    let error = pick(&lab.lake, &table, two).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("northstar.seq"), "{error}");
    for (id, seq) in [(one, "1"), (two, "2")] {
        let table = open(&lab.lake).await;
        assert!(pick(&lab.lake, &table, id).await.unwrap().settled().unwrap().unwrap().1);
        assert_eq!(open(&lab.lake).await.inherited_summary("northstar.seq"), Some(seq));
    }
    assert_eq!(lab.number(COUNT).await, 30);
}

#[tokio::test]
async fn what_was_rolled_back_is_picked_again() {
    let lab = Lab::new().await;
    let table = numbers(&lab, 2).await;
    let ids = history(&table);
    let plan = Rollback::plan(&table, "main", ids[0]).unwrap();
    lab.lake.roll_back(&table, &plan, false).await.unwrap().settled().unwrap();
    let table = open(&lab.lake).await;
    assert!(pick(&lab.lake, &table, ids[1]).await.unwrap().settled().unwrap().unwrap().1);
    assert_eq!(lab.number(COUNT).await, 20);
    assert_eq!(lab.number("SELECT count(DISTINCT n) FROM ns.numbers").await, 20);
}

#[tokio::test]
async fn only_appends_are_picked() {
    let lab = Lab::new().await;
    let changes = Changes::new(&lab, "ns.visit", &[]).await;
    let name = "ns.visit".parse().unwrap();
    changes
        .change(
            "MERGE INTO ns.visit t USING (VALUES (1, 'a', 1), (2, 'b', 2)) AS s(id, site, n) ON t.id \
             = s.id WHEN NOT MATCHED THEN INSERT (id, site, n) VALUES (s.id, s.site, s.n)",
        )
        .await;
    let updated = changes.change("UPDATE ns.visit SET n = 7 WHERE id = 1").await;
    let table = lab.lake.open_table(&name, &tester()).await.unwrap();
    let plan = Rollback::plan(&table, "main", history(&table)[0]).unwrap();
    lab.lake.roll_back(&table, &plan, false).await.unwrap().settled().unwrap();
    let table = lab.lake.open_table(&name, &tester()).await.unwrap();
    let error = pick(&lab.lake, &table, updated.snapshot_id.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("overwrite"), "{error}");
    let missing = pick(&lab.lake, &table, 42).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    assert_eq!(changes.rows().await, ["1|a|1", "2|b|2"]);
}

#[tokio::test]
async fn c2_a_snapshot_that_expires_under_a_pick_is_not_picked() {
    let lab = Lab::new().await;
    numbers(&lab, 1).await;
    let source = plain(&lab, Some("audit"), 1).await;
    let table = open(&lab.lake).await;
    let expiring = lab.lake.clone();
    let expired = Fault::overtaken(move |_| async move {
        let table = open(&expiring).await;
        let altered = expiring.alter(&table, |_, builder| {
            Ok(Some(builder.remove_ref("audit").remove_snapshots(&[source])))
        });
        altered.await.unwrap().settled().unwrap();
    });
    let (lake, catalog) = faulty(&lab.lake, [expired]);
    let outcome = pick(&lake, &table, source).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Conflicted { reason, .. } if reason.contains("expired")),
        "{outcome:?}"
    );
    assert_eq!(catalog.unplayed(), 0);
    assert_eq!(lab.number(COUNT).await, 10);
}

#[tokio::test]
async fn w2_two_picks_of_one_snapshot_at_once_add_it_once() {
    let lab = Lab::new().await;
    numbers(&lab, 1).await;
    let source = plain(&lab, Some("audit"), 1).await;
    let table = open(&lab.lake).await;
    let second = lab.second().await;
    let (one, two) = tokio::join!(pick(&lab.lake, &table, source), pick(&second, &table, source));
    let new = [one, two].map(|outcome| outcome.unwrap().settled().unwrap().unwrap());
    assert_eq!(new.iter().filter(|(_, is_new)| *is_new).count(), 1, "{new:?}");
    assert_eq!(new[0].0, new[1].0);
    assert_eq!(lab.number(COUNT).await, 20);
}

#[tokio::test]
async fn w2_a_lost_reply_to_a_pick_is_settled_by_reading() {
    let lab = Lab::new().await;
    numbers(&lab, 1).await;
    let source = plain(&lab, Some("audit"), 1).await;
    let table = open(&lab.lake).await;
    let (lake, catalog) = faulty(&lab.lake, [Fault::LoseReply]);
    assert!(pick(&lake, &table, source).await.unwrap().settled().unwrap().unwrap().1);
    assert_eq!(catalog.unplayed(), 0);
    assert_eq!(lab.number(COUNT).await, 20);
}
