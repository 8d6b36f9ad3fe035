//! Merge-on-read: rows go by position, and what is left behind is what readers can cope with.

#![cfg(test)]

use std::collections::BTreeMap;

use iceberg::spec::{DataContentType, DataFile};
use northstar_iceberg::LakeTable;
use northstar_tests::changes::Changes;
use northstar_tests::lab::{Lab, tester};

/// `ns.t` with ids 1 to 30 in three files of two partitions.
async fn table(lab: &Lab) -> Changes {
    let changes = Changes::merge_on_read(lab, "ns.t", &["site"]).await;
    fill(&changes).await;
    changes
}

async fn fill(changes: &Changes) {
    for (site, first) in [("a", 1), ("b", 11), ("a", 21)] {
        let rows: Vec<String> =
            (first..first + 10).map(|id| format!("({id}, '{site}', {id})")).collect();
        changes
            .change(&format!(
                "MERGE INTO ns.t USING (VALUES {}) AS s(id, site, n) ON false \
                 WHEN NOT MATCHED THEN INSERT *",
                rows.join(", ")
            ))
            .await;
    }
}

/// The live files: of data, and of deletes.
async fn files(lab: &Lab) -> (Vec<DataFile>, Vec<DataFile>) {
    let table: LakeTable = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let snapshot = table.metadata().current_snapshot().unwrap();
    let list = table.inner().manifest_list_reader(snapshot).load().await.unwrap();
    let (mut data, mut deletes) = (Vec::new(), Vec::new());
    for manifest in list.entries() {
        let manifest = manifest.load_manifest(table.inner().file_io()).await.unwrap();
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            match entry.data_file().content_type() {
                DataContentType::Data => data.push(entry.data_file().clone()),
                _ => deletes.push(entry.data_file().clone()),
            }
        }
    }
    (data, deletes)
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rows_go_by_position_and_their_files_stay() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    let (before, _) = files(&lab).await;
    let report = changes
        .change(
            "MERGE INTO ns.t USING (VALUES (2, 'b', 0), (3, 'a', -1), (40, 'c', 4)) AS s(id, site, n) \
             ON t.id = s.id WHEN MATCHED AND s.n < 0 THEN DELETE WHEN MATCHED THEN UPDATE SET * \
             WHEN NOT MATCHED THEN INSERT *",
        )
        .await;
    assert_eq!((report.inserted_rows, report.updated_rows, report.deleted_rows), (1, 1, 1));
    assert_eq!((report.files_rewritten, report.files_added, report.delete_files_added), (0, 2, 1));
    let (data, deletes) = files(&lab).await;
    for file in &before {
        assert!(data.iter().any(|now| now.file_path() == file.file_path()), "data files stay");
    }
    let [delete] = deletes.as_slice() else { panic!("one delete file: {deletes:?}") };
    assert_eq!(delete.record_count(), 2);
    let about = delete.referenced_data_file().expect("the file that it is about");
    assert!(before.iter().any(|file| file.file_path() == about));
    assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 30);
    assert_eq!(lab.number("SELECT n FROM ns.t WHERE id = 2").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_never_has_more_than_one_delete_file_and_a_gone_one_none() {
    let lab = Lab::new().await;
    let changes = table(&lab).await;
    for id in [1, 12, 2, 22, 3, 13] {
        changes.change(&format!("DELETE FROM ns.t WHERE id = {id}")).await;
        let (data, deletes) = files(&lab).await;
        let mut about: BTreeMap<String, usize> = BTreeMap::new();
        for delete in &deletes {
            *about.entry(delete.referenced_data_file().unwrap()).or_default() += 1;
        }
        assert!(about.values().all(|count| *count == 1), "{about:?}");
        assert!(about.keys().all(|path| data.iter().any(|file| file.file_path() == path)));
    }
    let (_, deletes) = files(&lab).await;
    assert_eq!(deletes.iter().map(DataFile::record_count).sum::<u64>(), 6, "each row once");
    assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 24);

    // Written anew, a file takes its deletes along.
    let rewriting = changes.with_property(&lab, "write.update.mode", "copy-on-write").await;
    let report = rewriting.change("UPDATE ns.t SET n = -n WHERE id = 4").await;
    assert_eq!((report.files_rewritten, report.delete_files_added), (1, 0));
    let (data, deletes) = files(&lab).await;
    let known = |path: &String| data.iter().any(|file| file.file_path() == path);
    assert!(deletes.iter().all(|delete| known(&delete.referenced_data_file().unwrap())));
    assert_eq!(deletes.len(), 2);
    assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, 24);
    assert_eq!(lab.number("SELECT sum(n) FROM ns.t").await, 465 - 53 - 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_one_statement_leaves_a_file_out_writes_one_anew_and_deletes_from_another() {
    let lab = Lab::new().await;
    let changes = Changes::auto(&lab, "ns.t", &["site"]).await;
    fill(&changes).await;
    // All rows of the first file, seven of the second, one of the third.
    let report = changes
        .change(
            "MERGE INTO ns.t USING (SELECT id FROM ns.t WHERE id < 18 OR id = 25) AS s ON t.id = s.id \
             WHEN MATCHED AND t.id < 14 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 0",
        )
        .await;
    assert_eq!((report.inserted_rows, report.updated_rows, report.deleted_rows), (0, 5, 13));
    let ways = (report.files_dropped, report.files_rewritten, report.delete_files_added);
    assert_eq!(ways, (1, 1, 1), "{report:?}");
    let expected: Vec<String> = {
        let mut rows: Vec<String> = (14..=30)
            .map(|id| {
                let site = if id < 21 { "b" } else { "a" };
                let n = if id < 18 || id == 25 { 0 } else { id };
                format!("{id}|{site}|{n}")
            })
            .collect();
        rows.sort_unstable();
        rows
    };
    assert_eq!(changes.rows().await, expected);
    let (data, deletes) = files(&lab).await;
    assert_eq!(deletes.iter().map(DataFile::record_count).sum::<u64>(), 1);
    assert_eq!(data.iter().map(DataFile::record_count).sum::<u64>(), 18);
}
