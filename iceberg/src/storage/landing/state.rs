//! By what a change of a file is noticed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures::{StreamExt, stream};

use super::super::place::Object;
use super::super::{s3, stores};
use super::{Spot, not_there};
use crate::{Error, ErrorKind, Result};

/// How many objects are looked at at once.
const CONCURRENT_LOOKS: usize = 32;

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

/// The size of files together; one that cannot be looked at counts as empty. Blocking.
pub fn total_bytes(paths: &[PathBuf]) -> u64 {
    let spots = paths.iter().filter_map(|path| Spot::of(path).ok());
    let (mut bytes, mut objects) = (0, Vec::new());
    for spot in spots {
        match spot {
            Spot::Local(path) => bytes += std::fs::metadata(path).map_or(0, |about| about.len()),
            Spot::Bucket(object) => objects.push(object),
        }
    }
    if objects.is_empty() {
        return bytes;
    }
    let looks = stream::iter(objects)
        .map(|object| async move { of_object(&object).await.ok().flatten() })
        .buffer_unordered(CONCURRENT_LOOKS)
        .fold(0, |sum, state| async move { sum + state.map_or(0, |state| state.bytes) });
    bytes + stores::wait(looks).unwrap_or(0)
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
