//! Where a warehouse is: in a folder, or in a bucket with its catalog elsewhere.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use northstar_catalog::open::sqlite_url;
use northstar_iceberg::{Error, ErrorKind, Result, storage};

use crate::cli::Global;

/// Holds what belongs to a warehouse in a bucket and is local.
const SCRATCH: &str = ".northstar";

/// The file of a catalog that nobody names.
const CATALOG: &str = "catalog.db";

/// Where a warehouse is, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder.
    Folder(PathBuf),
    /// `s3://BUCKET/PREFIX`, without a slash at its end.
    Bucket(String),
}

impl Place {
    /// The place that the options name.
    ///
    /// # Errors
    /// `InvalidInput` for a bucket without a name or without a catalog; `Unsupported` for another kind
    /// of store.
    pub(crate) fn of(global: &Global) -> Result<Self> {
        let text = global.warehouse.to_str().unwrap_or_default();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Folder(global.warehouse.clone()));
        };
        match scheme {
            "file" => Ok(Self::Folder(PathBuf::from(rest))),
            "s3" => {
                let location = text.trim_end_matches('/');
                if location.len() <= "s3://".len() {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "the warehouse names no bucket; write s3://BUCKET/PREFIX",
                    ));
                }
                if global.storage.catalog.is_none() {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "a warehouse in a bucket needs a catalog: name one with --catalog URL",
                    ));
                }
                Ok(Self::Bucket(location.to_string()))
            }
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                format!("a warehouse is a folder or s3://BUCKET/PREFIX, not {scheme}://"),
            )),
        }
    }

    /// The bucket, and with what the names of its objects begin: nothing, or a prefix and a slash.
    pub(crate) fn bucket(&self) -> Option<(&str, String)> {
        let Self::Bucket(location) = self else { return None };
        let rest = location.strip_prefix("s3://")?;
        Some(
            rest.split_once('/')
                .map_or((rest, String::new()), |(name, prefix)| (name, format!("{prefix}/"))),
        )
    }

    /// Makes the folders that are not there, for their owner alone.
    pub(crate) fn create(&self, global: &Global) -> Result<()> {
        if let Self::Folder(folder) = self {
            make(folder)?;
        }
        make(&self.scratch(global))
    }

    /// Where rows are put aside and accesses recorded.
    pub(crate) fn scratch(&self, global: &Global) -> PathBuf {
        match (&global.storage.scratch, self) {
            (Some(scratch), _) => scratch.clone(),
            (None, Self::Folder(folder)) => folder.clone(),
            (None, Self::Bucket(_)) => PathBuf::from(SCRATCH),
        }
    }

    /// The whole path of that folder, which is made if it is not there.
    pub(crate) fn opened_scratch(&self, global: &Global) -> Result<PathBuf> {
        let scratch = self.scratch(global);
        if global.storage.scratch.is_some() || matches!(self, Self::Bucket(_)) {
            make(&scratch)?;
        }
        whole(&scratch)
    }

    /// The location under which tables stand.
    pub(crate) fn tables(&self) -> Result<String> {
        match self {
            Self::Folder(folder) => Ok(storage::location(&whole(folder)?.join("tables"))),
            Self::Bucket(location) => Ok(location.clone()),
        }
    }

    /// The catalog's URL.
    pub(crate) fn catalog(&self, global: &Global) -> Result<String> {
        match (&global.storage.catalog, self) {
            (Some(url), _) => Ok(url.clone()),
            (None, Self::Folder(folder)) => sqlite_url(&whole(folder)?.join(CATALOG)),
            (None, Self::Bucket(location)) => {
                Err(Error::new(ErrorKind::InvalidInput, "the warehouse has no catalog")
                    .with_context("warehouse", location))
            }
        }
    }

    /// Whether a catalog that nobody names is there.
    pub(crate) fn has_catalog(&self, global: &Global) -> Result<bool> {
        match self {
            Self::Folder(folder) if global.storage.catalog.is_none() => {
                let found = folder.join(CATALOG).try_exists();
                found.map_err(|error| Error::io(error, "open the warehouse", folder.display()))
            }
            // The catalog says so itself.
            _ => Ok(true),
        }
    }
}

fn make(folder: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Error::io(error, "make the warehouse", folder.display()))
}

fn whole(folder: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(folder)
        .map_err(|error| Error::io(error, "open the warehouse", folder.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn place(options: &[&str]) -> Result<Place> {
        let words = ["northstar"].iter().chain(options).chain(&["tables"]);
        Place::of(&Cli::try_parse_from(words).unwrap().global)
    }

    #[test]
    fn a_warehouse_is_a_folder_or_a_prefix_in_a_bucket() {
        assert_eq!(place(&[]).unwrap(), Place::Folder("./lake".into()));
        let folder = place(&["--warehouse", "file:///srv/lake"]).unwrap();
        assert_eq!(folder, Place::Folder("/srv/lake".into()));
        let catalog = ["--catalog", "sqlite:///srv/catalog.db"];
        for text in ["s3://bucket/a/b", "s3://bucket/a/b/"] {
            let place = place(&[&["--warehouse", text], &catalog[..]].concat()).unwrap();
            assert_eq!(place, Place::Bucket("s3://bucket/a/b".into()));
            assert_eq!(place.bucket(), Some(("bucket", "a/b/".to_string())));
        }
        for (text, says) in [("s3://", "names no bucket"), ("gs://b/p", "not gs://")] {
            let error = place(&[&["--warehouse", text], &catalog[..]].concat()).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn a_bucket_without_a_catalog_is_refused() {
        let error = place(&["--warehouse", "s3://bucket/a"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("--catalog URL"), "{error}");
    }
}
