//! Manifests: many become few, and say the same.

use northstar_iceberg::commit::FileChange;
use northstar_iceberg::maintenance::{ManifestPlan, ManifestReport, rewrite_manifests};
use northstar_tests::lab::{run_context, tester};

use super::place::{Anything, Place, snapshot};

const LARGE: u64 = 512 << 20;

async fn rewrite(place: &Place) -> ManifestReport {
    rewrite_manifests(&place.lab.lake, &tester(), &run_context(), &place.name).await.unwrap()
}

/// What the manifests say of each live file: who added it and when, and in which order.
async fn entries(place: &Place) -> Vec<(String, i64, i64)> {
    let table = place.table().await;
    let current = table.metadata().current_snapshot().unwrap();
    let list = table.inner().manifest_list_reader(current).load().await.unwrap();
    let mut entries = Vec::new();
    for file in list.entries() {
        let manifest = file.load_manifest(&place.lab.lake.file_io()).await.unwrap();
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            let (added, sequence) =
                (entry.snapshot_id().unwrap(), entry.sequence_number().unwrap());
            entries.push((entry.file_path().to_string(), added, sequence));
        }
    }
    entries
}

#[tokio::test]
async fn c1_many_manifests_become_few_and_say_the_same() {
    let place = Place::new(&["site"], &[], LARGE).await;
    for round in 0..10 {
        let site = ["b", "a", "c"][usize::try_from(round % 3).unwrap()];
        place.append(round * 10..round * 10 + 10, site, round).await;
    }
    let files = place.files().await;
    place.delete(&[(&files[0], &[2])]).await;
    let (rows, history, files) = (place.rows().await, place.history().await, place.files().await);
    let mut before = entries(&place).await;

    let on_disk = place.on_disk().await;
    let plan = ManifestPlan::read(&place.lab.lake, &place.table().await).await.unwrap();
    assert_eq!((plan.manifests, plan.rewritten.len(), plan.into), (11, 10, 1));
    assert_eq!(place.on_disk().await, on_disk, "a plan changes nothing");

    let report = rewrite(&place).await;
    assert_eq!((report.before, report.after, report.snapshots.len()), (11, 2, 1));
    assert!(report.bytes_after < report.bytes_before);
    let after = entries(&place).await;
    let data: Vec<&str> = after
        .iter()
        .filter_map(|(path, ..)| path.split_once("/data/site=")?.1.split('/').next())
        .collect();
    assert!(data.is_sorted(), "ordered by partition: {data:?}");
    let mut after = after;
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(after, before, "added by whom and when stays");
    assert_eq!(place.files().await, files);
    assert_eq!(place.rows().await, rows);
    let now = place.history().await;
    assert!(history.iter().all(|(id, rows)| now[id] == *rows));
    assert_eq!(place.table().await.inherited_summary("northstar.seq"), Some("9"));

    let again = rewrite(&place).await;
    assert_eq!((again.snapshots.len(), again.after), (0, 2), "few already");
}

#[tokio::test]
async fn manifests_keep_to_their_target_size() {
    let place = Place::new(&[], &[], LARGE).await;
    for round in 0..30 {
        place.append(round..round + 1, "s", round).await;
    }
    let plan = ManifestPlan::read(&place.lab.lake, &place.table().await).await.unwrap();
    let half = (plan.bytes / 2).to_string();
    place.set_properties(&[("commit.manifest.target-size-bytes", half.as_str())]).await;
    let rows = place.rows().await;
    rewrite(&place).await;
    let again = rewrite(&place).await;
    assert!(again.snapshots.is_empty() && again.after <= 2, "{again:?}");
    assert_eq!(place.rows().await, rows);
    place.set_properties(&[("commit.manifest.target-size-bytes", "many")]).await;
    let error = ManifestPlan::read(&place.lab.lake, &place.table().await).await.unwrap_err();
    assert!(error.message().contains("commit.manifest.target-size-bytes"), "{error}");
}

#[tokio::test]
async fn manifests_of_removed_files_alone_go() {
    let place = Place::new(&[], &[], LARGE).await;
    place.append(0..10, "s", 1).await;
    place.append(10..20, "s", 2).await;
    let file = place.files().await.remove(0).file_path().to_string();
    let change = FileChange { removed: [file].into(), ..FileChange::default() };
    let request = place.request("gone", None);
    let table = place.table().await;
    let outcome = place.lab.lake.commit(&table, &change, &request, &Anything).await.unwrap();
    snapshot(outcome);
    let rows = place.rows().await;
    let report = rewrite(&place).await;
    assert_eq!((report.before, report.after), (2, 1));
    assert_eq!(place.rows().await, rows);
    assert!(rewrite(&place).await.snapshots.is_empty());
}

#[tokio::test]
async fn m5_manifests_that_are_gone_by_then_are_planned_anew() {
    let place = Place::new(&[], &[], LARGE).await;
    for round in 0..4 {
        place.append(round..round + 1, "s", round).await;
    }
    let stale = place.table().await;
    let rows = place.rows().await;
    let plan = ManifestPlan::read(&place.lab.lake, &stale).await.unwrap();
    rewrite(&place).await;
    // A second writer with the plan of before is refused, not merged into nonsense.
    let change =
        FileChange { regrouped: plan.rewritten.into_iter().collect(), ..FileChange::default() };
    let request = place.request("late", None);
    let outcome = place.lab.lake.commit(&stale, &change, &request, &Anything).await.unwrap();
    assert!(outcome.settled().unwrap_err().to_string().contains("no longer there"));
    assert_eq!(place.rows().await, rows);
}
