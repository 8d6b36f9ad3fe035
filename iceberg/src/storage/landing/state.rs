//! By what a change of a file is noticed.

use std::path::Path;
use std::time::SystemTime;

use super::super::place::Object;
use super::super::{s3, stores};
use super::{Spot, not_there};
use crate::{Error, ErrorKind, Result};

/// How a file is: of a local one its size and when it was written, of an object its size and the tag
/// that S3 gives to what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    bytes: u64,
    modified: Option<SystemTime>,
    tag: Option<String>,
}

impl FileState {
    /// The size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
}

/// How a file is now; `doing` is what errors say could not be done. Blocking.
///
/// # Errors
/// `NotFound` if it is not there, `InvalidData` if it is no file; else as the file system or S3 says.
pub fn state(path: &Path, doing: &str) -> Result<FileState> {
    let object = match Spot::of(path)? {
        Spot::Local(local) => return of_local(&local, doing),
        Spot::Bucket(object) => object,
    };
    stores::wait(async move { of_object(&object).await })??.ok_or_else(|| not_there(doing, path))
}

fn of_local(path: &Path, doing: &str) -> Result<FileState> {
    let about = std::fs::metadata(path).map_err(|error| Error::io(error, doing, path.display()))?;
    // A pipe would be waited for, and read once only.
    if !about.is_file() {
        return Err(Error::new(ErrorKind::InvalidData, "it is no file; move it elsewhere")
            .with_context("path", path.display()));
    }
    Ok(FileState { bytes: about.len(), modified: about.modified().ok(), tag: None })
}

pub(super) async fn of_object(object: &Object) -> Result<Option<FileState>> {
    let found = stores::bucket(&object.bucket)?.about(&object.key).await;
    let found = found.map_err(|error| s3::failed(error, "look at a file", object.location()))?;
    Ok(found.map(|meta| FileState { bytes: meta.size, modified: None, tag: meta.e_tag }))
}
