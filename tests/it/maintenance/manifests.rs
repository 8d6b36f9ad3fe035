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

/// Manifests of the current snapshot.
async fn listed(place: &Place) -> usize {
    let table = place.table().await;
    let current = table.metadata().current_snapshot().unwrap();
    table.inner().manifest_list_reader(current).load().await.unwrap().entries().len()
}

#[tokio::test]
async fn c1_commits_put_small_manifests_together_and_they_say_the_same() {
    let place = Place::new(&["site"], &[], LARGE).await;
    place.set_properties(&[("commit.manifest.min-count-to-merge", "4")]).await;
    let mut said = Vec::new();
    let mut most = 0;
    let mut history = std::collections::BTreeMap::new();
    for round in 0..30 {
        let site = ["b", "a", "c"][usize::try_from(round % 3).unwrap()];
        let before: Vec<_> = said.clone();
        let id = place.append(round * 10..round * 10 + 10, site, round).await;
        history.insert(id, place.rows().await);
        if round % 4 == 3 {
            let file = place.files().await.remove(0);
            place.delete(&[(&file, &[round % 10])]).await;
        }
        let mut now = entries(&place).await;
        now.sort_unstable();
        assert!(before.iter().all(|entry| now.contains(entry)), "round {round}");
        assert_eq!(now.iter().filter(|(_, added, _)| *added == id).count(), 1, "round {round}");
        said = now;
        most = most.max(listed(&place).await);
    }
    assert_eq!(said.len(), 30 + 7);
    assert!(most <= 2 * 4, "{most} manifests at a time");
    let now = place.history().await;
    assert!(history.iter().all(|(id, rows)| now[id] == *rows));
    // The change of a snapshot is still told by its own manifest.
    let last = place.table().await.metadata().current_snapshot_id().unwrap();
    let sql = "SELECT count(*) FROM ns.\"t$entries\" WHERE status = 1 AND snapshot_id = ";
    assert_eq!(place.lab.number(&format!("{sql}{last}")).await, 1);
    assert_eq!(place.table().await.inherited_summary("northstar.seq"), Some("29"));
}

#[tokio::test]
async fn commits_leave_manifests_alone_where_the_table_says_so_or_one_cannot_be_read() {
    let place = Place::new(&[], &[], LARGE).await;
    place
        .set_properties(&[
            ("commit.manifest.min-count-to-merge", "3"),
            ("commit.manifest-merge.enabled", "false"),
        ])
        .await;
    for round in 0..5 {
        place.append(round..round + 1, "s", round).await;
    }
    assert_eq!(listed(&place).await, 5);
    place.set_properties(&[("commit.manifest-merge.enabled", "true")]).await;
    let table = place.table().await;
    let current = table.metadata().current_snapshot().unwrap();
    let list = table.inner().manifest_list_reader(current).load().await.unwrap();
    let damaged = northstar_iceberg::storage::local_path(&list.entries()[2].manifest_path).unwrap();
    let sound = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, b"damaged").unwrap();
    place.append(5..6, "s", 5).await;
    assert_eq!(listed(&place).await, 6, "carried over as they are");
    std::fs::write(&damaged, sound).unwrap();
    place.append(6..7, "s", 6).await;
    assert_eq!(listed(&place).await, 2);
    assert_eq!(place.rows().await.len(), 7);
}

#[tokio::test]
async fn manifests_of_removed_files_alone_are_not_carried_on() {
    let place = Place::new(&[], &[], LARGE).await;
    place.append(0..10, "s", 1).await;
    let file = place.files().await.remove(0).file_path().to_string();
    let change = FileChange { removed: [file].into(), ..FileChange::default() };
    let request = place.request("gone", None);
    let table = place.table().await;
    snapshot(place.lab.lake.commit(&table, &change, &request, &Anything).await.unwrap());
    assert_eq!(listed(&place).await, 1, "it tells what was removed");
    place.append(10..20, "s", 2).await;
    assert_eq!(listed(&place).await, 1);
    assert_eq!(place.rows().await.len(), 10);
}
