//! How a file is read: delimiter, limits, batch sizes.

use northstar_catalog::{Error, ErrorKind, Result};

/// Limits and sizes of reading. The defaults suit files of any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The byte between fields: ASCII, and neither a quote, a line end nor NUL.
    pub delimiter: u8,
    /// The longest record, in bytes without its line end. A longer one is treated like an unclosed
    /// quote.
    pub max_record_bytes: usize,
    /// A batch is cut at this many rows.
    pub batch_rows: usize,
    /// A batch is cut once it was made of this many bytes of the file.
    pub batch_bytes: usize,
    /// How much is read from the file at a time. Results do not depend on it.
    pub block_bytes: usize,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            max_record_bytes: 128 << 20,
            batch_rows: 16 << 10,
            batch_bytes: 16 << 20,
            block_bytes: 1 << 20,
        }
    }
}

impl CsvOptions {
    /// Refuses options that cannot be read by.
    pub(super) fn check(&self) -> Result<()> {
        let bad = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message));
        if !self.delimiter.is_ascii() || matches!(self.delimiter, 0 | b'"' | b'\r' | b'\n') {
            return bad("the CSV delimiter must be an ASCII byte other than a quote or line end");
        }
        if [self.max_record_bytes, self.batch_rows, self.batch_bytes, self.block_bytes].contains(&0)
        {
            return bad("the CSV limits and batch sizes must be at least 1");
        }
        // A string column's offsets are 32 bits, and one batch may end with the longest record.
        let longest = self.max_record_bytes.saturating_add(self.batch_bytes);
        if i32::try_from(longest).is_err() {
            return bad("max_record_bytes and batch_bytes must be less than 2 GiB together");
        }
        Ok(())
    }
}
