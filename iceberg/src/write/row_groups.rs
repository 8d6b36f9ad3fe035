//! Copies row groups of data files as they are, without decoding them.
//!
//! Only of files that this program wrote, with the schema that the table has now: what is copied is
//! what would be encoded. Statistics, page indexes and bloom filters go with it. A file says in its
//! manifest entry where its row groups begin, so that a file of one is not even opened.

use std::sync::Arc;

use iceberg::spec::{DataFile, TableMetadata};
use parquet::arrow::ArrowSchemaConverter;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{ReaderProperties, WriterProperties, WriterVersion};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use roaring::RoaringTreemap;

use super::data_file::{Target, described, encoding_failed, new_location};
use super::encoding::CREATED_BY;
use crate::ids::Ids;
use crate::observer::Observer;
use crate::storage::Input;
use crate::{Error, ErrorKind, Result, storage};

/// A file whose untouched row groups were copied.
#[derive(Debug)]
pub(crate) struct CopiedGroups {
    /// The new file that holds them.
    pub(crate) file: DataFile,
    /// The positions that its rows had in the old file.
    pub(crate) positions: RoaringTreemap,
}

/// Copies untouched row groups into new files of one table.
#[derive(Debug)]
pub(crate) struct GroupCopier {
    target: Target,
}

impl GroupCopier {
    /// Copies for a table as it is now. `commit_id` becomes part of each file's name.
    ///
    /// # Errors
    /// As [`super::TableWriter::for_metadata`].
    pub(crate) fn new(
        metadata: &TableMetadata,
        commit_id: &str,
        ids: Arc<dyn Ids>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        Ok(Self { target: Target::of(metadata, commit_id, ids, observer)? })
    }

    /// Copies the row groups of a data file, of such a partition spec, that have no row among `gone` into a new file of the same
    /// partition. `None` if they have fewer than `least_bytes`, or must be decoded. Blocking: run it
    /// outside async code.
    ///
    /// # Errors
    /// `Damaged` for a file that is not Parquet; storage errors. Nothing is left behind then.
    pub(crate) fn copy(
        &self,
        (spec_id, source): (i32, &DataFile),
        gone: &RoaringTreemap,
        least_bytes: u64,
    ) -> Result<Option<CopiedGroups>> {
        let groups = source.split_offsets().map_or(0, <[i64]>::len);
        if spec_id != self.target.spec.spec_id() || groups < 2 {
            return Ok(None);
        }
        let path = source.file_path();
        let file = storage::open(path)?;
        let chunks =
            file.try_clone().map_err(|error| Error::io(error, "open a data file", path))?;
        let blooms = ReaderProperties::builder().set_read_bloom_filter(true).build();
        let options = ReadOptionsBuilder::new().with_page_index().with_reader_properties(blooms);
        let reader = SerializedFileReader::new_with_options(file, options.build())
            .map_err(|error| unreadable(error, path))?;
        let untouched = Untouched::of(reader.metadata(), gone);
        let is_worth = !untouched.groups.is_empty() && untouched.bytes >= least_bytes;
        if !is_worth || !self.would_write(reader.metadata()) {
            return Ok(None);
        }
        let location = new_location(&self.target, source.partition())?;
        match self.write(source, &reader, &chunks, &untouched.groups, &location) {
            Ok(file) => {
                self.target.tell(&file);
                Ok(Some(CopiedGroups { file, positions: untouched.positions }))
            }
            Err(error) => {
                storage::discard(&[location]);
                Err(error)
            }
        }
    }

    /// Whether a file is one that would be written now: by its writer and its schema, field ids
    /// included.
    fn would_write(&self, footer: &ParquetMetaData) -> bool {
        let footer = footer.file_metadata();
        let wanted = ArrowSchemaConverter::new().convert(&self.target.arrow_schema);
        footer.created_by().is_some_and(|by| by.starts_with(CREATED_BY))
            && wanted.is_ok_and(|wanted| wanted.root_schema() == footer.schema())
    }

    fn write(
        &self,
        source: &DataFile,
        reader: &SerializedFileReader<Input>,
        chunks: &Input,
        groups: &[usize],
        location: &str,
    ) -> Result<DataFile> {
        let failed = |error| encoding_failed(error, location);
        let footer = reader.metadata();
        let about = footer.file_metadata();
        let created_by = about.created_by().unwrap_or(CREATED_BY).to_string();
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(created_by)
            .set_key_value_metadata(about.key_value_metadata().cloned())
            .set_offset_index_disabled(footer.offset_index().is_none());
        let (schema, properties) = (about.schema_descr().root_schema_ptr(), properties.build());
        let file = storage::create(location)?;
        let mut writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(failed)?;
        for at in groups {
            let group =
                reader.get_row_group(*at).map_err(|error| unreadable(error, source.file_path()))?;
            let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
            let mut copy = writer.next_row_group().map_err(failed)?;
            for (column, chunk) in group.metadata().columns().iter().enumerate() {
                let bounds = footer.column_index().and_then(|all| all.get(*at)?.get(column));
                let pages = footer.offset_index().and_then(|all| all.get(*at)?.get(column));
                let close = ColumnCloseResult {
                    bytes_written: u64::try_from(chunk.compressed_size()).unwrap_or(0),
                    rows_written: rows,
                    metadata: chunk.clone(),
                    bloom_filter: group.get_column_bloom_filter(column).cloned(),
                    column_index: bounds.filter(|is| **is != ColumnIndexMetaData::NONE).cloned(),
                    offset_index: pages.cloned(),
                };
                copy.append_column(chunks, close).map_err(failed)?;
            }
            copy.close().map_err(failed)?;
        }
        let footer = writer.finish().map_err(failed)?;
        let bytes = u64::try_from(writer.bytes_written()).unwrap_or(0);
        storage::flush(writer.inner_mut(), location)?;
        // A file may be older than the table's sort order: its rows are in the order that it says.
        let order = source.sort_order_id();
        described(&self.target, source.partition(), order, location, &footer, bytes)
    }
}

fn unreadable(error: ParquetError, path: &str) -> Error {
    match error {
        ParquetError::External(_) => encoding_failed(error, path),
        other => Error::new(ErrorKind::Damaged, "a data file cannot be read")
            .with_context("file", path)
            .with_source(other),
    }
}

/// Row groups that no changed or deleted row is in.
#[derive(Debug, Default, PartialEq)]
struct Untouched {
    groups: Vec<usize>,
    positions: RoaringTreemap,
    bytes: u64,
}

impl Untouched {
    fn of(footer: &ParquetMetaData, gone: &RoaringTreemap) -> Self {
        let mut untouched = Self::default();
        let mut first = 0_u64;
        for (at, group) in footer.row_groups().iter().enumerate() {
            let end = first + u64::try_from(group.num_rows()).unwrap_or(0);
            let mut rows = RoaringTreemap::new();
            rows.insert_range(first..end);
            if rows.is_disjoint(gone) {
                untouched.groups.push(at);
                untouched.positions |= rows;
                untouched.bytes += u64::try_from(group.compressed_size()).unwrap_or(0);
            }
            first = end;
        }
        untouched
    }
}
