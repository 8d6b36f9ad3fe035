//! Tables of a lab that hold what the model holds.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use northstar_iceberg::commit::CommitRequest;
use northstar_iceberg::merge::LakeSession;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{LakeTable, TableName};
use northstar_tests::lab::{Lab, run_context, small_writes, tester};

use super::generate::Shape;
use super::value::{Cell, Kind, Row};

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Int => DataType::Int64,
        Kind::Text => DataType::Utf8,
        Kind::Double => DataType::Float64,
    }
}

/// Makes a table and writes each of `files` on its own, all in one snapshot.
pub(super) async fn make(lab: &Lab, name: &TableName, shape: &Shape, files: &[Vec<Row>]) {
    let columns = shape.columns.iter();
    let definition = TableDefinition {
        columns: columns
            .map(|(name, kind)| ColumnDefinition::new(name, data_type(*kind)))
            .collect(),
        partition: shape.partition.iter().map(|field| field.parse().unwrap()).collect(),
        sort: shape.sort.clone(),
        properties: ["merge", "update", "delete"]
            .map(|verb| (format!("write.{verb}.mode"), shape.mode.to_string()))
            .into(),
    };
    let table = lab.lake.create_table(name, &definition, &tester()).await.unwrap();
    let order: Vec<usize> = (0..shape.columns.len()).collect();
    let mut written = Vec::new();
    for rows in files.iter().filter(|rows| !rows.is_empty()) {
        let options = small_writes(lab.folder.path());
        let mut writer = TableWriter::new(&lab.lake, &table, "seed", options).unwrap();
        writer.write(batch(shape, &order, rows)).unwrap();
        written.extend(writer.finish().unwrap().files);
    }
    let request = CommitRequest {
        commit_id: format!("seed of {name}"),
        run: run_context(),
        summary: [].into(),
        expect: None,
    };
    lab.lake.append(&table, &written, &request).await.unwrap().settled().unwrap();
}

pub(super) async fn open(lab: &Lab, name: &TableName) -> LakeTable {
    lab.lake.open_table(name, &tester()).await.unwrap()
}

/// The rows as a batch whose columns stand in `order`.
fn batch(shape: &Shape, order: &[usize], rows: &[Row]) -> RecordBatch {
    let fields: Vec<Field> = order
        .iter()
        .map(|at| Field::new(&shape.columns[*at].0, data_type(shape.columns[*at].1), true))
        .collect();
    let columns = order.iter().map(|at| -> ArrayRef {
        let cells = rows.iter().map(|row| &row[*at]);
        match shape.columns[*at].1 {
            Kind::Int => Arc::new(Int64Array::from_iter(cells.map(|cell| match cell {
                Cell::Int(value) => Some(*value),
                _ => None,
            }))),
            Kind::Text => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
                Cell::Text(text) => Some(text.as_str()),
                _ => None,
            }))),
            Kind::Double => Arc::new(Float64Array::from_iter(cells.map(|cell| match cell {
                Cell::Double(bits) => Some(f64::from_bits(*bits)),
                _ => None,
            }))),
        }
    });
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect()).unwrap()
}

/// Rows as a table that is given along with a statement, as `given.s`.
pub(super) fn given(
    shape: &Shape,
    order: &[usize],
    rows: &[Row],
) -> HashMap<TableName, Arc<dyn TableProvider>> {
    let batch = batch(shape, order, rows);
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    [("given.s".parse().unwrap(), Arc::new(table) as Arc<dyn TableProvider>)].into()
}

/// All rows of a table, in any order, bit by bit.
pub(super) async fn read(session: &LakeSession, name: &TableName) -> Vec<Row> {
    let frame = session.sql().query(&format!("SELECT * FROM {name}")).await.unwrap();
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap() {
        let cast = |at: usize, kind| arrow::compute::cast(batch.column(at), kind).unwrap();
        let columns: Vec<Vec<Cell>> = (0..batch.num_columns())
            .map(|at| match batch.column(at).data_type() {
                DataType::Int64 => {
                    let values = batch.column(at).as_primitive::<Int64Type>();
                    values.iter().map(|value| value.map_or(Cell::Null, Cell::Int)).collect()
                }
                DataType::Float64 => {
                    let values = batch.column(at).as_primitive::<Float64Type>();
                    values.iter().map(|value| value.map_or(Cell::Null, Cell::double)).collect()
                }
                _ => {
                    let texts = cast(at, &DataType::Utf8);
                    let texts = texts.as_string::<i32>();
                    assert_eq!(texts.len(), batch.num_rows());
                    let cells = texts.iter().map(|text| text.map(str::to_string));
                    cells.map(|text| text.map_or(Cell::Null, Cell::Text)).collect()
                }
            })
            .collect();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column[row].clone()).collect::<Row>()),
        );
    }
    rows
}
