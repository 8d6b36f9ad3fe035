//! A column of a metadata table: its name, its type, and its value in a row.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;

use crate::table::schema::UTC;
use crate::{Error, ErrorKind, Result};

/// The types of these columns, by Iceberg's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Int,
    Long,
    Text,
    /// `timestamptz`.
    Time,
}

impl Kind {
    fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        }
    }
}

/// A column of rows of one kind.
#[derive(Debug)]
pub(super) struct Column<R> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Its value in a row. Only columns that are asked for are evaluated.
    pub(super) value: fn(&R) -> Result<ScalarValue>,
}

/// The arrow schema of columns. All of them may be NULL: writers leave much out.
pub(super) fn schema<R>(columns: &[Column<R>]) -> SchemaRef {
    let fields = columns.iter().map(|column| Field::new(column.name, column.kind.arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows as a batch of the columns that are asked for, by their place.
///
/// # Errors
/// Those of the columns.
pub(super) fn batch<R>(
    columns: &[Column<R>],
    projection: &[usize],
    rows: &[R],
) -> Result<RecordBatch> {
    let defect = || Error::new(ErrorKind::Internal, "a metadata table cannot be laid out");
    let schema =
        schema(columns).project(projection).map_err(|error| defect().with_source(error))?;
    let mut arrays = Vec::with_capacity(projection.len());
    for column in projection.iter().filter_map(|place| columns.get(*place)) {
        let values = rows.iter().map(column.value).collect::<Result<Vec<_>>>()?;
        arrays.push(match values.is_empty() {
            true => new_empty_array(&column.kind.arrow()),
            false => ScalarValue::iter_to_array(values)
                .map_err(|error| defect().with_source(error).with_context("column", column.name))?,
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(schema), arrays, &options)
        .map_err(|error| defect().with_source(error))
}

/// A number of four bytes.
#[expect(clippy::unnecessary_wraps, reason = "what columns give may fail")]
pub(super) fn int(value: Option<i32>) -> Result<ScalarValue> {
    Ok(ScalarValue::Int32(value))
}

/// A number of eight bytes.
#[expect(clippy::unnecessary_wraps, reason = "what columns give may fail")]
pub(super) fn long(value: Option<i64>) -> Result<ScalarValue> {
    Ok(ScalarValue::Int64(value))
}

/// A count; NULL for one that no `long` holds.
pub(super) fn count(value: u64) -> Result<ScalarValue> {
    long(i64::try_from(value).ok())
}

/// A count of files; NULL for one that no `int` holds.
pub(super) fn files(value: impl TryInto<i32>) -> Result<ScalarValue> {
    int(value.try_into().ok())
}

/// A text.
#[expect(clippy::unnecessary_wraps, reason = "what columns give may fail")]
pub(super) fn text(value: Option<String>) -> Result<ScalarValue> {
    Ok(ScalarValue::Utf8(value))
}

/// A moment, from milliseconds.
#[expect(clippy::unnecessary_wraps, reason = "what columns give may fail")]
pub(super) fn time(ms: Option<i64>) -> Result<ScalarValue> {
    let micros = ms.and_then(|ms| ms.checked_mul(1000));
    Ok(ScalarValue::TimestampMicrosecond(micros, Some(UTC.into())))
}
