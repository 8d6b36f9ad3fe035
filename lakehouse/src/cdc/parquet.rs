//! Change rows from Parquet files: columns by name, types that lose nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use northstar_iceberg::storage::landing::{self, ParquetSource};
use northstar_iceberg::table::schema::{arrow_type, iceberg_type};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::files::ChangeFile;
use super::stage::Stage;
use crate::bronze::define::column_type;
use crate::sources::csv::{Column, ColumnType, Renames};
use crate::{Error, ErrorKind, Result};

const BATCH_ROWS: usize = 8_192;

/// A column's name, and the type that a table would have for it.
pub(super) type Described = (String, Option<ColumnType>);

/// The names of a file's columns with the types that a table would have for them, and how many rows
/// there are.
///
/// # Errors
/// Those of reading, naming the file.
pub(super) fn describe(file: &ChangeFile, renames: &Renames) -> Result<(Vec<Described>, u64)> {
    let (builder, _) = open(file)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let fields = builder.schema().fields().iter();
    let columns = fields.map(|field| {
        let like = iceberg_type(field.data_type()).and_then(|kind| arrow_type(&kind)).ok();
        (name(field.name(), renames), like.as_ref().and_then(column_type))
    });
    Ok((columns.collect(), rows))
}

/// Stages the rows of a file; their lines are their numbers, from 1.
///
/// # Errors
/// Those of reading; `InvalidData` for other columns or types that would lose values, naming file
/// and column.
pub(super) fn read(
    stage: &mut Stage,
    number: usize,
    file: &ChangeFile,
    columns: &[Column],
    renames: &Renames,
) -> Result<()> {
    let (builder, source) = open(file)?;
    let places = places(builder.schema(), columns, renames)
        .map_err(|error| error.with_context("file", file.name()))?;
    let failed = |error| failed(file, &source, error);
    let reader: ParquetRecordBatchReader = builder
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| failed(ArrowError::from(error)))?;
    let mut next = 1_i64;
    for rows in reader {
        let rows = rows.map_err(failed)?;
        let end = next + i64::try_from(rows.num_rows()).unwrap_or(0);
        let lines: Vec<i64> = (next..end).collect();
        let rows = typed(&rows, &places, columns)
            .map_err(|error| error.with_context("file", file.name()))?;
        stage.add((number, file.name()), &rows, &lines)?;
        next = end;
    }
    Ok(())
}

type Opened = (ParquetRecordBatchReaderBuilder<ParquetSource>, ParquetSource);

/// A reader, and the file to ask why reading failed.
fn open(file: &ChangeFile) -> Result<Opened> {
    let source = landing::open_parquet(&file.path)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(source.try_clone()?);
    Ok((builder.map_err(|error| failed(file, &source, error.into()))?, source))
}

/// What S3 said, or else that the file changed or is damaged.
fn failed(file: &ChangeFile, source: &ParquetSource, error: ArrowError) -> Error {
    let of_s3 = source.failure().filter(|failure| failure.kind() != ErrorKind::Damaged);
    let failure = of_s3.or_else(|| file.check_unchanged().err());
    failure.unwrap_or_else(|| damaged(file, error))
}

fn damaged(file: &ChangeFile, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = "the Parquet file cannot be read, so nothing was merged; write it again";
    Error::new(ErrorKind::InvalidData, message).with_context("file", file.name()).with_source(error)
}

fn name(raw: &str, renames: &Renames) -> String {
    renames.get(raw).cloned().unwrap_or_else(|| raw.to_ascii_lowercase())
}

/// For each column, its place in the file.
fn places(schema: &Schema, columns: &[Column], renames: &Renames) -> Result<Vec<usize>> {
    let names: Vec<String> =
        schema.fields().iter().map(|field| name(field.name(), renames)).collect();
    let found: Vec<Option<usize>> =
        columns.iter().map(|column| names.iter().position(|name| *name == column.name)).collect();
    let missing: Vec<&str> = columns
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none())
        .map(|(column, _)| column.name.as_str())
        .collect();
    let extra: Vec<&str> = names
        .iter()
        .enumerate()
        .filter(|(place, _)| !found.contains(&Some(*place)))
        .map(|(_, name)| name.as_str())
        .collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    let mut error = Error::new(
        ErrorKind::InvalidData,
        "the file's columns are not those of the table; rename columns in the contract",
    );
    if !missing.is_empty() {
        error = error.with_context("missing", missing.join(", "));
    }
    if !extra.is_empty() {
        error = error.with_context("extra", extra.join(", "));
    }
    Err(error)
}

fn typed(rows: &RecordBatch, places: &[usize], columns: &[Column]) -> Result<RecordBatch> {
    let mut arrays = Vec::with_capacity(columns.len());
    for (column, place) in columns.iter().zip(places) {
        let array = fitted(rows.column(*place), column)
            .map_err(|error| error.with_context("column", &column.name))?;
        arrays.push(array);
    }
    RecordBatch::try_new(crate::bronze::define::source_schema(columns), arrays).map_err(|error| {
        Error::new(ErrorKind::Internal, "change rows do not fit their columns").with_source(error)
    })
}

/// The values as the column's type, if every value of the file's type is one of it.
fn fitted(array: &ArrayRef, column: &Column) -> Result<ArrayRef> {
    let (from, to) = (array.data_type(), column.column_type.to_arrow());
    if *from == to {
        return Ok(Arc::clone(array));
    }
    // Log sequence numbers are binary in SQL Server.
    if to == DataType::Utf8 && is_binary(from) && is_position(column) {
        return hexadecimal(array);
    }
    let same = match (iceberg_type(from), iceberg_type(&to)) {
        (Ok(from), Ok(to)) => from == to,
        _ => false,
    };
    let wider = match (from, &to) {
        (from, DataType::Int64) if from.is_integer() => *from != DataType::UInt64,
        // The operation is checked value by value: what does not fit is none.
        (from, DataType::Int32) if from.is_integer() => column.name == super::columns::OP,
        (DataType::Float32, DataType::Float64) => true,
        (DataType::Decimal128(from, from_scale), DataType::Decimal128(to, scale)) => {
            from_scale == scale && from <= to
        }
        _ => false,
    };
    if !same && !wider {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!(
                "the file has type {from} where the table has {}; write the file with that type",
                column.column_type
            ),
        ));
    }
    let safe = column.name == super::columns::OP;
    let options = CastOptions { safe, ..CastOptions::default() };
    // What arrow says of a value that does not fit names the value.
    cast_with_options(array, &to, &options).map_err(|_| {
        Error::new(ErrorKind::InvalidData, format!("a value is beyond {}", column.column_type))
    })
}

fn is_position(column: &Column) -> bool {
    [super::columns::COMMIT_LSN, super::columns::SEQVAL].contains(&column.name.as_str())
}

fn is_binary(kind: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(kind, Binary | LargeBinary | BinaryView | FixedSizeBinary(_))
}

fn hexadecimal(array: &ArrayRef) -> Result<ArrayRef> {
    let defect = || Error::new(ErrorKind::Internal, "binary values cannot be read");
    let binary = cast(array, &DataType::Binary).map_err(|error| defect().with_source(error))?;
    let binary = binary.as_binary_opt::<i32>().ok_or_else(defect)?;
    let text = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let texts: StringArray = binary.iter().map(|bytes| bytes.map(text)).collect();
    Ok(Arc::new(texts))
}
