//! What is read of a file, and what is told of it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use iceberg::spec::{Datum, Literal, PrimitiveType, Struct, Transform};

use super::fixture::{Fixture, describe, local, properties, schema, write_parquet};
use super::{counter, one, plan, pruning, rows, session, with_field_id};

#[tokio::test]
async fn b1_nan_is_found_although_statistics_leave_it_out() {
    let mut fixture =
        Fixture::new(schema(&[("id", PrimitiveType::Long), ("x", PrimitiveType::Double)]), &[]);
    let small = properties().set_max_row_group_row_count(Some(2)).set_data_page_row_count_limit(1);
    let values = vec![1.0, f64::NAN, 2.0, 3.0, -0.0, 0.0];
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(0..6)), Arc::new(Float64Array::from(values))];
    let file = fixture.write(columns, vec![], small);
    fixture.append(vec![file], vec![]).await;
    for late in [false, true] {
        let context = session(&fixture, 1, late);
        assert_eq!(one(&context, "SELECT count(id) FROM t WHERE x > 10").await, [1]);
        assert_eq!(one(&context, "SELECT count(id) FROM t WHERE NOT (x <= 10)").await, [1]);
        assert_eq!(one(&context, "SELECT id FROM t ORDER BY x DESC LIMIT 1").await, [1]);
        assert_eq!(one(&context, "SELECT count(id) FROM t WHERE x <= 3").await, [5]);
    }
}

#[tokio::test]
async fn a_bloom_filter_leaves_out_row_groups() {
    let mut fixture =
        Fixture::new(schema(&[("id", PrimitiveType::Long), ("key", PrimitiveType::String)]), &[]);
    let ids: Vec<i64> = (0..1_000).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(ids.clone())),
        Arc::new(StringArray::from_iter_values(
            // Long, as a small file is read whole.
            ids.iter().map(|id| format!("{:0300}", id * 37 % 1_000)),
        )),
    ];
    let bloom = properties()
        .set_max_row_group_row_count(Some(100))
        .set_bloom_filter_enabled(true)
        .set_bloom_filter_fpp(0.001);
    let file = fixture.write(columns, vec![], bloom);
    fixture.append(vec![file], vec![]).await;
    let context = session(&fixture, 1, false);
    let sql = format!("SELECT id FROM t WHERE key = '{:0300}'", 503);
    assert_eq!(one(&context, &sql).await, [419]);
    let (pruned, matched) = counter(&context, &sql, "row_groups_pruned_bloom_filter").await;
    assert!(pruned >= 8 && matched >= 1, "pruned {pruned}, matched {matched}");
}

#[tokio::test]
async fn a_partition_value_is_read_even_from_a_file_without_the_column() {
    let mut fixture = Fixture::new(
        schema(&[("id", PrimitiveType::Long), ("site", PrimitiveType::String)]),
        &[("site", Transform::Identity)],
    );
    let mut files = Vec::new();
    for (id, site) in [(1, Some("a")), (2, Some("b")), (3, None)] {
        let at = fixture.location("data", ".parquet");
        let field = with_field_id(Field::new("id", DataType::Int64, true), 1);
        let only_id = Arc::new(ArrowSchema::new(vec![field]));
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![id, id * 10]));
        let batch = RecordBatch::try_new(only_id, vec![ids]).unwrap();
        let footer = write_parquet(&at, &batch, properties().build());
        let partition = Struct::from_iter([site.map(Literal::string)]);
        let file = describe(&at, &footer, fixture.metadata.current_schema())
            .partition(partition)
            .build()
            .unwrap();
        files.push(file);
    }
    let gone = fixture.delete(&[(&files[0], &[0])]);
    fixture.append(files, vec![gone]).await;
    for late in [false, true] {
        let context = session(&fixture, 2, late);
        let batches = rows(&context, "SELECT id, site FROM t ORDER BY id").await;
        let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        let sites: Vec<_> = batch.column(1).as_string::<i32>().iter().collect();
        assert_eq!(sites, [Some("b"), None, Some("a"), Some("b"), None]);
        assert_eq!(one(&context, "SELECT sum(id) FROM t WHERE site = 'b'").await, [22]);
        assert_eq!(one(&context, "SELECT sum(id) FROM t WHERE site IS NULL").await, [33]);
        let extremes = rows(&context, "SELECT min(site), max(site), count(site) FROM t").await;
        assert_eq!(extremes[0].column(0).as_string::<i32>().value(0), "a");
        assert_eq!(extremes[0].column(1).as_string::<i32>().value(0), "b");
    }
}

