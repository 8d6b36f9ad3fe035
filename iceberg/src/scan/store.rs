//! From Iceberg locations to object stores and their paths.

use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path;

use crate::{Error, ErrorKind, Result};

/// The object store that a location stands in: the local file system, or a bucket.
///
/// # Errors
/// `Unsupported` for a scheme that is neither local nor `s3`, or a location without a bucket.
pub fn store_url(location: &str) -> Result<ObjectStoreUrl> {
    let unsupported = || {
        Error::new(ErrorKind::Unsupported, "only local and s3 locations can be scanned")
            .with_context("location", location)
    };
    match location.split_once("://") {
        None if location.starts_with('/') || location.starts_with("file:/") => {
            Ok(ObjectStoreUrl::local_filesystem())
        }
        Some(("file", _)) => Ok(ObjectStoreUrl::local_filesystem()),
        Some(("s3" | "s3a" | "s3n", rest)) => {
            let bucket = rest.split('/').next().filter(|bucket| !bucket.is_empty());
            let bucket = bucket.ok_or_else(unsupported)?;
            ObjectStoreUrl::parse(format!("s3://{bucket}"))
                .map_err(|e| unsupported().with_source(e))
        }
        _ => Err(unsupported()),
    }
}

/// The path of a file within the store of its table.
///
/// Iceberg locations are not percent-encoded, and neither is the path: a `%` in a folder's name
/// stays one `%`. Empty segments (`a//b`) mean the same as none on a local file system.
///
/// # Errors
/// `Unsupported` if the file stands in another store than `store`, or its name has segments that no
/// object store takes (`..`, control characters).
pub fn store_path(store: &ObjectStoreUrl, location: &str) -> Result<Path> {
    if store_url(location)? != *store {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a file outside of its table's store cannot be scanned",
        )
        .with_context("file", location)
        .with_context("store", store));
    }
    let local = *store == ObjectStoreUrl::local_filesystem();
    let path = match location.split_once("://") {
        Some(("file", path)) => path,
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, key)| key),
        None => location.strip_prefix("file:").unwrap_or(location),
    };
    let parsed = if local && path.contains("//") {
        let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        Path::parse(segments.join("/"))
    } else {
        Path::parse(path)
    };
    parsed.map_err(|source| {
        Error::new(ErrorKind::Unsupported, "the file's name cannot be used as a path")
            .with_context("file", location)
            .with_source(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_paths_keep_every_character() {
        let store = store_url("file:///lake").unwrap();
        for path in ["a b/c", "facility_id=1/month=2024-01/x.parquet", "50%/a%20b", "größe/é#x"]
        {
            for location in [format!("file:///{path}"), format!("file:/{path}"), format!("/{path}")]
            {
                assert_eq!(store_path(&store, &location).unwrap().as_ref(), path, "{location}");
            }
        }
        assert_eq!(store_path(&store, "file:///a//b").unwrap().as_ref(), "a/b");
    }

    #[test]
    fn a_bucket_is_a_store() {
        let store = store_url("s3://bucket/lake/t").unwrap();
        assert_eq!(store.as_str(), "s3://bucket/");
        assert_eq!(store_path(&store, "s3a://bucket/lake/a b").unwrap().as_ref(), "lake/a b");
        for other in ["s3://other/x", "/x"] {
            let error = store_path(&store, other).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{other}");
            assert_eq!(error.context("file"), Some(other));
        }
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for location in ["hdfs://host/x", "s3:///key", "relative/path", ""] {
            assert_eq!(store_url(location).unwrap_err().kind(), ErrorKind::Unsupported);
        }
        let store = store_url("/lake").unwrap();
        assert!(store_path(&store, "file:///lake/../etc").is_err());
    }
}
