//! Reads the files of a batch into two writers: rows into the table's, rejects into quarantine's.
//!
//! Parsing runs on a thread of its own, ahead of the writer by a few batches.

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::RecordBatch;
use northstar_iceberg::observer::{Event, Observer};
use northstar_iceberg::storage::landing::{FileState, state};
use northstar_iceberg::write::{TableWriter, Written};

use super::folder::FoundFile;
use super::lineage::{Lineage, SourceFile};
use super::quarantine;
use crate::contract::TableContract;
use crate::sources::csv::{Column, ColumnType, CsvOptions, CsvReader, Renames, read_header};
use crate::{Error, ErrorKind, Result};

/// How many batches the parser may be ahead.
const AHEAD: usize = 2;

/// A file with its content's hash and its state when that was taken.
#[derive(Debug, Clone)]
pub(super) struct HashedFile {
    pub(super) found: FoundFile,
    pub(super) source: SourceFile,
    pub(super) state: FileState,
}

/// What was read of one file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FileCounts {
    pub(super) rows: u64,
    pub(super) rejects: u64,
    pub(super) damaged_line: Option<i64>,
}

/// What all files of a batch are read with.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) columns: &'a [Column],
    pub(super) contract: &'a TableContract,
    pub(super) options: &'a CsvOptions,
    pub(super) lineage: &'a Lineage,
    /// The number of the batch within the quarantine table, which counts for itself.
    pub(super) quarantine_seq: i64,
    /// Files whose rejects are in quarantine already.
    pub(super) quarantined: &'a HashSet<String>,
    pub(super) observer: &'a dyn Observer,
}

/// What a batch came to: its files, written and not committed.
#[derive(Debug)]
pub(super) struct ReadBatch {
    pub(super) rows: Written,
    pub(super) rejects: Option<Written>,
    pub(super) counts: Vec<FileCounts>,
}

/// Why a batch could not be read: the file at fault, or none if it was the writing.
pub(super) type Blamed = (Option<usize>, Error);

enum Parsed {
    Rows(RecordBatch),
    Rejects(RecordBatch),
}

/// Reads all files. Blocking. If one of them cannot be read, nothing is left of any.
pub(super) fn read_batch(
    reading: &Reading<'_>,
    files: &[HashedFile],
    mut rows: TableWriter,
    rejects: impl FnOnce() -> Result<TableWriter>,
) -> std::result::Result<ReadBatch, Blamed> {
    let (sender, receiver) = sync_channel(AHEAD);
    let mut rejects = Lazy { make: Some(rejects), made: None };
    let counts = std::thread::scope(|scope| {
        let parser = scope.spawn(move || parse_all(reading, files, &sender));
        let written = write_all(&receiver, &mut rows, &mut rejects);
        // A parser that finds nobody listening ends too.
        drop(receiver);
        let parsed = parser
            .join()
            .map_err(|_| (None, Error::new(ErrorKind::Internal, "the CSV reader broke off")))?;
        written.map_err(|error| (None, error))?;
        parsed
    })?;
    let unblamed = |error| (None, error);
    let rejects = rejects.made.map(TableWriter::finish).transpose().map_err(unblamed)?;
    match rows.finish() {
        Ok(rows) => Ok(ReadBatch { rows, rejects, counts }),
        Err(error) => {
            rejects.into_iter().for_each(Written::discard);
            Err((None, error))
        }
    }
}

/// The quarantine's writer, made with the first reject.
struct Lazy<F> {
    make: Option<F>,
    made: Option<TableWriter>,
}

impl<F: FnOnce() -> Result<TableWriter>> Lazy<F> {
    fn get(&mut self) -> Result<&mut TableWriter> {
        if let Some(make) = self.make.take() {
            self.made = Some(make()?);
        }
        self.made.as_mut().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "the quarantine's writer could not be made")
        })
    }
}

fn write_all<F: FnOnce() -> Result<TableWriter>>(
    receiver: &Receiver<Parsed>,
    rows: &mut TableWriter,
    rejects: &mut Lazy<F>,
) -> Result<()> {
    for parsed in receiver {
        match parsed {
            Parsed::Rows(batch) => rows.write(batch)?,
            Parsed::Rejects(batch) => rejects.get()?.write(batch)?,
        }
    }
    Ok(())
}

fn parse_all(
    reading: &Reading<'_>,
    files: &[HashedFile],
    sender: &SyncSender<Parsed>,
) -> std::result::Result<Vec<FileCounts>, Blamed> {
    let mut counts = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        counts.push(parse(reading, index, file, sender).map_err(|error| (Some(index), error))?);
    }
    Ok(counts)
}

fn parse(
    reading: &Reading<'_>,
    index: usize,
    file: &HashedFile,
    sender: &SyncSender<Parsed>,
) -> Result<FileCounts> {
    let Reading { columns, contract, options, lineage, observer, .. } = *reading;
    let (name, bytes) = (file.found.name.clone(), file.found.bytes);
    observer.event(&Event::FileOpened { file: name, bytes });
    let mut reader = CsvReader::open(&file.found.path, columns, &contract.renames(), options)?;
    let keep_rejects = !reading.quarantined.contains(&file.source.sha256);
    let mut seen_bytes = 0;
    while let Some(batch) = reader.next_batch()? {
        let counted = reader.counts();
        let bytes = counted.row_bytes + counted.reject_bytes + counted.skipped_bytes;
        let rows = u64::try_from(batch.rows.num_rows()).unwrap_or(0);
        // When the writer has failed, nobody listens; its error is the one that counts.
        let mut listening = true;
        if !batch.rejects.is_empty() && keep_rejects {
            let rejects = quarantine::rows(
                lineage.batch(),
                reading.quarantine_seq,
                &file.source,
                &batch.rejects,
            )?;
            listening = sender.send(Parsed::Rejects(rejects)).is_ok();
        }
        if rows > 0 && listening {
            let rows = lineage.narrow(index, &batch.rows, batch.lines, batch.hashes)?;
            listening = sender.send(Parsed::Rows(rows)).is_ok();
        }
        observer.event(&Event::RowsRead { rows, bytes: bytes - seen_bytes });
        seen_bytes = bytes;
        if !listening {
            break;
        }
    }
    if state(&file.found.path, "look at the file")? != file.state {
        return Err(Error::new(
            ErrorKind::InvalidData,
            "the file changed while it was read; load it again once it is complete",
        )
        .with_context("file", file.found.path.display()));
    }
    let counted = reader.counts();
    Ok(FileCounts { rows: counted.rows, rejects: counted.rejects, damaged_line: reader.damaged() })
}

/// So much is read of a file whose beginning alone is looked at.
const LOOK_BYTES: usize = 64 << 10;

/// Whether a file holds anything behind its header, which is checked on the way.
pub(crate) fn has_records(path: &Path, renames: &Renames, options: &CsvOptions) -> Result<bool> {
    let options = &CsvOptions { block_bytes: LOOK_BYTES, ..options.clone() };
    let header = read_header(path, renames, options)?;
    let columns: Vec<Column> =
        header.columns.iter().map(|column| Column::new(&column.name, ColumnType::String)).collect();
    let first = CsvOptions { batch_rows: 1, ..options.clone() };
    let mut reader = CsvReader::open(path, &columns, renames, &first)?;
    Ok(reader.next_batch()?.is_some())
}
