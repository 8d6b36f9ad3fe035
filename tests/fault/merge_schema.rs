//! A table that becomes another one while a statement changes it: the statement is planned anew for
//! what it is by then, or ends with an error that says why, and changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use iceberg::spec::{NestedField, PrimitiveType, Schema, Transform, Type, UnboundPartitionSpec};
use northstar_catalog::ErrorKind;
use northstar_iceberg::Lake;
use northstar_iceberg::merge::StatementCommit;
use northstar_tests::changes::rows;
use northstar_tests::lab::tester;

use super::alter::alter;
use super::kill::numbers;
use super::meeting::{Meeting, table};
use super::merging::session;
use super::observers::{Each, blocking};
use super::race_pairs::seeded_table;

/// The table's columns under these names, and an optional `more`.
fn schema(names: [&str; 3], more: bool) -> Schema {
    let kinds = [PrimitiveType::Long, PrimitiveType::String, PrimitiveType::Long];
    let fields = (1..).zip(names.into_iter().zip(kinds));
    let fields =
        fields.map(|(id, (name, kind))| NestedField::optional(id, name, Type::Primitive(kind)));
    let more = more.then(|| NestedField::optional(4, "more", Type::Primitive(PrimitiveType::Long)));
    Schema::builder().with_fields(fields.chain(more).map(Arc::new)).build().unwrap()
}

async fn add_column(lake: Lake) {
    let wide = schema(["id", "site", "n"], true);
    alter(&lake, &table(), |builder| builder.add_current_schema(wide).unwrap()).await;
}

async fn rename_n(lake: Lake) {
    let renamed = schema(["id", "site", "count"], false);
    alter(&lake, &table(), |builder| builder.add_current_schema(renamed).unwrap()).await;
}

async fn partition_by_id(lake: Lake) {
    alter(&lake, &table(), |builder| {
        let spec = UnboundPartitionSpec::builder();
        let spec = spec.add_partition_field(1, "id_value", Transform::Identity).unwrap();
        builder.add_default_partition_spec(spec.build()).unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_statement_is_planned_anew_for_a_new_column_or_partition_spec() {
    let update = "UPDATE bronze.t SET n = n + 1 WHERE id = 2";
    let meeting = Meeting::new().await;
    let report = meeting.disturbed(update, [].into(), add_column).await.unwrap();
    assert_eq!((report.rounds, report.updated_rows), (2, 1));
    meeting.holds("with a column more", |rows| rows[2].2 += 1).await;
    let lake = meeting.place.lake(4).await;
    let more = rows(&session(&lake), "SELECT count(*), count(more) FROM bronze.t").await;
    assert_eq!(more, ["12|0"]);

    let meeting = Meeting::new().await;
    let report = meeting.disturbed(update, [].into(), partition_by_id).await.unwrap();
    assert_eq!((report.rounds, report.updated_rows), (2, 1));
    meeting.holds("in other partitions", |rows| rows[2].2 += 1).await;
    let lake = meeting.place.lake(4).await;
    let now = lake.open_table(&table(), &tester()).await.unwrap();
    let summary = now.metadata().current_snapshot().unwrap().summary().clone();
    // The row goes by position from the old partition, and comes in a new one.
    assert_eq!(summary.additional_properties["changed-partition-count"], "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_source_that_reads_the_target_sees_its_new_column() {
    let meeting = Meeting::new().await;
    let sql = "MERGE INTO bronze.t AS t USING (SELECT * FROM bronze.t WHERE id = 2) AS s \
               ON t.id = s.id WHEN MATCHED AND s.n = t.n THEN DELETE \
               WHEN NOT MATCHED THEN INSERT *";
    let report = meeting.disturbed(sql, [].into(), add_column).await.unwrap();
    assert_eq!((report.rounds, report.deleted_rows), (2, 1));
    meeting.holds("without the row", |rows| drop(rows.remove(2))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_statement_that_no_longer_fits_its_table_says_so_and_changes_nothing() {
    let meeting = Meeting::new().await;
    let sql = "MERGE INTO bronze.t AS t USING (VALUES (2, 's0', 7)) AS s(id, site, n) \
               ON t.id = s.id WHEN MATCHED THEN UPDATE SET *";
    let error = meeting.disturbed(sql, [].into(), add_column).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains("`more`"), "{error}");
    meeting.holds("its values", |_| ()).await;

    let meeting = Meeting::new().await;
    for sql in ["UPDATE bronze.t SET n = 5 WHERE id = 2", "DELETE FROM bronze.t WHERE n = 1"] {
        let error = meeting.disturbed(sql, [].into(), rename_n).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("count"), "{sql}: {error}");
        let lake = meeting.place.lake(4).await;
        alter(&lake, &table(), |builder| {
            builder.add_current_schema(schema(["id", "site", "n"], false)).unwrap()
        })
        .await;
        meeting.holds(sql, |_| ()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_table_that_is_made_again_is_not_changed_by_a_statement_on_the_old_one() {
    let meeting = Meeting::new().await;
    let again = |lake: Lake| async move {
        lake.drop_table(&table(), &tester()).await.unwrap();
        seeded_table(&lake, &table(), &mut numbers(20_240_801)).await;
    };
    // With the same rows under the same ids: only that it is another table is in the way.
    let sql = "UPDATE bronze.t SET n = n + 1 WHERE id = 2";
    let error = meeting.disturbed(sql, [].into(), again).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("dropped and made again"), "{error}");
    let now = session(&meeting.place.lake(4).await);
    assert_eq!(rows(&now, "SELECT n FROM bronze.t WHERE id = 2").await, ["1"]);

    let meeting = Meeting::new().await;
    let gone = |lake: Lake| async move { lake.drop_table(&table(), &tester()).await.unwrap() };
    let error = meeting.disturbed(sql, [].into(), gone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("bronze.t"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w3_a_watermark_that_moved_ends_the_statement_at_once() {
    let meeting = Meeting::new().await;
    let commit = |id: &str, from: Option<&str>, to: &str| StatementCommit {
        id: Some(id.to_string()),
        summary: [("test.mark".to_string(), to.to_string())].into(),
        expect: Some(("test.mark".to_string(), from.map(str::to_string))),
        ..StatementCommit::default()
    };
    let other = meeting.place.lake(2).await;
    let theirs = commit("theirs", None, "1");
    let rounds = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&rounds);
    let observer = Arc::new(Each::new("DataFilesComplete", move || {
        if seen.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        let (other, theirs) = (session(&other), theirs.clone());
        blocking(async move {
            let sql = "UPDATE bronze.t SET n = n + 5 WHERE id = 2";
            assert!(other.change(sql, [].into(), theirs).await.unwrap().snapshot_id.is_some());
        });
    }));
    let lake = meeting.place.observed(1, observer).await;
    let sql = "UPDATE bronze.t SET n = n + 1 WHERE id = 2";
    let changed = session(&lake).change(sql, [].into(), commit("mine", None, "1")).await;
    let error = changed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("test.mark moved"), "{error}");
    assert_eq!(rounds.load(Ordering::SeqCst), 1, "no second round could have mended it");
    meeting.holds("theirs alone", |rows| rows[2].2 += 5).await;
}
