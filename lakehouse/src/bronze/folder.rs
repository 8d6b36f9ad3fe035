//! Which files of a folder belong to which table.
//!
//! `lab_result.csv` is table `lab_result`; so is every `.csv` file in a sub-folder `lab_result/`.
//! Other files and hidden ones are not looked at. A folder may be a prefix of a bucket.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use northstar_catalog::ident::check_name;
use northstar_iceberg::storage::landing::{self, Entry};

use super::quarantine;
use crate::{Error, ErrorKind, Result};

/// A file to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundFile {
    /// Its path below the folder, with `/`.
    pub name: String,
    /// Where it is: a local path or an s3 location.
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
    for file in landing::below(folder, Some(2))? {
        let own = file.name.rsplit('/').next().unwrap_or_default();
        if !is_csv(own) {
            continue;
        }
        let stem = match file.name.split_once('/') {
            Some((folder, _)) => folder,
            None => &own[..own.len() - ".csv".len()],
        };
        let table = table_name(stem, &file.path)?;
        tables.entry(table).or_default().push(file.into());
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

impl From<Entry> for FoundFile {
    /// Its name is its path below the folder that was asked for.
    fn from(file: Entry) -> Self {
        Self { name: file.name, path: file.path, bytes: file.bytes }
    }
}

pub(super) fn is_csv(name: &str) -> bool {
    !name.starts_with('.') && name.to_ascii_lowercase().ends_with(".csv")
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
