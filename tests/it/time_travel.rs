//! Time travel: each snapshot gives the rows that it had, by id, time and tag.

use iceberg::MetadataLocation;
use iceberg::spec::{SnapshotReference, SnapshotRetention};
use northstar_catalog::Swap;
use northstar_iceberg::ErrorKind;
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{Lab, tester};

/// Three batches of 100 visits, and their snapshots (id, time), oldest first.
async fn three_batches() -> (Lab, Vec<(i64, i64)>) {
    let lab = Lab::new().await;
    for batch in 0..3_u64 {
        let from = folder(
            lab.folder.path(),
            &format!("in{batch}"),
            &[("visit.csv", visits(batch * 100, 100).as_bytes())],
        );
        lab.load(&from, VISITS).await.unwrap();
    }
    let table = lab.lake.open_table(&"bronze.visit".parse().unwrap(), &tester()).await.unwrap();
    let mut snapshots: Vec<(i64, i64)> = table
        .ancestors()
        .map(|snapshot| (snapshot.snapshot_id(), snapshot.timestamp_ms()))
        .collect();
    snapshots.reverse();
    (lab, snapshots)
}

fn time(time_ms: i64) -> String {
    let seconds = time_ms / 1_000;
    format!("2024-05-01T{:02}:{:02}:{:02}Z", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_snapshot_gives_its_rows_by_id_and_by_time() {
    let (lab, snapshots) = three_batches().await;
    for (index, (id, time_ms)) in snapshots.iter().enumerate() {
        let rows = (index as i64 + 1) * 100;
        let by_id = format!("SELECT count(*) FROM bronze.visit VERSION AS OF {id}");
        assert_eq!(lab.number(&by_id).await, rows);
        let at = time(*time_ms);
        let by_time = format!("SELECT count(*) FROM bronze.visit FOR TIMESTAMP AS OF '{at}'");
        assert_eq!(lab.number(&by_time).await, rows);
        let top = format!("SELECT max(id) FROM bronze.visit VERSION AS OF {id} WHERE id >= 0");
        assert_eq!(lab.number(&top).await, rows - 1);
    }
    let (first, last) = (snapshots[0].0, snapshots[2].0);
    let added = format!(
        "SELECT count(*) FROM bronze.visit VERSION AS OF {last} AS now LEFT JOIN bronze.visit VERSION \
         AS OF {first} AS before ON now.id = before.id WHERE before.id IS NULL"
    );
    assert_eq!(lab.number(&added).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_keeps_its_snapshot() {
    let (lab, snapshots) = three_batches().await;
    let name = "bronze.visit".parse().unwrap();
    let table = lab.lake.open_table(&name, &tester()).await.unwrap();
    let retention = SnapshotRetention::Tag { max_ref_age_ms: None };
    let from = table.metadata_location().to_string();
    let next = table
        .metadata()
        .clone()
        .into_builder(Some(from.clone()))
        .set_ref("month-close", SnapshotReference::new(snapshots[1].0, retention))
        .unwrap()
        .build()
        .unwrap()
        .metadata;
    let to = from.parse::<MetadataLocation>().unwrap().with_next_version().with_new_metadata(&next);
    next.write_to(&lab.lake.file_io(), &to).await.unwrap();
    let swap = lab.lake.catalog.swap(&name, &from, &to.to_string(), &next).await.unwrap();
    assert!(matches!(swap, Swap::Committed));
    let sql = "SELECT count(*) FROM bronze.visit VERSION AS OF 'month-close'";
    assert_eq!(lab.number(sql).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_honoured_is_an_error() {
    let (lab, snapshots) = three_batches().await;
    let (first, first_ms) = snapshots[0];
    let before = time(first_ms - 60_000);
    let cases = [
        (format!("TIMESTAMP AS OF '{before}'"), first.to_string()),
        ("VERSION AS OF 42".into(), "42".into()),
        ("VERSION AS OF 'no-such-tag'".into(), "no-such-tag".into()),
        ("TIMESTAMP AS OF '2024-05-01 00:00:00'".into(), "zone".into()),
    ];
    for (clause, part) in cases {
        let error = lab.query(&format!("SELECT * FROM bronze.visit {clause}")).await.unwrap_err();
        assert!(error.to_string().contains(&part), "{clause}: {error}");
        assert_ne!(error.kind(), ErrorKind::Internal, "{clause}");
    }
}
