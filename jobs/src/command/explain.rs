//! What a statement would do, for people and for programs.

use northstar_iceberg::Result;
use northstar_iceberg::merge::{ExplainedFile, Explanation, Way};

use super::files::size;
use crate::printer::Printer;

/// How many files people are shown.
const SHOWN: usize = 20;

/// Prints an explanation: for people what would be done in all, and the files that matter most; for
/// programs a record of each file.
pub(super) fn print(
    explanation: &Explanation,
    memory_bytes: usize,
    printer: &Printer,
) -> Result<()> {
    if printer.is_for_people() {
        return for_people(explanation, memory_bytes, printer);
    }
    let names = [
        "file",
        "partition",
        "kept_because",
        "rows",
        "touched_rows",
        "mode",
        "read_bytes",
        "write_bytes",
    ];
    let rows = explanation.files.iter().map(|file| {
        let counts = [file.rows, file.touched_rows].map(|count| Some(count.to_string()));
        let bytes = [file.read_bytes, file.write_bytes].map(|bytes| Some(bytes.to_string()));
        let texts = [&file.path, &file.partition, &file.reason].map(|text| Some(text.clone()));
        let mode = file.way.map(|way| mode_text(way).to_string());
        texts.into_iter().chain(counts).chain([mode]).chain(bytes).collect()
    });
    printer.rows(&names, &rows.collect::<Vec<_>>())?;
    for line in summary(explanation, memory_bytes) {
        printer.say(line);
    }
    Ok(())
}

fn for_people(explanation: &Explanation, memory_bytes: usize, printer: &Printer) -> Result<()> {
    for line in summary(explanation, memory_bytes) {
        printer.wrapped(0, &line);
    }
    let shown = explanation.files.iter().take(SHOWN).map(|file| {
        vec![
            file.partition.clone(),
            file.reason.clone(),
            format!("{} of {}", file.touched_rows, file.rows),
            file.way.map(mode_text).unwrap_or_default().to_string(),
            size(file.read_bytes),
            size(file.write_bytes),
        ]
    });
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        return Ok(());
    }
    printer.table(&["partition", "kept because", "touched", "mode", "read", "write"], &shown)?;
    let more = explanation.files.len().saturating_sub(SHOWN);
    if more > 0 {
        printer.say(format!("and {more} files more"));
    }
    Ok(())
}

/// What would be done in all.
fn summary(explanation: &Explanation, memory_bytes: usize) -> Vec<String> {
    let Explanation { report, table, files, insert_bytes } = explanation;
    let sum = |of: fn(&ExplainedFile) -> u64| files.iter().map(of).sum::<u64>();
    let opened = match (report.files_opened, report.bytes_read) {
        (Some(opened), Some(read)) => {
            format!(", opened {opened} to find rows ({} read)", size(read))
        }
        _ => String::new(),
    };
    let memory = u64::try_from(memory_bytes).unwrap_or(u64::MAX);
    vec![
        format!("{} of {table}: nothing is changed, this is what would be", report.verb),
        format!(
            "rows: source {}, inserted {}, updated {}, deleted {}, unchanged {}",
            report.source_rows,
            report.inserted_rows,
            report.updated_rows,
            report.deleted_rows,
            report.unchanged_rows
        ),
        format!(
            "files {}, considered {}{opened}, touched {}",
            report.files, report.files_considered, report.files_touched
        ),
        format!(
            "bytes: at most {} to read of touched files, about {} to write, of which new rows {}",
            size(sum(|file| file.read_bytes)),
            size(sum(|file| file.write_bytes) + insert_bytes),
            size(*insert_bytes)
        ),
        format!("memory: {}; what does not fit is put aside on disk", size(memory)),
    ]
}

fn mode_text(way: Way) -> &'static str {
    match way {
        Way::Dropped => "dropped",
        Way::Rewritten => "copy-on-write",
        Way::Deleted => "merge-on-read",
    }
}
