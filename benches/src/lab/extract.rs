//! Puts an extract on disk: CSV files, the contract for the load and the expected sums.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    draw::Draw,
    expected::Expected,
    plan::Plan,
    text::{Calendar, header, put_row},
};
use crate::error::{BenchError, Result};

/// How the load lays the table out: names, types, partitions, order and key.
const CONTRACT: &str = include_str!("tables.toml");

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// A finished extract on disk.
#[derive(Debug)]
pub(crate) struct Extract {
    /// The folder to load from: `lab_result/part-0001.csv` and on.
    pub(crate) folder: PathBuf,
    /// The contract file.
    pub(crate) contract: PathBuf,
    /// The sums every loaded table must have.
    pub(crate) expected: PathBuf,
}

/// Writes the extract of `plan` below `work_dir`, or finds the one written before.
///
/// # Errors
/// A folder or file that cannot be written.
pub(crate) fn write_extract(plan: &Plan, work_dir: &Path) -> Result<Extract> {
    plan.check()?;
    let home = work_dir.join(plan.folder_name());
    let extract = Extract {
        folder: home.join("csv"),
        contract: home.join("tables.toml"),
        expected: home.join("expected.json"),
    };
    // The sums are written last, so their presence says that the files are whole.
    if extract.expected.try_exists().map_err(|error| BenchError::at(&extract.expected, &error))? {
        return Ok(extract);
    }
    let table = extract.folder.join("lab_result");
    fs::create_dir_all(&table).map_err(|error| BenchError::at(&table, &error))?;
    let calendar = Calendar::new(plan.months)?;
    let mut expected = Expected::new(plan.facilities, usize::try_from(plan.months).unwrap_or(0))
        .with_documents(plan.document_bytes > 0);
    let csv_bytes = write_files(plan, &calendar, &table, &mut expected)?;
    let document = if plan.document_bytes > 0 { "document = \"string\"\n" } else { "" };
    write_whole(&extract.contract, format!("{CONTRACT}{document}").as_bytes())?;
    let sums = serde_json::to_vec_pretty(&expected.to_json(&calendar, csv_bytes))?;
    write_whole(&extract.expected, &sums)?;
    Ok(extract)
}

fn write_files(
    plan: &Plan,
    calendar: &Calendar,
    table: &Path,
    expected: &mut Expected,
) -> Result<u64> {
    let mut rows = Draw::new(plan, calendar.period_s()).peekable();
    let mut buffer = Vec::with_capacity(WRITE_BYTES + 4_096);
    let mut csv_bytes = 0;
    let mut part = 0;
    while rows.peek().is_some() {
        part += 1;
        let path = table.join(format!("part-{part:04}.csv"));
        let mut file = File::create(&path).map_err(|error| BenchError::at(&path, &error))?;
        buffer.extend_from_slice(header(plan.document_bytes).as_bytes());
        for _ in 0..plan.file_rows {
            let Some(row) = rows.next() else { break };
            expected.add(&row, calendar);
            put_row(&row, calendar, plan.document_bytes, &mut buffer);
            if buffer.len() >= WRITE_BYTES {
                csv_bytes += flush(&mut file, &mut buffer, &path)?;
            }
        }
        csv_bytes += flush(&mut file, &mut buffer, &path)?;
    }
    Ok(csv_bytes)
}

fn flush(file: &mut File, buffer: &mut Vec<u8>, path: &Path) -> Result<u64> {
    file.write_all(buffer).map_err(|error| BenchError::at(path, &error))?;
    let written = u64::try_from(buffer.len()).unwrap_or(0);
    buffer.clear();
    Ok(written)
}

/// Writes a file under another name and renames it, so that half a file is never read.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).map_err(|error| BenchError::at(&partial, &error))?;
    fs::rename(&partial, path).map_err(|error| BenchError::at(path, &error))
}
