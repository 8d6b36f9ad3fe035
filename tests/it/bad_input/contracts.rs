//! Contracts that cannot be kept: all mistakes at once, and nothing made of the table.

use northstar_catalog::ErrorKind;
use northstar_lakehouse::contract::Contract;
use northstar_tests::csv_files::folder;
use northstar_tests::lab::Lab;

use super::says;

#[test]
fn all_mistakes_within_a_contract_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tables.toml");
    let text = "[visit]\npartition = [\"week(at)\", \"bucket(0, id)\"]\n\
                [visit.columns]\nid = \"number\"\nnote = { type = \"decimal(40,2)\" }\n\
                [lab.columns]\ncode = \"text\"\n";
    std::fs::write(&path, text).unwrap();
    let error = Contract::read(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    says(
        &error,
        &[
            "5 mistakes",
            "[visit] partition: `week(at)` is not a partition field",
            "`bucket(0, id)`",
            "[visit.columns] id: `number` is no column type; use boolean",
            "[visit.columns] note: decimal(40,2)",
            "[lab.columns] code: `text` is no column type",
            "tables.toml",
        ],
    );
}

#[test]
fn what_is_no_contract_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tables.toml");
    for (text, parts) in [
        ("[visit]\npartitions = [\"site\"]\n", ["line 2", "unknown field `partitions`"]),
        ("[visit]\nsort = \n", ["line 2", "sort = "]),
        ("[visit.columns]\nid = { typ = \"long\" }\n", ["line 2", "id = "]),
        ("[visit.columns]\nid = { phi = \"very\" }\n", ["line 2", "id = "]),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Contract::read(&path).unwrap_err();
        says(&error, &[parts[0], parts[1], "tables.toml"]);
    }
    let error = Contract::read(&folder.path().join("gone.toml")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    says(&error, &["cannot read the contract", "gone.toml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_about_other_columns_is_refused_with_all_of_them() {
    let lab = Lab::new().await;
    let from = folder(lab.folder.path(), "in", &[("visit.csv", b"id,site\n1,a\n")]);
    let contract = "[visit]\npartition = [\"month(when)\"]\nsort = [\"place\"]\n\
                    key = [\"visit_id\"]\nbloom = [\"patient\"]\n\
                    [visit.columns]\nsitee = \"string\"\n";
    let error = lab.load(&from, contract).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    says(&error, &["visit_id", "patient", "sitee", "when", "place", "bronze.visit"]);
    assert!(lab.lake.catalog.list_tables("bronze").await.unwrap().is_empty());
    // Once it is repaired, the same load goes through.
    let report = lab.load(&from, "[visit]\npartition = [\"site\"]\n").await.unwrap();
    assert_eq!(report.tables[0].landed_rows(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_a_columns_type_does_not_have_is_refused() {
    let lab = Lab::new().await;
    let from = folder(lab.folder.path(), "in", &[("visit.csv", b"id,site\n1,a\n")]);
    let error = lab.load(&from, "[visit]\npartition = [\"month(site)\"]\n").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    says(&error, &["`month(site)` cannot partition a column of type string", "bronze.visit"]);
    assert!(lab.lake.catalog.list_tables("bronze").await.unwrap().is_empty());
}
