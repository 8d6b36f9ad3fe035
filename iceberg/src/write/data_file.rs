//! Writes the rows of one partition as Parquet files, each closed at the target size.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef as ArrowSchemaRef};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, PartitionSpecRef, SchemaRef,
    Struct, TableMetadata,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::ParquetMetaData;

use super::beginning::{Beginning, Length};
use super::{Expansion, bounds, encoding, partition, sort_columns};
use crate::ids::Ids;
use crate::observer::{Event, Observer};
use crate::table::WriteProperties;
use crate::table::schema::arrow_schema;
use crate::{Error, ErrorKind, Result, storage};

/// Where files go and what they are: the same for all files of one write.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) data_location: String,
    pub(crate) arrow_schema: ArrowSchemaRef,
    pub(crate) schema: SchemaRef,
    /// How rows get the table's columns, if they come without some.
    pub(crate) expansion: Option<Expansion>,
    pub(crate) spec: PartitionSpecRef,
    /// The table's sort order, if files are sorted by it.
    pub(crate) sort_order_id: Option<i32>,
    pub(crate) properties: WriteProperties,
    pub(crate) commit_id: String,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Target {
    /// A target in a table as it is now: its schema, partition spec, sort order and properties count.
    ///
    /// # Errors
    /// As [`super::TableWriter::for_metadata`].
    pub(super) fn of(
        metadata: &TableMetadata,
        commit_id: &str,
        ids: Arc<dyn Ids>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        let schema = metadata.current_schema();
        let order = i32::try_from(metadata.default_sort_order_id()).ok();
        Ok(Self {
            data_location: format!("{}/data", metadata.location().trim_end_matches('/')),
            arrow_schema: arrow_schema(schema)?,
            schema: Arc::clone(schema),
            expansion: None,
            spec: Arc::clone(metadata.default_partition_spec()),
            sort_order_id: order.filter(|_| !sort_columns(metadata).is_empty()),
            properties: WriteProperties::read(metadata.properties())?,
            commit_id: commit_id.to_string(),
            ids,
            observer,
        })
    }

    /// Tells the observer of a file that is complete.
    pub(super) fn tell(&self, file: &DataFile) {
        let (rows, bytes) = (file.record_count(), file.file_size_in_bytes());
        self.observer.event(&Event::DataFileWritten { rows, bytes });
    }
}

struct Open {
    location: String,
    writer: ArrowWriter<storage::Output>,
}

/// Writes batches of one partition, in the order in which they come.
pub(crate) struct DataFileWriter<'a> {
    target: &'a Target,
    partition: &'a Struct,
    /// The first rows of the next file.
    beginning: Beginning,
    open: Option<Open>,
    done: Vec<DataFile>,
}

impl<'a> DataFileWriter<'a> {
    pub(crate) fn new(target: &'a Target, partition: &'a Struct) -> Self {
        Self { target, partition, beginning: Beginning::default(), open: None, done: Vec::new() }
    }

    /// Writes rows whose columns are the target's, by position.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let columns = match &self.target.expansion {
            Some(expansion) => expansion.expand(batch)?,
            None => batch.columns().to_vec(),
        };
        self.append(named(&self.target.arrow_schema, columns)?)
    }

    fn append(&mut self, batch: RecordBatch) -> Result<()> {
        let Some(open) = &mut self.open else {
            self.beginning.push(batch);
            return match self.beginning.length(&self.target.properties) {
                Length::Any => self.begin(Length::Any),
                Length::Plain | Length::Small => Ok(()),
            };
        };
        open.writer.write(&batch).map_err(|error| encoding_failed(error, &open.location))?;
        if is_full(open, &self.target.properties)? {
            self.roll()?;
        }
        Ok(())
    }

    /// Opens a file for the rows that were kept, if there are any.
    fn begin(&mut self, length: Length) -> Result<()> {
        let Some(sample) = self.beginning.sample() else { return Ok(()) };
        self.open = Some(begin(self.target, self.partition, sample, length)?);
        self.beginning.take().into_iter().try_for_each(|batch| self.append(batch))
    }

    /// Closes the last file and gives the descriptions of all.
    pub(crate) fn finish(mut self) -> Result<Vec<DataFile>> {
        // A file may be full before the last of the rows that were kept.
        while self.beginning.sample().is_some() {
            self.begin(self.beginning.length(&self.target.properties))?;
        }
        self.roll()?;
        Ok(std::mem::take(&mut self.done))
    }

    fn roll(&mut self) -> Result<()> {
        let Some(Open { location, mut writer }) = self.open.take() else { return Ok(()) };
        let described = (|| {
            let footer = writer.finish().map_err(|error| encoding_failed(error, &location))?;
            let bytes = u64::try_from(writer.bytes_written()).unwrap_or(0);
            storage::flush(writer.inner_mut(), &location)?;
            described(
                self.target,
                self.partition,
                self.target.sort_order_id,
                &location,
                &footer,
                bytes,
            )
        })();
        match described {
            Ok(file) => {
                self.target.tell(&file);
                self.done.push(file);
                Ok(())
            }
            Err(error) => {
                storage::discard(&[location]);
                Err(error)
            }
        }
    }
}

