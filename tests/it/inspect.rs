//! Metadata tables, against what the table's rows and commits are known to be.

use arrow::datatypes::DataType;
use northstar_iceberg::ErrorKind;
use northstar_iceberg::inspect::MASK;
use northstar_iceberg::merge::{Executed, LakeSession};
use northstar_iceberg::table::{ColumnDefinition, TableDefinition, properties};
use northstar_tests::changes::{Changes, rows, session};
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{Lab, tester};
use northstar_tests::layouts::{delete_positions, opened};

/// Two loads of 100 visits, then a statement.
async fn visited() -> Lab {
    let lab = Lab::new().await;
    for batch in 0..2_u64 {
        let file = visits(batch * 100, 100);
        let files: [(&str, &[u8]); 1] = [("visit.csv", file.as_bytes())];
        let from = folder(lab.folder.path(), &format!("in{batch}"), &files);
        lab.load(&from, VISITS).await.unwrap();
    }
    let session = session(&lab);
    let anew = "ALTER TABLE bronze.visit SET TBLPROPERTIES ('write.delete.mode' = 'copy-on-write')";
    session.execute(anew).await.unwrap();
    let deleted = session.execute("DELETE FROM bronze.visit WHERE id < 30").await.unwrap();
    assert!(matches!(deleted, Executed::Changed(report) if report.deleted_rows == 30));
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_tables_agree_with_the_rows_and_with_each_other() {
    let lab = visited().await;
    let t = |kind: &str| format!("bronze.\"visit${kind}\"");
    let number = async |sql: String| lab.number(&sql).await;
    assert_eq!(number(format!("SELECT count(*) FROM {}", t("snapshots"))).await, 3);
    assert_eq!(number(format!("SELECT count(*) FROM {}", t("history"))).await, 3);
    for kind in ["files", "data_files", "partitions"] {
        let sum = number(format!("SELECT sum(record_count) FROM {}", t(kind))).await;
        assert_eq!(sum, 170, "{kind}");
    }
    let files = number(format!("SELECT count(*) FROM {}", t("files"))).await;
    let of_partitions = number(format!("SELECT sum(file_count) FROM {}", t("partitions"))).await;
    let alive = format!("SELECT count(*) FROM {} WHERE status < 2", t("entries"));
    let listed = format!(
        "SELECT sum(added_data_files_count + existing_data_files_count) FROM {}",
        t("manifests")
    );
    assert_eq!([of_partitions, number(alive).await, number(listed).await], [files; 3]);
    let gone = number(format!("SELECT count(*) FROM {} WHERE status = 2", t("entries"))).await;
    assert!(gone > 0, "the statement removed files");
    assert_eq!(number(format!("SELECT count(*) FROM {}", t("delete_files"))).await, 0);
    let joined = format!(
        "SELECT count(DISTINCT s.operation) FROM {} s JOIN {} h ON s.snapshot_id = h.snapshot_id \
         WHERE h.is_current_ancestor",
        t("snapshots"),
        t("history")
    );
    assert_eq!(number(joined).await, 2, "append and overwrite");
    let session = session(&lab);
    let refs = rows(&session, &format!("SELECT name, type FROM {}", t("refs"))).await;
    assert_eq!(refs, ["main|BRANCH"]);
    let partition = format!("SELECT partition FROM {} ORDER BY 1 LIMIT 1", t("partitions"));
    assert_eq!(rows(&session, &partition).await, [r#"{"site": "s0", "at_month": "2024-01"}"#]);
    // One column alone, and none, are read too.
    let first = opened(&lab, "bronze.visit").await;
    let first = first.ancestors().last().unwrap().snapshot_id();
    for (version, expected) in [(format!("VERSION AS OF {first}"), 100), (String::new(), 170)] {
        for kind in ["files", "entries", "partitions"] {
            let alive = if kind == "entries" { "WHERE status < 2" } else { "" };
            let sql = format!("SELECT sum(record_count) FROM {} {version} {alive}", t(kind));
            assert_eq!(number(sql).await, expected, "{kind} {version}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_files_stand_beside_the_data_files_that_they_are_about() {
    let lab = Lab::new().await;
    let changes = Changes::new(&lab, "ns.t", &[]).await;
    let values = "(VALUES (1, 'a', 1), (2, 'b', 2)) AS s(id, site, n)";
    let insert = format!("MERGE INTO ns.t USING {values} ON false WHEN NOT MATCHED THEN INSERT *");
    changes.change(&insert).await;
    let session = session(&lab);
    let (gone, _) = delete_positions(&lab, &session, "ns.t", |number| number == 1).await;
    assert_eq!(gone.len(), 1);
    let sql = "SELECT d.content, d.record_count, d.lower_bounds LIKE '%file_path%' \
               FROM ns.\"t$delete_files\" d JOIN ns.\"t$data_files\" f \
               ON d.lower_bounds LIKE concat('%', f.file_path, '%')";
    assert_eq!(rows(&session, sql).await, ["1|1|true"]);
    let sql = "SELECT record_count, position_delete_record_count, position_delete_file_count \
               FROM ns.\"t$partitions\"";
    assert_eq!(rows(&session, sql).await, ["2|1|1"]);
    let sql = "SELECT sum(added_delete_files_count) FROM ns.\"t$manifests\"";
    assert_eq!(rows(&session, sql).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_columns_tagged_as_phi_are_masked_whoever_wrote_them() {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    // As another writer does it: the column is tagged, and its bounds are written all the same.
    let definition = TableDefinition {
        columns: vec![
            ColumnDefinition::new("id", DataType::Int64),
            ColumnDefinition::new("name", DataType::Utf8),
            ColumnDefinition::new("town", DataType::Utf8),
        ],
        partition: vec!["truncate(2, name)".parse().unwrap()],
        ..TableDefinition::default()
    };
    let name = "ns.p".parse().unwrap();
    let table = lab.lake.create_table(&name, &definition, &tester()).await.unwrap();
    let session = session(&lab);
    let insert = "MERGE INTO ns.p USING (VALUES (7, 'Zuleika', 'Xanten')) AS s(id, name, town) \
                  ON false WHEN NOT MATCHED THEN INSERT *";
    session.execute(insert).await.unwrap();
    let shown = async |session: &LakeSession| {
        let mut text = String::new();
        for (kind, columns) in [
            ("files", "partition, lower_bounds, upper_bounds"),
            ("entries", "partition, lower_bounds, upper_bounds"),
            ("manifests", "partition_summaries"),
            ("partitions", "partition"),
        ] {
            text +=
                &rows(session, &format!("SELECT {columns} FROM ns.\"p${kind}\"")).await.join(" ");
        }
        text
    };
    let before = shown(&session).await;
    assert!(before.contains("Zuleika") && before.contains("\"Zu\""), "{before}");
    for (key, value) in [
        (properties::PHI_DIRECT.to_string(), "name"),
        (properties::metrics_key("name"), "counts"),
        (properties::metrics_key("name"), "none"),
    ] {
        let tag = |_: &_, builder: iceberg::spec::TableMetadataBuilder| {
            let builder = builder.remove_properties(&[properties::PHI_DIRECT.to_string()]);
            let set = [(key.clone(), value.to_string())].into();
            Ok(Some(builder.unwrap().set_properties(set).unwrap()))
        };
        assert!(lab.lake.alter(&table, tag).await.unwrap().settled().unwrap());
        let masked = shown(&session).await;
        assert!(masked.contains(MASK), "{masked}");
        assert!(!masked.contains("Zu"), "{key}: {masked}");
        assert!(masked.contains("Xanten"), "what is not tagged is shown: {masked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_reads_each_manifest_once() {
    let lab = visited().await;
    let manifests = lab.number("SELECT count(*) FROM bronze.\"visit$manifests\"").await;
    let session = session(&lab);
    let merge = "MERGE INTO bronze.visit AS t USING (SELECT id, site FROM bronze.visit WHERE id > 190) \
                 AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET site = 's9'";
    session.execute(merge).await.unwrap();
    let (reads, hits) = (session.manifests().reads(), session.manifests().hits());
    assert_eq!(i64::try_from(reads).unwrap(), manifests, "{hits} were there");
    assert!(hits >= 3 * reads, "without a cache it would be {}", reads + hits);
    // Reading what the statement made reads what is new.
    let sql = "SELECT count(*) FROM bronze.visit WHERE site = 's9'";
    assert_eq!(rows(&session, sql).await, ["9"]);
    assert!(session.manifests().reads() > reads);
    let reads = session.manifests().reads();
    assert_eq!(rows(&session, sql).await, ["9"]);
    assert_eq!(session.manifests().reads(), reads);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_tables_are_recorded_and_only_read() {
    let lab = visited().await;
    let session = session(&lab);
    let opens = || {
        let records = lab.access.records();
        records.iter().filter(|one| one.table == "bronze.visit" && one.action == "open").count()
    };
    let before = opens();
    rows(&session, "SELECT count(*) FROM bronze.\"visit$files\"").await;
    assert_eq!(opens(), before + 1);
    for sql in
        ["DELETE FROM bronze.\"visit$files\"", "UPDATE bronze.\"visit$files\" SET record_count = 0"]
    {
        assert_eq!(
            session.execute(sql).await.unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "{sql}"
        );
    }
    let error = session.execute("SELECT * FROM bronze.\"visit$rows\"").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = session.execute("SELECT * FROM bronze.\"gone$files\"").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
