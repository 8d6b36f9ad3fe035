//! The one place that writes to standard output and standard error.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use northstar_iceberg::{Error, ErrorKind, Result};

mod exact;

use crate::cli::Output;

/// Tables are laid out for terminals of this width.
const WIDTH: u16 = 100;

/// Prints results to standard output as asked for, and everything else to standard error.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    output: Output,
}

impl Printer {
    pub(crate) fn new(output: Output) -> Self {
        Self { output }
    }

    /// Whether results are read by people, who are told the rest in sentences.
    pub(crate) fn is_for_people(&self) -> bool {
        self.output == Output::Table
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// A line for people: on standard output if tables go there, else on standard error, so that
    /// CSV and JSON stay clean.
    pub(crate) fn say(&self, text: impl Display) {
        match self.output {
            Output::Table => self.line(&text.to_string()),
            _ => self.note(text),
        }
    }

    /// A line on standard error.
    #[expect(clippy::print_stderr, reason = "the printer owns standard error")]
    pub(crate) fn note(&self, text: impl Display) {
        eprintln!("{text}");
    }

    /// An error, with a way to see what to do next.
    pub(crate) fn error(&self, error: &dyn Display) {
        self.note(format!("error: {error}"));
    }

    /// A table of texts; columns whose cells are all numbers are set to the right.
    pub(crate) fn table(&self, header: &[&str], rows: &[Vec<String>]) -> Result<()> {
        match self.output {
            Output::Table => {
                let header: Vec<String> = header.iter().map(|name| (*name).to_string()).collect();
                self.line(&laid_out(&header, rows));
                Ok(())
            }
            Output::Csv => self.csv(header.iter().map(|name| (*name).to_string()), rows),
            Output::Json => {
                for row in rows {
                    let object: serde_json::Map<String, serde_json::Value> = header
                        .iter()
                        .zip(row)
                        .map(|(name, cell)| ((*name).to_string(), cell.clone().into()))
                        .collect();
                    self.line(&serde_json::Value::Object(object).to_string());
                }
                Ok(())
            }
        }
    }

    /// Rows of texts for programs: NULL is empty in CSV and `null` in JSON.
    pub(crate) fn rows(&self, header: &[&str], rows: &[Vec<Option<String>>]) -> Result<()> {
        if self.output != Output::Json {
            let null = if self.output == Output::Table { "NULL" } else { "" };
            let text = |cell: &Option<String>| cell.clone().unwrap_or_else(|| null.to_string());
            let rows: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(text).collect()).collect();
            return self.table(header, &rows);
        }
        for row in rows {
            let cells = header.iter().zip(row);
            let object: serde_json::Map<String, serde_json::Value> =
                cells.map(|(name, cell)| ((*name).to_string(), cell.clone().into())).collect();
            self.line(&serde_json::Value::Object(object).to_string());
        }
        Ok(())
    }

    /// Named values: a line each for people, else one row.
    pub(crate) fn record(&self, fields: &[(&str, Option<String>)]) -> Result<()> {
        if self.output == Output::Table {
            let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            for (name, value) in fields {
                let value = value.as_deref().unwrap_or("-");
                self.wrapped(0, &format!("{name:width$}  {value}"));
            }
            return Ok(());
        }
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        self.rows(&names, &[fields.iter().map(|(_, value)| value.clone()).collect()])
    }

    /// A document for programs, on one line; nothing where tables are printed.
    pub(crate) fn document(&self, document: &serde_json::Value) {
        if self.output == Output::Json {
            self.line(&document.to_string());
        }
    }

