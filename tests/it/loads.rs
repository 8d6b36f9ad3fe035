//! Loads: everything lands once, or is in quarantine, and says where it came from.

use northstar_lakehouse::bronze::FileOutcome;
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{Lab, load};

#[tokio::test(flavor = "multi_thread")]
async fn w1_rows_read_are_landed_plus_quarantined() {
    let lab = Lab::new().await;
    let good = visits(0, 500);
    let bad = format!("{}1,s1\nx,s1,2024-01-01 00:00:00,\n", visits(500, 100));
    let from = folder(
        lab.folder.path(),
        "in",
        &[("visit/a.csv", good.as_bytes()), ("visit/b.csv", bad.as_bytes())],
    );
    let report = lab.load(&from, VISITS).await.unwrap();
    let table = &report.tables[0];
    assert_eq!((table.read_rows(), table.landed_rows(), table.quarantined_rows()), (602, 600, 2));
    assert!(report.balances());
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 600);
    let refused = lab
        .text(
            "SELECT _source_file, _source_line, column_name, reason_code, raw FROM bronze.quarantine \
             ORDER BY _source_line",
        )
        .await;
    assert!(refused.contains("| visit/b.csv  | 102 "), "{refused}");
    assert!(refused.contains("wrong_column_count"), "{refused}");
    assert!(refused.contains("| id          | bad_value"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn w2_the_same_files_again_make_no_snapshot() {
    let lab = Lab::new().await;
    let bad = format!("{}only,two\n", visits(0, 300));
    let from = folder(lab.folder.path(), "in", &[("visit.csv", bad.as_bytes())]);
    lab.load(&from, VISITS).await.unwrap();
    let history = "SELECT count(DISTINCT _batch_id), max(_seq), count(*) FROM bronze.visit";
    let before = lab.text(history).await;
    let again = lab.load(&from, VISITS).await.unwrap();
    assert!(matches!(again.tables[0].files[0].outcome, FileOutcome::AlreadyLoaded));
    assert_eq!(again.tables[0].snapshot_id, None);
    assert_eq!(lab.text(history).await, before);
    assert_eq!(lab.number("SELECT count(*) FROM bronze.quarantine").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_under_another_name_lands_once() {
    let lab = Lab::new().await;
    let text = visits(0, 50);
    let from = folder(
        lab.folder.path(),
        "in",
        &[("visit/a.csv", text.as_bytes()), ("visit/b.csv", text.as_bytes())],
    );
    let report = lab.load(&from, VISITS).await.unwrap();
    let outcomes: Vec<&str> =
        report.tables[0].files.iter().map(|file| file.outcome.as_str()).collect();
    assert_eq!(outcomes, ["loaded", "already loaded"]);
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_the_sequence_rises_by_one_with_each_batch() {
    let lab = Lab::new().await;
    for batch in 0..3_u64 {
        let text = visits(batch * 100, 100);
        let name = format!("in{batch}");
        let from = folder(lab.folder.path(), &name, &[("visit.csv", text.as_bytes())]);
        lab.load(&from, VISITS).await.unwrap();
    }
    let rows = lab
        .text("SELECT _seq, count(*) AS n, min(id) AS low FROM bronze.visit GROUP BY 1 ORDER BY 1")
        .await;
    assert!(rows.contains("| 1    | 100 | 0   |"), "{rows}");
    assert!(rows.contains("| 3    | 100 | 200 |"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_says_where_it_came_from() {
    let lab = Lab::new().await;
    let from = folder(lab.folder.path(), "in", &[("visit.csv", visits(0, 20).as_bytes())]);
    lab.load(&from, VISITS).await.unwrap();
    let row = lab
        .text(
            "SELECT _source_system, _source_table, _source_file, _source_line, length(_file_sha256), \
             _arrived_at, _seq FROM bronze.visit WHERE id = 7",
        )
        .await;
    assert!(row.contains("| test           | visit         | visit.csv    | 9 "), "{row}");
    assert!(row.contains("2024-05-01T"), "{row}");
    assert!(lab.access.records().iter().all(|record| record.actor == "tester"));
    assert!(lab.access.records().iter().any(|record| record.action == "create"));
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_inferred_and_the_contract_has_the_last_word() {
    let lab = Lab::new().await;
    let text = "id,zip,amount,day,at,yes\n1,02155,1.50,2024-01-02,2024-01-02T03:04:05Z,true\n2,10115,22.75,,,false\n";
    let from = folder(lab.folder.path(), "in", &[("bill.csv", text.as_bytes())]);
    lab.load(&from, "[bill.columns]\nid = \"string\"\n").await.unwrap();
    let types = lab
        .text(
            "SELECT arrow_typeof(id), arrow_typeof(zip), arrow_typeof(amount), arrow_typeof(day), \
             arrow_typeof(at), arrow_typeof(yes) FROM bronze.bill LIMIT 1",
        )
        .await;
    for part in ["Utf8", "Decimal128(18, 2)", "Date32", "Timestamp(µs, \"+00:00\")", "Boolean"] {
        assert!(types.contains(part), "{part} in {types}");
    }
    assert_eq!(
        lab.text("SELECT zip FROM bronze.bill WHERE id = '1'").await.matches("02155").count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_loads_of_one_folder_at_once_land_it_once() {
    let lab = Lab::new().await;
    let text = format!("{}a,b\n", visits(0, 400));
    let from = folder(lab.folder.path(), "in", &[("visit.csv", text.as_bytes())]);
    let second = lab.second().await;
    let (one, two) = tokio::join!(load(&lab.lake, &from, VISITS), load(&second, &from, VISITS));
    let landed: u64 =
        [one.unwrap(), two.unwrap()].iter().map(|report| report.tables[0].landed_rows()).sum();
    // The one that came second either found the file or found its own batch committed.
    assert!(landed == 400 || landed == 800, "{landed}");
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 400);
    assert_eq!(lab.number("SELECT count(*) FROM bronze.quarantine").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_identifiers_leave_no_value_in_manifests() {
    let lab = Lab::new().await;
    let from = folder(lab.folder.path(), "in", &[("visit.csv", visits(0, 100).as_bytes())]);
    lab.load(&from, VISITS).await.unwrap();
    let table = lab
        .lake
        .open_table(&"bronze.visit".parse().unwrap(), &northstar_tests::lab::tester())
        .await
        .unwrap();
    let note = table.metadata().current_schema().field_id_by_name("note").unwrap();
    let at = table.metadata().current_schema().field_id_by_name("at").unwrap();
    let snapshot = table.metadata().current_snapshot().unwrap();
    let list = table.inner().manifest_list_reader(snapshot).load().await.unwrap();
    let mut files = 0;
    for manifest in list.entries() {
        for entry in manifest.load_manifest(table.inner().file_io()).await.unwrap().entries() {
            let file = entry.data_file();
            assert!(
                !file.lower_bounds().contains_key(&note)
                    && !file.upper_bounds().contains_key(&note)
            );
            assert!(file.null_value_counts().contains_key(&note));
            assert!(file.lower_bounds().contains_key(&at) && file.upper_bounds().contains_key(&at));
            files += 1;
        }
    }
    assert!(files > 1);
}
