//! What is read of a file, and what is told of it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use iceberg::spec::{Literal, PrimitiveType, Struct, Transform};

use super::fixture::{Fixture, describe, local, properties, schema, write_parquet};
use super::{counter, one, plan, pruning, rows, session, with_field_id};

#[tokio::test]
async fn every_type_is_read_and_pruned_by_its_bounds() {
    let mut fixture = Fixture::new(
        schema(&[
            ("b", PrimitiveType::Boolean),
            ("i", PrimitiveType::Int),
            ("l", PrimitiveType::Long),
            ("f", PrimitiveType::Float),
            ("d", PrimitiveType::Double),
            ("n", PrimitiveType::Decimal { precision: 12, scale: 2 }),
            ("day", PrimitiveType::Date),
            ("time", PrimitiveType::Time),
            ("at", PrimitiveType::Timestamp),
            ("atz", PrimitiveType::Timestamptz),
            ("s", PrimitiveType::String),
            ("u", PrimitiveType::Uuid),
            ("x", PrimitiveType::Fixed(2)),
            ("y", PrimitiveType::Binary),
        ]),
        &[],
    );
    let mut files = Vec::new();
    for value in 0..4_u8 {
        let (long, double) = (i64::from(value), f64::from(value));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![value > 1])),
            Arc::new(Int32Array::from(vec![i32::from(value)])),
            Arc::new(Int64Array::from(vec![long])),
            Arc::new(Float32Array::from(vec![f32::from(value)])),
            Arc::new(Float64Array::from(vec![double])),
            Arc::new(
                Decimal128Array::from(vec![i128::from(value) * 100 - 150])
                    .with_precision_and_scale(12, 2)
                    .unwrap(),
            ),
            Arc::new(Date32Array::from(vec![i32::from(value)])),
            Arc::new(Time64MicrosecondArray::from(vec![long * 3_600_000_000])),
            Arc::new(TimestampMicrosecondArray::from(vec![long * 3_600_000_000])),
            Arc::new(
                TimestampMicrosecondArray::from(vec![long * 3_600_000_000]).with_timezone("+00:00"),
            ),
            Arc::new(StringArray::from(vec![format!("s{value}")])),
            Arc::new(FixedSizeBinaryArray::try_from_iter([[value * 16; 16]].iter()).unwrap()),
            Arc::new(FixedSizeBinaryArray::try_from_iter([[0, value]].iter()).unwrap()),
            Arc::new(BinaryArray::from_iter_values([[value]])),
        ];
        files.push(fixture.write(columns, vec![], properties()));
    }
    fixture.append(files, vec![]).await;
    let context = session(&fixture, 2, true);
    for (filter, kept, by_bounds) in [
        ("b = true", 2, true),
        ("i = 2", 1, true),
        ("l < 1", 1, true),
        ("f = 2.0", 1, false),
        ("d > 2.5", 1, false),
        ("n = 0.50", 1, true),
        ("n < -0.40", 2, true),
        ("day = DATE '1970-01-03'", 1, true),
        ("time = arrow_cast('02:00:00', 'Time64(Microsecond)')", 1, true),
        ("at >= TIMESTAMP '1970-01-01T03:00:00'", 1, true),
        ("atz >= TIMESTAMP '1970-01-01T03:00:00Z'", 1, true),
        ("s = 's2'", 1, true),
        ("x = arrow_cast(X'0002', 'FixedSizeBinary(2)')", 1, true),
        ("y = X'02'", 1, true),
    ] {
        let sql = format!("SELECT count(l) FROM t WHERE {filter}");
        assert_eq!(one(&context, &sql).await, [kept], "{filter}");
        let read = pruning(&context, &sql).await.kept;
        let want = if by_bounds { u64::try_from(kept).unwrap() } else { 4 };
        assert_eq!(read, want, "{filter}");
    }
    // Half of the UUIDs are negative numbers to some writers.
    let sql = "SELECT count(l) FROM t WHERE u = arrow_cast(X'20202020202020202020202020202020', \
               'FixedSizeBinary(16)')";
    assert_eq!(one(&context, sql).await, [1]);
    assert_eq!(pruning(&context, sql).await.kept, 1);
}

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
            ids.iter().map(|id| format!("{:04}", id * 37 % 1_000)),
        )),
    ];
    let bloom = properties()
        .set_max_row_group_row_count(Some(100))
        .set_bloom_filter_enabled(true)
        .set_bloom_filter_fpp(0.001);
    let file = fixture.write(columns, vec![], bloom);
    fixture.append(vec![file], vec![]).await;
    let context = session(&fixture, 1, false);
    let sql = "SELECT id FROM t WHERE key = '0503'";
    assert_eq!(one(&context, sql).await, [419]);
    let (pruned, matched) = counter(&context, sql, "row_groups_pruned_bloom_filter").await;
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
