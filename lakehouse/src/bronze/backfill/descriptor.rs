//! What was written of a unit and is not committed: all that the process which commits needs to know.

use northstar_iceberg::write::Described;
use serde::{Deserialize, Serialize};

use super::unit::UnitName;
use super::wave::Wave;
use crate::bronze::report::{FileOutcome, FileReport};
use crate::{Error, ErrorKind, Result};

/// What was written of a unit.
///
/// Manifests hold bounds of columns, and so does this: it is passed between processes and not logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Descriptor {
    /// The unit.
    pub unit: UnitName,
    /// The wave that it was written for.
    pub wave: Wave,
    /// What became of each of its files.
    pub files: Vec<SourceReport>,
    /// Data files of the table.
    pub rows: Described,
    /// Data files of the quarantine table.
    pub rejects: Described,
    /// The hashes of the files that these have rejects of: those of others were in quarantine before.
    pub rejected_sha256: Vec<String>,
}

/// What became of a source file, with counts that balance (W1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SourceReport {
    /// Its path below the folder.
    pub name: String,
    /// SHA-256 of its content in hexadecimal, if it was read.
    pub sha256: Option<String>,
    /// The word of [`FileOutcome::as_str`].
    pub outcome: String,
    /// Records read.
    pub read_rows: u64,
    /// Of these, landed.
    pub landed_rows: u64,
    /// Of these, quarantined.
    pub quarantined_rows: u64,
    /// Why it was refused, or where it is damaged.
    pub reason: Option<String>,
}

impl SourceReport {
    pub(super) fn new(report: FileReport, sha256: Option<String>) -> Self {
        let reason = match &report.outcome {
            FileOutcome::Refused(error) => Some(error.to_string()),
            FileOutcome::Damaged { line } => Some(format!(
                "from line {line} on a quote is not closed; that text is one quarantined record, and \
                 the rows before it are loaded"
            )),
            _ => None,
        };
        Self {
            name: report.name,
            sha256,
            outcome: report.outcome.as_str().to_string(),
            read_rows: report.read_rows,
            landed_rows: report.landed_rows,
            quarantined_rows: report.quarantined_rows,
            reason,
        }
    }

    /// Whether someone should look at the file: it was refused, or is damaged.
    pub fn needs_attention(&self) -> bool {
        self.reason.is_some()
    }
}

impl Descriptor {
    /// From a line of JSON.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is no descriptor.
    pub fn from_json(text: &str) -> Result<Self> {
        let refused = || {
            let text =
                "this is no descriptor; give lines as `northstar backfill write` prints them";
            Error::new(ErrorKind::InvalidInput, text)
        };
        // The error of the reader would quote the text, which has bounds of columns.
        let read: Self = serde_json::from_str(text)
            .map_err(|error| refused().with_context("column", error.column()))?;
        // Hashes become part of questions to the tables.
        let is_hash = |text: &str| {
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut hashes = read.files.iter().filter_map(|file| file.sha256.as_deref());
        if hashes.all(is_hash) && read.rejects_of().all(is_hash) {
            return Ok(read);
        }
        Err(refused())
    }

    /// As a line of JSON.
    ///
    /// # Errors
    /// `Internal`.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| {
            Error::new(ErrorKind::Internal, "a descriptor cannot be written").with_source(error)
        })
    }

    /// The hashes of the files that rows of this unit come from.
    pub(super) fn rows_of(&self) -> impl Iterator<Item = &str> {
        let landed = self.files.iter().filter(|file| file.landed_rows > 0);
        landed.filter_map(|file| file.sha256.as_deref())
    }

    /// The rows that its data files hold.
    pub(super) fn landed_rows(&self) -> u64 {
        self.files.iter().map(|file| file.landed_rows).sum()
    }

    /// The rejects that its data files hold.
    pub(super) fn rejected_rows(&self) -> u64 {
        let is_here = |file: &&SourceReport| {
            file.sha256.as_ref().is_some_and(|hash| self.rejected_sha256.contains(hash))
        };
        self.files.iter().filter(is_here).map(|file| file.quarantined_rows).sum()
    }

    /// The hashes of the files that rejects of this unit come from.
    pub(super) fn rejects_of(&self) -> impl Iterator<Item = &str> {
        self.rejected_sha256.iter().map(String::as_str)
    }
}
