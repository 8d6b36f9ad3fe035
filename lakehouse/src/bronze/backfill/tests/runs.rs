//! Backfills in one process.

use std::sync::Arc;

use northstar_catalog::faulty::{Fault, FaultyCatalog};

use super::{Bed, visits};
use crate::ErrorKind;
use crate::bronze::backfill::{KnownBy, UnitOutcome, UnitState};

/// Five units; one has a bad record, one has nothing else, one a header alone.
async fn bed() -> Bed {
    let bad = format!("{}x,west\n", visits(20..25, "west"));
    Bed::new(&[
        ("visit/east/2024-01.csv", &visits(0..10, "east")),
        ("visit/east/2024-02/a.csv", &visits(10..15, "east")),
        ("visit/east/2024-02/b.csv", &visits(15..20, "east")),
        ("visit/west/2024-01.csv", &bad),
        ("visit/west/2024-02.csv", "id,site\nonly\n"),
        ("visit/west/2024-03.csv", "id,site\n"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn w1_w2_all_units_land_in_waves_and_the_same_again_makes_no_snapshot() {
    let bed = bed().await;
    let report = bed.job().run(&bed.units(&[])).await.unwrap();
    assert_eq!(report.snapshots(), 2);
    let sum = |at: usize| -> u64 { report.units().map(|unit| unit.rows()[at]).sum() };
    assert_eq!([sum(0), sum(1), sum(2)], [27, 25, 2]);
    assert_eq!(bed.counts().await, [25, 25, 2]);
    assert_eq!(bed.seqs("visit").await, [1, 2]);
    let by_seq = "SELECT _seq, count(*) FROM bronze.visit GROUP BY 1 ORDER BY 1";
    assert_eq!(bed.numbers(by_seq).await, [[1, 20], [2, 5]]);
    let states: Vec<UnitState> =
        bed.states(KnownBy::Content).await.into_iter().map(|(_, state)| state).collect();
    let done = UnitState::Done;
    assert_eq!(states, [done, done, done, done, UnitState::Empty]);
    assert!(bed.pending().await.is_empty());

    let again = bed.job().run(&bed.units(&[])).await.unwrap();
    assert_eq!(again.snapshots(), 0);
    assert!(again.units().all(|unit| unit.outcome == UnitOutcome::Nothing));
    assert_eq!(bed.seqs("visit").await, [1, 2]);
    assert_eq!(bed.seqs("quarantine").await, [1]);
    assert_eq!(bed.counts().await, [25, 25, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_backfill_that_broke_off_is_finished_by_the_same_again() {
    let bed = bed().await;
    bed.lake.catalog.create_namespace("bronze").await.unwrap();
    // The first wave is committed; the second fails at its commit of rejects.
    let faulty = FaultyCatalog::new(Arc::clone(&bed.lake.catalog));
    faulty.on_swap([Fault::Pass, Fault::Fail(ErrorKind::Storage)]);
    let lake = bed.with_catalog(Arc::new(faulty));
    let error = bed.job_on(&lake).run(&bed.units(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    assert_eq!(bed.counts().await, [20, 20, 0]);
    assert_eq!(bed.pending().await, ["visit/west/2024-01", "visit/west/2024-02"]);

    // Now the rejects are committed and the rows are not: those must be, and no reject twice.
    let faulty = FaultyCatalog::new(Arc::clone(&bed.lake.catalog));
    faulty.on_swap([Fault::Pass, Fault::Fail(ErrorKind::Storage)]);
    let lake = bed.with_catalog(Arc::new(faulty));
    bed.job_on(&lake).run(&bed.units(&[])).await.unwrap_err();
    assert_eq!(bed.counts().await, [20, 20, 2]);

    bed.job().run(&bed.units(&[])).await.unwrap();
    assert_eq!(bed.counts().await, [25, 25, 2]);
    assert_eq!(bed.seqs("visit").await, [1, 2]);
    assert_eq!(bed.seqs("quarantine").await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_reply_that_is_lost_doubles_nothing() {
    let bed = bed().await;
    bed.lake.catalog.create_namespace("bronze").await.unwrap();
    let faulty = FaultyCatalog::new(Arc::clone(&bed.lake.catalog));
    // Of the rows of both waves, and of the rejects of the second.
    faulty.on_swap([Fault::LoseReply, Fault::LoseReply, Fault::LoseReply]);
    let faulty = Arc::new(faulty);
    let lake = bed.with_catalog(Arc::clone(&faulty) as _);
    let report = bed.job_on(&lake).run(&bed.units(&[])).await.unwrap();
    assert_eq!((report.snapshots(), faulty.unplayed()), (2, 0));
    assert_eq!(bed.counts().await, [25, 25, 2]);
    assert_eq!(bed.seqs("visit").await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_ends_with_its_time() {
    let bed = bed().await;
    let mut job = bed.job();
    (job.commit_units, job.wave_ms) = (50, 0);
    let report = job.run(&bed.units(&[])).await.unwrap();
    assert!(report.waves.iter().all(|wave| wave.units.len() == 1));
    assert_eq!(bed.counts().await, [25, 25, 2]);
    assert_eq!(bed.seqs("visit").await, [1, 2, 3]);
    // The unit without a row has a wave of its own, so nothing shows that it is whole: it is read again.
    assert_eq!(bed.pending().await, ["visit/west/2024-02"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_loaded_holds_up_no_other() {
    let bed = bed().await;
    bed.put("visit/east/2024-02/c.csv", "other,columns\n1,2\n");
    let report = bed.job().run(&bed.units(&[])).await.unwrap();
    let unit = report.units().find(|unit| unit.needs_attention()).unwrap();
    assert_eq!(unit.unit.to_string(), "visit/east/2024-02");
    let words: Vec<&str> = unit.files.iter().map(|file| &file.outcome[..]).collect();
    assert_eq!(words, ["loaded", "loaded", "refused"]);
    assert_eq!(bed.counts().await, [25, 25, 2]);
    assert_eq!(bed.pending().await, ["visit/east/2024-02"]);
    // Repaired, it alone is read.
    bed.put("visit/east/2024-02/c.csv", &visits(30..33, "east"));
    bed.job().run(&bed.units(&[])).await.unwrap();
    assert_eq!(bed.counts().await, [28, 28, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_in_two_units_lands_once() {
    let bed = Bed::new(&[
        ("visit/east/1.csv", &visits(0..5, "east")),
        ("visit/east/2/copy.csv", &visits(0..5, "east")),
        ("visit/east/2/new.csv", &visits(5..9, "east")),
    ])
    .await;
    let report = bed.job().run(&bed.units(&[])).await.unwrap();
    // The second unit is there in part only after the first wave, and gets another.
    assert_eq!(report.snapshots(), 2);
    assert_eq!(bed.counts().await, [9, 9, 0]);
    assert_eq!(bed.seqs("visit").await, [1, 2]);
    let states = bed.states(KnownBy::Content).await;
    assert!(states.iter().all(|(_, state)| *state == UnitState::Done), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_name_a_replaced_file_is_not_noticed_and_by_content_it_is() {
    let bed = Bed::new(&[("visit/east/1.csv", &visits(0..5, "east"))]).await;
    bed.job().run(&bed.units(&[])).await.unwrap();
    bed.put("visit/east/1.csv", &visits(0..6, "east"));
    assert_eq!(bed.states(KnownBy::Name).await[0].1, UnitState::Done);
    assert_eq!(bed.states(KnownBy::Content).await[0].1, UnitState::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_made_is_told_and_holds_up_no_other() {
    let bed = Bed::new(&[
        ("broken/east/1.csv", "\"never closed\n"),
        ("broken/east/2.csv", "id\n"),
        ("visit/east/1.csv", &visits(0..5, "east")),
    ])
    .await;
    let report = bed.job().run(&bed.units(&[])).await.unwrap();
    let told: Vec<(String, bool)> =
        report.units().map(|unit| (unit.unit.to_string(), unit.needs_attention())).collect();
    let wanted = [("broken/east/1", true), ("broken/east/2", false), ("visit/east/1", false)];
    assert_eq!(told, wanted.map(|(name, told)| (name.to_string(), told)));
    assert_eq!(bed.counts().await, [5, 5, 0]);
}
