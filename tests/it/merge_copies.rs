//! Copy-on-write copies the row groups that a statement leaves as they are.

#![cfg(test)]

use std::path::{Path, PathBuf};

use iceberg::spec::{DataFile, NullOrder, SortDirection, SortField, SortOrder, Transform};
use northstar_iceberg::storage;
use northstar_tests::changes::{Changes, session};
use northstar_tests::lab::{Lab, tester};

const ROWS: u64 = 50_000;

/// `ns.t` with ids 1 to 50,000 in one file of several row groups, with bloom filters of `id` and
/// page indexes.
async fn table(lab: &Lab) -> Changes {
    let changes = Changes::new(lab, "ns.t", &[]).await;
    let changes = changes
        .with_property(lab, "write.parquet.row-group-size-bytes", "16384")
        .await
        .with_property(lab, "write.parquet.page-size-bytes", "8192")
        .await
        .with_property(lab, "write.parquet.bloom-filter-enabled.column.id", "true")
        .await;
    fill(&changes, 1, ROWS).await;
    changes
}

async fn fill(changes: &Changes, from: u64, to: u64) {
    changes
        .change(&format!(
            "INSERT INTO ns.t SELECT value AS id, CASE WHEN value % 7 = 0 THEN NULL \
             ELSE concat('s', value % 5) END AS site, value * 3 AS n FROM generate_series({from}, {to}) \
             ORDER BY value"
        ))
        .await;
}

/// The live data files, those with most rows first.
async fn files(lab: &Lab) -> Vec<DataFile> {
    let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let snapshot = table.metadata().current_snapshot().unwrap();
    let list = table.inner().manifest_list_reader(snapshot).load().await.unwrap();
    let mut files = Vec::new();
    for manifest in list.entries() {
        let manifest = manifest.load_manifest(table.inner().file_io()).await.unwrap();
        let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
        files.extend(alive.map(|entry| entry.data_file().clone()));
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.record_count()));
    files
}

fn groups(file: &DataFile) -> usize {
    file.split_offsets().unwrap().len()
}

