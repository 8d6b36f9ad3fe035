//! Files that others wrote: what loads and merges read, in a folder or below a prefix of a bucket.
//!
//! A source is named by a path of this machine, absolute or not, or by `s3://BUCKET/KEY`. Both are kept
//! as a `Path`, for both are made of segments between slashes.
//!
//! | module | holds |
//! | --- | --- |
//! | `entries` | what stands in a folder, and all files below it |
//! | `state` | by what a change of a file is noticed |
//! | `reading` | a file from front to back, a Parquet file by ranges, a small file as text |
//! | `blocks` | an object from front to back, asked for in blocks ahead of its reader |

mod blocks;
mod entries;
mod reading;
mod state;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use entries::{Entry, below, entries, is_folder};
pub use reading::{ParquetSource, Source, open, open_parquet, read_text};
pub use state::{FileState, state, total_bytes};

use super::place::{Object, Place};
use crate::{Error, ErrorKind, Result};

/// Where a source is.
#[derive(Debug)]
enum Spot {
    /// On this machine, as it was named.
    Local(PathBuf),
    /// In a bucket.
    Bucket(Object),
}

impl Spot {
    /// # Errors
    /// `Unsupported` for another kind of store, and for a key that has segments which no object store
    /// takes.
    fn of(path: &Path) -> Result<Self> {
        if !path.to_str().is_some_and(|text| text.contains("://")) {
            return Ok(Self::Local(path.to_path_buf()));
        }
        if !is_in_bucket(path) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "sources are read from folders and from s3://BUCKET/PREFIX",
            )
            .with_context("path", path.display()));
        }
        match Place::of(&path.to_string_lossy())? {
            Place::Local(path) => Ok(Self::Local(path)),
            Place::S3(object) => Ok(Self::Bucket(object)),
        }
    }
}

/// Whether a source is in a bucket, which is set up first with [`super::s3::configure`].
pub fn is_in_bucket(path: &Path) -> bool {
    let scheme = path.to_str().and_then(|text| text.split_once("://"));
    scheme.is_some_and(|(scheme, _)| {
        ["s3", "s3a", "s3n"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// The folder above a folder; none above a bucket.
pub fn above(folder: &Path) -> Option<PathBuf> {
    if !is_in_bucket(folder) {
        return Some(folder.join(".."));
    }
    let text = folder.to_str()?.trim_end_matches('/');
    let (above, _) = text.rsplit_once('/')?;
    (!above.ends_with('/')).then(|| PathBuf::from(above))
}

/// The folder that a file stands in.
pub fn folder_of(file: &Path) -> PathBuf {
    match is_in_bucket(file) {
        true => above(file).unwrap_or_default(),
        false => file.parent().unwrap_or(Path::new("")).to_path_buf(),
    }
}

fn not_there(doing: &str, path: &Path) -> Error {
    let message = format!("cannot {doing}: nothing of that name is there");
    Error::new(ErrorKind::NotFound, message).with_context("path", path.display())
}
