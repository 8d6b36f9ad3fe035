//! A folder for the rows that one statement puts aside. It may hold what tables hold, so only its
//! owner may enter, and it goes with the statement: when that ends, or, if the process is killed,
//! when the next statement starts.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::{Error, Result};

const PREFIX: &str = "statement-";
const LOCK: &str = "lock";

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Locked for as long as the folder is in use: the system releases it with the process.
    _lock: File,
}

impl Scratch {
    /// A new folder below `parent`, which is made if it is not there. Folders that killed processes
    /// left are removed.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn create(parent: &Path, id: Uuid) -> Result<Self> {
        let path = parent.join(format!("{PREFIX}{id}"));
        let failed = |error| Error::io(error, "put rows aside on disk", path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        sweep(parent);
        let lock = locked(&lock_path(&path)).map_err(failed)?;
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.with_extension(LOCK)
}

/// Makes and locks a lock file. One that a sweep removed in between is made again.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.lock()?;
        match std::fs::metadata(path) {
            Ok(named) if named.ino() == file.metadata()?.ino() => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes the folders whose lock nobody holds. What cannot be removed now is left for the next.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let is_lock = path.extension().is_some_and(|extension| extension == LOCK)
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !is_lock {
            continue;
        }
        let Ok(file) = File::open(&path) else { continue };
        match file.try_lock() {
            Ok(()) => remove(&path.with_extension("")),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Removes a folder and then its lock file: never the other way round, or nobody would look again.
fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %folder.display(), %error, "rows put aside could not be removed");
        }
        _ => {
            // Gone already if somebody else swept it.
            let _gone = std::fs::remove_file(lock_path(folder)).is_ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_statement_or_with_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let there = |path: &Path| path.try_exists().unwrap();
        let names = || {
            let mut names: Vec<_> = std::fs::read_dir(parent.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort_unstable();
            names
        };
        let first = Scratch::create(parent.path(), Uuid::from_u128(1)).unwrap();
        std::fs::write(first.path().join("rows"), "x").unwrap();
        // What a killed process leaves: a folder, and a lock file that nobody holds.
        let left = parent.path().join(format!("{PREFIX}{}", Uuid::from_u128(2)));
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("rows"), "x").unwrap();
        std::fs::write(lock_path(&left), "").unwrap();

        let third = Scratch::create(parent.path(), Uuid::from_u128(3)).unwrap();
        assert!(!there(&left) && !there(&lock_path(&left)));
        assert!(there(&first.path().join("rows")), "one in use stays");
        let mode = std::fs::metadata(third.path()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop((first, third));
        assert_eq!(names(), Vec::<String>::new());
    }
}
