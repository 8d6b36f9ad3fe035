//! `northstar generate`: a synthetic legacy EMR on disk.

use std::path::Path;

use northstar_iceberg::Result;
use northstar_lakehouse::legacy_emr::{LegacyEmr, Written};

use crate::cli::Emr;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::shown;

pub(crate) fn run(to: &Path, emr: &Emr, printer: &Printer) -> Result<Done> {
    let written = write(to, emr)?;
    let files = written.extract.iter().chain(&written.daily).chain(&written.changes);
    let rows: Vec<Vec<String>> = files
        .map(|file| {
            let counts = [file.rows.to_string(), file.malformed.to_string()];
            [file.file.clone(), file.table.clone()].into_iter().chain(counts).collect()
        })
        .collect();
    printer.table(&["file", "table", "records", "malformed"], &rows)?;
    printer.note(format!("written to {}; load it with", shown(to)));
    printer
        .note(format!("  northstar load csv --from {} --into bronze", shown(&to.join("extract"))));
    Ok(Done::Well)
}

/// Writes the EMR that the options describe.
pub(crate) fn write(to: &Path, emr: &Emr) -> Result<Written> {
    let default = LegacyEmr::default();
    let mut defects = default.defects.clone();
    defects.malformed = emr.malformed.unwrap_or(defects.malformed);
    let mut sized = LegacyEmr {
        seed: emr.seed.unwrap_or(default.seed),
        facilities: emr.facilities.unwrap_or(default.facilities),
        months: emr.months.unwrap_or(default.months),
        defects,
        ..default
    };
    if let Some(rows) = emr.rows {
        sized = sized.with_about_rows(rows);
    }
    if let Some(patients) = emr.patients {
        sized.patients = patients;
    }
    sized.write(to, &mut |table, rows| tracing::debug!(table, rows, "written"))
}
