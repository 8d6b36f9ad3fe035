//! How fast a machine loaded and merged: what `northstar calibrate` writes and a plan reads.

use std::path::Path;

use northstar_iceberg::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::real;

/// The form of the file.
pub(crate) const FORMAT: u32 = 1;
/// How far a rate may be from what it was computed of: figures are written with some digits.
const TOLERANCE: f64 = 0.01;

/// The numbers of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// Version of the program.
    pub(crate) northstar: String,
    /// When it was measured, in UTC.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) generator: Generator,
    pub(crate) load: Load,
    pub(crate) merge: Merge,
}

/// Where it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) architecture: String,
}

/// What was loaded and changed: the same values give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Generator {
    pub(crate) seed: u64,
    pub(crate) rows: u64,
    pub(crate) facilities: u32,
    pub(crate) months: u32,
}

/// CSV files into bronze tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) source_bytes: u64,
    pub(crate) rows: u64,
    /// Bytes of the data files that came of it.
    pub(crate) table_bytes: u64,
    /// CPU seconds of all threads.
    pub(crate) cpu_seconds: f64,
    pub(crate) wall_seconds: f64,
    pub(crate) bytes_per_core_second: f64,
    pub(crate) rows_per_core_second: f64,
}

/// Change files into a table that holds each record once, as one batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Merge {
    pub(crate) change_rows: u64,
    pub(crate) change_bytes: u64,
    /// Rows that differ afterwards.
    pub(crate) changed_rows: u64,
    pub(crate) table_rows: u64,
    /// Bytes of the data and delete files that were written.
    pub(crate) rewritten_bytes: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) wall_seconds: f64,
    pub(crate) rows_per_core_second: f64,
    pub(crate) bytes_per_core_second: f64,
    pub(crate) rewritten_bytes_per_change_byte: f64,
}

impl Calibration {
    /// Reads a file.
    ///
    /// # Errors
    /// `NotFound` where there is none; `InvalidData` for one that is no calibration, or whose rates are not
    /// those of its counts.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                let text = "there is no calibration; make one with `northstar calibrate`, or name one with \
                            --calibration FILE";
                Error::new(ErrorKind::NotFound, text).with_context("path", path.display())
            }
            _ => Error::io(error, "read the calibration", path.display()),
        })?;
        Self::parse(&text).map_err(|error| error.with_context("path", path.display()))
    }

    /// A calibration from the text of its file.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let bad = |text: &str| Error::new(ErrorKind::InvalidData, text);
        let read: Self = serde_json::from_slice(text).map_err(|error| {
            bad("this is no calibration; make one with `northstar calibrate`").with_source(error)
        })?;
        if read.format != FORMAT {
            return Err(bad(
                "the calibration is of another version; make one with `northstar calibrate`",
            ));
        }
        let (load, merge) = (&read.load, &read.merge);
        let rates = [
            (load.bytes_per_core_second, real(load.source_bytes) / load.cpu_seconds),
            (load.rows_per_core_second, real(load.rows) / load.cpu_seconds),
            (merge.rows_per_core_second, real(merge.change_rows) / merge.cpu_seconds),
            (merge.bytes_per_core_second, real(merge.change_bytes) / merge.cpu_seconds),
            (
                merge.rewritten_bytes_per_change_byte,
                real(merge.rewritten_bytes) / real(merge.change_bytes),
            ),
        ];
        let fits = |(rate, computed): &(f64, f64)| {
            computed.is_finite() && *rate > 0.0 && (rate - computed).abs() <= computed * TOLERANCE
        };
        match rates.iter().all(fits) {
            true => Ok(read),
            false => Err(bad(
                "rates of the calibration are not those of its counts and seconds; make it again with \
                 `northstar calibrate`",
            )),
        }
    }

    /// Core seconds that loading takes: by bytes or by rows, whichever is more.
    ///
    /// The time is assumed to grow with bytes and with rows, each by a rate that is not known apart. The
    /// measured load holds both, so scaling it by the larger of the two ratios is never too little.
    pub(super) fn load_core_seconds(&self, bytes: u64, rows: Option<u64>) -> f64 {
        let by_bytes = real(bytes) / self.load.bytes_per_core_second;
        rows.map_or(by_bytes, |rows| by_bytes.max(real(rows) / self.load.rows_per_core_second))
    }

    /// Core seconds that merging takes; likewise.
    pub(super) fn merge_core_seconds(&self, rows: u64, bytes: u64) -> f64 {
        let by_bytes = real(bytes) / self.merge.bytes_per_core_second;
        by_bytes.max(real(rows) / self.merge.rows_per_core_second)
    }

    /// Where it comes from, in one line.
    pub(super) fn told(&self) -> String {
        format!(
            "calibrated on {} with northstar {}: {} {} cores, {} GB of memory, on local disk; {:.1} MB and \
             {:.0} rows loaded, {:.2} MB and {:.0} change rows merged a CPU second",
            self.date,
            self.northstar,
            self.machine.cores,
            self.machine.architecture,
            self.machine.memory_bytes / 1_000_000_000,
            self.load.bytes_per_core_second / 1e6,
            self.load.rows_per_core_second,
            self.merge.bytes_per_core_second / 1e6,
            self.merge.rows_per_core_second,
        )
    }
}
