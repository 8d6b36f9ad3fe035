//! The contract of a source: named, or found where its files lie.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use northstar_iceberg::storage::landing;
use northstar_iceberg::{Error, ErrorKind, Result};
use northstar_lakehouse::contract::Contract;

/// What a contract is called that nobody names.
const NAME: &str = "tables.toml";

/// Where the contract of a folder may lie: in it, and in so many folders above it.
pub(super) fn places(folder: &Path, above: usize) -> Vec<PathBuf> {
    let folders = std::iter::successors(Some(folder.to_path_buf()), |below| landing::above(below));
    folders.take(1 + above).collect()
}

/// The contract that was named, or the first that lies in one of the folders; an empty one if none does.
///
/// # Errors
/// Those of reading it; those of looking for it in a bucket, for rows must not go without their contract
/// because a role may not see it.
pub(super) fn read(
    named: Option<&Path>,
    folders: impl IntoIterator<Item = PathBuf>,
) -> Result<Contract> {
    let found = match named {
        Some(path) => Some(path.to_path_buf()),
        None => first(folders)?,
    };
    match found {
        Some(path) => {
            tracing::info!(contract = %path.display(), "using the contract");
            Contract::read(&path)
        }
        None => Ok(Contract::default()),
    }
}

fn first(folders: impl IntoIterator<Item = PathBuf>) -> Result<Option<PathBuf>> {
    let mut seen = HashSet::new();
    for folder in folders {
        if !seen.insert(folder.clone()) {
            continue;
        }
        let path = folder.join(NAME);
        if !landing::is_in_bucket(&folder) {
            if matches!(path.try_exists(), Ok(true)) {
                return Ok(Some(path));
            }
            continue;
        }
        // S3 tells of an object that is not there only to those who may list what is.
        match landing::entries(&folder) {
            Ok(entries) if entries.iter().any(|entry| !entry.is_folder && entry.name == NAME) => {
                return Ok(Some(path));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let text =
                    "it cannot be seen whether there is a contract; name it with --contract FILE";
                return Err(Error::new(ErrorKind::PermissionDenied, text)
                    .with_context("path", path.display())
                    .with_source(error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(folder: &str, above: usize) -> Vec<String> {
        let places = places(Path::new(folder), above);
        places.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn a_contract_is_sought_in_the_folder_and_above_it() {
        assert_eq!(texts("", 2), ["", "..", "../.."]);
        assert_eq!(texts("a", 1), ["a", "a/.."]);
        assert_eq!(texts("s3://b/raw/day/", 2), ["s3://b/raw/day/", "s3://b/raw", "s3://b"]);
        assert_eq!(texts("s3://b", 2), ["s3://b"]);
    }

    #[test]
    fn the_nearest_contract_counts_and_none_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(read(None, places(&inner, 2)).unwrap().tables().count(), 0);
        std::fs::write(folder.path().join(NAME), "[x]\nkey = [\"id\"]\n").unwrap();
        assert_eq!(read(None, places(&inner, 1)).unwrap().tables().count(), 0);
        assert_eq!(read(None, places(&inner, 2)).unwrap().tables().collect::<Vec<_>>(), ["x"]);
        std::fs::write(inner.join(NAME), "[y]\nkey = [\"id\"]\n").unwrap();
        assert_eq!(read(None, places(&inner, 2)).unwrap().tables().collect::<Vec<_>>(), ["y"]);
    }
}
