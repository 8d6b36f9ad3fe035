//! The writer: whatever goes in comes out of a scan, in few sorted files, within its memory (B1).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use northstar_iceberg::commit::CommitRequest;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition, properties};
use northstar_iceberg::write::{TableWriter, WriteOptions};
use northstar_tests::lab::{Lab, run_context, tester};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

type Row = (i64, Option<String>, Option<i64>, Option<i64>, Option<f64>);

fn definition() -> TableDefinition {
    TableDefinition {
        columns: vec![
            ColumnDefinition::new("id", DataType::Int64).required(),
            ColumnDefinition::new("name", DataType::Utf8),
            ColumnDefinition::new("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
            ColumnDefinition::new("amount", DataType::Decimal128(18, 2)),
            ColumnDefinition::new("score", DataType::Float64),
        ],
        partition: vec!["truncate(1, name)".parse().unwrap(), "month(at)".parse().unwrap()],
        sort: vec!["at".into(), "id".into()],
        properties: [(properties::bloom_filter_key("name"), "true".to_string())].into(),
    }
}

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))), false),
        ("name", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.clone()))), true),
        ("at", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.2))), true),
        (
            "amount",
            Arc::new(
                Decimal128Array::from_iter(rows.iter().map(|row| row.3.map(i128::from)))
                    .with_precision_and_scale(18, 2)
                    .unwrap(),
            ),
            true,
        ),
        ("score", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.4))), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let name = prop_oneof![
        Just(None),
        "[a-c]{0,3}".prop_map(Some),
        "\\PC{0,40}".prop_map(Some),
        Just(Some("\u{10FFFF}".repeat(20))),
    ];
    let at = prop_oneof![Just(None), (0_i64..200_000_000).prop_map(|s| Some(s * 1_000_000))];
    let score = prop_oneof![
        Just(None),
        any::<f64>().prop_map(Some),
        Just(Some(f64::NAN)),
        Just(Some(-0.0)),
        Just(Some(f64::NEG_INFINITY)),
    ];
    let amount = proptest::option::of(-999_999_999_i64..999_999_999);
    proptest::collection::vec((any::<i64>(), name, at, amount, score), 1..120)
}

/// Writes batches of rows and commits them; how many files there are, and bytes were spilled.
async fn write(lab: &Lab, table: &str, batches: &[Vec<Row>], memory_bytes: usize) -> (usize, u64) {
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let name = format!("ns.{table}").parse().unwrap();
    let table = lab.lake.create_table(&name, &definition(), &tester()).await.unwrap();
    let options = WriteOptions { memory_bytes, spill_folder: lab.path("spill"), threads: 2 };
    let mut writer = TableWriter::new(&lab.lake, &table, "c", options).unwrap();
    for rows in batches {
        writer.write(batch(rows)).unwrap();
    }
    let written = writer.finish().unwrap();
    let request = CommitRequest {
        commit_id: "c".into(),
        run: run_context(),
        summary: [].into(),
        expect: None,
    };
    lab.lake.append(&table, &written.files, &request).await.unwrap().settled().unwrap();
    assert_eq!(std::fs::read_dir(lab.path("spill")).map_or(0, Iterator::count), 0);
    (written.files.len(), written.spilled_bytes)
}

