//! Folders of tables: kept as they were before a merge, laid out anew for each, and what a merge has
//! written there.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    error::{BenchError, Result},
    load::remove,
};

/// New files of a merge.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Written {
    /// Parquet files.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Bytes of metadata.
    pub(crate) metadata_bytes: u64,
}

/// The files that are below a folder.
#[derive(Debug)]
pub(crate) struct Listing(HashSet<PathBuf>);

impl Listing {
    /// The files below `folder` now.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        Ok(Self(files(folder)?.into_iter().map(|(path, _)| path).collect()))
    }

    /// What has been written since.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn written(&self, folder: &Path) -> Result<Written> {
        let mut written = Written::default();
        for (path, bytes) in files(folder)? {
            if self.0.contains(&path) || path.extension().is_some_and(|end| end == "crc") {
                continue;
            }
            if is_parquet(&path) {
                written.files += 1;
                written.bytes += bytes;
            } else {
                written.metadata_bytes += bytes;
            }
        }
        Ok(written)
    }
}

/// All files below a folder with their bytes.
///
/// # Errors
/// A folder that cannot be read.
pub(crate) fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let failed = |error: &std::io::Error| BenchError::at(folder, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let about = entry.metadata().map_err(|error| failed(&error))?;
        if about.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push((entry.path(), about.len()));
        }
    }
    Ok(found)
}

/// Lays out `kept` anew at `place`. Files that no engine changes are links, all others are copies.
///
/// # Errors
/// A folder that cannot be read or written.
pub(crate) fn lay_out(kept: &Path, place: &Path) -> Result<()> {
    remove(place)?;
    for (from, _) in files(kept)? {
        let below = from.strip_prefix(kept).unwrap_or(&from);
        let to = place.join(below);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|error| BenchError::at(folder, &error))?;
        }
        let done = match is_parquet(&from) {
            true => fs::hard_link(&from, &to),
            false => fs::copy(&from, &to).map(drop),
        };
        done.map_err(|error| BenchError::at(&to, &error))?;
    }
    Ok(())
}

/// The one folder below `parent` whose name begins so.
///
/// # Errors
/// None, or a folder that cannot be read.
pub(crate) fn folder_of(parent: &Path, begin: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(parent).map_err(|error| BenchError::at(parent, &error))?;
    let mut names = entries.flatten().map(|entry| entry.path());
    names
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin)))
        .ok_or_else(|| BenchError::new(format!("there is no folder of {begin}")))
}

/// The newest metadata file of an Iceberg table in a folder, by the number in its name.
///
/// # Errors
/// None, or a folder that cannot be read.
pub(crate) fn newest_metadata(table: &Path) -> Result<PathBuf> {
    let number = |path: &Path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let digits = name.strip_suffix(".metadata.json")?.trim_start_matches('v').to_string();
        digits.split('-').next()?.parse::<u64>().ok()
    };
    let all = files(&table.join("metadata"))?;
    let numbered = all.into_iter().filter_map(|(path, _)| Some((number(&path)?, path)));
    let newest = numbered.max_by_key(|(number, _)| *number);
    newest.map(|(_, path)| path).ok_or_else(|| BenchError::new("the table has no metadata"))
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "parquet")
}
