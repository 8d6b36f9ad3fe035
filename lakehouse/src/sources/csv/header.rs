//! The header of a file: read, named, and compared with a table's columns.

use std::io::Read;
use std::path::Path;

use memchr::memchr_iter;
use northstar_catalog::{Error, ErrorKind, Result};
use northstar_iceberg::storage::landing::open;

use super::names::name_columns;
use super::split::{Kind, Split, Splitter};
use super::window::Window;
use super::{Column, CsvOptions, Renames};

/// The longest header, in bytes. Some 100 times what 1,500 columns take.
const MAX_HEADER_BYTES: usize = 4 << 20;

/// How many names an error lists.
const LISTED_NAMES: usize = 20;

/// A file's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The columns in the file's order.
    pub columns: Vec<HeaderColumn>,
    /// The physical line on which the first record may start, from 1.
    pub next_line: i64,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderColumn {
    /// The header's text as it is in the file, without quotes.
    pub raw: String,
    /// The column's name: that of the contract's renames, else the text's normal form.
    pub name: String,
}

/// The header of the file at `path`.
///
/// # Errors
/// Those of opening and reading it; `InvalidData` naming the file if it has no header or one that no
/// names can be made of; `InvalidInput` for options or renames that make no sense.
pub fn read_header(path: &Path, renames: &Renames, options: &CsvOptions) -> Result<Header> {
    read_header_from(open(path)?, &path.display().to_string(), renames, options)
}

/// The header of a byte source that errors call `file`; see [`read_header`].
///
/// # Errors
/// As [`read_header`].
pub fn read_header_from(
    source: impl Read + Send + 'static,
    file: &str,
    renames: &Renames,
    options: &CsvOptions,
) -> Result<Header> {
    options.check()?;
    let mut window = Window::new(Box::new(source), file.to_owned(), options.block_bytes);
    take_header(&mut window, renames, options)
}

/// Reads the header and leaves `window` at the first record.
pub(super) fn take_header(
    window: &mut Window,
    renames: &Renames,
    options: &CsvOptions,
) -> Result<Header> {
    take_byte_order_mark(window)?;
    let mut splitter = Splitter::new(options.delimiter, usize::MAX);
    let mut next_line = 1;
    loop {
        let start = window.start();
        let (end, next) = match splitter.split(window.data(), start, window.at_end()) {
            Split::End => return Err(bad_header(window, "the file is empty: it has no header")),
            Split::NeedMore => {
                if !window.more(MAX_HEADER_BYTES)? {
                    return Err(bad_header(window, "the header does not end within 4 MiB"));
                }
                splitter.reset();
                continue;
            }
            Split::Broken { .. } => return Err(bad_header(window, "a quote is not closed")),
            // A fault that is not the count, as no width was given.
            Split::Record(extent) if extent.fault.is_some_and(|fault| fault.column.is_some()) => {
                return Err(bad_header(window, "text follows a closing quote"));
            }
            Split::Record(extent) => (extent.end, extent.next),
        };
        next_line += memchr_iter(b'\n', &window.data()[start..next]).count() as i64;
        if window.data()[start..end].iter().all(|&byte| byte == b' ') {
            window.consume(next);
            continue;
        }
        let raws = texts(window, &splitter)?;
        window.consume(next);
        let columns = name_columns(raws, renames, window.file())?;
        return Ok(Header { columns, next_line });
    }
}

/// The texts of a header's fields.
fn texts(window: &Window, splitter: &Splitter) -> Result<Vec<String>> {
    let mut raws = Vec::with_capacity(splitter.fields().len());
    for field in splitter.fields() {
        let bytes = &window.data()[field.start..field.end];
        let text = str::from_utf8(bytes).map_err(|_| bad_header(window, "it is not UTF-8"))?;
        if text.contains('\0') {
            return Err(bad_header(window, "it holds a NUL byte"));
        }
        if field.kind == Kind::Plain && text.contains('\r') {
            let what = "its lines end in CR alone; convert them to LF";
            return Err(bad_header(window, what));
        }
        raws.push(match field.kind {
            Kind::Escaped => text.replace("\"\"", "\""),
            Kind::Plain | Kind::Quoted => text.to_owned(),
        });
    }
    Ok(raws)
}

/// Skips a UTF-8 byte order mark and refuses those of UTF-16.
fn take_byte_order_mark(window: &mut Window) -> Result<()> {
    while window.data().len() < 3 && window.more(MAX_HEADER_BYTES)? {}
    match window.data() {
        [0xEF, 0xBB, 0xBF, ..] => window.consume(3),
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => {
            return Err(bad_header(window, "the file is UTF-16; convert it to UTF-8"));
        }
        _ => {}
    }
    Ok(())
}

fn bad_header(window: &Window, what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("no header can be read: {what}"))
        .with_context("file", window.file())
}

/// For each column of the file, its position in the table.
///
/// # Errors
/// `InvalidData` naming the columns that the file lacks, or has beyond the table's.
pub(super) fn match_columns(header: &Header, columns: &[Column], file: &str) -> Result<Vec<usize>> {
    let positions: std::collections::HashMap<&str, usize> =
        columns.iter().enumerate().map(|(index, column)| (column.name.as_str(), index)).collect();
    if positions.len() != columns.len() {
        let message = "two columns of the table have the same name; rename one in the contract";
        return Err(Error::new(ErrorKind::InvalidInput, message).with_context("file", file));
    }
    let found: Vec<Option<usize>> =
        header.columns.iter().map(|column| positions.get(column.name.as_str()).copied()).collect();
    let order: Vec<usize> = found.iter().flatten().copied().collect();
    if order.len() == columns.len() && order.len() == header.columns.len() {
        return Ok(order);
    }
    // A file without a header has a record there, whose values must not get into a message.
    if order.is_empty() {
        let message = "no column of the table is in the file's header; it may have no header";
        return Err(Error::new(ErrorKind::InvalidData, message).with_context("file", file));
    }
    let here: std::collections::HashSet<usize> = order.into_iter().collect();
    let missing = (0..columns.len()).filter(|index| !here.contains(index));
    let missing = listed(missing.map(|index| columns[index].name.as_str()));
    // By number, not by text: of a file without a header one value may be a column's name by chance.
    let extra: Vec<String> = (1..)
        .zip(&found)
        .filter(|(_, found)| found.is_none())
        .map(|(number, _)| format!("column {number}"))
        .collect();
    let extra = listed(extra.iter().map(String::as_str));
    let mut error = Error::new(
        ErrorKind::InvalidData,
        "the file's header is not that of the table; rename columns in the contract, or load the \
         file into another table",
    )
    .with_context("file", file);
    if let Some(missing) = missing {
        error = error.with_context("missing", missing);
    }
    if let Some(extra) = extra {
        error = error.with_context("extra", extra);
    }
    Err(error)
}

/// Names for a message, if there are any.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(LISTED_NAMES).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        count @ 1..=LISTED_NAMES => Some(shown).filter(|_| count > 0),
        count => Some(format!("{shown} and {} more", count - LISTED_NAMES)),
    }
}
