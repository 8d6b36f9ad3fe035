//! Looking at files, bringing them to disk, and removing them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use futures::{StreamExt, stream};

use super::place::{Object, Place};
use super::{s3, stores};
use crate::{Error, ErrorKind, Result};

/// How many objects are looked at at once.
const CONCURRENT_LOOKS: usize = 32;

/// Waits until the files, and the folders that name them, are on disk. A commit does this before it
/// moves the pointer, so that a power cut never leaves a pointer to bytes that were lost. Objects are
/// durable once they are written.
///
/// # Errors
/// As the file system says.
pub fn make_durable(locations: &[String]) -> Result<()> {
    let mut folders = BTreeSet::new();
    for location in locations {
        let Place::Local(path) = Place::of(location)? else { continue };
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

/// What the file system, or S3, knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its size.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970. S3 tells whole seconds, by its own clock.
    pub modified_ms: i64,
}

/// Makes a folder, and those above it, for writers that do not. A bucket has none.
///
/// # Errors
/// As the file system says.
pub fn make_folder(location: &str) -> Result<()> {
    let Place::Local(path) = Place::of(location)? else { return Ok(()) };
    std::fs::create_dir_all(&path)
        .map_err(|error| Error::io(error, "make a folder", path.display()))
}

/// Looks at a file; `None` if it is gone.
///
/// # Errors
/// As the file system or S3 says.
pub fn about(location: &str) -> Result<Option<About>> {
    match Place::of(location)? {
        Place::Local(path) => about_local(&path),
        Place::S3(object) => stores::wait(about_object(object))?,
    }
}

/// Looks at files, at several objects at once.
pub(crate) fn about_all(locations: &[&str]) -> Vec<Result<Option<About>>> {
    let places: Vec<Result<Place>> = locations.iter().map(|location| Place::of(location)).collect();
    if !places.iter().any(|place| matches!(place, Ok(Place::S3(_)))) {
        return places
            .into_iter()
            .map(|place| match place? {
                Place::Local(path) => about_local(&path),
                Place::S3(object) => stores::wait(about_object(object))?,
            })
            .collect();
    }
    let looks = stream::iter(places)
        .map(|place| async move {
            match place? {
                Place::Local(path) => about_local(&path),
                Place::S3(object) => about_object(object).await,
            }
        })
        .buffered(CONCURRENT_LOOKS)
        .collect::<Vec<_>>();
    match stores::wait(looks) {
        Ok(found) => found,
        Err(error) => vec![Err(error)],
    }
}

fn about_local(path: &Path) -> Result<Option<About>> {
    match std::fs::metadata(path) {
        Ok(about) => {
            let modified_ms = about.mtime() * 1_000 + about.mtime_nsec() / 1_000_000;
            Ok(Some(About { bytes: about.len(), modified_ms }))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(error, "look at a file", path.display())),
    }
}

async fn about_object(object: Object) -> Result<Option<About>> {
    let found = stores::bucket(&object.bucket)?.about(&object.key).await;
    let found = found.map_err(|error| s3::failed(error, "look at a file", object.location()))?;
    Ok(found.map(|meta| About { bytes: meta.size, modified_ms: s3::whole_seconds_ms(&meta) }))
}

/// Makes a file look as if it was written at a time. S3 sets times by itself, so an object is copied
/// onto itself and has the time of now.
///
/// # Errors
/// As the file system or S3 says; `PermissionDenied` for a file of another user; `Unsupported` for an
/// object that is not encrypted, which S3 does not copy onto itself.
pub fn renew(location: &str, now_ms: i64) -> Result<()> {
    let path = match Place::of(location)? {
        Place::Local(path) => path,
        Place::S3(object) => {
            return stores::wait(async move {
                let renewed = stores::bucket(&object.bucket)?.renew(&object.key).await;
                renewed.map_err(|error| s3::failed(error, "renew a file", object.location()))
            })?;
        }
    };
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    File::open(&path)
        .and_then(|file| file.set_modified(now))
        .map_err(|error| Error::io(error, "set the time of a file", path.display()))
}

/// Removes a local file; whether it was there.
///
/// # Errors
/// As the file system says.
pub(crate) fn remove(path: &Path) -> Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(error, "remove a file", path.display())),
    }
}

/// Removes objects, in one request for each thousand of a bucket, and gives what became of each. S3
/// does not tell of one that it was not there.
pub(crate) fn remove_objects(objects: Vec<Object>) -> Vec<(Object, Result<()>)> {
    let mut buckets: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for object in objects {
        buckets.entry(object.bucket.clone()).or_default().push(object);
    }
    let mut outcomes = Vec::new();
    for (name, objects) in buckets {
        let keys = objects.iter().map(|object| object.key.clone()).collect();
        let removed = stores::bucket(&name)
            .and_then(|bucket| stores::wait(async move { bucket.remove(keys).await }));
        match removed {
            Ok(each) => outcomes.extend(objects.into_iter().zip(each).map(|(object, removed)| {
                let failed = |error| s3::failed(error, "remove a file", object.location());
                let removed = removed.map_err(failed);
                (object, removed)
            })),
            Err(error) => outcomes.extend(objects.into_iter().map(|object| {
                let failed = Error::new(error.kind(), error.to_string());
                (object, Err(failed))
            })),
        }
    }
    outcomes
}

/// Removes files that nothing refers to; those that are gone already do not matter. What cannot be
/// removed is left as an orphan and logged: it never makes a statement fail.
pub fn discard(locations: &[String]) {
    let mut objects = Vec::new();
    for location in locations {
        match Place::of(location) {
            Ok(Place::Local(path)) => {
                if let Err(error) = remove(&path) {
                    tracing::warn!(%location, %error, "an unused file could not be removed");
                }
            }
            Ok(Place::S3(object)) => objects.push(object),
            Err(_) => {}
        }
    }
    if objects.is_empty() {
        return;
    }
    for (object, removed) in remove_objects(objects) {
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let location = object.location();
                tracing::warn!(%location, %error, "an unused file could not be removed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::{create, flush, location};
    use super::*;

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
