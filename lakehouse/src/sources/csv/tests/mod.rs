//! The rules of the CSV source, each shown on bytes.

use std::io::{self, Read};
use std::str::FromStr;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use northstar_catalog::Result;

use super::*;

mod headers;
mod inference;
mod properties;
mod records;
mod rejects;

/// All that a file gave.
#[derive(Debug, Clone, PartialEq)]
struct Loaded {
    rows: Vec<Vec<Option<String>>>,
    lines: Vec<i64>,
    hashes: Vec<i64>,
    rejects: Vec<Reject>,
    damaged: Option<i64>,
    counts: CsvCounts,
}

impl Loaded {
    /// Line, reason, column and text of each reject.
    fn refused(&self) -> Vec<(i64, &str, Option<&str>, String)> {
        let view = |reject: &Reject| String::from_utf8_lossy(&reject.raw).into_owned();
        self.rejects
            .iter()
            .map(|r| (r.line, r.reason.code(), r.column.as_deref(), view(r)))
            .collect()
    }
}

/// Columns from `name type, name type`.
fn columns(spec: &str) -> Vec<Column> {
    spec.split(", ")
        .map(|column| {
            let (name, column_type) = column.split_once(' ').unwrap();
            Column::new(name, ColumnType::from_str(column_type).unwrap())
        })
        .collect()
}

fn options(block_bytes: usize) -> CsvOptions {
    CsvOptions { block_bytes, ..CsvOptions::default() }
}

fn cells(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let format = FormatOptions::default();
    let formatters: Vec<_> = batch
        .columns()
        .iter()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), &format).unwrap())
        .collect();
    let cell = |row: usize, column: usize| {
        let valid = batch.column(column).is_valid(row);
        valid.then(|| formatters[column].value(row).to_string())
    };
    (0..batch.num_rows())
        .map(|row| (0..batch.num_columns()).map(|column| cell(row, column)).collect())
        .collect()
}

fn read_all(mut reader: CsvReader) -> Result<Loaded> {
    let mut loaded = Loaded {
        rows: Vec::new(),
        lines: Vec::new(),
        hashes: Vec::new(),
        rejects: Vec::new(),
        damaged: None,
        counts: CsvCounts::default(),
    };
    while let Some(batch) = reader.next_batch()? {
        assert_eq!(batch.rows.num_rows(), batch.lines.len());
        assert_eq!(batch.lines.len(), batch.hashes.len());
        loaded.rows.extend(cells(&batch.rows));
        loaded.lines.extend(batch.lines);
        loaded.hashes.extend(batch.hashes);
        loaded.rejects.extend(batch.rejects);
    }
    loaded.damaged = reader.damaged();
    loaded.counts = reader.counts();
    assert_eq!(loaded.counts.rows, loaded.rows.len() as u64, "W1");
    assert_eq!(loaded.counts.rejects, loaded.rejects.len() as u64, "W1");
    Ok(loaded)
}

fn load_with(bytes: &[u8], spec: &str, options: &CsvOptions) -> Result<Loaded> {
    let source = io::Cursor::new(bytes.to_vec());
    let reader =
        CsvReader::from_read(source, "test.csv", &columns(spec), &Renames::new(), options)?;
    let loaded = read_all(reader)?;
    let counts = loaded.counts;
    let accounted = counts.row_bytes + counts.reject_bytes + counts.skipped_bytes;
    assert_eq!(accounted, bytes.len() as u64, "every byte belongs to a row, a reject or a rule");
    Ok(loaded)
}

/// Loads bytes, and checks that block sizes make no difference.
fn load(bytes: &[u8], spec: &str) -> Loaded {
    let loaded = load_with(bytes, spec, &CsvOptions::default()).unwrap();
    for block_bytes in [1, 2, 3, 7, 16, 64] {
        let again = load_with(bytes, spec, &options(block_bytes)).unwrap();
        assert_eq!(again, loaded, "blocks of {block_bytes} bytes");
    }
    loaded
}

/// The rows as text, with NULL as `~`.
fn rows(loaded: &Loaded) -> Vec<String> {
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "~".to_owned());
    loaded.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect()
}

/// A source that gives one byte at a time and is interrupted now and then.
struct Trickle(io::Cursor<Vec<u8>>, u32);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = buffer.len().min(1);
        self.0.read(&mut buffer[..room])
    }
}