    /// Bytes of another program, as they are.
    pub(crate) fn as_it_is(&self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    /// A text for programs, on standard output whatever the format, and a line end.
    pub(crate) fn text(&self, text: &str) {
        self.line(text);
    }

    /// A line for people, as [`Printer::say`], broken where it is wider than a table may be; what
    /// follows is set in by two more.
    pub(crate) fn wrapped(&self, indent: usize, text: &str) {
        wrap(indent, text).iter().for_each(|line| self.say(line));
    }

    /// The rows of a query.
    ///
    /// Table: as people read them. CSV: NULL is empty, text is quoted at need, nested values are
    /// JSON. JSON: one object a line, with every column; decimals, timestamps and the keys of maps as
    /// text, binary as hexadecimal.
    pub(crate) fn batches(&self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
        let header: Vec<String> =
            schema.fields().iter().map(|field| field.name().clone()).collect();
        match self.output {
            Output::Json => self.json(batches),
            Output::Csv => {
                let mut first = Some(header);
                for batch in batches {
                    self.csv(first.take().into_iter().flatten(), &csv_texts(batch)?)?;
                }
                match first {
                    Some(header) => self.csv(header.into_iter(), &[]),
                    None => Ok(()),
                }
            }
            Output::Table => {
                let mut rows = Vec::new();
                for batch in batches {
                    rows.extend(texts(batch, "NULL")?);
                }
                self.line(&laid_out(&header, &rows));
                let count = rows.len();
                self.line(&format!("{count} row{}", if count == 1 { "" } else { "s" }));
                Ok(())
            }
        }
    }

    /// More rows of a query, after those of [`Printer::batches`], in CSV or JSON.
    pub(crate) fn more(&self, batch: &RecordBatch) -> Result<()> {
        match self.output {
            Output::Json => self.json(std::slice::from_ref(batch)),
            _ => self.csv(std::iter::empty(), &csv_texts(batch)?),
        }
    }

    fn csv(&self, header: impl Iterator<Item = String>, rows: &[Vec<String>]) -> Result<()> {
        let quoted = |cell: &String| {
            if cell.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        };
        let header: Vec<String> = header.collect();
        let lines = (!header.is_empty()).then_some(&header).into_iter().chain(rows);
        for cells in lines {
            self.line(&cells.iter().map(quoted).collect::<Vec<_>>().join(","));
        }
        Ok(())
    }

    fn json(&self, batches: &[RecordBatch]) -> Result<()> {
        let mut bytes = Vec::new();
        for batch in batches {
            bytes.extend(exact::json_lines(batch).map_err(not_json)?);
        }
        self.bytes(&bytes);
        Ok(())
    }

    fn line(&self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(b"\n");
    }

    fn bytes(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        // A reader that went away (`| head`) has seen what it wanted.
        if out.write_all(bytes).is_err() {
            std::process::exit(0);
        }
    }
}

/// Whether progress bars make sense.
pub(crate) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// The cells of a batch for CSV: NULL is empty, and nested values are JSON.
fn csv_texts(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let mut rows = texts(batch, "")?;
    for (at, column) in batch.columns().iter().enumerate() {
        if !column.data_type().is_nested() {
            continue;
        }
        for (row, cell) in rows.iter_mut().zip(exact::json_cells(column).map_err(not_json)?) {
            row[at] = cell.unwrap_or_default();
        }
    }
    Ok(rows)
}

fn not_json(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "rows cannot be written as JSON").with_source(error)
}

fn texts(batch: &RecordBatch, null: &str) -> Result<Vec<Vec<String>>> {
    let failed = |error: arrow::error::ArrowError| {
        Error::new(ErrorKind::Internal, "rows cannot be shown").with_source(error)
    };
    let options = FormatOptions::default().with_null(null);
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).map_err(failed))
        .collect::<Result<Vec<_>>>()?;
    Ok((0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect())
        .collect())
}

/// The lines of a text, each at most [`WIDTH`] characters with its indent; broken at spaces.
fn wrap(indent: usize, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut rest = flat.as_str();
    let mut margin = indent;
    loop {
        let room = usize::from(WIDTH).saturating_sub(margin).max(1);
        let Some((end, _)) = rest.char_indices().nth(room) else {
            lines.push(format!("{}{rest}", " ".repeat(margin)));
            return lines;
        };
        let end = rest[..end].rfind(' ').filter(|space| *space > 0).unwrap_or(end);
        lines.push(format!("{}{}", " ".repeat(margin), rest[..end].trim_end()));
        rest = rest[end..].trim_start();
        margin = indent + 2;
    }
}

fn laid_out(header: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let mut cells = rows.iter().filter_map(|row| row.get(index)).peekable();
        let is_number = |cell: &String| cell == "NULL" || cell.parse::<f64>().is_ok();
        if cells.peek().is_some() && cells.all(is_number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_100_columns() {
        let rows = vec![vec!["x".repeat(300), "1".into()], vec!["short".into(), "22".into()]];
        let text = laid_out(&["a long name".into(), "n".into()], &rows);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn long_lines_are_broken_and_lose_no_word() {
        let text = format!("{} é {}", "word ".repeat(40), "x".repeat(150));
        let lines = wrap(4, &text);
        assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert_eq!(wrap(2, "a\nb"), ["  a b"]);
    }
}
