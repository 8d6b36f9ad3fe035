//! Descriptors as they pass between processes.

use super::{Bed, visits};
use crate::ErrorKind;
use crate::bronze::backfill::Descriptor;

const UNIT: &str = "visit/east/1";

async fn bed() -> Bed {
    Bed::new(&[("visit/east/1.csv", &format!("{}x,east\n", visits(0..10, "east")))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_descriptor_passes_as_one_line_with_all_that_manifests_need() {
    let bed = bed().await;
    let (_, written) = bed.written(&[UNIT]).await;
    let text = written[0].to_json().unwrap();
    assert!(!text.contains('\n'));
    let passed = Descriptor::from_json(&text).unwrap();
    assert_eq!(passed, written[0]);
    bed.job().commit(&[passed]).await.unwrap();
    assert_eq!(bed.counts().await, [10, 10, 1]);
    // Bounds and partition came along: both leave out what they should, and nothing else.
    let sql = "SELECT count(*) FROM bronze.visit WHERE site = 'east' AND id BETWEEN 0 AND 4";
    assert_eq!(bed.numbers(sql).await, [[5]]);
    let sql = "SELECT count(*) FROM bronze.visit WHERE site = 'west' OR id > 9";
    assert_eq!(bed.numbers(sql).await, [[0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_the_tables_are_refused() {
    let bed = bed().await;
    let (wave, written) = bed.written(&[UNIT]).await;
    let text = written[0].to_json().unwrap();
    let name = northstar_iceberg::TableName::new("bronze", "visit").unwrap();
    let table = bed.lake.open_table(&name, &bed.access).await.unwrap();
    let data = format!("{}/data/", table.location());
    assert!(text.contains(&data));
    for place in ["file:///etc/", &format!("{data}../"), &format!("{data}/"), &format!("{data}./")]
    {
        let moved = Descriptor::from_json(&text.replace(&data, place)).unwrap();
        let error = bed.job().commit(&[moved]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{place}: {error}");
    }
    for (from, to) in
        [("\\\"PARQUET\\\"", "\\\"AVRO\\\""), ("\\\"content\\\":0", "\\\"content\\\":1")]
    {
        assert!(text.contains(from), "{text}");
        let other = Descriptor::from_json(&text.replace(from, to)).unwrap();
        let error = bed.job().commit(&[other]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{to}: {error}");
    }
    for (from, to) in [
        ("\"landed-rows\":10", "\"landed-rows\":9"),
        ("\\\"record_count\\\":10", "\\\"record_count\\\":11"),
    ] {
        assert!(text.contains(from), "{text}");
        let other = Descriptor::from_json(&text.replace(from, to)).unwrap();
        let error = bed.job().commit(&[other]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{to}: {error}");
    }
    let hash = written[0].files[0].sha256.clone().unwrap();
    for hash_like in ["') OR ('' = '", &hash.to_uppercase(), ""] {
        assert!(Descriptor::from_json(&text.replace(&hash, hash_like)).is_err(), "{hash_like}");
    }
    let mut twice = written.clone();
    twice.push(written[0].clone());
    twice[1].files[0].sha256 = Some("0".repeat(64));
    twice[1].rejected_sha256 = Vec::new();
    twice[1].rejects = northstar_iceberg::write::Described::default();
    let error = bed.job().commit(&twice).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert_eq!(wave.seq, 1);
    assert_eq!(bed.counts().await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_not_committed() {
    let bed = bed().await;
    let (_, written) = bed.written(&[UNIT]).await;
    let name = northstar_iceberg::TableName::new("bronze", "visit").unwrap();
    let table = bed.lake.open_table(&name, &bed.access).await.unwrap();
    let files = written[0].rows.files(&table).unwrap();
    let path = northstar_iceberg::storage::local_path(files[0].file_path()).unwrap();
    std::fs::remove_file(path).unwrap();
    bed.job().commit(&written).await.unwrap_err();
    assert_eq!(bed.counts().await[0], 0);
    bed.job().run(&bed.units(&[])).await.unwrap();
    assert_eq!(bed.counts().await, [10, 10, 1]);
}

#[test]
fn what_is_no_descriptor_is_not_quoted() {
    let error = Descriptor::from_json("{\"unit\": \"Jane\"}").unwrap_err();
    assert!(!error.to_string().contains("Jane"), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
