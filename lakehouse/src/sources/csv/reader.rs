//! Batches of rows and rejects from one file.

use std::io::Read;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use northstar_catalog::{Error, ErrorKind, Result};
use northstar_iceberg::storage::landing::open;
use xxhash_rust::xxh3::xxh3_64;

use super::build::ColumnBuilder;
use super::column::schema;
use super::header::{match_columns, take_header};
use super::stream::{Event, RecordStream, Span};
use super::window::Window;
use super::{Column, CsvCounts, CsvOptions, Header, Reject, RejectReason, Renames};

/// Records of a file: those that are rows, and those that were refused, each in the file's order.
#[derive(Debug, Clone)]
pub struct CsvBatch {
    /// The rows, with the table's columns in its order. There may be none.
    pub rows: RecordBatch,
    /// Per row, the physical line on which its record starts, from 1.
    pub lines: Vec<i64>,
    /// Per row, xxh3-64 of its record's bytes without the line end.
    pub hashes: Vec<i64>,
    /// The records refused since the batch before.
    pub rejects: Vec<Reject>,
}

/// Reads a file as batches; see the module's text for what is a row and what is refused.
///
/// Memory is bounded by about twice the longest record plus one batch.
#[derive(Debug)]
pub struct CsvReader {
    stream: RecordStream,
    header: Header,
    schema: SchemaRef,
    /// In the file's order.
    builders: Vec<ColumnBuilder>,
    /// For each column of the file, its position in the table.
    order: Vec<usize>,
    counts: CsvCounts,
    options: CsvOptions,
    lines: Vec<i64>,
    hashes: Vec<i64>,
    rejects: Vec<Reject>,
    batch_bytes: usize,
}

impl CsvReader {
    /// Opens the file at `path`, whose header must be that of `columns` in any order.
    ///
    /// # Errors
    /// Those of opening and reading; `InvalidData` naming the file if it has no header, a bad one, or
    /// one with other columns; `InvalidInput` for options, renames or types that make no sense.
    pub fn open(
        path: &Path,
        columns: &[Column],
        renames: &Renames,
        options: &CsvOptions,
    ) -> Result<Self> {
        Self::from_read(open(path)?, &path.display().to_string(), columns, renames, options)
    }

    /// Reads from any source of bytes, which errors call `file`; see [`CsvReader::open`].
    ///
    /// # Errors
    /// As [`CsvReader::open`].
    pub fn from_read(
        source: impl Read + Send + 'static,
        file: &str,
        columns: &[Column],
        renames: &Renames,
        options: &CsvOptions,
    ) -> Result<Self> {
        options.check()?;
        let schema = schema(columns)?;
        let mut window = Window::new(Box::new(source), file.to_owned(), options.block_bytes);
        let header = take_header(&mut window, renames, options)?;
        let order = match_columns(&header, columns, file)?;
        let builders =
            order.iter().map(|&column| ColumnBuilder::new(columns[column].column_type)).collect();
        let skipped_bytes = window.consumed_bytes();
        let stream = RecordStream::new(window, header.next_line, order.len(), options);
        Ok(Self {
            stream,
            header,
            schema,
            builders,
            order,
            counts: CsvCounts { skipped_bytes, ..CsvCounts::default() },
            options: options.clone(),
            lines: Vec::new(),
            hashes: Vec::new(),
            rejects: Vec::new(),
            batch_bytes: 0,
        })
    }

    /// The file's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The schema of all batches: the table's columns, all nullable.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// What was read so far.
    pub fn counts(&self) -> CsvCounts {
        let skipped_bytes = self.counts.skipped_bytes + self.stream.skipped_bytes;
        CsvCounts { skipped_bytes, ..self.counts }
    }

    /// The line on which the text starts that a broken quote cost to the end of the file, if one did.
    /// That text is a reject, too.
    pub fn damaged(&self) -> Option<i64> {
        self.stream.damaged
    }

    /// The next rows and rejects, or nothing once all records are read.
    ///
    /// # Errors
    /// Those of reading, and `InvalidData` naming file and line for a record beyond
    /// [`CsvOptions::max_record_bytes`] that cannot be told from those after it. Nothing of the file
    /// may be loaded then.
    pub fn next_batch(&mut self) -> Result<Option<CsvBatch>> {
        while self.lines.len() < self.options.batch_rows
            && self.batch_bytes < self.options.batch_bytes
        {
            match self.stream.next()? {
                Event::End => break,
                Event::Record(span) => self.append(span),
                Event::Bad(span, fault) => self.reject(span, fault.reason, fault.column),
            }
        }
        if self.lines.is_empty() && self.rejects.is_empty() {
            return Ok(None);
        }
        self.finish().map(Some)
    }

    /// Appends a record as a row, or refuses it for a value.
    #[inline]
    fn append(&mut self, span: Span) {
        let data = self.stream.data();
        let fields = self.stream.fields().iter();
        for (column, (field, builder)) in fields.zip(&mut self.builders).enumerate() {
            if !builder.append(data, field) {
                let expected = builder.column_type();
                let rows = self.lines.len();
                self.builders[..column].iter_mut().for_each(|builder| builder.truncate(rows));
                return self.reject(span, RejectReason::BadValue { expected }, Some(column));
            }
        }
        let record_bytes = span.next - span.start;
        self.lines.push(span.line);
        self.hashes.push(xxh3_64(&data[span.start..span.end]).cast_signed());
        self.counts.rows += 1;
        self.counts.row_bytes += record_bytes as u64;
        self.batch_bytes += record_bytes;
    }

    fn reject(&mut self, span: Span, reason: RejectReason, column: Option<usize>) {
        let name = |column: usize| self.header.columns.get(column).map(|named| named.name.clone());
        let record_bytes = span.next - span.start;
        self.rejects.push(Reject {
            line: span.line,
            column: column.and_then(name),
            reason,
            raw: self.stream.data()[span.start..span.end].to_vec(),
        });
        self.counts.rejects += 1;
        self.counts.reject_bytes += record_bytes as u64;
        self.batch_bytes += record_bytes;
    }

    /// Makes a batch of what is there.
    fn finish(&mut self) -> Result<CsvBatch> {
        let defect = |error| {
            Error::new(ErrorKind::Internal, "cannot make a batch of CSV records").with_source(error)
        };
        let rows = self.lines.len();
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.order.len()];
        for (builder, &position) in self.builders.iter_mut().zip(&self.order) {
            arrays[position] = Some(builder.finish().map_err(defect)?);
        }
        let arrays: Vec<ArrayRef> = arrays.into_iter().flatten().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema(), arrays, &options);
        self.batch_bytes = 0;
        Ok(CsvBatch {
            rows: batch.map_err(defect)?,
            lines: std::mem::replace(&mut self.lines, Vec::with_capacity(rows)),
            hashes: std::mem::replace(&mut self.hashes, Vec::with_capacity(rows)),
            rejects: std::mem::take(&mut self.rejects),
        })
    }
}
