//! What single batches leave: deletes of both kinds, late changes, watermarks, repeats.

use northstar_lakehouse::cdc::MergeOutcome;
use northstar_tests::lab::tester;

use super::Bench;

const VERSION: &str = "version = \"version\"";

#[tokio::test(flavor = "multi_thread")]
async fn the_last_state_of_each_key_is_merged() {
    let bench = Bench::new("").await;
    let report = bench
        .change(
            "a.csv",
            &[
                "4,0b,1,02,2,1,second",
                "2,0a,1,01,1,1,first",
                "3,0a,2,01,1,1,before",
                "4,0a,10,01,1,2,last",
                "4,0a,9,01,1,3,not last: commands are numbers",
                "1,0c,1,01,3,1,never seen",
                "2,0a,1,01,1,1,first",
            ],
        )
        .await;
    assert!(report.created);
    assert_eq!((report.read_rows, report.before_images, report.skipped_rows), (7, 1, 0));
    assert_eq!((report.keys, report.inserted, report.deleted), (3, 2, 1));
    assert_eq!(
        bench.rows(", _is_deleted").await,
        [
            "1|2|last|0a/0000000010/01|false",
            "2|1|second|0b/0000000001/02|false",
            "3|1|never seen|0c/0000000001/01|true",
        ]
    );
    let batch = bench.rows(", _batch_id").await.pop().unwrap();
    let name = "ns.t".parse().unwrap();
    let table = bench.lab.lake.open_table(&name, &tester()).await.unwrap();
    let id = batch.rsplit('|').next().unwrap();
    assert_eq!(table.snapshot_of_commit(id), report.snapshot_id);
    let properties = table.metadata().properties();
    for (key, value) in [
        ("northstar.key", "id"),
        ("northstar.deletes", "soft"),
        ("northstar.phi.direct", "note"),
        ("write.metadata.metrics.column.note", "counts"),
    ] {
        assert_eq!(properties.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_deletes_mark_and_hard_deletes_remove() {
    for (deletes, rows) in [
        ("soft", vec!["1|1|gone|0b/0000000001/01", "2|1|b|0a/0000000002/01"]),
        ("hard", vec!["2|1|b|0a/0000000002/01"]),
    ] {
        let bench = Bench::new(&format!("deletes = \"{deletes}\"")).await;
        bench.change("a.csv", &["2,0a,1,01,1,1,a", "2,0a,2,01,2,1,b"]).await;
        let report = bench.change("b.csv", &["1,0b,1,01,1,1,gone"]).await;
        assert_eq!((report.updated, report.deleted, report.unchanged), (0, 1, 0), "{deletes}");
        assert_eq!(bench.rows("").await, rows, "{deletes}");
        let report = bench.change("c.csv", &["2,0c,1,01,1,1,back"]).await;
        assert_eq!(report.inserted + report.updated, 1);
        assert_eq!(bench.rows("").await[0], "1|1|back|0c/0000000001/01", "{deletes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_change_loses_to_a_newer_version_and_to_a_later_position() {
    let bench = Bench::new(VERSION).await;
    bench.change("a.csv", &["2,0a,1,01,1,5,five", "2,0a,1,02,2,1,b"]).await;
    // A higher position with an older version is late, too; so is the same version from before.
    let late = ["4,0b,1,01,1,4,four", "4,09,1,01,2,1,earlier", "1,0b,1,02,1,4,four"];
    let report = bench.change("b.csv", &late).await;
    assert_eq!((report.keys, report.unchanged), (2, 2));
    assert_eq!(bench.rows("").await, ["1|5|five|0a/0000000001/01", "2|1|b|0a/0000000001/02"]);
    let report = bench.change("c.csv", &["4,08,1,01,1,6,six"]).await;
    assert_eq!(report.updated, 1);
    assert_eq!(bench.rows("").await[0], "1|6|six|08/0000000001/01");
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_the_same_files_again_make_no_snapshot() {
    let bench = Bench::new("").await;
    let a = bench.file("a.csv", &["2,0a,1,01,1,1,a"]);
    let b = bench.file("b.csv", &["4,0b,1,01,1,2,b"]);
    let first = bench.merge(&[a.clone(), b.clone()]).await;
    let copy = bench.file("copy.csv", &["2,0a,1,01,1,1,a"]);
    let again = bench.merge(&[b.clone(), copy, a.clone()]).await;
    assert_eq!(again.outcome, MergeOutcome::AlreadyMerged);
    assert_eq!((again.snapshot_id, again.files), (first.snapshot_id, 2));
    // Another group of them is another batch, but nothing in it is newer.
    let alone = bench.merge(&[a]).await;
    assert_eq!((alone.outcome, alone.unchanged), (MergeOutcome::Merged, 1));
    assert_eq!(bench.snapshots().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_the_watermark_moves_with_its_rows_and_never_back() {
    let bench = Bench::new("").await;
    bench.change("a.csv", &["2,0b,1,01,1,1,a"]).await;
    assert_eq!(bench.watermark().await.as_deref(), Some("0b/0000000001/01"));
    let late = bench.change("b.csv", &["2,0a,7,01,2,1,late"]).await;
    assert_eq!(late.inserted, 1);
    assert_eq!(bench.watermark().await.as_deref(), Some("0b/0000000001/01"));
    bench.change("c.csv", &["4,0c,1,01,2,1,c"]).await;
    assert_eq!(bench.watermark().await.as_deref(), Some("0c/0000000001/01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_two_merges_at_once_are_both_there_and_the_watermark_is_the_later() {
    let bench = Bench::new("").await;
    bench.change("first.csv", &["2,01,1,01,9,1,first"]).await;
    let a = [bench.file("a.csv", &["2,0a,1,01,1,1,a"])];
    let b = [bench.file("b.csv", &["2,0b,1,01,2,1,b"])];
    let (a, b) = tokio::join!(bench.merge(&a), bench.merge(&b));
    assert_eq!((a.inserted, b.inserted), (1, 1));
    assert_eq!(bench.rows("").await.len(), 3);
    assert_eq!(bench.watermark().await.as_deref(), Some("0b/0000000001/01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hard_deletes_skip_what_the_watermark_has_passed() {
    let bench = Bench::new("deletes = \"hard\"").await;
    let insert = bench.file("a.csv", &["2,0a,1,01,1,1,a"]);
    let delete = bench.file("b.csv", &["1,0b,1,01,1,1,a"]);
    // Together they come to nothing, which moves the watermark all the same.
    let report = bench.merge(&[insert.clone(), delete]).await;
    assert_eq!((report.keys, report.inserted, report.unchanged), (1, 0, 1));
    assert_eq!(bench.watermark().await.as_deref(), Some("0b/0000000001/01"));
    let replayed = bench.merge(&[insert]).await;
    assert_eq!((replayed.skipped_rows, replayed.keys), (1, 0));
    assert_eq!(bench.rows("").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_alone_is_nothing_to_do() {
    let bench = Bench::new("").await;
    let empty = bench.file("a.csv", &[]);
    let report = bench.merge(std::slice::from_ref(&empty)).await;
    assert_eq!((report.outcome, report.created), (MergeOutcome::Empty, false));
    bench.change("b.csv", &["2,0a,1,01,1,1,a"]).await;
    assert_eq!(bench.merge(&[empty]).await.outcome, MergeOutcome::Empty);
    assert_eq!(bench.snapshots().await, 1);
}
