//! Removing files, and telling how many bytes that gave back.

use std::io;
use std::sync::Arc;

use crate::observer::Event;
use crate::{Error, ErrorKind, Lake, Result, storage};

/// Files that were removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that could not be removed; the log says why. They are orphans now.
    pub left: u64,
}

/// A file to be removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Doomed {
    pub(super) location: String,
    pub(super) bytes: u64,
    /// When it was last written, if it is only removed as long as that is so.
    pub(super) written_ms: Option<i64>,
}

impl Doomed {
    /// Whether somebody has written the file since, or is about to commit it.
    fn is_newer(&self) -> bool {
        let Some(written_ms) = self.written_ms else { return false };
        matches!(storage::about(&self.location), Ok(Some(now)) if now.modified_ms != written_ms)
    }
}

/// Removes files in their order. One that is gone already, or was written since, does not count.
///
/// # Errors
/// `Internal` if the work was broken off.
pub(super) async fn remove(lake: &Lake, files: Vec<Doomed>) -> Result<Removed> {
    let observer = Arc::clone(&lake.observer);
    tokio::task::spawn_blocking(move || {
        let mut removed = Removed::default();
        for file in &files {
            if file.is_newer() {
                continue;
            }
            match storage::local_path(&file.location).map(std::fs::remove_file) {
                Ok(Ok(())) => {
                    observer.event(&Event::FileRemoved { bytes: file.bytes });
                    removed.files += 1;
                    removed.bytes += file.bytes;
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(Err(error)) => {
                    tracing::warn!(location = %file.location, %error, "a file could not be removed");
                    removed.left += 1;
                }
                Err(error) => {
                    tracing::warn!(location = %file.location, %error, "a file could not be removed");
                    removed.left += 1;
                }
            }
        }
        removed
    })
    .await
    .map_err(|error| {
        Error::new(ErrorKind::Internal, "removing files was broken off").with_source(error)
    })
}
