//! Which files of a folder belong to which table.
//!
//! `lab_result.csv` is table `lab_result`; so is every `.csv` file in a sub-folder `lab_result/`.
//! Other files and hidden ones are not looked at.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use northstar_catalog::ident::check_name;

use super::quarantine;
use crate::{Error, ErrorKind, Result};

/// A file to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundFile {
    /// Its path below the folder, with `/`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// The CSV files of a folder by table, both in order of their names.
///
/// # Errors
/// `NotFound` for a folder that is not there or holds no CSV file; `InvalidInput` for a file name
/// that gives no table name, or two that give the same from different places.
pub fn tables(folder: &Path) -> Result<BTreeMap<String, Vec<FoundFile>>> {
    let mut tables: BTreeMap<String, Vec<FoundFile>> = BTreeMap::new();
    for entry in entries(folder)? {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            let mut files = Vec::new();
            for inner in entries(&path)? {
                let inner_name = inner.file_name().to_string_lossy().into_owned();
                if is_csv(&inner_name) {
                    files.push(found(&inner, format!("{name}/{inner_name}")));
                }
            }
            if !files.is_empty() {
                tables.entry(table_name(&name, &path)?).or_default().extend(files);
            }
        } else if is_csv(&name) {
            let stem = &name[..name.len() - ".csv".len()];
            let file = found(&entry, name.clone());
            tables.entry(table_name(stem, &path)?).or_default().push(file);
        }
    }
    if tables.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "the folder holds no CSV file; name files TABLE.csv, or put them into a folder TABLE/",
        )
        .with_context("folder", folder.display()));
    }
    tables.values_mut().for_each(|files| files.sort());
    Ok(tables)
}

pub(super) fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    let failed = |error| Error::io(error, "list the folder", folder.display());
    std::fs::read_dir(folder).map_err(failed)?.collect::<std::io::Result<_>>().map_err(failed)
}

pub(super) fn is_csv(name: &str) -> bool {
    !name.starts_with('.') && name.to_ascii_lowercase().ends_with(".csv")
}

/// A file that cannot be looked at counts as empty here; reading it says why, and holds up no other.
pub(super) fn found(entry: &DirEntry, name: String) -> FoundFile {
    let path = entry.path();
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    FoundFile { name, bytes, path }
}

/// A table's name from that of a file: lower case, everything but letters and digits as `_`.
pub(super) fn table_name(stem: &str, path: &Path) -> Result<String> {
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    if name == quarantine::TABLE {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("`{name}` is the name of the quarantine table; rename the file"),
        )
        .with_context("file", path.display()));
    }
    check_name("table", &name).map_err(|error| error.with_context("file", path.display()))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_of_one_name_are_one_table() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("Lab")).unwrap();
        for name in
            ["lab.csv", "Lab/b.CSV", "Lab/a.csv", "Lab/readme.txt", ".hidden.csv", "care-plan.csv"]
        {
            std::fs::write(at(name), "x\n").unwrap();
        }
        let found = tables(folder.path()).unwrap();
        let names: Vec<&str> = found["lab"].iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["Lab/a.csv", "Lab/b.CSV", "lab.csv"]);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["care_plan", "lab"]);
    }

    #[test]
    fn names_that_cannot_be_tables_are_told() {
        for (name, part) in [("1.csv", "`1`"), ("quarantine.csv", "quarantine table")] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), "x\n").unwrap();
            let error = tables(folder.path()).unwrap_err();
            assert!(
                error.to_string().contains(part) && error.to_string().contains(name),
                "{error}"
            );
        }
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(tables(empty.path()).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
