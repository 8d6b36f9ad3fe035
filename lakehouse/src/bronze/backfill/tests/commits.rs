//! Waves that are written in one place and committed in another.

use std::sync::Arc;

use northstar_catalog::faulty::{Fault, FaultyCatalog};

use super::{Bed, visits};
use crate::ErrorKind;
use crate::bronze::backfill::UnitOutcome;

const EAST: &str = "visit/east/1";
const WEST: &str = "visit/west/1";

async fn bed() -> Bed {
    let bad = format!("{}x,west\n", visits(10..20, "west"));
    Bed::new(&[
        ("visit/east/1.csv", &visits(0..10, "east")),
        ("visit/west/1.csv", &bad),
        ("visit/west/2.csv", &visits(20..25, "west")),
    ])
    .await
}

fn outcomes(report: &crate::bronze::backfill::WaveReport) -> Vec<UnitOutcome> {
    report.units.iter().map(|unit| unit.outcome).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_the_same_descriptors_again_commit_nothing() {
    let bed = bed().await;
    let (_, written) = bed.written(&[EAST, WEST]).await;
    let first = bed.job().commit(&written).await.unwrap();
    assert_eq!(outcomes(&first), [UnitOutcome::Committed; 2]);
    assert!(first.snapshot_id.is_some());
    // As a driver does that died between its commit and its record of it.
    let again = bed.job().commit(&written).await.unwrap();
    assert_eq!(outcomes(&again), [UnitOutcome::AlreadyThere; 2]);
    assert_eq!(again.snapshot_id, None);
    assert_eq!(bed.counts().await, [20, 20, 1]);
    assert_eq!((bed.seqs("visit").await, bed.seqs("quarantine").await), (vec![1], vec![1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_a_unit_that_two_tasks_wrote_lands_once() {
    let bed = bed().await;
    let (wave, mut written) = bed.written(&[EAST, WEST]).await;
    let job = bed.job();
    for unit in bed.units(&[EAST, WEST]) {
        written.push(job.write(&wave, &unit).await.unwrap());
    }
    let report = job.commit(&written).await.unwrap();
    let (committed, there) = (UnitOutcome::Committed, UnitOutcome::AlreadyThere);
    assert_eq!(outcomes(&report), [committed, committed, there, there]);
    assert_eq!(bed.counts().await, [20, 20, 1]);
    assert_eq!(bed.data_files("visit"), 4, "those of the second tasks are orphans");
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_a_wave_is_refused_once_the_table_has_moved_and_its_units_stay_pending() {
    let bed = bed().await;
    let (_, late) = bed.written(&[EAST]).await;
    let (wave, first) = bed.written(&[WEST]).await;
    bed.job().commit(&first).await.unwrap();
    let error = bed.job().commit(&late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("run the backfill again"), "{error}");
    let error = bed.job().write(&wave, &bed.units(&[EAST])[0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(bed.pending().await, [EAST, "visit/west/2"]);
    bed.job().run(&bed.units(&[EAST, "visit/west/2"])).await.unwrap();
    assert_eq!(bed.counts().await, [25, 25, 1]);
    assert_eq!(bed.seqs("visit").await, [1, 2]);
    let by_seq = "SELECT _seq, count(*) FROM bronze.visit GROUP BY 1 ORDER BY 1";
    assert_eq!(bed.numbers(by_seq).await, [[1, 10], [2, 15]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_a_wave_that_is_overtaken_at_its_commit_is_refused_and_doubles_nothing() {
    let bed = Arc::new(bed().await);
    let (_, late) = bed.written(&[EAST]).await;
    let (_, first) = bed.written(&[EAST, WEST]).await;
    let faulty = Arc::new(FaultyCatalog::new(Arc::clone(&bed.lake.catalog)));
    let other = Arc::clone(&bed);
    faulty.on_swap([Fault::overtaken(move |_| async move {
        other.job().commit(&first).await.unwrap();
    })]);
    let lake = bed.with_catalog(Arc::clone(&faulty) as _);
    let error = bed.job_on(&lake).commit(&late).await.unwrap_err();
    assert_eq!((error.kind(), faulty.unplayed()), (ErrorKind::Conflict, 0), "{error}");
    assert_eq!(bed.counts().await, [20, 20, 1]);
    let again = bed.job_on(&lake).commit(&late).await.unwrap();
    assert_eq!(outcomes(&again), [UnitOutcome::AlreadyThere]);
    assert_eq!((bed.counts().await, bed.seqs("visit").await), ([20, 20, 1], vec![1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_rejects_of_another_wave_refuse_a_wave_with_rejects() {
    let bed = bed().await;
    bed.put("other/west/1.csv", "a,b\n1\n2,3\n");
    let (_, late) = bed.written(&[WEST]).await;
    let (_, other) = bed.written(&["other/west/1"]).await;
    bed.job().commit(&other).await.unwrap();
    let error = bed.job().commit(&late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("bronze.quarantine"), "{error}");
    assert_eq!(bed.pending().await, [EAST, WEST, "visit/west/2"]);
    bed.job().run(&bed.units(&[])).await.unwrap();
    assert_eq!(bed.counts().await, [25, 25, 2]);
    assert_eq!(bed.seqs("quarantine").await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_rejects_without_their_rows_are_not_written_again() {
    let bed = bed().await;
    let (wave, written) = bed.written(&[EAST, WEST]).await;
    let job = bed.job();
    let name = northstar_iceberg::TableName::new("bronze", "visit").unwrap();
    let table = bed.lake.open_table(&name, &bed.access).await.unwrap();
    let plan = job.commit_plan(&table, &written).await.unwrap();
    job.commit_rejects(&wave, &plan).await.unwrap();
    // The process ended here. The same descriptors are committed by another.
    assert_eq!(bed.counts().await, [0, 0, 1]);
    assert_eq!(bed.pending().await, [EAST, WEST, "visit/west/2"]);
    let report = job.commit(&written).await.unwrap();
    assert_eq!(outcomes(&report), [UnitOutcome::Committed; 2]);
    assert_eq!(bed.counts().await, [20, 20, 1]);
    assert_eq!(bed.seqs("quarantine").await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_whose_task_failed_is_left_for_another_wave() {
    let bed = bed().await;
    let (_, written) = bed.written(&[EAST, WEST]).await;
    bed.job().commit(&written[..1]).await.unwrap();
    // What was committed has the number; the rest of the wave cannot follow it.
    let error = bed.job().commit(&written).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(bed.counts().await, [10, 10, 0]);
    bed.job().run(&bed.units(&[])).await.unwrap();
    assert_eq!(bed.counts().await, [25, 25, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_made_again_takes_no_wave_of_before() {
    let bed = bed().await;
    let (_, written) = bed.written(&[EAST]).await;
    let name = northstar_iceberg::TableName::new("bronze", "visit").unwrap();
    bed.lake.drop_table(&name, &bed.access).await.unwrap();
    bed.job().plan(&[EAST.parse().unwrap()]).await.unwrap();
    let error = bed.job().commit(&written).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("made again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waves_and_tables_are_not_mixed() {
    let bed = bed().await;
    let (_, first) = bed.written(&[EAST]).await;
    let (_, second) = bed.written(&[WEST]).await;
    let mixed = [first[0].clone(), second[0].clone()];
    for refused in [&mixed[..], &[]] {
        let error = bed.job().commit(refused).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let units = ["visit/east/1".parse().unwrap(), "other/east/1".parse().unwrap()];
    assert_eq!(bed.job().plan(&units).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}
