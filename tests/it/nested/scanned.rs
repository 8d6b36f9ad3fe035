//! Nested columns in files of other writers: other names, other frames, other arrow types.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, Int64Array, LargeListArray, MapArray, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use iceberg::spec::{DataContentType, DataFileBuilder, DataFileFormat, Struct};
use northstar_iceberg::ErrorKind;
use northstar_iceberg::commit::FileChange;
use northstar_iceberg::storage;
use northstar_iceberg::table::schema::with_field_id;
use northstar_tests::changes::{rows, session};
use northstar_tests::lab::Lab;
use northstar_tests::layouts::{commit, opened};
use parquet::arrow::ArrowWriter;

use super::statements::{define, run};

/// Adds a file with these columns to `ns.t`.
async fn add(lab: &Lab, batch: &RecordBatch) {
    let table = opened(lab, "ns.t").await;
    let at = format!("{}/data/{}.parquet", table.location(), lab.lake.ids.uuid());
    let path = storage::local_path(&at).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::create_new(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let file = DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(at)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .partition_spec_id(0)
        .record_count(batch.num_rows() as u64)
        .file_size_in_bytes(std::fs::metadata(&path).unwrap().len())
        // Counts of whole structs mean other things to other writers.
        .null_value_counts(HashMap::from([(2, 0), (3, 0), (4, 0)]))
        .build()
        .unwrap();
    commit(lab, &table, FileChange { added: vec![file], ..FileChange::default() }).await;
}

fn field(name: &str, id: i32, data_type: DataType) -> Field {
    with_field_id(Field::new(name, data_type, true), id)
}

fn schema(columns: &[(Field, ArrayRef)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(field, _)| field.clone()).collect::<Vec<_>>()))
}

