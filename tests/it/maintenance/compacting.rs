//! Compaction: the rows stay, of today and of every snapshot, in fewer files.

use iceberg::spec::{Operation, Transform, UnboundPartitionSpec};
use northstar_iceberg::ErrorKind;
use northstar_iceberg::maintenance::{CompactOptions, CompactReport, CompactionPlan};

use super::place::Place;

/// Larger than anything that the tests write.
const LARGE: u64 = 512 << 20;

async fn plan(place: &Place, options: &CompactOptions) -> CompactionPlan {
    CompactionPlan::read(&place.table().await, options).await.unwrap()
}

/// Three sites with five small files each, one row in three deleted from some of them.
async fn lived() -> Place {
    let place = Place::new(&["site"], &[], LARGE).await;
    for round in 0..5 {
        for (at, site) in ["a b", "c%d", "e"].iter().enumerate() {
            let from = round * 100 + i64::try_from(at).unwrap() * 1_000;
            place.append(from..from + 30, site, round + 1).await;
        }
    }
    let files = place.files().await;
    place.delete(&[(&files[0], &[0, 3, 29])]).await;
    // One delete file about two data files of a partition.
    place.delete(&[(&files[0], &[5]), (&files[1], &[0, 1])]).await;
    place
}

#[tokio::test]
async fn c1_compaction_keeps_the_rows_of_every_snapshot() {
    let place = lived().await;
    let (rows, history) = (place.rows().await, place.history().await);
    let planned = plan(&place, &CompactOptions::default()).await;
    assert_eq!((planned.files(), planned.groups.len(), planned.deletes.len()), (15, 3, 2));

    let report = place.compact(&CompactOptions::default()).await;
    assert_eq!((report.files_rewritten, report.files_added), (15, 3));
    assert_eq!((report.deleted_rows, report.delete_files_removed), (6, 2));
    assert_eq!((report.bytes_rewritten, report.snapshots.len()), (planned.bytes(), 1));
    assert_eq!(place.files().await.len(), 3);
    assert_eq!(place.delete_files().await.len(), 0);
    assert_eq!(place.rows().await, rows);
    let after = place.history().await;
    assert_eq!(after.len(), history.len() + 1);
    assert!(history.iter().all(|(id, rows)| after[id] == *rows));

    let table = place.table().await;
    let snapshot = table.metadata().current_snapshot().unwrap();
    assert_eq!(snapshot.summary().operation, Operation::Replace);
    let said = &snapshot.summary().additional_properties;
    assert_eq!((said["total-records"].as_str(), said["total-data-files"].as_str()), ("444", "3"));
    assert_eq!(
        (said["total-delete-files"].as_str(), said["total-position-deletes"].as_str()),
        ("0", "0")
    );
    assert_eq!(table.inherited_summary("northstar.seq"), Some("5"), "watermarks are inherited");
}

#[tokio::test]
async fn compaction_leaves_nothing_to_compact() {
    // Files roll several times, and what is left over is small.
    let cases: [(u64, &[&str], i64); 4] = [
        (24 << 10, &[], 700),
        (24 << 10, &["n"], 700),
        (64 << 10, &[], 4_900),
        (LARGE, &["n"], 700),
    ];
    for (target, sort, rows_each) in cases {
        let place = Place::new(&[], sort, target).await;
        for file in 0..12 {
            place.append(file * 5_000..file * 5_000 + rows_each, "s", 1).await;
        }
        let files = place.files().await;
        place.delete(&[(&files[3], &[1])]).await;
        let rows = place.rows().await;
        let report = place.compact(&CompactOptions::default()).await;
        assert!(report.files_added < 12, "{report:?}");
        assert_eq!(target == LARGE, report.files_added == 1, "{report:?}");
        assert_eq!(place.rows().await, rows);
        let again = place.compact(&CompactOptions::default()).await;
        assert_eq!(again, CompactReport::default(), "{target} {sort:?}");
        assert!(plan(&place, &CompactOptions::default()).await.is_empty());
    }
}

#[tokio::test]
async fn light_compaction_takes_small_files_of_a_size_and_worn_ones_alone() {
    let light = CompactOptions { light: true, ..CompactOptions::default() };
    let place = Place::new(&[], &[], LARGE).await;
    // Files of few rows are not compressed: this one must be big beside them all the same.
    place.append(0..80_000, "s", 1).await;
    let big = place.files().await;
    place.delete(&[(&big[0], &[1])]).await;
    assert!(plan(&place, &light).await.is_empty(), "one row of a big file is no reason");
    for day in 0..12 {
        let from = 100_000 + day * 1_000;
        place.append(from..from + 200, "s", day + 2).await;
        let (before, rows) = (place.files().await, place.rows().await);
        place.compact(&light).await;
        let files = place.files().await;
        assert!(files.len() <= 3, "day {day}: {} files", files.len());
        assert!(
            before.contains(&big[0]) && files.contains(&big[0]),
            "day {day}: the big one stays"
        );
        assert_eq!(place.rows().await, rows);
        assert_eq!(place.compact(&light).await, CompactReport::default(), "day {day}");
    }
    let most: Vec<i64> = (0..24_000).collect();
    place.delete(&[(&big[0], &most)]).await;
    let rows = place.rows().await;
    let report = place.compact(&light).await;
    assert_eq!((report.deleted_rows, place.delete_files().await.len()), (24_000, 0));
    assert!(!place.files().await.contains(&big[0]));
    assert_eq!(place.rows().await, rows);
}

