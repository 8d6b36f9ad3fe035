//! What cannot be read is refused by name: never wrong rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use datafusion::common::DataFusionError;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, FormatVersion, Literal,
    PrimitiveType, Transform,
};

use super::fixture::{Fixture, describe, local, properties, schema, write_parquet};
use super::{one, session};
use crate::scan::IcebergTable;
use crate::{Error, ErrorKind};

fn table() -> Fixture {
    Fixture::new(schema(&[("id", PrimitiveType::Long)]), &[])
}

fn write(fixture: &mut Fixture) -> DataFile {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
    fixture.write(vec![ids], vec![], properties())
}

/// Our error of scanning the whole table: its kind, and the file that it names.
async fn refusal(fixture: &Fixture) -> (ErrorKind, String) {
    let context = session(fixture, 1, false);
    let result = context.sql("SELECT sum(id) FROM t").await.unwrap().collect().await;
    let error = result.expect_err("the scan is refused");
    let mut cause = Some(&error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(DataFusionError::External(source)) = error.downcast_ref::<DataFusionError>()
            && let Some(ours) = source.downcast_ref::<Error>()
        {
            return (ours.kind(), ours.context("file").unwrap_or_default().to_owned());
        }
        cause = error.source();
    }
    panic!("not ours: {error:?}");
}

fn other_kind(content: DataContentType, format: DataFileFormat) -> DataFile {
    DataFileBuilder::default()
        .content(content)
        .file_path("file:///other".to_owned())
        .file_format(format)
        .record_count(1)
        .file_size_in_bytes(1)
        .equality_ids((content == DataContentType::EqualityDeletes).then(|| vec![1]))
        .build()
        .unwrap()
}

#[tokio::test]
async fn other_formats_and_other_deletes() {
    use DataContentType::{Data, EqualityDeletes, PositionDeletes};
    for (content, format) in [
        (Data, DataFileFormat::Orc),
        (Data, DataFileFormat::Avro),
        (EqualityDeletes, DataFileFormat::Avro),
        (PositionDeletes, DataFileFormat::Avro),
        (PositionDeletes, DataFileFormat::Puffin),
    ] {
        let mut fixture = table();
        let good = write(&mut fixture);
        let other = other_kind(content, format);
        let (data, deletes) =
            if content == Data { (vec![good, other], vec![]) } else { (vec![good], vec![other]) };
        fixture.append(data, deletes).await;
        let refused = refusal(&fixture).await;
        assert_eq!(refused, (ErrorKind::Unsupported, "file:///other".to_owned()), "{content:?}");
    }
}

#[tokio::test]
async fn partition_transforms_that_are_not_known() {
    let columns = schema(&[("id", PrimitiveType::Long)]);
    let mut fixture = Fixture::new(columns, &[("id", Transform::Identity)]);
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let file = fixture.write(vec![ids], vec![Some(Literal::long(1))], properties());
    fixture.append(vec![file], vec![]).await;
    // Another spec is the default: what counts is the one that files were written with.
    fixture.repartition(&[]);
    let metadata = serde_json::to_string(&fixture.metadata).unwrap();
    assert!(metadata.contains(r#""transform":"identity""#), "{metadata}");
    let unknown = metadata.replace(r#""transform":"identity""#, r#""transform":"unknown""#);
    fixture.metadata = serde_json::from_str(&unknown).unwrap();
    let (kind, _) = refusal(&fixture).await;
    assert_eq!(kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn format_version_3() {
    let columns = schema(&[("id", PrimitiveType::Long)]);
    let fixture = Fixture::of_version(FormatVersion::V3, columns, &[]);
    let error = IcebergTable::try_new(fixture.table(), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_column_with_a_reserved_name_has_no_row_address() {
    let mut fixture = Fixture::new(schema(&[("_pos", PrimitiveType::Long)]), &[]);
    let file = write(&mut fixture);
    fixture.append(vec![file], vec![]).await;
    let table = IcebergTable::try_new(fixture.table(), None).unwrap();
    let context = datafusion::prelude::SessionContext::new_with_config(Default::default());
    context.register_table("t", Arc::new(table.clone())).unwrap();
    assert_eq!(one(&context, "SELECT sum(_pos) FROM t").await, [499_500]);
    assert_eq!(table.with_row_address().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn files_without_field_ids() {
    let mut fixture = table();
    let at = fixture.location("data", ".parquet");
    let columns = Arc::new(ArrowSchema::new(vec![Field::new("id", DataType::Int64, true)]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_new(columns, vec![ids]).unwrap();
    let footer = write_parquet(&at, &batch, properties().build());
    let unknown = schema(&[]);
    let file = describe(&at, &footer, &unknown).null_value_counts([].into()).build().unwrap();
    fixture.append(vec![file], vec![]).await;
    assert_eq!(refusal(&fixture).await, (ErrorKind::Unsupported, at));
}

#[tokio::test]
async fn damaged_files_are_named() {
    for cut in ["data", "deletes", "manifest", "list"] {
        for missing in [false, true] {
            let mut fixture = table();
            let file = write(&mut fixture);
            let deletes = fixture.delete(&[(&file, &[1])]);
            let (data_path, deletes_path) =
                (file.file_path().to_owned(), deletes.file_path().to_owned());
            fixture.append(vec![file], vec![deletes]).await;
            let table = fixture.table();
            let snapshot = table.metadata().current_snapshot().unwrap();
            let list = table.manifest_list_reader(snapshot).load().await.unwrap();
            let path = match cut {
                "data" => data_path,
                "deletes" => deletes_path,
                "manifest" => list.entries()[0].manifest_path.clone(),
                _ => snapshot.manifest_list().to_owned(),
            };
            if missing {
                std::fs::remove_file(local(&path)).unwrap();
            } else {
                let bytes = std::fs::read(local(&path)).unwrap();
                std::fs::write(local(&path), &bytes[..bytes.len() / 2]).unwrap();
            }
            // The table is there; its file is not, or not whole.
            assert_eq!(refusal(&fixture).await, (ErrorKind::Damaged, path), "{cut}");
        }
    }
}

#[tokio::test]
async fn bytes_that_were_changed_are_named() {
    let mut fixture = table();
    let file = write(&mut fixture);
    let path = file.file_path().to_owned();
    fixture.append(vec![file], vec![]).await;
    let mut bytes = std::fs::read(local(&path)).unwrap();
    let end = bytes.len();
    bytes[end - 40..end - 8].fill(0xFF);
    std::fs::write(local(&path), &bytes).unwrap();
    assert_eq!(refusal(&fixture).await, (ErrorKind::Damaged, path));
}

#[tokio::test]
async fn a_delete_of_a_row_that_is_not_there() {
    let mut fixture = table();
    let file = write(&mut fixture);
    let deletes = fixture.delete(&[(&file, &[1_000])]);
    let path = deletes.file_path().to_owned();
    fixture.append(vec![file], vec![deletes]).await;
    assert_eq!(refusal(&fixture).await, (ErrorKind::Damaged, path));
}
