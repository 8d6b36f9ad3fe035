//! One JSON line for each merge.

use std::{fs::OpenOptions, io::Write};

use super::{arguments::MergeOptions, cell::Cell};
use crate::{
    error::{BenchError, Result},
    report,
};

/// Adds a line for `cell` to the record.
///
/// # Errors
/// A record that cannot be written.
pub(crate) fn record(case: &str, cell: &Cell, options: &MergeOptions) -> Result<()> {
    let home = options.scale.home()?;
    let path = options.record.clone().unwrap_or_else(|| home.join("results.jsonl"));
    let failure = cell.outcome.as_ref().err();
    let line = serde_json::json!({
        "case": case,
        "date": options.scale.date,
        "commit": report::commit(),
        "machine": report::machine(),
        "rows": cell.rows,
        "shape": cell.shape,
        "engine": cell.engine.name(),
        "mode": cell.engine.mode().property(),
        "run": cell.run,
        "usage": cell.usage,
        "written": cell.written,
        "told": cell.told,
        "checked": cell.outcome.as_ref().ok(),
        "mismatch": failure.is_some_and(|failure| failure.mismatch),
        "failure": failure.map(|failure| &failure.message),
    });
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.map_err(|error| BenchError::at(&path, &error))?;
    writeln!(file, "{line}").map_err(|error| BenchError::at(&path, &error))
}
