//! Files that bounds leave for a few keys alone, and that do not hold them: their bloom filters say so
//! (B1).
//!
//! Where the key ranges of files overlap at their ends, a bound cannot tell. Before such a file counts
//! as one that may hold a key, its footer and the filters of its key columns are read, and nothing else.
//!
//! Source: <https://parquet.apache.org/docs/file-format/bloomfilter/>

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Int32Type, Int64Type, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use futures::{StreamExt, stream};
use iceberg::io::{FileIO, FileRead};
use iceberg::spec::Transform;
use parquet::basic::{ConvertedType, Type as PhysicalType};
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use prost::bytes::Bytes;

use super::candidates::{Candidates, KeyColumn};
use super::files::CONCURRENT_READS;
use super::provider::IcebergTable;
use super::reads::FileReads;
use crate::Result;
use crate::table::WriteProperties;

/// Files that more keys fall into are read without being asked: one of so many is there, or looks so.
const MOST_KEYS: usize = 1_024;

/// More files are not asked by one statement.
const MOST_FILES: usize = 4_096;

/// So much of a file's end is read for its footer.
const TAIL_BYTES: u64 = 64 << 10;

/// A key column with bloom filters.
#[derive(Debug, Clone)]
pub(super) struct BloomColumn {
    /// Its place among the keys.
    key: usize,
    field_id: i32,
    physical: PhysicalType,
}

/// The key columns of a table that its properties ask bloom filters for, and whose values are compared
/// as they are.
pub(super) fn bloom_columns(table: &IcebergTable, keys: &[KeyColumn]) -> Vec<BloomColumn> {
    let properties = WriteProperties::read(table.properties());
    let Ok(properties) = properties else { return Vec::new() };
    let columns = keys.iter().enumerate().filter_map(|(key, column)| {
        let field = table.columns().field_with_name(&column.name).ok()?;
        let is_asked_for = properties.bloom_filter_columns().contains(&column.name);
        let as_it_is = *field.data_type() == column.compared_as;
        let physical = physical(field.data_type()).filter(|_| is_asked_for && as_it_is)?;
        let field_id = table.iceberg_schema().field_by_name(&column.name)?.id;
        // Of an identity partition its value is what is read, whatever stands in the file.
        let specs = table.table.metadata().partition_specs_iter();
        let mut fields = specs.flat_map(|spec| spec.fields().iter());
        if fields.any(|f| f.source_id == field_id && f.transform == Transform::Identity) {
            return None;
        }
        Some(BloomColumn { key, field_id, physical })
    });
    columns.collect()
}

/// How Parquet has a type whose filters are asked here.
fn physical(kind: &DataType) -> Option<PhysicalType> {
    match kind {
        DataType::Int32 | DataType::Date32 => Some(PhysicalType::INT32),
        DataType::Int64
        | DataType::Time64(TimeUnit::Microsecond)
        | DataType::Timestamp(TimeUnit::Microsecond, _) => Some(PhysicalType::INT64),
        DataType::Utf8 | DataType::Binary => Some(PhysicalType::BYTE_ARRAY),
        _ => None,
    }
}

/// Files that few keys fall into, and these keys.
#[derive(Debug)]
pub(crate) struct Doubtful {
    columns: Vec<BloomColumn>,
    files: Vec<Asked>,
}

/// One file and its keys.
#[derive(Debug)]
struct Asked {
    /// Its place among the candidates.
    file: usize,
    path: String,
    size_bytes: u64,
    /// Of each key the values of the columns, as Parquet hashes them.
    keys: Vec<Vec<Vec<u8>>>,
}

impl Doubtful {
    /// The files of `candidates` that are worth asking; `None` if there are none.
    pub(crate) fn of(candidates: &Candidates) -> Option<Self> {
        let few = candidates.few(MOST_KEYS);
        if few.is_empty() || few.len() > MOST_FILES {
            return None;
        }
        let files = few.into_iter().map(|file| {
            let (path, size_bytes) = candidates.file(file);
            Asked { file, path: path.to_string(), size_bytes, keys: Vec::new() }
        });
        Some(Self { columns: candidates.blooms().to_vec(), files: files.collect() })
    }

    /// Looks at keys once more, and keeps those that fall into these files.
    ///
    /// # Errors
    /// `Internal` for columns of other types.
    pub(crate) fn look_at(&mut self, candidates: &Candidates, keys: &[ArrayRef]) -> Result<()> {
        let files: Vec<usize> = self.files.iter().map(|asked| asked.file).collect();
        let columns = &self.columns;
        let mut asked = self.files.iter_mut();
        candidates.keys_of(&files, keys, |keys, rows| {
            let key = |row: usize| columns.iter().map(|c| hashed(&keys[c.key], row)).collect();
            if let Some(asked) = asked.next() {
                asked.keys.extend(rows.map(key));
            }
        })
    }

