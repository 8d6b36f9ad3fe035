//! What a job counted.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use northstar_iceberg::storage::landing;
use serde::Serialize;

/// The most names of files that a record lists.
const MOST_NAMES: usize = 1_000;

/// Rows that a job read and changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) read_rows: u64,
    pub(crate) inserted_rows: u64,
    pub(crate) updated_rows: u64,
    pub(crate) deleted_rows: u64,
    pub(crate) quarantined_rows: u64,
}

/// Files that a job read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Inputs {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// The files' names without their folders: the first thousand.
    pub(crate) names: Vec<String>,
}

/// Takes what a command counts, for the record of its run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    all: Arc<Mutex<(Counts, Inputs)>>,
}

impl Tally {
    /// Adds rows.
    pub(crate) fn add(&self, more: Counts) {
        let (counts, _) = &mut *self.all.lock().unwrap_or_else(PoisonError::into_inner);
        counts.read_rows += more.read_rows;
        counts.inserted_rows += more.inserted_rows;
        counts.updated_rows += more.updated_rows;
        counts.deleted_rows += more.deleted_rows;
        counts.quarantined_rows += more.quarantined_rows;
    }

    /// Adds files, with the size that they have now.
    pub(crate) fn files(&self, paths: &[PathBuf]) {
        let bytes = landing::total_bytes(paths);
        let (_, inputs) = &mut *self.all.lock().unwrap_or_else(PoisonError::into_inner);
        inputs.bytes += bytes;
        for path in paths {
            inputs.files += 1;
            if inputs.names.len() < MOST_NAMES {
                inputs.names.push(name(path));
            }
        }
    }

    /// What was counted so far.
    pub(super) fn so_far(&self) -> (Counts, Inputs) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A file's or folder's name without what it stands in.
pub(super) fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_files_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
        std::fs::write(&paths[0], "12345").unwrap();
        let tally = Tally::default();
        let same = tally.clone();
        same.files(&paths);
        for _ in 0..2 {
            same.add(Counts { read_rows: 3, updated_rows: 1, ..Counts::default() });
        }
        let (counts, inputs) = tally.so_far();
        assert_eq!((counts.read_rows, counts.updated_rows, counts.deleted_rows), (6, 2, 0));
        let expected = Inputs { files: 2, bytes: 5, names: vec!["a.csv".into(), "b.csv".into()] };
        assert_eq!(inputs, expected);
    }
}
