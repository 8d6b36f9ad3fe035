//! `northstar shell`: queries one after the other, each ended by a semicolon.

use std::sync::Arc;

use northstar_iceberg::observer::Silent;
use northstar_iceberg::{Error, ErrorKind, Result};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::{snapshots, sql, tables};
use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

const HELP: &str = r"End a query with `;`. Ctrl-C drops the line, Ctrl-D leaves.
  \t         list the tables
  \s TABLE   list a table's snapshots
  \h         this help
  \q         leave";

pub(crate) async fn run(
    global: &Global,
    branch: Option<&str>,
    whole_table: bool,
    printer: &Printer,
) -> Result<Done> {
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    let session = warehouse.changing_session("shell")?.with_whole_table(whole_table);
    let failed = |error: ReadlineError| {
        Error::new(ErrorKind::Storage, "the terminal cannot be read").with_source(error)
    };
    let mut editor = DefaultEditor::new().map_err(failed)?;
    printer.note(format!("tables of {}; \\h for help", warehouse.shown()));
    let mut query = String::new();
    loop {
        let prompt = if query.is_empty() { "northstar> " } else { "      ...> " };
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                query.clear();
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(Done::Well),
            Err(error) => return Err(failed(error)),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let outcome = match (query.is_empty(), words.as_slice()) {
            (true, []) => continue,
            (true, ["\\q" | "exit" | "quit"]) => return Ok(Done::Well),
            (true, ["\\h" | "help"]) => {
                printer.note(HELP);
                continue;
            }
            (true, ["\\t"]) => tables::print(&warehouse, printer).await,
            (true, ["\\s", table]) => snapshots::print(&warehouse, table, printer).await,
            _ => {
                query.push_str(&line);
                query.push('\n');
                if !line.trim_end().ends_with(';') {
                    continue;
                }
                let text = std::mem::take(&mut query);
                // What cannot be remembered can still be run.
                if let Err(error) = editor.add_history_entry(text.trim()) {
                    tracing::debug!(%error, "the query was not added to the history");
                }
                sql::execute(&session, text.trim().trim_end_matches(';'), branch, printer).await
            }
        };
        if let Err(error) = outcome {
            printer.error(&error);
        }
    }
}
