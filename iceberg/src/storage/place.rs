//! What a location is: a path of this machine, or an object in a bucket.

use std::path::{Path, PathBuf};

use object_store::path::Path as Key;

use crate::{Error, ErrorKind, Result};

/// Where a file or folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this machine.
    Local(PathBuf),
    /// In a bucket.
    S3(Object),
}

/// An object in a bucket, or a prefix of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    pub(crate) key: Key,
}

impl Object {
    /// Its location.
    pub(crate) fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

impl Place {
    /// The place of a location. Iceberg locations are not percent-encoded, and neither are paths and
    /// keys.
    ///
    /// # Errors
    /// `Unsupported` for a scheme that is neither local nor `s3`, and for a key that has segments
    /// which no object store takes.
    pub(crate) fn of(location: &str) -> Result<Self> {
        let s3 = location.split_once("://").filter(|(scheme, _)| {
            ["s3", "s3a", "s3n"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        });
        let Some((_, rest)) = s3 else { return local_path(location).map(Self::Local) };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let unsupported = |message: &str| {
            Error::new(ErrorKind::Unsupported, message).with_context("location", location)
        };
        if bucket.is_empty() {
            return Err(unsupported("an s3 location names a bucket: s3://BUCKET/PREFIX"));
        }
        let key = Key::parse(key)
            .map_err(|error| unsupported("the key cannot be that of a file").with_source(error))?;
        Ok(Self::S3(Object { bucket: bucket.to_string(), key }))
    }

    /// Whether it is `root` itself or below it.
    pub(crate) fn is_below(&self, root: &Self) -> bool {
        match (self, root) {
            (Self::Local(path), Self::Local(root)) => path.starts_with(root),
            (Self::S3(object), Self::S3(root)) => {
                object.bucket == root.bucket && object.key.prefix_matches(&root.key)
            }
            _ => false,
        }
    }
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
    Err(Error::new(
        ErrorKind::Unsupported,
        "only local locations (file:///…) and s3://BUCKET/PREFIX are supported",
    )
    .with_context("location", location))
}

/// The location of a local path.
pub fn location(path: &Path) -> String {
    format!("file://{}", path.display())
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
    fn an_object_has_a_bucket_and_a_key_that_is_not_decoded() {
        for location in
            ["s3://b/a b/50%/x%20y=é", "s3a://b/a b/50%/x%20y=é", "S3://b/a b/50%/x%20y=é"]
        {
            let Place::S3(object) = Place::of(location).unwrap() else { panic!("{location}") };
            assert_eq!((object.bucket.as_str(), object.key.as_ref()), ("b", "a b/50%/x%20y=é"));
            assert_eq!(object.location(), "s3://b/a b/50%/x%20y=é");
        }
        for other in ["s3:///key", "s3://b/a//b", "s3://b/../c", "gs://b/k", "relative"] {
            assert_eq!(Place::of(other).unwrap_err().kind(), ErrorKind::Unsupported, "{other}");
        }
    }

    #[test]
    fn a_place_is_below_whole_folders_only() {
        let is_below = |a: &str, b: &str| Place::of(a).unwrap().is_below(&Place::of(b).unwrap());
        assert!(is_below("s3://b/lake/t/x", "s3://b/lake/t"));
        assert!(is_below("s3://b/lake", "s3://b/"));
        assert!(is_below("file:///lake/t/x", "/lake/t"));
        for (a, b) in [
            ("s3://b/lake/t2/x", "s3://b/lake/t"),
            ("s3://c/lake/t/x", "s3://b/lake/t"),
            ("/lake/t/x", "s3://lake/t"),
        ] {
            assert!(!is_below(a, b), "{a} {b}");
        }
    }
}