#[tokio::test]
async fn a_file_whose_rows_are_all_deleted_goes() {
    let place = Place::new(&[], &[], LARGE).await;
    place.append(0..3, "s", 1).await;
    let file = place.files().await.remove(0);
    place.delete(&[(&file, &[0, 1, 2])]).await;
    let report = place.compact(&CompactOptions::default()).await;
    assert_eq!((report.files_rewritten, report.files_added, report.deleted_rows), (1, 0, 3));
    assert!(place.files().await.is_empty() && place.delete_files().await.is_empty());
    assert_eq!(place.rows().await, Vec::<String>::new());
}

#[tokio::test]
async fn deletes_of_files_that_stay_stay() {
    // Large files are no candidates, and of one delete file about two partitions' worth of paths only
    // what is rewritten is absorbed.
    let place = Place::new(&["site"], &[], LARGE).await;
    place.append(0..10, "a", 1).await;
    place.append(10..20, "a", 2).await;
    place.append(20..30, "b", 3).await;
    let files = place.files().await;
    place.delete(&[(&files[0], &[0])]).await;
    place.delete(&[(&files[2], &[0])]).await;
    let rows = place.rows().await;
    let only = CompactOptions {
        partition: vec![("site".into(), "a".into())],
        ..CompactOptions::default()
    };
    let report = place.compact(&only).await;
    assert_eq!((report.files_rewritten, report.delete_files_removed), (2, 1));
    assert_eq!(place.rows().await, rows);
    assert_eq!(place.delete_files().await.len(), 1);
    let wrong = CompactOptions {
        partition: vec![("sight".into(), "a".into())],
        ..CompactOptions::default()
    };
    let error = CompactionPlan::read(&place.table().await, &wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("it has site"), "{error}");
}

#[tokio::test]
async fn unsorted_files_are_sorted_if_asked_for() {
    let place = Place::new(&[], &[], LARGE).await;
    place.append(0..500, "s", 1).await;
    let order = |builder: iceberg::spec::TableMetadataBuilder| {
        let field = iceberg::spec::SortField::builder()
            .source_id(3)
            .transform(Transform::Identity)
            .direction(iceberg::spec::SortDirection::Ascending)
            .null_order(iceberg::spec::NullOrder::First)
            .build();
        let mut order = iceberg::spec::SortOrder::builder();
        let order = order.with_sort_field(field).build_unbound().unwrap();
        builder.add_sort_order(order).unwrap().set_default_sort_order(-1).unwrap()
    };
    let sort = CompactOptions { sort: true, ..CompactOptions::default() };
    let error = CompactionPlan::read(&place.table().await, &sort).await.unwrap_err();
    assert!(error.message().contains("leave out --sort"), "{error}");
    place.alter(order).await;

    assert!(plan(&place, &CompactOptions::default()).await.is_empty(), "one small file is well");
    let rows = place.rows().await;
    let report = place.compact(&sort).await;
    assert_eq!((report.files_rewritten, report.files_added), (1, 1));
    assert_eq!(place.rows().await, rows);
    let order =
        "SELECT count(*) FROM (SELECT n, lag(n) OVER () AS before FROM ns.t) WHERE n < before";
    assert_eq!(place.lab.number(order).await, 0);
    assert_eq!(place.compact(&sort).await, CompactReport::default());
}

#[tokio::test]
async fn files_of_an_earlier_spec_come_into_the_present_one() {
    let place = Place::new(&[], &[], LARGE).await;
    place.append(0..10, "a", 1).await;
    place.append(10..20, "b", 2).await;
    let spec = UnboundPartitionSpec::builder()
        .add_partition_field(2, "site", Transform::Identity)
        .unwrap()
        .build();
    place.alter(|builder| builder.add_default_partition_spec(spec.clone()).unwrap()).await;
    place.append(20..30, "a", 3).await;
    let (rows, history) = (place.rows().await, place.history().await);
    let report = place.compact(&CompactOptions::default()).await;
    // First both files into the partitions, then the two of `a` together.
    assert_eq!((report.snapshots.len(), report.files_added), (2, 3));
    assert_eq!(place.rows().await, rows);
    let after = place.history().await;
    assert!(history.iter().all(|(id, rows)| after[id] == *rows));
    assert_eq!(place.files().await.len(), 2);
    assert_eq!(place.compact(&CompactOptions::default()).await, CompactReport::default());
}

#[tokio::test]
async fn a_plan_changes_nothing() {
    let place = lived().await;
    let (before, head) =
        (place.on_disk().await, place.table().await.metadata_location().to_string());
    assert!(!plan(&place, &CompactOptions::default()).await.is_empty());
    assert_eq!(place.on_disk().await, before);
    assert_eq!(place.table().await.metadata_location(), head);
}
