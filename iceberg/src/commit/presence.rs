//! The files that a commit adds, looked at once more before the pointer moves.
//!
//! Orphan removal goes by age: the files of a job that runs for longer look to it like those of a job
//! that was killed. A commit therefore never names a file that is gone, or that has another size than
//! was written. An old file is made young as well, and orphan removal looks at a file's age again right
//! before it removes it; so of the two, one sees the other.
//!
//! It costs one look per added file and commit. In a folder that is nothing; in an object store it is
//! one request for each file, several at a time, and writing the file took more. An object is made
//! young by copying it onto itself.

use iceberg::spec::DataFile;

use crate::storage::About;
use crate::{Error, ErrorKind, LakeTable, Result, Retry, storage};

/// Files that were last written so long ago are made young: half of the least age of an orphan.
const OLD_MS: i64 = 12 * 60 * 60 * 1_000;

/// Files of which all are looked at before the first of them is made young.
const LOOKS_AT_ONCE: usize = 32;

/// A file as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddedFile {
    location: String,
    bytes: u64,
}

impl AddedFile {
    pub(super) fn new(file: &DataFile) -> Self {
        Self { location: file.file_path().to_string(), bytes: file.file_size_in_bytes() }
    }

    /// A file of which nobody says how long it is, as it is now.
    ///
    /// # Errors
    /// `NotFound` if it is not there; storage errors.
    pub(super) fn found(location: &str) -> Result<Self> {
        let about = storage::about(location)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "a file that this commit adds is not there; write it first",
            )
            .with_context("file", location)
        })?;
        Ok(Self { location: location.to_string(), bytes: about.bytes })
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }
}

/// Looks at each file of a commit that is made at `now_ms`.
///
/// # Errors
/// `NotFound` for a file that is gone, `Damaged` for one of another size; both name it. Storage errors.
pub(super) fn check_present(files: &[AddedFile], now_ms: i64) -> Result<()> {
    for files in files.chunks(LOOKS_AT_ONCE) {
        let locations: Vec<&str> = files.iter().map(|file| file.location.as_str()).collect();
        for (file, about) in files.iter().zip(storage::about_all(&locations)) {
            check_file(file, about?, now_ms)?;
        }
    }
    Ok(())
}

fn check_file(file: &AddedFile, about: Option<About>, now_ms: i64) -> Result<()> {
    let Some(about) = about else {
        return Err(Error::new(
                ErrorKind::NotFound,
                "a file that this commit adds is gone, and nothing was changed; most likely `maintain \
                 orphans` removed it because the job ran for longer than its --older-than: run the job \
                 again, and orphans with a longer age",
            )
            .with_retry(Retry::Refresh)
            .with_context("file", &file.location));
    };
    if about.bytes != file.bytes {
        return Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "a file that this commit adds has {} bytes and was written with {}, and nothing was \
                     changed; find out what writes to the table's folder, then run the job again",
                    about.bytes, file.bytes
                ),
            )
            .with_retry(Retry::Refresh)
            .with_context("file", &file.location));
    }
    if now_ms.saturating_sub(about.modified_ms) >= OLD_MS {
        renew(&file.location, now_ms);
    }
    Ok(())
}

/// A file that another user owns stays old; that it is there was seen.
fn renew(location: &str, now_ms: i64) {
    if let Err(error) = storage::renew(location, now_ms) {
        tracing::warn!(%location, %error, "an old file stays old, so orphan removal may take it");
    }
}

/// Which table an error is about.
pub(super) fn of_table(head: &LakeTable) -> impl Fn(Error) -> Error {
    let name = head.name().clone();
    move |error| error.with_context("table", &name)
}
