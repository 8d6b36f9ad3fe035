//! Random tables and random filters: pruning never loses a row (B1).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
};
use arrow::datatypes::Int64Type;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use iceberg::spec::{DataFile, Datum, Literal, PrimitiveType, Transform};
use iceberg::transform::create_transform_function;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::fixture::{Fixture, properties, schema};
use super::{rows, session};

/// One row: a number, a text, a decimal, a day, a float.
type Row = (Option<i64>, Option<String>, Option<i64>, Option<i32>, Option<f64>);

fn row() -> impl Strategy<Value = Row> {
    let text = prop_oneof![
        "[a-c]{0,3}",
        Just("é".repeat(70)),
        Just("\u{10FFFF}".repeat(40)),
        Just(format!("{}z", "b".repeat(80))),
    ];
    let float = prop_oneof![
        Just(f64::NAN),
        Just(-0.0),
        Just(0.0),
        Just(f64::INFINITY),
        (-5..5_i32).prop_map(f64::from),
    ];
    (
        prop::option::weighted(0.8, -20..20_i64),
        prop::option::weighted(0.8, text),
        prop::option::weighted(0.8, -500..500_i64),
        prop::option::weighted(0.8, -400..400_i32),
        prop::option::weighted(0.8, float),
    )
}

fn condition() -> impl Strategy<Value = String> {
    let compare = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let text = prop::sample::select(vec!["a", "ab", "b", "", "c", "é", "bbbb"]);
    let simple = prop_oneof![
        (compare.clone(), -22..22_i64).prop_map(|(op, v)| format!("n {op} {v}")),
        (compare.clone(), text.clone()).prop_map(|(op, v)| format!("s {op} '{v}'")),
        (compare.clone(), -500..500_i64)
            .prop_map(|(op, v)| format!("m {op} CAST({v} AS DECIMAL(9, 0)) / 100")),
        (compare.clone(), 1..28_u32, 1968..1972_u32)
            .prop_map(|(op, d, y)| format!("d {op} DATE '{y}-03-{d:02}'")),
        (compare, -6..6_i32).prop_map(|(op, v)| format!("x {op} {v}.0")),
        prop::collection::vec(-22..22_i64, 1..4).prop_map(|v| {
            let list: Vec<_> = v.iter().map(i64::to_string).collect();
            format!("n IN ({})", list.join(", "))
        }),
        prop::collection::vec(-22..22_i64, 1..3).prop_map(|v| {
            let list: Vec<_> = v.iter().map(i64::to_string).collect();
            format!("n NOT IN ({})", list.join(", "))
        }),
        text.prop_map(|v| format!("s LIKE '{v}%'")),
        prop::sample::select(vec!["n", "s", "m", "d", "x"]).prop_map(|c| format!("{c} IS NULL")),
        prop::sample::select(vec!["n", "s", "m", "d", "x"])
            .prop_map(|c| format!("{c} IS NOT NULL")),
    ];
    simple.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

fn transform() -> impl Strategy<Value = (&'static str, Transform)> {
    prop::sample::select(vec![
        ("n", Transform::Void),
        ("n", Transform::Identity),
        ("n", Transform::Bucket(3)),
        ("n", Transform::Truncate(7)),
        ("s", Transform::Identity),
        ("s", Transform::Truncate(2)),
        ("s", Transform::Bucket(4)),
        ("m", Transform::Truncate(50)),
        ("m", Transform::Bucket(3)),
        ("d", Transform::Year),
        ("d", Transform::Month),
        ("d", Transform::Day),
        ("d", Transform::Identity),
    ])
}

fn columns(rows: &[(i64, Row)]) -> Vec<ArrayRef> {
    vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(id, _)| *id))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|(_, row)| row.0))),
        Arc::new(StringArray::from_iter(rows.iter().map(|(_, row)| row.1.as_deref()))),
        Arc::new(
            Decimal128Array::from_iter(rows.iter().map(|(_, row)| row.2.map(i128::from)))
                .with_precision_and_scale(9, 2)
                .unwrap(),
        ),
        Arc::new(Date32Array::from_iter(rows.iter().map(|(_, row)| row.3))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|(_, row)| row.4))),
    ]
}

/// A partition's value, and its rows with their ids.
type Partition = (Option<Literal>, Vec<(i64, Row)>);

/// The partition of a row.
fn partition((column, transform): (&str, Transform), row: &Row) -> Option<Literal> {
    let decimal = PrimitiveType::Decimal { precision: 9, scale: 2 };
    let source = match column {
        "n" => Datum::long(row.0?),
        "s" => Datum::string(row.1.as_deref()?),
        "m" => Datum::try_from_bytes(&row.2?.to_be_bytes(), decimal).unwrap(),
        _ => Datum::date(row.3?),
    };
    let value =
        create_transform_function(&transform).unwrap().transform_literal(&source).unwrap()?;
    Some(Literal::Primitive(value.literal().clone()))
}

async fn table(all: &[Row], by: (&str, Transform)) -> (Fixture, SessionContext) {
    let mut fixture = Fixture::new(
        schema(&[
            ("id", PrimitiveType::Long),
            ("n", PrimitiveType::Long),
            ("s", PrimitiveType::String),
            ("m", PrimitiveType::Decimal { precision: 9, scale: 2 }),
            ("d", PrimitiveType::Date),
            ("x", PrimitiveType::Double),
        ]),
        &[by],
    );
    let mut partitions: Vec<Partition> = Vec::new();
    for (id, row) in (0..).zip(all) {
        let value = partition(by, row);
        match partitions.iter_mut().find(|(other, _)| *other == value) {
            Some((_, rows)) => rows.push((id, row.clone())),
            None => partitions.push((value, vec![(id, row.clone())])),
        }
    }
    let mut files: Vec<DataFile> = Vec::new();
    for (value, rows) in partitions {
        let small = properties()
            .set_max_row_group_row_count(Some(3))
            .set_data_page_row_count_limit(1)
            .set_write_batch_size(1)
            .set_bloom_filter_enabled(true);
        files.push(fixture.write(columns(&rows), vec![value], small));
    }
    let half = files.split_off(files.len() / 2);
    fixture.append(files, vec![]).await;
    fixture.append(half, vec![]).await;
    // The same rows in memory, which nothing prunes.
    let context = session(&fixture, 2, true);
    let ids: Vec<_> = (0..).zip(all.iter().cloned()).collect();
    let batch = arrow::array::RecordBatch::try_new(fixture.columns(), columns(&ids)).unwrap();
    let plain = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    context.register_table("plain", Arc::new(plain)).unwrap();
    (fixture, context)
}

async fn ids(context: &SessionContext, table: &str, condition: &str) -> Vec<i64> {
    let sql = format!("SELECT id FROM {table} WHERE {condition} ORDER BY id");
    let batches = rows(context, &sql).await;
    batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        rng_seed: RngSeed::Fixed(20_240_131),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn b1_a_pruned_scan_finds_what_a_filter_over_all_rows_finds(
        all in prop::collection::vec(row(), 1..40),
        by in transform(),
        conditions in prop::collection::vec(condition(), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let (_fixture, context) = table(&all, by).await;
            for condition in conditions {
                let pruned = ids(&context, "t", &condition).await;
                let plain = ids(&context, "plain", &condition).await;
                assert_eq!(pruned, plain, "{condition} over {all:?} by {by:?}");
            }
        });
    }
}
