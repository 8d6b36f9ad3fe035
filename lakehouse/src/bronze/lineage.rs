//! Where each bronze row came from: the columns that every bronze table ends with.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use northstar_iceberg::table::ColumnDefinition;

use crate::{Error, ErrorKind, Result};

/// The system that the row comes from.
pub const SOURCE_SYSTEM: &str = "_source_system";
/// The table or export within it.
pub const SOURCE_TABLE: &str = "_source_table";
/// The file, by its path below the loaded folder.
pub const SOURCE_FILE: &str = "_source_file";
/// The line of the file on which the record starts, from 1.
pub const SOURCE_LINE: &str = "_source_line";
/// SHA-256 of the file's content, in hexadecimal: how a file is known again.
pub const FILE_SHA256: &str = "_file_sha256";
/// The batch that landed the row; also the id of its commit.
pub const BATCH_ID: &str = "_batch_id";
/// When the batch landed.
pub const ARRIVED_AT: &str = "_arrived_at";
/// xxh3-64 of the record's bytes, without its line end.
pub const PAYLOAD_HASH: &str = "_payload_hash";
/// The number of the batch within its table; only rises.
pub const SEQ: &str = "_seq";

/// The summary entry that holds the last `_seq` of a table.
pub const SEQ_SUMMARY: &str = "northstar.seq";

/// The lineage columns, in order; none holds NULL.
pub fn columns() -> Vec<ColumnDefinition> {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    [
        (SOURCE_SYSTEM, DataType::Utf8, "system that the row comes from"),
        (SOURCE_TABLE, DataType::Utf8, "table or export of the source system"),
        (SOURCE_FILE, DataType::Utf8, "file, below the loaded folder"),
        (SOURCE_LINE, DataType::Int64, "line of the file on which the record starts"),
        (FILE_SHA256, DataType::Utf8, "SHA-256 of the file"),
        (BATCH_ID, DataType::Utf8, "batch that landed the row, and id of its commit"),
        (ARRIVED_AT, utc, "when the batch landed"),
        (PAYLOAD_HASH, DataType::Int64, "xxh3-64 of the record's bytes"),
        (SEQ, DataType::Int64, "number of the batch within the table; only rises"),
    ]
    .map(|(name, kind, doc)| ColumnDefinition::new(name, kind).required().with_doc(doc))
    .into()
}

/// What all rows of one batch share.
#[derive(Debug, Clone)]
pub struct BatchLineage {
    /// The source system's name.
    pub source_system: String,
    /// The source table's name.
    pub source_table: String,
    /// The batch's id.
    pub batch_id: String,
    /// When it lands, in microseconds since 1970-01-01 UTC.
    pub arrived_at_us: i64,
    /// Its number within the table.
    pub seq: i64,
}

/// A file of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the loaded folder.
    pub name: String,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// The lineage of a batch, added in two steps: what differs from row to row when a file is read, and
/// the rest when its rows are encoded.
#[derive(Debug, Clone)]
pub struct Lineage {
    batch: BatchLineage,
    files: Vec<SourceFile>,
}

impl Lineage {
    /// The lineage of a batch made of `files`.
    pub fn new(batch: BatchLineage, files: Vec<SourceFile>) -> Self {
        Self { batch, files }
    }

    /// What the rows of the batch share.
    pub fn batch(&self) -> &BatchLineage {
        &self.batch
    }

    /// The columns of rows between the two steps: those of the source, the line, the hash, and the
    /// number of the file within the batch.
    pub fn narrow_schema(source: &SchemaRef) -> SchemaRef {
        let added = [
            Field::new(SOURCE_LINE, DataType::Int64, false),
            Field::new(PAYLOAD_HASH, DataType::Int64, false),
            Field::new(FILE_NUMBER, DataType::Int32, false),
        ];
        let fields = source.fields().iter().cloned().chain(added.into_iter().map(Arc::new));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Rows of the batch's file number `file`, with what differs from row to row.
    ///
    /// # Errors
    /// `Internal` if the counts of rows, lines and hashes differ.
    pub fn narrow(
        &self,
        file: usize,
        rows: &RecordBatch,
        lines: Vec<i64>,
        hashes: Vec<i64>,
    ) -> Result<RecordBatch> {
        let number = i32::try_from(file).unwrap_or(i32::MAX);
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Int64Array::from(lines)));
        columns.push(Arc::new(Int64Array::from(hashes)));
        columns.push(Arc::new(Int32Array::from_value(number, rows.num_rows())));
        RecordBatch::try_new(Self::narrow_schema(rows.schema_ref()), columns).map_err(unfit)
    }

    /// All columns of the table for narrow rows.
    ///
    /// # Errors
    /// `Internal` for rows that [`Lineage::narrow`] did not make.
    pub fn expand(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let count = rows.num_rows();
        let source = rows.num_columns().saturating_sub(3);
        let numbers = rows.column(source + 2).as_primitive_opt::<Int32Type>().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "narrow rows lack the number of their file")
        })?;
        let same = |value: &str| texts([value], Int32Array::from_value(0, count));
        let of_file =
            |text: fn(&SourceFile) -> &str| texts(self.files.iter().map(text), numbers.clone());
        let batch = &self.batch;
        let arrived = TimestampMicrosecondArray::from_value(batch.arrived_at_us, count);
        let mut all = rows.columns()[..source].to_vec();
        all.extend([
            same(&batch.source_system)?,
            same(&batch.source_table)?,
            of_file(|file| &file.name)?,
            Arc::clone(rows.column(source)),
            of_file(|file| &file.sha256)?,
            same(&batch.batch_id)?,
            Arc::new(arrived.with_timezone("+00:00")),
            Arc::clone(rows.column(source + 1)),
            Arc::new(Int64Array::from_value(batch.seq, count)),
        ]);
        Ok(all)
    }
}

/// The number of a row's file within its batch, in rows that are not expanded yet.
const FILE_NUMBER: &str = "_file_number";

/// Texts that repeat themselves, as a dictionary.
fn texts<'a>(values: impl IntoIterator<Item = &'a str>, keys: Int32Array) -> Result<ArrayRef> {
    let values = Arc::new(StringArray::from_iter_values(values));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).map_err(unfit)?))
}

fn unfit(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "lineage does not fit its rows").with_source(error)
}
