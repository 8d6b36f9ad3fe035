//! Columns under construction: fields are parsed straight into Arrow's buffers.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Float64Array,
    Int32Array, Int64Array, NullBufferBuilder, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;
use memchr::memchr;

use super::ColumnType;
use super::number::{parse_boolean, parse_decimal, parse_double, parse_int, parse_long};
use super::split::{Field, Kind};
use super::time::{parse_date, parse_timestamp, parse_timestamptz};

/// A column of the batch being made.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    column_type: ColumnType,
    values: Values,
    nulls: NullBufferBuilder,
}

/// The values so far; a NULL takes a place in all of them.
#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int(Vec<i32>),
    Long(Vec<i64>),
    Double(Vec<f64>),
    Decimal { values: Vec<i128>, precision: u8, scale: i8 },
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Timestamptz(Vec<i64>),
    String { bytes: Vec<u8>, offsets: Vec<i32> },
}

impl Values {
    fn new(column_type: ColumnType, rows: usize, bytes: usize) -> Self {
        match column_type {
            ColumnType::Boolean => Self::Boolean(BooleanBufferBuilder::new(rows)),
            ColumnType::Int => Self::Int(Vec::with_capacity(rows)),
            ColumnType::Long => Self::Long(Vec::with_capacity(rows)),
            ColumnType::Double => Self::Double(Vec::with_capacity(rows)),
            ColumnType::Decimal { precision, scale } => {
                Self::Decimal { values: Vec::with_capacity(rows), precision, scale }
            }
            ColumnType::Date => Self::Date(Vec::with_capacity(rows)),
            ColumnType::Timestamp => Self::Timestamp(Vec::with_capacity(rows)),
            ColumnType::Timestamptz => Self::Timestamptz(Vec::with_capacity(rows)),
            ColumnType::String => {
                let mut offsets = Vec::with_capacity(rows + 1);
                offsets.push(0);
                Self::String { bytes: Vec::with_capacity(bytes), offsets }
            }
        }
    }
}

/// Appends a parsed value, if there is one.
#[inline]
fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            values.push(value);
            true
        }
        None => false,
    }
}

impl ColumnBuilder {
    /// An empty column.
    pub(super) fn new(column_type: ColumnType) -> Self {
        let values = Values::new(column_type, 0, 0);
        Self { column_type, values, nulls: NullBufferBuilder::new(0) }
    }

    /// The type that values are parsed as.
    pub(super) fn column_type(&self) -> ColumnType {
        self.column_type
    }

    /// Appends a field of `data`. False, with nothing appended, if it is not of the type.
    #[inline]
    pub(super) fn append(&mut self, data: &[u8], field: &Field) -> bool {
        let text = &data[field.start..field.end];
        if let Values::String { bytes, offsets } = &mut self.values {
            match field.kind {
                Kind::Plain | Kind::Quoted => bytes.extend_from_slice(text),
                Kind::Escaped => unescape(bytes, text),
            }
            // A batch's bytes fit, see `CsvOptions::check`.
            offsets.push(bytes.len() as i32);
            self.nulls.append(!text.is_empty() || field.kind == Kind::Quoted);
            return true;
        }
        let text = trimmed(text);
        if text.is_empty() {
            self.append_null();
            return true;
        }
        let good = match &mut self.values {
            Values::Long(values) => push(values, parse_long(text)),
            Values::Decimal { values, precision, scale } => {
                push(values, parse_decimal(text, *precision, *scale))
            }
            Values::Timestamp(values) => push(values, parse_timestamp(text)),
            Values::Timestamptz(values) => push(values, parse_timestamptz(text)),
            Values::Date(values) => push(values, parse_date(text)),
            Values::Double(values) => push(values, parse_double(text)),
            Values::Int(values) => push(values, parse_int(text)),
            Values::Boolean(values) => {
                let value = parse_boolean(text);
                value.into_iter().for_each(|value| values.append(value));
                value.is_some()
            }
            Values::String { .. } => false,
        };
        if good {
            self.nulls.append_non_null();
        }
        good
    }

    /// Appends a NULL to a column that is not of strings.
    fn append_null(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Int(values) | Values::Date(values) => values.push(0),
            Values::Long(values) | Values::Timestamp(values) | Values::Timestamptz(values) => {
                values.push(0);
            }
            Values::Double(values) => values.push(0.0),
            Values::Decimal { values, .. } => values.push(0),
            Values::String { bytes, offsets } => offsets.push(bytes.len() as i32),
        }
        self.nulls.append_null();
    }

    /// Takes back what was appended after the first `rows` rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Int(values) | Values::Date(values) => values.truncate(rows),
            Values::Long(values) | Values::Timestamp(values) | Values::Timestamptz(values) => {
                values.truncate(rows);
            }
            Values::Double(values) => values.truncate(rows),
            Values::Decimal { values, .. } => values.truncate(rows),
            Values::String { bytes, offsets } => {
                offsets.truncate(rows + 1);
                bytes.truncate(offsets.last().map_or(0, |&end| end as usize));
            }
        }
        self.nulls.truncate(rows);
    }

    /// The column as an array; the builder starts anew with room for as many rows.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let rows = self.nulls.len();
        // One long cell must not reserve its size in every later batch.
        let bytes = match &self.values {
            Values::String { bytes, .. } => bytes.len().min(rows.saturating_mul(64)),
            _ => 0,
        };
        let values =
            std::mem::replace(&mut self.values, Values::new(self.column_type, rows, bytes));
        let nulls = self.nulls.finish();
        Ok(match values {
            Values::Boolean(mut values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int(values) => Arc::new(Int32Array::new(values.into(), nulls)),
            Values::Long(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Values::Double(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Decimal { values, precision, scale } => Arc::new(
                Decimal128Array::new(values.into(), nulls)
                    .with_precision_and_scale(precision, scale)?,
            ),
            Values::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Values::Timestamp(values) => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls))
            }
            Values::Timestamptz(values) => {
                let array = TimestampMicrosecondArray::new(values.into(), nulls);
                Arc::new(array.with_timezone("+00:00"))
            }
            Values::String { bytes, offsets } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)?)
            }
        })
    }
}

/// The text without ASCII white space around it.
#[inline]
fn trimmed(text: &[u8]) -> &[u8] {
    match (text.first(), text.last()) {
        (Some(first), Some(last)) if *first > b' ' && *last > b' ' => text,
        _ => text.trim_ascii(),
    }
}

/// Appends a quoted text with each `""` as one quote.
fn unescape(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(quote) = memchr(b'"', rest) {
        bytes.extend_from_slice(&rest[..=quote]);
        rest = rest.get(quote + 2..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest);
}
