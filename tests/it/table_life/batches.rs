//! Rows of the model as batches, and batches as rows of the model, bit by bit.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int32Type, Int64Type, Schema};

use super::model::{Column, Kind, Row};
use super::operation::Change;
use crate::merge_model::value::Cell;

/// The column of a MERGE's source that says whether the key is deleted.
pub(super) const DELETES: &str = "deletes_it";

pub(super) fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Int => DataType::Int32,
        Kind::Long => DataType::Int64,
        Kind::Float => DataType::Float32,
        Kind::Double => DataType::Float64,
        Kind::Text => DataType::Utf8,
    }
}

pub(super) fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "INT",
        Kind::Long => "BIGINT",
        Kind::Float => "FLOAT",
        Kind::Double => "DOUBLE",
        Kind::Text => "STRING",
    }
}

fn int(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(*value),
        _ => None,
    }
}

fn double(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Double(bits) => Some(f64::from_bits(*bits)),
        _ => None,
    }
}

fn column<'a>(kind: Kind, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    match kind {
        Kind::Int => Arc::new(Int32Array::from_iter(
            cells.map(|cell| int(cell).map(|value| i32::try_from(value).unwrap())),
        )),
        Kind::Long => Arc::new(Int64Array::from_iter(cells.map(int))),
        Kind::Float => Arc::new(Float32Array::from_iter(
            cells.map(|cell| double(cell).map(|value| value as f32)),
        )),
        Kind::Double => Arc::new(Float64Array::from_iter(cells.map(double))),
        Kind::Text => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            _ => None,
        }))),
    }
}

fn parts(rows: &[&Row], columns: &[Column]) -> (Vec<Field>, Vec<ArrayRef>) {
    let fields = columns.iter().map(|c| Field::new(&c.name, data_type(c.kind), true));
    let arrays = columns
        .iter()
        .map(|c| column(c.kind, rows.iter().map(|row| row.get(&c.id).unwrap_or(&Cell::Null))));
    (fields.collect(), arrays.collect())
}

/// Rows with the columns that the table has.
pub(super) fn batch(rows: &[Row], columns: &[Column]) -> RecordBatch {
    let rows: Vec<&Row> = rows.iter().collect();
    let (fields, arrays) = parts(&rows, columns);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// The source of a MERGE.
pub(super) fn changes(changes: &[Change], columns: &[Column]) -> RecordBatch {
    let rows: Vec<&Row> = changes.iter().map(|change| &change.row).collect();
    let (mut fields, mut arrays) = parts(&rows, columns);
    fields.push(Field::new(DELETES, DataType::Boolean, false));
    arrays
        .push(Arc::new(BooleanArray::from_iter(changes.iter().map(|change| Some(change.deletes)))));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// The rows of batches whose columns must be `columns`, in that order and of those types; sorted.
pub(super) fn cells(batches: &[RecordBatch], columns: &[Column]) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let wanted: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, wanted, "columns that are read");
        let values: Vec<Vec<Cell>> = columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| read(column, array))
            .collect();
        for row in 0..batch.num_rows() {
            rows.push(values.iter().map(|column| column[row].clone()).collect());
        }
    }
    rows.sort_unstable();
    rows
}

fn read(column: &Column, array: &ArrayRef) -> Vec<Cell> {
    if column.kind == Kind::Text {
        let texts = arrow::compute::cast(array, &DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>().iter();
        return texts.map(|t| t.map_or(Cell::Null, |t| Cell::Text(t.to_string()))).collect();
    }
    assert_eq!(array.data_type(), &data_type(column.kind), "the type of {}", column.name);
    let or_null = |cell: Option<Cell>| cell.unwrap_or(Cell::Null);
    match column.kind {
        Kind::Int => {
            let values = array.as_primitive::<Int32Type>().iter();
            values.map(|value| or_null(value.map(|value| Cell::Int(value.into())))).collect()
        }
        Kind::Long => {
            let values = array.as_primitive::<Int64Type>().iter();
            values.map(|value| or_null(value.map(Cell::Int))).collect()
        }
        Kind::Float => {
            let values = array.as_primitive::<Float32Type>().iter();
            values.map(|value| or_null(value.map(|value| Cell::double(value.into())))).collect()
        }
        Kind::Double | Kind::Text => {
            let values = array.as_primitive::<Float64Type>().iter();
            values.map(|value| or_null(value.map(Cell::double))).collect()
        }
    }
}
