//! Removing files, and telling how many bytes that gave back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::observer::{Event, Observer};
use crate::storage::{Object, Place};
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

impl Removed {
    /// Counts a file by whether it was removed, or was gone already.
    fn count(&mut self, file: &Doomed, outcome: Result<bool>, observer: &dyn Observer) {
        match outcome {
            Ok(true) => {
                observer.event(&Event::FileRemoved { bytes: file.bytes });
                self.files += 1;
                self.bytes += file.bytes;
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(location = %file.location, %error, "a file could not be removed");
                self.left += 1;
            }
        }
    }
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

/// Objects that are looked at, and then removed, at once.
const OBJECTS_AT_ONCE: usize = 1_000;

/// Removes files in their order; objects by the thousand. One that is gone already, or was written
/// since, does not count.
///
/// # Errors
/// `Internal` if the work was broken off.
pub(super) async fn remove(lake: &Lake, files: Vec<Doomed>) -> Result<Removed> {
    let observer = Arc::clone(&lake.observer);
    tokio::task::spawn_blocking(move || {
        let mut removed = Removed::default();
        let mut objects = Vec::new();
        for file in files {
            match Place::of(&file.location) {
                Ok(Place::S3(object)) => objects.push((file, object)),
                Ok(Place::Local(path)) => {
                    if !file.is_newer() {
                        removed.count(&file, storage::remove(&path), observer.as_ref());
                    }
                }
                Err(error) => removed.count(&file, Err(error), observer.as_ref()),
            }
        }
        for objects in objects.chunks(OBJECTS_AT_ONCE) {
            remove_objects(objects, &mut removed, observer.as_ref());
        }
        removed
    })
    .await
    .map_err(|error| {
        Error::new(ErrorKind::Internal, "removing files was broken off").with_source(error)
    })
}

/// Removes objects that were not written since.
fn remove_objects(objects: &[(Doomed, Object)], removed: &mut Removed, observer: &dyn Observer) {
    let dated = objects.iter().filter(|(file, _)| file.written_ms.is_some());
    let locations: Vec<&str> = dated.map(|(file, _)| file.location.as_str()).collect();
    let mut looks = storage::about_all(&locations).into_iter();
    let mut doomed = BTreeMap::new();
    for (file, object) in objects {
        let Some(written_ms) = file.written_ms else {
            doomed.insert(object.clone(), file);
            continue;
        };
        match looks.next() {
            Some(Ok(Some(now))) if now.modified_ms == written_ms => {
                doomed.insert(object.clone(), file);
            }
            Some(Ok(_)) | None => {}
            Some(Err(error)) => removed.count(file, Err(error), observer),
        }
    }
    for (object, outcome) in storage::remove_objects(doomed.keys().cloned().collect()) {
        if let Some(file) = doomed.get(&object) {
            removed.count(file, outcome.map(|()| true), observer);
        }
    }
}
