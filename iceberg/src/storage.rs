//! The file system under a warehouse: locations to paths, durable writes, removal.
//!
//! Only local folders so far; `s3://` arrives with the Glue catalog, behind the same functions.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use iceberg::io::{FileIO, FileIOBuilder, LocalFsStorageFactory};

use crate::{Error, ErrorKind, Result};

/// How Apache's `iceberg` reads and writes metadata and manifests.
pub fn file_io() -> FileIO {
    FileIOBuilder::new(Arc::new(LocalFsStorageFactory)).build()
}

/// The local path of a location: `file:///a/b` and `/a/b` are both `/a/b`. Iceberg locations are
/// not percent-encoded.
///
/// # Errors
/// `Unsupported` for another scheme.
pub fn local_path(location: &str) -> Result<PathBuf> {
    let path = match location.split_once(':') {
        Some(("file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        _ => location,
    };
    if path.starts_with('/') {
        return Ok(PathBuf::from(path));
    }
    Err(Error::new(ErrorKind::Unsupported, "only local locations (file:///…) are supported so far")
        .with_context("location", location))
}

/// The location of a local path.
pub fn location(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Opens a new file at a location for writing; its folders are made as needed.
///
/// # Errors
/// As the file system says; `AlreadyExists` if the file is there.
pub fn create(location: &str) -> Result<BufWriter<File>> {
    let path = local_path(location)?;
    let failed = |error| Error::io(error, "create a file", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = File::create_new(&path).map_err(failed)?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

/// Makes a folder, and those above it, for writers that do not. An object store has none.
///
/// # Errors
/// As the file system says.
pub fn make_folder(location: &str) -> Result<()> {
    let path = local_path(location)?;
    std::fs::create_dir_all(&path)
        .map_err(|error| Error::io(error, "make a folder", path.display()))
}

/// Hands the last bytes of a file that [`create`] opened to the system. They reach the disk with
/// [`make_durable`].
///
/// # Errors
/// As the file system says.
pub fn flush(file: &mut BufWriter<File>, location: &str) -> Result<()> {
    file.flush().map_err(|error| Error::io(error, "write a file", location))
}

/// Waits until the files, and the folders that name them, are on disk. A commit does this before it
/// moves the pointer, so that a power cut never leaves a pointer to bytes that were lost.
///
/// # Errors
/// As the file system says.
pub fn make_durable(locations: &[String]) -> Result<()> {
    let mut folders = BTreeSet::new();
    for location in locations {
        let path = local_path(location)?;
        sync(&path)?;
        folders.extend(path.parent().map(Path::to_path_buf));
    }
    folders.iter().try_for_each(|folder| sync(folder))
}

fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::io(error, "bring a file to disk", path.display()))
}

/// What the file system knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its size.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Looks at a file; `None` if it is gone.
///
/// # Errors
/// As the file system says.
pub fn about(location: &str) -> Result<Option<About>> {
    let path = local_path(location)?;
    match std::fs::metadata(&path) {
        Ok(about) => {
            let modified_ms = about.mtime() * 1_000 + about.mtime_nsec() / 1_000_000;
            Ok(Some(About { bytes: about.len(), modified_ms }))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(error, "look at a file", path.display())),
    }
}

/// Makes a file look as if it was written at a time.
///
/// # Errors
/// As the file system says; `PermissionDenied` for a file of another user.
pub fn renew(location: &str, now_ms: i64) -> Result<()> {
    let path = local_path(location)?;
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    File::open(&path)
        .and_then(|file| file.set_modified(now))
        .map_err(|error| Error::io(error, "set the time of a file", path.display()))
}

/// Removes files that nothing refers to; those that are gone already do not matter. What cannot be
/// removed is left as an orphan and logged: it never makes a statement fail.
pub fn discard(locations: &[String]) {
    for location in locations {
        let removed = local_path(location).map(std::fs::remove_file);
        match removed {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%location, %error, "an unused file could not be removed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_and_paths_are_one_to_one() {
        let path = Path::new("/a b/c%20d/é=1");
        assert_eq!(local_path(&location(path)).unwrap(), path);
        assert_eq!(local_path("/plain").unwrap(), Path::new("/plain"));
        for other in ["s3://bucket/key", "relative/path", "file:relative"] {
            assert_eq!(local_path(other).unwrap_err().kind(), ErrorKind::Unsupported, "{other}");
        }
    }

    #[test]
    fn a_file_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = location(&folder.path().join("new/file"));
        let mut file = create(&at).unwrap();
        file.write_all(b"x").unwrap();
        flush(&mut file, &at).unwrap();
        make_durable(std::slice::from_ref(&at)).unwrap();
        assert_eq!(create(&at).unwrap_err().kind(), ErrorKind::AlreadyExists);
        discard(&[at.clone(), at.clone()]);
        assert!(create(&at).is_ok());
    }
}
