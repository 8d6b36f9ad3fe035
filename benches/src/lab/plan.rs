//! The parameters of an extract: the same plan gives the same bytes.

use crate::error::{BenchError, Result};

/// The order in which rows arrive in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Order {
    /// Nearly by time with the facilities interleaved, as an export would be.
    Time,
    /// Every row anywhere in the period, so that all partitions are open at once.
    Shuffled,
}

/// What to generate.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Rows of the table over all files.
    pub(crate) rows: u64,
    /// Facilities, numbered from 1.
    pub(crate) facilities: u32,
    /// Months from January 2024 on.
    pub(crate) months: u32,
    /// Seed of the random stream.
    pub(crate) seed: u64,
    /// Arrival order.
    pub(crate) order: Order,
    /// Most rows in one file.
    pub(crate) file_rows: u64,
    /// Bytes of a document that each row has as its last column; 0 for rows without one.
    pub(crate) document_bytes: u32,
}

/// Raised when the generator writes other bytes for the same parameters, so that no old cache is used.
const FORMAT: u32 = 1;

impl Plan {
    /// Checks that the numbers can be generated.
    ///
    /// # Errors
    /// Zero rows, facilities, months or rows per file, more than 99 facilities or 600 months.
    pub(crate) fn check(&self) -> Result<()> {
        let counts = [self.rows, self.file_rows, self.facilities.into(), self.months.into()];
        if counts.contains(&0) {
            return Err(BenchError::new("rows, facilities, months and file rows must be above 0"));
        }
        if self.facilities > 99 || self.months > 600 {
            return Err(BenchError::new("at most 99 facilities and 600 months"));
        }
        Ok(())
    }

    /// The name of the cache folder: every parameter that changes the bytes.
    pub(crate) fn folder_name(&self) -> String {
        let order = match self.order {
            Order::Time => "time",
            Order::Shuffled => "shuffled",
        };
        let wide = match self.document_bytes {
            0 => String::new(),
            bytes => format!("-d{bytes}"),
        };
        format!(
            "lab-v{FORMAT}-r{}-f{}-m{}-s{}-{order}-p{}{wide}",
            self.rows, self.facilities, self.months, self.seed, self.file_rows
        )
    }
}