fn batch(columns: Vec<(Field, ArrayRef)>) -> RecordBatch {
    let schema = schema(&columns);
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

/// `ns.t`: 1 id, 2 a (5 s, 6 n), 3 l (element 7, of 8 at), 4 m (key 9, value 10).
async fn table(lab: &Lab) {
    let session = session(lab);
    define(&session, "CREATE SCHEMA ns").await;
    define(
        &session,
        "CREATE TABLE ns.t (id BIGINT, a STRUCT<s: STRING, n: BIGINT>, l ARRAY<STRUCT<at: TIMESTAMPTZ>>, \
         m MAP<STRING, INT>)",
    )
    .await;
    let table = opened(lab, "ns.t").await;
    let ids = ["id", "a", "l", "m", "a.s", "a.n", "l.element", "l.element.at", "m.key", "m.value"];
    let schema = table.metadata().current_schema();
    let found: Vec<i32> = ids.iter().map(|name| schema.field_by_name(name).unwrap().id).collect();
    let table_ids = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    assert_eq!(found, table_ids, "columns first, then what is in them");
}

/// Two rows as another writer may have them: fields in another order, under other names, narrower, of
/// other arrow types; lists and maps with other frames; a field that the table does not have.
fn foreign() -> RecordBatch {
    let n: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
    let extra: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let s: ArrayRef = Arc::new(arrow::array::LargeStringArray::from(vec![Some("old"), None]));
    let of_a: Vec<Field> = vec![
        field("nn", 6, DataType::Int32),
        field("gone", 77, DataType::Utf8),
        field("ss", 5, DataType::LargeUtf8),
    ];
    let nulls = Some(NullBuffer::from(vec![true, false]));
    let a: ArrayRef = Arc::new(StructArray::new(of_a.into(), vec![n, extra, s], nulls));

    let at = TimestampMicrosecondArray::from(vec![0, 1, 2]).with_timezone("UTC");
    let of_element: Vec<Field> = vec![field("when", 8, at.data_type().clone())];
    let element = StructArray::new(of_element.into(), vec![Arc::new(at)], None);
    let of_list = Arc::new(field("array_element", 7, element.data_type().clone()));
    let offsets = OffsetBuffer::<i64>::from_lengths([2, 1]);
    let l: ArrayRef = Arc::new(LargeListArray::new(of_list, offsets, Arc::new(element), None));

    let key = field("k", 9, DataType::Utf8).with_nullable(false);
    let of_pair: Vec<Field> = vec![key, field("v", 10, DataType::Int32)];
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["p", "q"]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let pairs = StructArray::new(of_pair.into(), vec![keys, numbers], None);
    let entries = Arc::new(Field::new("map", pairs.data_type().clone(), false));
    let offsets = OffsetBuffer::from_lengths([2, 0]);
    let m: ArrayRef = Arc::new(MapArray::new(entries, offsets, pairs, None, false));
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    batch(vec![
        (field("mm", 4, m.data_type().clone()), m),
        (field("aa", 2, a.data_type().clone()), a),
        (field("id", 1, DataType::Int64), id),
        (field("ll", 3, l.data_type().clone()), l),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_files_of_other_writers_are_read_by_field_id() {
    let lab = Lab::new().await;
    table(&lab).await;
    add(&lab, &foreign()).await;
    let session = session(&lab);
    let expected = [
        "1|{s: old, n: 7}|[{at: 1970-01-01T00:00:00Z}, {at: 1970-01-01T00:00:00.000001Z}]|{p: 1, q: NULL}",
        "2|NULL|[{at: 1970-01-01T00:00:00.000002Z}]|{}",
    ];
    assert_eq!(rows(&session, "SELECT * FROM ns.t").await, expected);
    // Names of the file mean nothing, in filters and in what is asked for.
    let cases = [
        ("SELECT id FROM ns.t WHERE a.n = 7", vec!["1"]),
        ("SELECT count(*) FROM ns.t WHERE a.n = 8", vec!["0"]),
        ("SELECT id FROM ns.t WHERE a IS NULL", vec!["2"]),
        ("SELECT a.s FROM ns.t WHERE a.s LIKE 'o%'", vec!["old"]),
        ("SELECT id FROM ns.t WHERE cardinality(l) = 2", vec!["1"]),
        ("SELECT count(a) FROM ns.t", vec!["1"]),
        ("SELECT a.n, m['p'] FROM ns.t WHERE id = 1", vec!["7|1"]),
    ];
    // The reader leaves rows out itself, or does not.
    for late in [false, true] {
        let option = format!("SET datafusion.execution.parquet.pushdown_filters = {late}");
        session.sql().query(&option).await.unwrap();
        for (sql, want) in &cases {
            assert_eq!(&rows(&session, sql).await, want, "{sql}, late: {late}");
        }
    }
    // A field takes the name that another one has in the file.
    define(&session, "ALTER TABLE ns.t RENAME COLUMN a.s TO nn").await;
    define(&session, "ALTER TABLE ns.t ADD COLUMN a.ss STRING").await;
    assert_eq!(
        rows(&session, "SELECT a FROM ns.t WHERE a.nn = 'old'").await,
        ["{nn: old, n: 7, ss: NULL}"]
    );
    assert_eq!(rows(&session, "SELECT count(*) FROM ns.t WHERE a.ss IS NULL").await, ["2"]);
    // Merged into, the file's rows are the table's.
    let report = run(&session, "UPDATE ns.t SET m = map(['z'], [id]) WHERE id = 2").await;
    assert_eq!(report.updated_rows, 1);
    let read = rows(&session, "SELECT a, m FROM ns.t").await;
    assert_eq!(read, ["NULL|{z: 2}", "{nn: old, n: 7, ss: NULL}|{p: 1, q: NULL}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_nested_fields_have_no_ids_is_refused_by_name() {
    let lab = Lab::new().await;
    table(&lab).await;
    let s: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let bare = vec![Field::new("s", DataType::Utf8, true)];
    let a: ArrayRef = Arc::new(StructArray::new(bare.into(), vec![s], None));
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    add(
        &lab,
        &batch(vec![
            (field("id", 1, DataType::Int64), id),
            (field("a", 2, a.data_type().clone()), a),
        ]),
    )
    .await;
    let session = session(&lab);
    assert_eq!(rows(&session, "SELECT id, l FROM ns.t").await, ["1|NULL"]);
    let frame = session.sql().query("SELECT a FROM ns.t").await.unwrap();
    let error = northstar_iceberg::sql::from_datafusion(frame.collect().await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.context("file").is_some_and(|file| file.ends_with(".parquet")), "{error}");
    assert_eq!(error.context("column"), Some("a"));
}