    /// The files that hold none of their keys.
    ///
    /// A file that cannot be read is none of them: the scan will say what is wrong with it.
    pub(crate) async fn without_a_key(
        self,
        file_io: &FileIO,
        reads: Option<&FileReads>,
    ) -> Vec<usize> {
        let columns = &self.columns;
        let asking = stream::iter(self.files).map(|asked| async move {
            let (holds, bytes) = asked.holds_a_key(columns, file_io).await?;
            if let Some(reads) = reads {
                reads.asked(&asked.path, bytes);
            }
            (!holds).then_some(asked.file)
        });
        asking
            .buffer_unordered(CONCURRENT_READS)
            .filter_map(|file| async move { file })
            .collect()
            .await
    }
}

impl Asked {
    /// Whether the file may hold one of its keys, and how many bytes were read to tell; `None` if they
    /// cannot be read.
    async fn holds_a_key(&self, columns: &[BloomColumn], file_io: &FileIO) -> Option<(bool, u64)> {
        let reader = file_io.new_input(&self.path).ok()?.reader().await.ok()?;
        let (metadata, mut bytes) = self.footer(reader.as_ref()).await?;
        for group in metadata.row_groups() {
            let mut filters = Vec::new();
            for column in columns {
                let filter = column.filter(group, reader.as_ref()).await?;
                bytes += filter.as_ref().map_or(0, |(_, bytes)| *bytes);
                filters.push(filter.map(|(filter, _)| filter));
            }
            let may_hold = |key: &Vec<Vec<u8>>| {
                let values = filters.iter().zip(key);
                values.into_iter().all(|(filter, value)| {
                    filter.as_ref().is_none_or(|filter| filter.check(value.as_slice()))
                })
            };
            if self.keys.iter().any(may_hold) {
                return Some((true, bytes));
            }
        }
        Some((false, bytes))
    }

    async fn footer(&self, reader: &dyn FileRead) -> Option<(ParquetMetaData, u64)> {
        let mut wanted = TAIL_BYTES.min(self.size_bytes);
        loop {
            let tail = reader.read(self.size_bytes - wanted..self.size_bytes).await.ok()?;
            let mut metadata = ParquetMetaDataReader::new();
            match metadata.try_parse_sized(&tail, self.size_bytes) {
                Ok(()) => return Some((metadata.finish().ok()?, wanted)),
                Err(ParquetError::NeedMoreData(more)) => {
                    let more = u64::try_from(more).ok()?;
                    wanted = (more > wanted && more <= self.size_bytes).then_some(more)?;
                }
                Err(_) => return None,
            }
        }
    }
}

impl BloomColumn {
    /// The filter of a row group, and its bytes; `Some(None)` if there is none, or if values are
    /// stored as another type.
    async fn filter(
        &self,
        group: &RowGroupMetaData,
        reader: &dyn FileRead,
    ) -> Option<Option<(Sbbf, u64)>> {
        let own = group.columns().iter().find(|column| {
            let info = column.column_descr().self_type().get_basic_info();
            info.has_id() && info.id() == self.field_id
        });
        // Files that were taken over from elsewhere may have times in another unit.
        let as_here = |column: &&ColumnChunkMetaData| {
            let millis = [ConvertedType::TIMESTAMP_MILLIS, ConvertedType::TIME_MILLIS];
            column.column_type() == self.physical
                && !millis.contains(&column.column_descr().converted_type())
        };
        let Some(column) = own.filter(as_here) else {
            return Some(None);
        };
        let (Some(offset), Some(bytes)) =
            (column.bloom_filter_offset(), column.bloom_filter_length())
        else {
            return Some(None);
        };
        let (offset, bytes) = (u64::try_from(offset).ok()?, u64::try_from(bytes).ok()?);
        let filter: Bytes = reader.read(offset..offset.checked_add(bytes)?).await.ok()?;
        Some(Some((Sbbf::from_bytes(&filter).ok()?, bytes)))
    }
}

/// A value as Parquet hashes it: numbers by their little-endian bytes.
fn hashed(values: &ArrayRef, row: usize) -> Vec<u8> {
    match values.data_type() {
        DataType::Int32 => values.as_primitive::<Int32Type>().value(row).to_le_bytes().to_vec(),
        DataType::Date32 => values.as_primitive::<Date32Type>().value(row).to_le_bytes().to_vec(),
        DataType::Int64 => values.as_primitive::<Int64Type>().value(row).to_le_bytes().to_vec(),
        DataType::Time64(_) => {
            values.as_primitive::<Time64MicrosecondType>().value(row).to_le_bytes().to_vec()
        }
        DataType::Timestamp(..) => {
            values.as_primitive::<TimestampMicrosecondType>().value(row).to_le_bytes().to_vec()
        }
        DataType::Utf8 => values.as_string::<i32>().value(row).as_bytes().to_vec(),
        _ => values.as_binary::<i32>().value(row).to_vec(),
    }
}
