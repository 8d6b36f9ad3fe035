//! CSV files as a source: typed Arrow batches, and every record that cannot be loaded as a
//! [`Reject`] with its line, column, reason and raw bytes. Nothing is lost, nothing panics:
//! records read = rows + rejects (W1), and each byte of a file belongs to a row, to a reject, or to
//! what is skipped by rule (byte order mark, header, blank lines).
//!
//! # What is read
//! RFC 4180 with LF or CRLF line ends and an optional last one. Quoted fields may hold delimiters,
//! line ends and `""`. An unquoted empty field is NULL; a quoted one is the empty text in a string
//! column and NULL in any other. A quote within a field that does not start with one is data.
//! Entirely blank lines are skipped, save in a table of one column, where each is a NULL. Spaces
//! are kept in strings and trimmed around other values.
//!
//! # What is refused
//! A record is quarantined as a whole for a wrong number of columns, bytes that are not UTF-8, a NUL
//! byte, a value that is not of its column's type, text after a closing quote, or a quote that is
//! never closed. A record that ends on its own line costs no other line. When broken quoting or a
//! wrong number of columns runs over several lines, the text from the record's start to the next
//! line that parses by itself to the declared number of columns is one quarantined record, and
//! reading goes on at that line; without such a line the rest of the file is one quarantined record
//! and [`CsvReader::damaged`] names its line. A quoted record of several lines with the right number
//! of columns and a bad value is quarantined alone: a line within its text is not a row.
//!
//! # Where to look
//! The way of a byte: `window` (blocks of a file) → `scan` (where delimiters are) → `split`
//! (one record) → `stream` and `recover` (records and broken ones) → `build` with `number` and `time`
//! (typed columns) → `reader` (batches). `header` and `names` map a file's header to columns;
//! `infer` chooses types.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc4180>

mod build;
mod column;
mod header;
mod infer;
mod names;
mod number;
mod options;
mod reader;
mod recover;
mod reject;
mod scan;
mod shape;
mod split;
mod stream;
mod time;
mod window;

#[cfg(test)]
mod tests;

pub use column::{Column, ColumnType};
pub use header::{Header, HeaderColumn, read_header, read_header_from};
pub use infer::{Inference, infer};
pub use names::Renames;
pub use options::CsvOptions;
pub use reader::{CsvBatch, CsvReader};
pub use reject::{Reject, RejectReason};
pub use stream::CsvCounts;