#[test]
fn b1_every_row_written_is_found_again_by_each_of_its_values() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: 24,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let strategy = (
        proptest::collection::vec(rows(), 1..6),
        prop_oneof![Just(1_usize), Just(20_000), Just(1 << 30)],
    );
    runner
        .run(&strategy, |(batches, memory_bytes)| {
            runtime.block_on(async {
                let lab = Lab::new().await;
                write(&lab, "t", &batches, memory_bytes).await;
                let all: Vec<&Row> = batches.iter().flatten().collect();
                assert_eq!(lab.number("SELECT count(*) FROM ns.t").await, all.len() as i64);
                let sum = all.iter().fold(0_i64, |sum, row| sum ^ row.0);
                assert_eq!(lab.number("SELECT bit_xor(id) FROM ns.t").await, sum);
                for row in all.iter().step_by(all.len() / 8 + 1) {
                    let same = |f: &dyn Fn(&Row) -> bool| all.iter().filter(|row| f(row)).count() as i64;
                    let found = lab.number(&format!("SELECT count(*) FROM ns.t WHERE id = {}", row.0)).await;
                    assert_eq!(found, same(&|other| other.0 == row.0));
                    if let Some(name) = &row.1 {
                        let literal = name.replace('\'', "''");
                        let found = lab.number(&format!("SELECT count(*) FROM ns.t WHERE name = '{literal}'")).await;
                        assert_eq!(found, same(&|other| other.1.as_ref() == Some(name)), "{name:?}");
                    }
                    if let Some(amount) = row.3 {
                        let sql = format!("SELECT count(*) FROM ns.t WHERE amount = CAST({amount} AS DECIMAL(18,0)) / 100");
                        assert_eq!(lab.number(&sql).await, same(&|other| other.3 == Some(amount)));
                    }
                    if let Some(at) = row.2 {
                        let sql = format!("SELECT count(*) FROM ns.t WHERE at = to_timestamp_micros({at})::timestamp");
                        assert_eq!(lab.number(&sql).await, same(&|other| other.2 == Some(at)));
                    }
                }
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn files_are_sorted_and_one_for_each_partition_whether_spilled_or_not() {
    for memory_bytes in [1, 1 << 30] {
        let lab = Lab::new().await;
        let batches: Vec<Vec<Row>> = (0..30_i64)
            .map(|batch| {
                (0..100_i64)
                    .map(|row| {
                        let id = (batch * 100 + row) * 7_919 % 3_000;
                        let month = id % 3 * 31 * 86_400;
                        (
                            id,
                            Some(format!("{}x", id % 2)),
                            Some((month + id) * 1_000_000),
                            None,
                            None,
                        )
                    })
                    .collect()
            })
            .collect();
        write(&lab, "t", &batches, memory_bytes).await;
        let name = "ns.t".parse().unwrap();
        let table = lab.lake.open_table(&name, &tester()).await.unwrap();
        let snapshot = table.metadata().current_snapshot().unwrap();
        assert_eq!(snapshot.summary().additional_properties["added-data-files"], "6");
        let list = table.inner().manifest_list_reader(snapshot).load().await.unwrap();
        for manifest in list.entries() {
            for entry in manifest.load_manifest(table.inner().file_io()).await.unwrap().entries() {
                assert!(entry.data_file().sort_order_id().is_some());
                let path = northstar_iceberg::storage::local_path(entry.file_path()).unwrap();
                assert_sorted(&path);
            }
        }
        assert_eq!(lab.number("SELECT count(DISTINCT id) FROM ns.t").await, 3_000);
    }
}

#[tokio::test]
async fn rows_in_order_are_not_spilled_and_stragglers_cost_a_partition_one_file() {
    // Ten months, one after the other; of the later ones, one row in fifty belongs to the first.
    let batches = |stragglers: bool| -> Vec<Vec<Row>> {
        let row = |id: i64| {
            let month = if stragglers && id > 2_000 && id % 50 == 0 { 0 } else { id / 1_000 };
            let at = (month * 31 * 86_400 + id % 1_000) * 1_000_000;
            (id, Some("x".to_string()), Some(at), None, None)
        };
        (0..100).map(|batch| (batch * 100..(batch + 1) * 100).map(row).collect()).collect()
    };
    for (stragglers, files) in [(false, 10), (true, 11)] {
        let lab = Lab::new().await;
        let bytes = batch(&batches(false)[0]).get_array_memory_size() * 100;
        let written = write(&lab, "t", &batches(stragglers), bytes / 4).await;
        assert_eq!(written, (files, 0), "files and bytes spilled");
        assert_eq!(lab.number("SELECT count(DISTINCT id) FROM ns.t").await, 10_000);
    }
}

fn assert_sorted(path: &std::path::Path) {
    let file = std::fs::File::open(path).unwrap();
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut last = (i64::MIN, i64::MIN);
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let at = batch.column(2).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let next = (at.value(row), ids.value(row));
            assert!(last <= next, "{}", path.display());
            last = next;
        }
    }
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_no_file() {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let name = "ns.t".parse().unwrap();
    let table = lab.lake.create_table(&name, &definition(), &tester()).await.unwrap();
    let options = WriteOptions { memory_bytes: 1, spill_folder: lab.path("spill"), threads: 1 };
    let mut writer = TableWriter::new(&lab.lake, &table, "c", options).unwrap();
    for id in 0..80 {
        writer.write(batch(&[(id, None, None, None, None)])).unwrap();
    }
    drop(writer);
    assert_eq!(std::fs::read_dir(lab.path("spill")).unwrap().count(), 0);
    let data = northstar_iceberg::storage::local_path(table.location()).unwrap().join("data");
    let left: Vec<_> = walk(&data).into_iter().filter(|path| path.is_file()).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            let mut below = walk(&path);
            below.push(path);
            below
        })
        .collect()
}

#[tokio::test]
async fn rows_that_do_not_fit_the_table_are_refused_whole() {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let name = "ns.t".parse().unwrap();
    let table = lab.lake.create_table(&name, &definition(), &tester()).await.unwrap();
    let options = WriteOptions { memory_bytes: 1, spill_folder: lab.path("spill"), threads: 1 };
    let mut writer = TableWriter::new(&lab.lake, &table, "c", options).unwrap();
    let wrong: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    let error = writer.write(RecordBatch::try_from_iter([("id", wrong)]).unwrap()).unwrap_err();
    assert_eq!(error.kind(), northstar_iceberg::ErrorKind::InvalidData);
    let full = batch(&[(1, None, None, None, None)]);
    let mut columns = full.columns().to_vec();
    columns[0] = arrow::array::new_null_array(&DataType::Int64, 1);
    assert!(columns[0].is_null(0));
    let with_null = RecordBatch::try_from_iter_with_nullable(
        full.schema()
            .fields()
            .iter()
            .zip(columns)
            .map(|(field, column)| (field.name(), column, true)),
    )
    .unwrap();
    assert!(writer.write(with_null).is_err());
}