#[tokio::test]
async fn a_file_without_rows_left_is_not_read() {
    let mut fixture = Fixture::new(
        schema(&[("id", PrimitiveType::Long), ("site", PrimitiveType::String)]),
        &[("site", Transform::Identity)],
    );
    let mut write = |id: i64, site: &str| {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![id])), Arc::new(StringArray::from(vec![site]))];
        fixture.write(columns, vec![Some(Literal::string(site))], properties())
    };
    let files = vec![write(1, "a"), write(2, "z")];
    let gone = fixture.delete(&[(&files[1], &[0])]);
    std::fs::remove_file(local(files[1].file_path())).unwrap();
    fixture.append(files, vec![gone]).await;
    let context = session(&fixture, 1, false);
    let greatest = rows(&context, "SELECT max(site) FROM t").await;
    assert_eq!(greatest[0].column(0).as_string::<i32>().value(0), "a");
    let pruning = pruning(&context, "SELECT id FROM t").await;
    assert_eq!((pruning.files, pruning.empty, pruning.kept), (2, 1, 1));
}

#[tokio::test]
async fn deletes_reach_only_earlier_files_of_their_partition() {
    let mut fixture = Fixture::new(
        schema(&[("id", PrimitiveType::Long), ("site", PrimitiveType::String)]),
        &[("site", Transform::Identity)],
    );
    let mut write = |from: i64, site: &str| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(from..from + 3)),
            Arc::new(StringArray::from(vec![site; 3])),
        ];
        fixture.write(columns, vec![Some(Literal::string(site))], properties())
    };
    let (first, second, other, late) =
        (write(0, "a"), write(10, "a"), write(20, "b"), write(30, "a"));
    // One delete file names two files of its partition, one of another, and one that comes later.
    let named: [(&_, &[i64]); 4] =
        [(&first, &[0]), (&second, &[1, 2]), (&other, &[0]), (&late, &[0])];
    let deletes = fixture.delete(&named);
    fixture.append(vec![first, second, other], vec![deletes]).await;
    fixture.append(vec![late], vec![]).await;
    let context = session(&fixture, 1, false);
    assert_eq!(one(&context, "SELECT count(*), sum(id) FROM t").await, [9, 3 + 10 + 63 + 93]);
}

#[tokio::test]
async fn explain_tells_how_files_were_chosen() {
    let mut fixture = Fixture::new(schema(&[("id", PrimitiveType::Long)]), &[]);
    let files = (0..96)
        .map(|id| fixture.write(vec![Arc::new(Int64Array::from(vec![id]))], vec![], properties()))
        .collect();
    fixture.append(files, vec![]).await;
    let context = session(&fixture, 2, false);
    let plan = plan(&context, "SELECT id FROM t WHERE id < 3").await;
    let shown = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
    assert!(shown.contains("files=3/96"), "{shown}");
}

#[tokio::test]
async fn b1_wide_bounds_prune_but_are_never_an_answer() {
    let mut fixture = Fixture::new(schema(&[("id", PrimitiveType::Long)]), &[]);
    let at = fixture.location("data", ".parquet");
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![5, 6]));
    let batch = RecordBatch::try_new(fixture.columns(), vec![ids]).unwrap();
    let footer = write_parquet(&at, &batch, properties().build());
    let file = describe(&at, &footer, fixture.metadata.current_schema())
        .lower_bounds(HashMap::from([(1, Datum::long(1))]))
        .upper_bounds(HashMap::from([(1, Datum::long(9))]))
        .build()
        .unwrap();
    fixture.append(vec![file], vec![]).await;
    let context = session(&fixture, 1, false);
    assert_eq!(one(&context, "SELECT min(id), max(id) FROM t").await, [5, 6]);
    assert_eq!(one(&context, "SELECT count(id) FROM t WHERE id < 2").await, [0]);
    assert_eq!(pruning(&context, "SELECT id FROM t WHERE id > 9").await.by_bounds, 1);
}

#[tokio::test]
async fn b1_scattered_deletes_stay_gone_however_the_rows_are_asked_for() {
    let mut fixture = Fixture::new(schema(&[("id", PrimitiveType::Long)]), &[]);
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5_000));
    let pages =
        properties().set_max_row_group_row_count(Some(500)).set_data_page_row_count_limit(50);
    let file = fixture.write(vec![ids], vec![], pages);
    let gone: Vec<i64> = (0..5_000).filter(|row| row % 37 == 5).collect();
    let deletes = fixture.delete(&[(&file, &gone)]);
    fixture.append(vec![file], vec![deletes]).await;
    let left = |from: i64, to: i64| (from..to).filter(|row| row % 37 != 5).count() as i64;
    for (partitions, late) in [(1, false), (1, true), (3, false)] {
        let context = session(&fixture, partitions, late);
        let sum = |of: i64| (0..of).filter(|row| row % 37 != 5).sum::<i64>();
        assert_eq!(one(&context, "SELECT sum(id) FROM t").await, [sum(5_000)]);
        // Row groups and pages in the middle are left out.
        let ends = "SELECT count(id) FROM t WHERE id < 120 OR id >= 4870";
        assert_eq!(one(&context, ends).await, [left(0, 120) + left(4_870, 5_000)]);
        // No column is read.
        let none = "SELECT sum(x) FROM (SELECT CAST(1 AS BIGINT) AS x FROM t) u";
        assert_eq!(one(&context, none).await, [left(0, 5_000)]);
        let limited = "SELECT count(id) FROM (SELECT id FROM t LIMIT 4000) u";
        assert_eq!(one(&context, limited).await, [4_000]);
    }
}
