//! Reruns that are refused, and those that find nothing.

use northstar_iceberg::ErrorKind;

use super::{Bench, records, scope};

async fn bench(more: &str) -> Bench {
    let mut bench = Bench::new("timestamp", more).await;
    bench.bronze = None;
    let file = bench.file("a.csv", &records(&["2,000a,1,01,1,7,2024-05-02 08:00:00,1,SENTINEL"]));
    bench.merge(file).await;
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_facility_is_an_empty_plan() {
    let bench = bench("").await;
    for asked in [
        scope("99", "2024-05-01", "2024-06-01"),
        scope("7", "2024-05-03", "2024-06-01"),
        scope("7", "2024-05-01", "2024-05-02"),
    ] {
        let made = bench.rerun(&asked).await;
        assert_eq!((made.plan.keys, made.plan.changes()), (0, false), "{asked:?}");
    }
    assert_eq!(bench.snapshots().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_scope_is_told() {
    let bench = bench("").await;
    let good = || scope("7", "2024-05-01", "2024-06-01");
    let mut empty = good();
    empty.to = empty.from;
    let mut backwards = good();
    std::mem::swap(&mut backwards.from, &mut backwards.to);
    let mut text = good();
    text.facility = "SENTINEL".to_string();
    let mut facility = good();
    facility.facility_column = "site".to_string();
    let mut time = good();
    time.time_column = Some("note".to_string());
    for (asked, says) in [
        (empty, "give a later --to"),
        (backwards, "give a later --to"),
        (text, "--facility does not fit the column facility_id"),
        (facility, "no column site: name another with --facility-column"),
        (time, "note holds no date"),
    ] {
        let error = bench.plan(&asked).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("SENTINEL"), "{error}");
    }
    assert_eq!(bench.snapshots().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_cannot_be_made_again_are_refused() {
    let hard = bench("deletes = \"hard\"").await;
    let asked = scope("7", "2024-05-01", "2024-06-01");
    let error = hard.plan(&asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("deleted rows do not stay"), "{error}");
    // One without a key was made by no merge.
    let mut bench = bench("").await;
    bench.sql("CREATE TABLE ns.u AS SELECT * FROM ns.t").await;
    bench.table = "ns.u".parse().unwrap();
    let error = bench.plan(&asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("not made for changes"), "{error}");
    bench.table = "ns.v".parse().unwrap();
    assert_eq!(bench.plan(&asked).await.unwrap_err().kind(), ErrorKind::NotFound);
    bench.table = "ns.t".parse().unwrap();
    bench.bronze = Some("bronze.t".parse().unwrap());
    let error = bench.plan(&asked).await.unwrap_err();
    assert!(error.to_string().contains("say --no-bronze"), "{error}");
}
