//! The keys whose history is asked for: a text without a header, read as CSV files are.

use std::io::Cursor;

use arrow::array::{Array, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use northstar_iceberg::LakeTable;
use northstar_iceberg::table::schema::arrow_schema;

use crate::bronze::define::column_type;
use crate::sources::csv::{Column, CsvOptions, CsvReader, Renames};
use crate::{Error, ErrorKind, Result};

/// Keys with the line of each.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) rows: RecordBatch,
    pub(super) lines: Vec<i64>,
}

/// Reads the keys of `text`, each once. Blank lines are left out.
///
/// # Errors
/// `InvalidInput` for a column that the table does not have, a line that is no key, or no key at
/// all; `Unsupported` for a column of a type that text does not have.
pub(super) fn read(table: &LakeTable, key: &[String], text: Vec<u8>, from: &str) -> Result<Keys> {
    let schema = arrow_schema(table.metadata().current_schema())?;
    let in_table = |error: Error| error.with_context("table", table.name());
    let mut columns = Vec::with_capacity(key.len());
    for (at, name) in key.iter().enumerate() {
        let field = schema.field_with_name(name).map_err(|_| {
            let names: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).take(20).collect();
            in_table(Error::new(
                ErrorKind::InvalidInput,
                format!("the table has no column `{name}`; it has {}", names.join(", ")),
            ))
        })?;
        let kind = column_type(field.data_type()).ok_or_else(|| {
            in_table(Error::new(
                ErrorKind::Unsupported,
                format!("column {name} has type {}, which keys do not", field.data_type()),
            ))
        })?;
        columns.push(Column::new(format!("k{at}"), kind));
    }
    let keys = parse(&columns, text, from)?;
    if keys.rows.num_rows() == 0 {
        let message = "there is no key; write one a line, its columns separated by commas";
        return Err(Error::new(ErrorKind::InvalidInput, message).with_context("file", from));
    }
    Ok(keys)
}

fn parse(columns: &[Column], text: Vec<u8>, from: &str) -> Result<Keys> {
    // The reader wants a header, which moves every line by one.
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut bytes = format!("{}\n", names.join(",")).into_bytes();
    bytes.extend(text);
    let (renames, options) = (Renames::new(), CsvOptions::default());
    let mut reader = CsvReader::from_read(Cursor::new(bytes), from, columns, &renames, &options)?;
    let (mut batches, mut lines) = (Vec::new(), Vec::new());
    let refused = |line: i64, reason: &str| {
        let message = format!("a line is no key: {reason}");
        Err(Error::new(ErrorKind::InvalidInput, message)
            .with_context("file", from)
            .with_context("line", line - 1))
    };
    while let Some(batch) = reader.next_batch()? {
        if let Some(reject) = batch.rejects.first() {
            return refused(reject.line, &reject.reason.to_string());
        }
        let null = |row: usize| batch.rows.columns().iter().filter(|c| c.is_null(row)).count();
        let mut kept = Vec::with_capacity(batch.lines.len());
        for (row, line) in batch.lines.iter().enumerate() {
            match null(row) {
                0 => lines.push(line - 1),
                nulls if nulls < columns.len() => return refused(*line, "a column is empty"),
                _ => {}
            }
            kept.push(Some(null(row) == 0));
        }
        batches
            .push(filter_record_batch(&batch.rows, &kept.into_iter().collect()).map_err(defect)?);
    }
    let rows = concat_batches(&reader.schema(), &batches).map_err(defect)?;
    Ok(Keys { rows, lines })
}

fn defect(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "keys cannot be read").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::csv::ColumnType;

    fn keys(text: &str) -> Result<Keys> {
        let columns = [Column::new("k0", ColumnType::Long), Column::new("k1", ColumnType::String)];
        parse(&columns, text.as_bytes().to_vec(), "keys.txt")
    }

    #[test]
    fn keys_are_read_with_their_lines() {
        let read = keys("1,a\n\n2,\"b, c\"\n").unwrap();
        assert_eq!((read.rows.num_rows(), read.lines), (2, vec![1, 3]));
        let one = parse(&[Column::new("k0", ColumnType::Long)], b"7\n\n8".to_vec(), "-").unwrap();
        assert_eq!((one.rows.num_rows(), one.lines), (2, vec![1, 3]));
    }

    #[test]
    fn a_line_that_is_no_key_is_told_without_its_text() {
        for (text, line) in [("1,a\nSENTINEL,b\n", "2"), ("1,a,SENTINEL\n", "1"), ("1,\n", "1")] {
            let error = keys(text).unwrap_err();
            assert_eq!(error.context("line"), Some(line), "{error}");
            assert!(!error.to_string().contains("SENTINEL"), "{error}");
        }
    }
}
