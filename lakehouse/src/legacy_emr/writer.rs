//! One CSV file being written, with its place in rows and lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use northstar_catalog::{Error, Result};

/// Bytes gathered before the file is written to.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file of rows.
pub(super) struct CsvFile {
    out: BufWriter<File>,
    path: PathBuf,
    line: u64,
    bytes: u64,
}

impl CsvFile {
    /// Makes the file, and its folder where it is missing, and writes the header.
    pub(super) fn create<'a>(
        path: PathBuf,
        header: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let file = File::create(&path)
            .map_err(|error| Error::io(error, "create the file", path.display()))?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut csv = Self { out, path, line: 1, bytes: 0 };
        let names: Vec<&str> = header.into_iter().collect();
        csv.write(format!("{}\n", names.join(",")).as_bytes())?;
        Ok(csv)
    }

    /// Writes one encoded record, line end included.
    pub(super) fn write(&mut self, record: &[u8]) -> Result<()> {
        self.out.write_all(record).map_err(|error| self.fail(error))?;
        let lines = record.iter().filter(|byte| **byte == b'\n').count();
        self.line += u64::try_from(lines).unwrap_or(0);
        self.bytes += u64::try_from(record.len()).unwrap_or(0);
        Ok(())
    }

    /// The physical line on which the next record begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Writes what is left and gives the size of the file in bytes.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.out.flush().map_err(|error| self.fail(error))?;
        Ok(self.bytes)
    }

    fn fail(&self, error: std::io::Error) -> Error {
        Error::io(error, "write the file", self.path.display())
    }
}

/// Makes a folder and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::io(error, "create the folder", folder.display()))
}

/// Writes a small file at once and gives its size in bytes.
pub(super) fn write_text(path: &Path, text: &str) -> Result<u64> {
    std::fs::write(path, text)
        .map_err(|error| Error::io(error, "write the file", path.display()))?;
    Ok(u64::try_from(text.len()).unwrap_or(0))
}
