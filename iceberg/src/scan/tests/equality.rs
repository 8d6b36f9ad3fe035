//! Equality deletes of other writers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, PrimitiveType, Struct,
    Transform,
};

use super::fixture::{Fixture, properties, schema, schema_of_ids, size, write_parquet};
use super::{one, rows, session, with_field_id};

/// Writes one equality-delete file: its columns by field id, in a partition of the default spec.
fn equality_delete(
    fixture: &mut Fixture,
    columns: Vec<(i32, ArrayRef)>,
    partition: Vec<Option<Literal>>,
) -> DataFile {
    let ids: Vec<i32> = columns.iter().map(|(id, _)| *id).collect();
    let fields = columns.iter().map(|(id, values)| {
        // The names of a delete file do not count.
        with_field_id(Field::new(format!("x{id}"), values.data_type().clone(), true), *id)
    });
    let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
    let values = columns.into_iter().map(|(_, values)| values).collect();
    let batch = RecordBatch::try_new(schema, values).unwrap();
    let at = fixture.location("data", "-equality.parquet");
    let footer = write_parquet(&at, &batch, properties().build());
    DataFileBuilder::default()
        .content(DataContentType::EqualityDeletes)
        .file_path(at.clone())
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::from_iter(partition))
        .partition_spec_id(fixture.metadata.default_partition_spec_id())
        .record_count(u64::try_from(footer.file_metadata().num_rows()).unwrap())
        .file_size_in_bytes(size(&at))
        .equality_ids(Some(ids))
        .build()
        .unwrap()
}

fn longs(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values))
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from_iter(values.iter().copied()))
}

fn site(value: &str) -> Vec<Option<Literal>> {
    vec![Some(Literal::string(value))]
}

/// Ids 0 to 9 in each of the sites `a` and `b`.
async fn two_sites() -> Fixture {
    let columns = schema(&[("id", PrimitiveType::Long), ("site", PrimitiveType::String)]);
    let mut fixture = Fixture::new(columns, &[("site", Transform::Identity)]);
    let mut files = Vec::new();
    for name in ["a", "b"] {
        let columns = vec![longs((0..10).map(Some)), texts(&[Some(name); 10])];
        files.push(fixture.write(columns, site(name), properties()));
    }
    fixture.append(files, vec![]).await;
    fixture
}

#[tokio::test]
async fn rows_with_equal_values_are_gone_from_older_files_of_the_partition() {
    let mut fixture = two_sites().await;
    let delete = equality_delete(&mut fixture, vec![(1, longs([Some(3), Some(4)]))], site("a"));
    // What comes in the same commit, or later, is not meant.
    let again = fixture.write(vec![longs([Some(3)]), texts(&[Some("a")])], site("a"), properties());
    fixture.append(vec![again], vec![delete]).await;
    for (partitions, late) in [(1, false), (4, true)] {
        let context = session(&fixture, partitions, late);
        assert_eq!(one(&context, "SELECT count(*) FROM t").await, [19]);
        assert_eq!(one(&context, "SELECT count(*) FROM t WHERE id IN (3, 4)").await, [3]);
        assert_eq!(one(&context, "SELECT count(*) FROM t WHERE site = 'a' AND id = 4").await, [0]);
        assert_eq!(one(&context, "SELECT sum(id) FROM t").await, [90 - 7 + 3]);
    }
}

#[tokio::test]
async fn all_columns_must_be_equal_and_null_equals_null() {
    let columns = schema(&[("id", PrimitiveType::Long), ("site", PrimitiveType::String)]);
    let mut fixture = Fixture::new(columns, &[]);
    let ids = longs([Some(1), Some(1), None, None, Some(2)]);
    let sites = texts(&[Some("a"), None, Some("a"), None, Some("a")]);
    let file = fixture.write(vec![ids, sites], vec![], properties());
    fixture.append(vec![file], vec![]).await;
    let values = vec![(2, texts(&[None, Some("a"), None])), (1, longs([Some(1), None, None]))];
    let delete = equality_delete(&mut fixture, values, vec![]);
    fixture.append(vec![], vec![delete]).await;
    let context = session(&fixture, 1, false);
    assert_eq!(one(&context, "SELECT count(*), sum(id) FROM t").await, [2, 3]);
}

#[tokio::test]
async fn a_delete_without_a_partition_reaches_all() {
    let mut fixture = two_sites().await;
    fixture.repartition(&[]);
    let delete = equality_delete(&mut fixture, vec![(1, longs([Some(0)]))], vec![]);
    fixture.append(vec![], vec![delete]).await;
    let context = session(&fixture, 1, false);
    assert_eq!(one(&context, "SELECT count(*), min(id) FROM t").await, [18, 1]);
}

#[tokio::test]
async fn e1_columns_are_compared_by_id_as_they_are_now() {
    let columns = schema(&[("id", PrimitiveType::Int), ("site", PrimitiveType::String)]);
    let mut fixture = Fixture::new(columns, &[]);
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let file = fixture.write(vec![ids, texts(&[Some("a"); 3])], vec![], properties());
    fixture.append(vec![file], vec![]).await;
    // Widened and renamed; the name goes to a new column, which old files do not have.
    fixture.evolve(schema_of_ids(
        1,
        [
            (1, "number", PrimitiveType::Long),
            (2, "site", PrimitiveType::String),
            (3, "id", PrimitiveType::Long),
        ],
    ));
    let wide = equality_delete(&mut fixture, vec![(1, longs([Some(2)]))], vec![]);
    let absent =
        equality_delete(&mut fixture, vec![(3, longs([None])), (1, longs([Some(3)]))], vec![]);
    fixture.append(vec![], vec![wide, absent]).await;
    let context = session(&fixture, 1, false);
    assert_eq!(one(&context, "SELECT count(*), max(number) FROM t").await, [1, 1]);
}

#[tokio::test]
async fn positions_and_values_delete_together() {
    let mut fixture = two_sites().await;
    let files = fixture.table();
    let snapshot = files.metadata().current_snapshot().unwrap();
    let list = files.manifest_list_reader(snapshot).load().await.unwrap();
    let manifest = list.entries()[0].load_manifest(files.file_io()).await.unwrap();
    let first = manifest.entries()[0].data_file().clone();
    let positions = fixture.delete(&[(&first, &[0, 1])]);
    fixture.append(vec![], vec![positions]).await;
    let values = equality_delete(&mut fixture, vec![(1, longs([Some(1), Some(2)]))], site("a"));
    fixture.append(vec![], vec![values]).await;
    let context = session(&fixture, 2, false);
    assert_eq!(one(&context, "SELECT count(*) FROM t WHERE site = 'a'").await, [7]);
    let addresses = rows(&context, "SELECT _pos FROM a WHERE site = 'a' ORDER BY 1").await;
    assert_eq!(addresses[0].column(0).as_ref(), longs((3..10).map(Some)).as_ref());
    assert_eq!(addresses[0].column(0).data_type(), &DataType::Int64);
}
