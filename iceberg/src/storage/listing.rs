//! All files below a place.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use futures::TryStreamExt;

use super::place::{Object, Place};
use super::{s3, stores};
use crate::{Error, Result};

/// What a file is known by. A local one is known by its device and inode, not by its name, so that
/// one that is reached under two names, by a link or a mount, is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// A device and an inode.
    File(u64, u64),
    /// An object by its name.
    Object(Object),
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) identity: Identity,
    /// A local path, or an s3 location.
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) modified_ms: i64,
}

/// The identity of the file at a location; `None` if it is known that it is not there. Objects are
/// not looked for.
///
/// # Errors
/// As the file system says.
pub(crate) fn identity(location: &str) -> Result<Option<Identity>> {
    // What is in another kind of store is not below any folder of ours.
    let path = match Place::of(location) {
        Ok(Place::Local(path)) => path,
        Ok(Place::S3(object)) => return Ok(Some(Identity::Object(object))),
        Err(_) => return Ok(None),
    };
    match std::fs::metadata(&path) {
        Ok(about) => Ok(Some(of_file(&about))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(error, "look at a file", path.display())),
    }
}

/// All files below a place. Links are not followed. Blocking: run it outside async code.
///
/// # Errors
/// As the file system or S3 says.
pub(crate) fn list(root: &Place) -> Result<Vec<Listed>> {
    match root {
        Place::Local(root) => walk(root),
        Place::S3(root) => {
            let root = root.clone();
            stores::wait(async move { objects(&root).await })?
        }
    }
}

async fn objects(root: &Object) -> Result<Vec<Listed>> {
    let bucket = stores::bucket(&root.bucket)?;
    let listed = bucket.list_below(&root.key).try_collect::<Vec<_>>().await;
    let listed =
        listed.map_err(|error| s3::failed(error, "look through a prefix", root.location()))?;
    let found = listed.into_iter().map(|meta| {
        let object = Object { bucket: root.bucket.clone(), key: meta.location.clone() };
        Listed {
            path: PathBuf::from(object.location()),
            identity: Identity::Object(object),
            bytes: meta.size,
            modified_ms: s3::whole_seconds_ms(&meta),
        }
    });
    Ok(found.collect())
}

fn walk(root: &Path) -> Result<Vec<Listed>> {
    let failed = |error, path: &Path| Error::io(error, "look through the folder", path.display());
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| failed(error, &folder))? {
            let path = entry.map_err(|error| failed(error, &folder))?.path();
            let about = match std::fs::symlink_metadata(&path) {
                Ok(about) => about,
                // A writer that cleans up after itself was first.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error, &path)),
            };
            if about.is_dir() {
                folders.push(path);
            } else if about.is_file() {
                let modified_ms = about.mtime() * 1_000 + about.mtime_nsec() / 1_000_000;
                let (identity, bytes) = (of_file(&about), about.len());
                found.push(Listed { identity, path, bytes, modified_ms });
            }
        }
    }
    Ok(found)
}

fn of_file(about: &Metadata) -> Identity {
    Identity::File(about.dev(), about.ino())
}
