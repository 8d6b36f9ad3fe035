//! Position-delete files: one for each data file, sorted by position.
//!
//! Source: <https://iceberg.apache.org/spec/#position-delete-files>

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef as ArrowSchemaRef};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, Struct, TableMetadata,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use roaring::RoaringTreemap;

use super::data_file::encoding_failed;
use super::partition;
use crate::ids::Ids;
use crate::table::schema::with_field_id;
use crate::{Error, ErrorKind, Result, storage};

/// The ids that the specification reserves for the two columns.
const FILE_PATH_ID: i32 = i32::MAX - 101;
const POS_ID: i32 = i32::MAX - 102;

/// How many rows are encoded at a time.
const BATCH_ROWS: usize = 64 << 10;

/// So many positions are not compressed: to set a decoder up costs more than their bytes.
const PLAIN_ROWS: u64 = 4 << 10;

/// A data file of which rows are deleted.
#[derive(Debug, Clone)]
pub struct DeletesOf {
    /// The data file's path, as the manifests have it.
    pub data_file: String,
    /// The partition spec that it was written with, and its partition.
    pub spec_id: i32,
    /// Its partition.
    pub partition: Struct,
    /// All positions that are deleted, those that were deleted before included.
    pub positions: RoaringTreemap,
}

/// Writes the position deletes of one data file as one file, and describes it: with the data file
/// that it refers to, and with whole bounds, so that readers can tell which data file it is about.
///
/// # Errors
/// `Internal` for a partition spec that the table does not have; storage errors, after which no
/// file is left.
pub fn write_position_deletes(
    metadata: &TableMetadata,
    commit_id: &str,
    ids: &dyn Ids,
    deletes: &DeletesOf,
) -> Result<DataFile> {
    let location = location(metadata, commit_id, ids, deletes)?;
    let written = encode(&location, deletes).and_then(|bytes| describe(&location, deletes, bytes));
    if written.is_err() {
        storage::discard(&[location]);
    }
    written
}

fn location(
    metadata: &TableMetadata,
    commit_id: &str,
    ids: &dyn Ids,
    deletes: &DeletesOf,
) -> Result<String> {
    let spec = metadata.partition_spec_by_id(deletes.spec_id).ok_or_else(|| {
        Error::new(ErrorKind::Internal, "a data file is of a partition spec that is not there")
    })?;
    let folder = partition::folder(spec, metadata.current_schema(), &deletes.partition)?;
    let slash = if folder.is_empty() { "" } else { "/" };
    let data = format!("{}/data", metadata.location().trim_end_matches('/'));
    Ok(format!("{data}/{folder}{slash}{commit_id}-{}-deletes.parquet", ids.uuid()))
}

fn schema() -> ArrowSchemaRef {
    Arc::new(Schema::new(vec![
        with_field_id(Field::new("file_path", DataType::Utf8, false), FILE_PATH_ID),
        with_field_id(Field::new("pos", DataType::Int64, false), POS_ID),
    ]))
}

/// Writes the file; its size in bytes.
fn encode(location: &str, deletes: &DeletesOf) -> Result<u64> {
    let level = ZstdLevel::try_new(1).map_err(|error| encoding_failed(error, location))?;
    let compression = match deletes.positions.len() {
        ..=PLAIN_ROWS => Compression::UNCOMPRESSED,
        _ => Compression::ZSTD(level),
    };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_column_dictionary_enabled(ColumnPath::from("pos"), false)
        .set_offset_index_disabled(true)
        .set_statistics_truncate_length(None)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    let schema = schema();
    let file = storage::create(location)?;
    let failed = |error| encoding_failed(error, location);
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties.build()))
        .map_err(failed)?;
    let mut positions = deletes.positions.iter().map(u64::cast_signed).peekable();
    while positions.peek().is_some() {
        let batch: Vec<i64> = positions.by_ref().take(BATCH_ROWS).collect();
        let path = std::iter::repeat_n(deletes.data_file.as_str(), batch.len());
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from_iter_values(path)), Arc::new(Int64Array::from(batch))];
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| {
            Error::new(ErrorKind::Internal, "deletes cannot be written").with_source(error)
        })?;
        writer.write(&rows).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    let bytes = u64::try_from(writer.bytes_written()).unwrap_or(0);
    storage::flush(writer.inner_mut(), location)?;
    Ok(bytes)
}

fn describe(location: &str, deletes: &DeletesOf, bytes: u64) -> Result<DataFile> {
    let rows = deletes.positions.len();
    let bound = |position: Option<u64>| {
        let position = position.map_or(0, u64::cast_signed);
        HashMap::from([
            (FILE_PATH_ID, Datum::string(&deletes.data_file)),
            (POS_ID, Datum::long(position)),
        ])
    };
    let each = |value: u64| HashMap::from([(FILE_PATH_ID, value), (POS_ID, value)]);
    DataFileBuilder::default()
        .content(DataContentType::PositionDeletes)
        .file_path(location.to_string())
        .file_format(DataFileFormat::Parquet)
        .partition(deletes.partition.clone())
        .partition_spec_id(deletes.spec_id)
        .record_count(rows)
        .file_size_in_bytes(bytes)
        .value_counts(each(rows))
        .null_value_counts(each(0))
        .lower_bounds(bound(deletes.positions.min()))
        .upper_bounds(bound(deletes.positions.max()))
        .referenced_data_file(Some(deletes.data_file.clone()))
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "a delete file cannot be described").with_source(error)
        })
}
