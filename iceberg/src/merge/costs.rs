//! What it costs to write a file anew, and what to delete rows from it and to read it afterwards.

/// CPU costs by which `auto` weighs the two ways of changing a file.
///
/// The defaults are measured on lab results (ADR 0006). What counts is their ratio, which other
/// machines share more than the times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileCosts {
    /// Decoding and encoding a MiB of Parquet, in µs.
    pub write_anew_us: u64,
    /// Decoding a MiB of Parquet whose rows fall out, and their new versions elsewhere, in µs.
    pub decode_us: u64,
    /// Writing a delete file, and a small one for the rows that change, in µs.
    pub write_deletes_us: u64,
    /// Reading these two, in µs.
    pub read_deletes_us: u64,
    /// How often a file is read before a compaction takes up its deletes.
    pub reads: u64,
}

impl Default for FileCosts {
    fn default() -> Self {
        Self {
            write_anew_us: 37_000,
            decode_us: 14_000,
            write_deletes_us: 1_000,
            read_deletes_us: 3_000,
            reads: 10,
        }
    }
}

impl FileCosts {
    /// Writing a file of this size anew, in µs.
    pub(super) fn anew_us(&self, bytes: u64) -> u64 {
        scaled(bytes, self.write_anew_us, 1 << 20)
    }

    /// The size, in bytes, from which rows that stay are worth a file of their own, which each read
    /// opens, rather than being written anew beside others. A file of deletes costs no less.
    pub(super) fn own_file_bytes(&self) -> u64 {
        let own_us = self.write_deletes_us + self.reads * self.read_deletes_us;
        scaled(own_us, 1 << 20, self.write_anew_us)
    }

    /// Deleting rows, so that `gone` of all `rows` are, and reading what is left, in µs: each read
    /// decodes the rows that fall out, too.
    pub(super) fn deleting_us(&self, bytes: u64, gone: u64, rows: u64) -> u64 {
        let in_vain = scaled(scaled(bytes, self.decode_us, 1 << 20), gone, rows);
        self.write_deletes_us + self.reads * (self.read_deletes_us + in_vain)
    }
}

/// `number * factor / of`, without overflow.
fn scaled(number: u64, factor: u64, of: u64) -> u64 {
    let product = u128::from(number) * u128::from(factor) / u128::from(of.max(1));
    u64::try_from(product).unwrap_or(u64::MAX)
}