/// A writer that is given up takes its files with it.
impl Drop for DataFileWriter<'_> {
    fn drop(&mut self) {
        let mut unused: Vec<String> =
            self.done.iter().map(|file| file.file_path().to_string()).collect();
        unused.extend(self.open.take().map(|open| open.location));
        storage::discard(&unused);
    }
}

/// Whether a file has reached the target size. What is under way is guessed at before it is
/// compressed, mostly too high, so where the guess decides it is written out and looked at: no
/// closed file is one that compaction would call small.
fn is_full(open: &mut Open, properties: &WriteProperties) -> Result<bool> {
    let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let guess = bytes(open.writer.bytes_written() + open.writer.in_progress_size());
    if guess < properties.target_file_bytes {
        return Ok(false);
    }
    if bytes(open.writer.bytes_written()) < properties.small_file_bytes() {
        open.writer.flush().map_err(|error| encoding_failed(error, &open.location))?;
    }
    Ok(bytes(open.writer.bytes_written()) >= properties.small_file_bytes())
}

/// A file that is written, as manifests describe it.
pub(super) fn described(
    target: &Target,
    partition: &Struct,
    sort_order_id: Option<i32>,
    location: &str,
    footer: &ParquetMetaData,
    bytes: u64,
) -> Result<DataFile> {
    let metrics = bounds::metrics(footer, &target.schema, &target.properties)?;
    let rows = u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0);
    let mut file = DataFileBuilder::default();
    if let Some(order) = sort_order_id {
        file.sort_order_id(order);
    }
    file.content(DataContentType::Data)
        .file_path(location.to_string())
        .file_format(DataFileFormat::Parquet)
        .partition(partition.clone())
        .partition_spec_id(target.spec.spec_id())
        .record_count(rows)
        .file_size_in_bytes(bytes)
        .column_sizes(metrics.column_sizes)
        .value_counts(metrics.value_counts)
        .null_value_counts(metrics.null_value_counts)
        .lower_bounds(metrics.lower_bounds)
        .upper_bounds(metrics.upper_bounds)
        .split_offsets(Some(metrics.split_offsets))
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "a data file cannot be described").with_source(error)
        })
}

/// Where a new file of a partition goes. The name carries the commit id, so that orphans can be traced
/// to their job, and a UUID, so that no two attempts ever write the same file.
pub(super) fn new_location(target: &Target, value: &Struct) -> Result<String> {
    let folder = partition::folder(&target.spec, &target.schema, value)?;
    let slash = if folder.is_empty() { "" } else { "/" };
    Ok(format!(
        "{}/{folder}{slash}{}-{}.parquet",
        target.data_location,
        target.commit_id,
        target.ids.uuid()
    ))
}

fn begin(target: &Target, value: &Struct, first: &RecordBatch, length: Length) -> Result<Open> {
    let location = new_location(target, value)?;
    let properties = encoding::properties(&target.arrow_schema, &target.properties, first, length)?;
    let file = storage::create(&location)?;
    let schema = Arc::clone(&target.arrow_schema);
    // Each reader parses what is in the file besides rows; Iceberg's schema says as much.
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(length < Length::Any);
    match ArrowWriter::try_new_with_options(file, schema, options) {
        Ok(writer) => Ok(Open { location, writer }),
        Err(error) => {
            storage::discard(std::slice::from_ref(&location));
            Err(encoding_failed(error, &location))
        }
    }
}

/// The columns under the table's names. A text column may come as a dictionary, which is encoded as
/// the text that it stands for.
fn named(schema: &ArrowSchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let unfit = || Error::new(ErrorKind::InvalidData, "rows do not fit the table's columns");
    if columns.len() != schema.fields().len() {
        return Err(unfit());
    }
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, values)| field.as_ref().clone().with_data_type(values.data_type().clone()))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    RecordBatch::try_new(schema, columns).map_err(|error| unfit().with_source(error))
}

pub(super) fn encoding_failed(error: parquet::errors::ParquetError, location: &str) -> Error {
    if let parquet::errors::ParquetError::External(inner) = error {
        let inner = match inner.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(other) => other,
        };
        return match inner.downcast::<std::io::Error>() {
            Ok(io) => write_failed(*io, location),
            Err(other) => Error::new(ErrorKind::Storage, "cannot write a data file")
                .with_context("path", location)
                .with_source(other),
        };
    }
    Error::new(ErrorKind::Storage, "cannot write a data file")
        .with_context("path", location)
        .with_source(error)
}

/// What went wrong behind an I/O error: an error of a bucket says by itself.
fn write_failed(error: std::io::Error, location: &str) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(io) => Error::io(io, "write a data file", location),
    }
}
