//! The files of a batch: opened once for their content's hash, and known by it.

use std::io::Read;
use std::path::{Path, PathBuf};

use northstar_iceberg::storage::landing::{self, FileState};

use crate::bronze::at_once::{READINGS, each};
use crate::bronze::folder::FoundFile;
use crate::bronze::load::hash;
use crate::{Error, ErrorKind, Result};

/// What errors say could not be done.
const READING: &str = "read the change file";

/// How Parquet files begin.
const PARQUET: &[u8; 4] = b"PAR1";

/// What a change file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
}

/// A file of the batch.
#[derive(Debug, Clone)]
pub(super) struct ChangeFile {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
    pub(super) format: Format,
    found: FoundFile,
    state: FileState,
}

impl ChangeFile {
    fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = landing::state(path, READING)?.bytes();
        let found = FoundFile { name, path: path.to_path_buf(), bytes };
        let (sha256, state) = hash(&found)?;
        Ok(Self { path: path.to_path_buf(), sha256, format: format(path)?, found, state })
    }

    /// What errors call it.
    pub(super) fn name(&self) -> &str {
        &self.found.name
    }

    /// Its size in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.found.bytes
    }

    /// Refuses a file that is no longer what was hashed.
    ///
    /// # Errors
    /// `InvalidData`, naming the file.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        if landing::state(&self.path, READING)? == self.state {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidData,
            "the file changed while it was read, so nothing was merged; merge it once it is complete",
        )
        .with_context("file", self.path.display()))
    }
}

/// The files by their content, each content once. In that order, the batch is the same however its
/// files are named and listed.
///
/// # Errors
/// Those of reading a file, naming it; `InvalidInput` if there is none.
pub(super) fn open(paths: &[PathBuf]) -> Result<Vec<ChangeFile>> {
    let files = open_any(paths)?;
    if files.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no change file is named"));
    }
    Ok(files)
}

/// The same, where there may be none.
///
/// # Errors
/// Those of reading a file, naming it.
pub(super) fn open_any(paths: &[PathBuf]) -> Result<Vec<ChangeFile>> {
    let opened = each(paths, PathBuf::as_path, READINGS, |path| ChangeFile::open(path));
    let mut files = opened.into_iter().collect::<Result<Vec<_>>>()?;
    files.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    files.dedup_by(|a, b| a.sha256 == b.sha256);
    Ok(files)
}

/// The change files of a table: those that are named, and those called `TABLE.csv` or `TABLE.parquet`
/// below a folder that is named. Hidden ones are not looked at.
///
/// # Errors
/// `NotFound` for a place that is not there, and for a folder without such a file.
pub fn change_files(places: &[PathBuf], table: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for place in places {
        if !landing::is_folder(place)? {
            files.push(place.clone());
            continue;
        }
        let before = files.len();
        let below = landing::below(place, None)?;
        files.extend(
            below.into_iter().filter(|file| is_of(&file.name, table)).map(|file| file.path),
        );
        if files.len() == before {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no file called {table}.csv or {table}.parquet is below the folder"),
            )
            .with_context("folder", place.display()));
        }
    }
    Ok(files)
}

fn is_of(name: &str, table: &str) -> bool {
    let own = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    [".csv", ".parquet"].iter().any(|end| own.strip_suffix(end) == Some(table))
}

fn format(path: &Path) -> Result<Format> {
    let failed = |error| Error::io(error, READING, path.display());
    let mut start = Vec::new();
    landing::open(path)?.take(4).read_to_end(&mut start).map_err(failed)?;
    Ok(if start == PARQUET { Format::Parquet } else { Format::Csv })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_the_same_in_any_order_and_holds_each_content_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let paths = [file("a", "1"), file("b", "2"), file("c", "1"), file("d", "PAR1")];
        let hashes = |paths: &[PathBuf]| -> Vec<String> {
            open(paths).unwrap().into_iter().map(|file| file.sha256).collect()
        };
        let mut backwards = paths.to_vec();
        backwards.reverse();
        assert_eq!(hashes(&paths), hashes(&backwards));
        let files = open(&paths).unwrap();
        assert_eq!(files.len(), 3);
        assert_eq!(files.iter().filter(|file| file.format == Format::Parquet).count(), 1);
        std::fs::write(&paths[1], "22").unwrap();
        let changed = files.iter().filter(|file| file.check_unchanged().is_err());
        assert_eq!(changed.count(), 1);
        let missing = open(&[folder.path().join("gone")]).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}