/// What `ns.t` should have, as three numbers.
async fn sums(lab: &Lab) -> (i64, i64, i64) {
    (
        lab.number("SELECT count(*) FROM ns.t").await,
        lab.number("SELECT sum(id) FROM ns.t").await,
        lab.number("SELECT sum(n) FROM ns.t").await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_b1_untouched_row_groups_are_copied_with_their_statistics_and_filters() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let before = files(&lab).await;
    let [whole] = before.as_slice() else { panic!("one file: {before:?}") };
    assert!(groups(whole) >= 3, "{whole:?}");
    let old = sums(&lab).await;

    let report = changes.change("UPDATE ns.t SET n = n + 1 WHERE id BETWEEN 10 AND 19").await;
    assert_eq!((report.files_rewritten, report.files_copied, report.files_added), (1, 1, 2));
    assert_eq!((report.updated_rows, report.inserted_rows), (10, 0));
    assert_eq!(sums(&lab).await, (old.0, old.1, old.2 + 10));
    let after = files(&lab).await;
    let [copied, decoded] = after.as_slice() else { panic!("two files: {after:?}") };
    assert_eq!(groups(copied), groups(whole) - 1, "only the first group was touched");
    assert_eq!(copied.record_count() + decoded.record_count(), ROWS);
    assert_eq!(copied.null_value_counts()[&1], 0);
    assert_eq!(
        copied.null_value_counts()[&2] + decoded.null_value_counts()[&2],
        whole.null_value_counts()[&2]
    );
    assert!(copied.lower_bounds()[&1] > decoded.upper_bounds()[&1]);
    assert_eq!(copied.upper_bounds()[&1], whole.upper_bounds()[&1]);

    // Each row is found again: by bounds, page index and bloom filter.
    for id in [1, 10, 19, 20, 9_000, 20_001, 33_333, 49_999, 50_000] {
        let n = lab.number(&format!("SELECT n FROM ns.t WHERE id = {id}")).await;
        assert_eq!(n, id * 3 + i64::from((10..20).contains(&id)), "id {id}");
    }
    assert_eq!(lab.number("SELECT count(*) FROM ns.t WHERE id > 40000 AND id < 40003").await, 2);
    assert_eq!(lab.number("SELECT count(*) FROM ns.t WHERE site IS NULL").await, 7_142);

    // A copy is a file like others: it is changed, and copied from, again.
    let report = changes
        .change(
            "MERGE INTO ns.t USING (SELECT 49995 + value AS id FROM generate_series(0, 9)) AS s \
             ON t.id = s.id WHEN MATCHED THEN DELETE \
             WHEN NOT MATCHED THEN INSERT (id, site, n) VALUES (s.id, 'new', 0)",
        )
        .await;
    assert_eq!((report.deleted_rows, report.inserted_rows, report.files_copied), (6, 4, 1));
    assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 49_998);
    assert_eq!(lab.number("SELECT count(*) FROM ns.t WHERE site = 'new'").await, 4);
    assert_eq!(lab.number("SELECT count(*) FROM ns.t WHERE id = 49996").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_a_deleted_row_or_another_schema_is_decoded() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    // The last group has deleted rows of its own, which must not come back.
    let reading = changes.with_property(&lab, "write.delete.mode", "merge-on-read").await;
    let report = reading.change("DELETE FROM ns.t WHERE id > 49990").await;
    assert_eq!((report.delete_files_added, report.files_copied), (1, 0));
    let all = groups(&files(&lab).await[0]);
    let report = reading.change("UPDATE ns.t SET n = 0 WHERE id = 1").await;
    assert_eq!((report.files_rewritten, report.files_copied), (1, 1));
    let after = files(&lab).await;
    assert_eq!(groups(&after[0]), all - 2, "the first and the last were decoded: {after:?}");
    assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 49_990);
    assert_eq!(lab.number("SELECT max(id) FROM ns.t").await, 49_990);

    // With a column more, no row group is what would be written now.
    session(&lab).execute("ALTER TABLE ns.t ADD COLUMN note STRING").await.unwrap();
    let report = reading.change("UPDATE ns.t SET note = 'x' WHERE id = 40000").await;
    assert_eq!((report.files_rewritten, report.files_copied), (1, 0));
    assert_eq!(lab.number("SELECT count(*) FROM ns.t WHERE note = 'x'").await, 1);
    assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 49_990);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_does_not_claim_an_order_that_is_younger_than_its_file() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let opened = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let ordered = lab.lake.alter(&opened, |_, builder| {
        let field = SortField::builder()
            .source_id(3)
            .transform(Transform::Identity)
            .direction(SortDirection::Ascending)
            .null_order(NullOrder::First)
            .build();
        let order = SortOrder::builder().with_sort_field(field).build_unbound().unwrap();
        Ok(Some(builder.add_sort_order(order).unwrap().set_default_sort_order(-1).unwrap()))
    });
    assert!(ordered.await.unwrap().settled().unwrap());
    let report = changes.change("UPDATE ns.t SET n = -n WHERE id = 5").await;
    assert_eq!((report.files_copied, report.files_added), (1, 2));
    let after = files(&lab).await;
    let orders: Vec<Option<i32>> = after.iter().map(DataFile::sort_order_id).collect();
    assert_eq!(orders, [None, Some(1)], "the copy, and the rows that were sorted");
}

/// The Parquet files below a folder.
fn parquet_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => parquet_files(&path),
        false => usize::from(path.extension().is_some_and(|is| is == "parquet")),
    };
    entries.map(count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_statement_that_fails_after_copying_leaves_no_copy_behind() {
    let lab = Lab::new().await;
    let session = session(&lab);
    for sql in [
        "CREATE SCHEMA ns",
        "CREATE TABLE ns.t (id BIGINT, n BIGINT NOT NULL) TBLPROPERTIES \
         ('write.update.mode' = 'copy-on-write', 'write.parquet.row-group-size-bytes' = '16384')",
        "INSERT INTO ns.t SELECT value AS id, value AS n FROM generate_series(1, 50000) ORDER BY value",
    ] {
        session.execute(sql).await.unwrap();
    }
    assert!(groups(&files(&lab).await[0]) >= 3);
    let folder = storage::local_path(&lab.lake.warehouse).unwrap();
    let before = parquet_files(&folder);
    // The row without a value is met only when it is written.
    let sql = "UPDATE ns.t SET n = CASE WHEN id = 5 THEN NULL ELSE n + 1 END WHERE id < 9";
    let error = session.execute(sql).await.unwrap_err();
    assert!(error.to_string().contains("required"), "{error}");
    assert_eq!(parquet_files(&folder), before);
    session.execute("UPDATE ns.t SET n = n + 1 WHERE id < 9").await.unwrap();
    assert_eq!(parquet_files(&folder), before + 2, "a copy, and what was decoded");
}
