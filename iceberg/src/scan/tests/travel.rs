//! Earlier snapshots, and tables without one.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::prelude::SessionContext;
use iceberg::spec::{FormatVersion, PrimitiveType};

use super::fixture::{Fixture, properties, schema, schema_of_ids};
use super::lived::lived;
use super::{one, session};
use crate::ErrorKind;
use crate::scan::IcebergTable;

fn at(fixture: &Fixture, snapshot_id: i64) -> SessionContext {
    let context = SessionContext::new_with_config(Default::default());
    let table = IcebergTable::try_new(fixture.table(), Some(snapshot_id)).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    context
}

#[tokio::test]
async fn an_earlier_snapshot_has_its_own_rows_and_schema() {
    let fixture = lived().await.fixture;
    let first = at(&fixture, 1);
    assert_eq!(one(&first, "SELECT count(*) FROM t").await, [100_000]);
    assert_eq!(one(&first, "SELECT count(name), sum(amount) FROM t WHERE id < 3").await, [3, 3]);
    assert!(first.sql("SELECT label FROM t").await.is_err(), "that column came later");
    let second = at(&fixture, 2);
    assert_eq!(one(&second, "SELECT count(name) FROM t WHERE id < 3").await, [0]);
}

#[tokio::test]
async fn the_current_snapshot_has_the_current_schema() {
    let mut fixture = lived().await.fixture;
    fixture.evolve(schema_of_ids(2, [(1, "key", PrimitiveType::Long)]));
    let context = session(&fixture, 1, false);
    assert_eq!(one(&context, "SELECT min(key) FROM t").await, [1]);
}

#[tokio::test]
async fn a_table_without_a_snapshot_is_empty() {
    let fixture = Fixture::new(schema(&[("id", PrimitiveType::Long)]), &[]);
    let context = session(&fixture, 4, true);
    assert_eq!(one(&context, "SELECT count(*) FROM t").await, [0]);
    assert_eq!(one(&context, "SELECT count(*) FROM a WHERE id = 1 AND _pos = 0").await, [0]);
    let error = IcebergTable::try_new(fixture.table(), Some(7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_table_of_version_1_is_read() {
    let columns = schema(&[("id", PrimitiveType::Long), ("s", PrimitiveType::String)]);
    let mut fixture = Fixture::of_version(FormatVersion::V1, columns, &[]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1, 2])), Arc::new(StringArray::from(vec!["x", "y"]))];
    let file = fixture.write(columns, vec![], properties());
    fixture.append(vec![file], vec![]).await;
    let context = session(&fixture, 1, false);
    assert_eq!(one(&context, "SELECT id FROM t WHERE s = 'y'").await, [2]);
}
