//! Headers that no column names can be made of, and those of later files.

use northstar_catalog::ErrorKind;
use northstar_tests::csv_files::VISITS;

use super::{landed, says};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_header_is_refused_with_its_column_and_the_rename_that_helps() {
    for (header, column, part, shown, key) in [
        ("id,name,name", 3, "the header is the same as that of column 2", "TEXT#2", "name#2"),
        ("id,,name", 2, "the header is empty", "#2", "#2"),
        ("id,Name,NAME", 3, "and that of column 2 become the same name", "TEXT", "NAME"),
        ("id,a b,a-b", 3, "and that of column 2 become the same name", "TEXT", "a-b"),
        ("id,x,_seq", 3, "starts with `_`, which is for lineage columns", "TEXT", "_seq"),
        ("id,x,_SOURCE_file", 3, "which is for lineage columns", "TEXT", "_SOURCE_file"),
        ("id,x,%%", 3, "no column name can be made of the header", "TEXT", "%%"),
    ] {
        let text = format!("{header}\n1,2,3\n");
        let refused = landed("", &[("visit.csv", text.as_bytes())]).await;
        let error = refused.refusal("visit.csv");
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{header}");
        assert_eq!(error.context("column"), Some(column.to_string().as_str()), "{header}");
        let advice = format!("rename the column in the contract: \"{shown}\" = {{ name = ");
        says(error, &[part, &advice, "in/visit.csv"]);
        assert_eq!(refused.tables().await, ["beside", "quarantine"]);

        // The advice works.
        let contract = format!("[visit.columns]\n\"{key}\" = {{ name = \"new_name\" }}\n");
        let report = refused.lab.load(&refused.from, &contract).await.unwrap();
        let file = report.files().find(|file| file.name == "visit.csv").unwrap();
        assert_eq!(file.outcome.as_str(), "loaded", "{header}: {report:?}");
        let value = refused.lab.number("SELECT new_name FROM bronze.visit").await;
        assert_eq!(value, column, "{header}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_files_may_have_their_columns_in_another_order_but_not_others() {
    let files: [(&str, &[u8]); 4] = [
        ("visit/a.csv", b"id,site,at,note\n1,s1,2024-01-01 00:00:00,first\n"),
        ("visit/b.csv", b"Note,AT,Site,Id\nsecond,2024-02-01 00:00:00,s2,2\n"),
        ("visit/c.csv", b"id,site,at\n3,s3,2024-03-01 00:00:00\n"),
        ("visit/d.csv", b"id,site,at,note,colour\n4,s4,2024-03-01 00:00:00,,red\n"),
    ];
    for contract in [VISITS, ""] {
        let landed = landed(contract, &files).await;
        says(landed.refusal("visit/c.csv"), &["missing: note", "visit/c.csv"]);
        says(landed.refusal("visit/d.csv"), &["extra: column 5", "visit/d.csv"]);
        let rows = landed.lab.text("SELECT id, site, note FROM bronze.visit ORDER BY id").await;
        assert!(rows.contains("| 1  | s1   | first  |"), "{rows}");
        assert!(rows.contains("| 2  | s2   | second |"), "{rows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_file_is_held_to_the_types_of_the_table() {
    let first: (&str, &[u8]) = ("visit/a.csv", b"id,day\n1,2024-01-01\n");
    let landed = landed("", &[first]).await;
    std::fs::write(landed.from.join("visit/b.csv"), "id,day\n2,soon\n3,2024-01-03\n").unwrap();
    let report = landed.lab.load(&landed.from, "").await.unwrap();
    assert_eq!(report.tables[1].landed_rows(), 1);
    let refused = &landed.quarantine().await[0];
    assert_eq!((refused.file.as_str(), refused.line), ("visit/b.csv", 2));
    assert_eq!((refused.column.as_deref(), refused.code.as_str()), (Some("day"), "bad_value"));
    assert_eq!(landed.lab.number("SELECT sum(id) FROM bronze.visit").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_hundred_columns_are_a_table_like_any_other() {
    let names: Vec<String> = (0..1_500).map(|column| format!("c{column}")).collect();
    let row = |of: u32| (0..1_500).map(|c| (c * of).to_string()).collect::<Vec<_>>().join(",");
    let text = format!("{}\n{}\n{}\nshort\n", names.join(","), row(1), row(2));
    let landed = landed("", &[("wide.csv", text.as_bytes())]).await;
    let file = landed.file("wide.csv");
    assert_eq!((file.landed_rows, file.quarantined_rows), (2, 1));
    let sum = "SELECT sum(c0) + sum(c1) + sum(c1499) FROM bronze.wide";
    assert_eq!(landed.lab.number(sum).await, 3 + 3 * 1_499);
    assert_eq!(landed.quarantine().await[0].reason, "expected 1500 columns, found 1");
}
