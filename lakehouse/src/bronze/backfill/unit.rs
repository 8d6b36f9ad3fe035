//! Units: the files of one table, facility group and period, which are loaded or left out together.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use northstar_iceberg::storage::landing::{self, Entry};
use serde::{Deserialize, Serialize};

use crate::bronze::folder::{self, FoundFile};
use crate::{Error, ErrorKind, Result};

/// The longest facility group or period, in bytes.
const MAX_PART_BYTES: usize = 100;

/// A unit's name, `TABLE/GROUP/PERIOD`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName {
    table: String,
    group: String,
    period: String,
}

impl UnitName {
    fn new(table: &str, group: &str, period: &str) -> Result<Self> {
        northstar_catalog::ident::check_name("table", table)?;
        for (what, part) in [("facility group", group), ("period", period)] {
            check_part(what, part)?;
        }
        let (table, group, period) = (table.into(), group.into(), period.into());
        Ok(Self { table, group, period })
    }

    /// The table, without its namespace.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The facility group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The period, such as `2024-05`.
    pub fn period(&self) -> &str {
        &self.period
    }
}

/// Names stand in arguments, logs and file names, so they hold nothing that is special there.
fn check_part(what: &str, part: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '=');
    let starts = part.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && part.len() <= MAX_PART_BYTES && part.chars().all(legal) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "a {what} is named by letters, digits, `.`, `_`, `-` and `=`, beginning with a letter or \
             digit, in at most {MAX_PART_BYTES} bytes; rename it"
        ),
    ))
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.table, self.group, self.period)
    }
}

impl FromStr for UnitName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [table, group, period] => Self::new(table, group, period),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                "this is no unit; write TABLE/GROUP/PERIOD, such as lab_result/west/2024-05",
            )),
        }
    }
}

impl TryFrom<String> for UnitName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<UnitName> for String {
    fn from(name: UnitName) -> Self {
        name.to_string()
    }
}

/// A unit with its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: UnitName,
    /// Its files, in order of their names.
    pub files: Vec<FoundFile>,
}

impl Unit {
    /// Where its first file is.
    pub(super) fn place(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |file| &file.path)
    }

    /// The size of its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Which units are meant; an empty list leaves none out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Tables, without their namespace.
    pub tables: Vec<String>,
    /// Facility groups.
    pub groups: Vec<String>,
    /// Units.
    pub units: Vec<UnitName>,
}

impl Filter {
    fn takes_table(&self, table: &str) -> bool {
        (self.tables.is_empty() || self.tables.iter().any(|name| name == table))
            && (self.units.is_empty() || self.units.iter().any(|unit| unit.table == table))
    }

    fn takes_group(&self, table: &str, group: &str) -> bool {
        let is_there = |unit: &UnitName| unit.table == table && unit.group == group;
        (self.groups.is_empty() || self.groups.iter().any(|name| name == group))
            && (self.units.is_empty() || self.units.iter().any(is_there))
    }

    fn takes(&self, unit: &UnitName) -> bool {
        self.units.is_empty() || self.units.contains(unit)
    }
}

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The units that are meant, in order of their names.
    pub units: Vec<Unit>,
    /// CSV files that stand where no unit has any, by their paths below the folder.
    pub outside: Vec<String>,
}

/// The units of a folder: `TABLE/GROUP/PERIOD.csv`, and `TABLE/GROUP/PERIOD/` with CSV files. Hidden
/// files, other endings and deeper folders are not looked at.
///
/// # Errors
/// `NotFound` for a folder that is not there; `InvalidInput` for a name that no table, group or period
/// can have, and for a unit of the filter that is not there.
pub fn list(from: &Path, filter: &Filter) -> Result<Listing> {
    let mut units: BTreeMap<UnitName, Vec<FoundFile>> = BTreeMap::new();
    let mut outside = Vec::new();
    for top in landing::entries(from)? {
        if !top.is_folder {
            outside.extend(folder::is_csv(&top.name).then_some(top.name));
            continue;
        }
        let table = folder::table_name(&top.name, &top.path)?;
        if !filter.takes_table(&table) {
            continue;
        }
        for file in files_of(&top.path, &table, filter)? {
            let (below, is_folder) = (file.name.clone(), file.is_folder);
            let file = FoundFile { name: format!("{}/{below}", top.name), ..file.into() };
            let (group, period) = match below.split('/').collect::<Vec<_>>()[..] {
                [own] => {
                    outside.extend(folder::is_csv(own).then_some(file.name));
                    continue;
                }
                [group, own] if folder::is_csv(own) => (group, &own[..own.len() - ".csv".len()]),
                [group, period, own] if folder::is_csv(own) && !is_folder => (group, period),
                _ => continue,
            };
            let unit = UnitName::new(&table, group, period)
                .map_err(|error| error.with_context("path", file.path.display()))?;
            if filter.takes(&unit) {
                units.entry(unit).or_default().push(file);
            }
        }
    }
    if let Some(missing) = filter.units.iter().find(|unit| !units.contains_key(unit)) {
        return Err(Error::new(ErrorKind::InvalidInput, "there is no file of this unit")
            .with_context("unit", missing)
            .with_context("folder", from.display()));
    }
    let units = units.into_iter().map(|(name, mut files)| {
        files.sort();
        Unit { name, files }
    });
    outside.sort();
    Ok(Listing { units: units.collect(), outside })
}

/// The files of a table's folder, of chosen groups if some are chosen; names are below the folder.
fn files_of(folder: &Path, table: &str, filter: &Filter) -> Result<Vec<Entry>> {
    if filter.groups.is_empty() && filter.units.is_empty() {
        return landing::below(folder, Some(3));
    }
    let mut files = Vec::new();
    for entry in landing::entries(folder)? {
        if !entry.is_folder {
            files.push(entry);
        } else if filter.takes_group(table, &entry.name) {
            let below = landing::below(&entry.path, Some(2))?.into_iter();
            files.extend(
                below.map(|file| Entry { name: format!("{}/{}", entry.name, file.name), ..file }),
            );
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x\n").unwrap();
        }
        folder
    }

    #[test]
    fn files_and_folders_of_a_period_are_one_unit() {
        let folder = folder_of(&[
            "Lab/west/2024-05.csv",
            "Lab/west/2024-05/b.csv",
            "Lab/west/2024-05/a.CSV",
            "Lab/west/2024-05/deep/c.csv",
            "Lab/west/notes.txt",
            "Lab/west/.hidden.csv",
            "Lab/east/2024-04.csv",
            "Lab/loose.csv",
            "loose.csv",
        ]);
        let listing = list(folder.path(), &Filter::default()).unwrap();
        let names: Vec<String> = listing.units.iter().map(|unit| unit.name.to_string()).collect();
        assert_eq!(names, ["lab/east/2024-04", "lab/west/2024-05"]);
        let files: Vec<&str> =
            listing.units[1].files.iter().map(|file| file.name.as_str()).collect();
        let wanted = ["Lab/west/2024-05.csv", "Lab/west/2024-05/a.CSV", "Lab/west/2024-05/b.csv"];
        assert_eq!(files, wanted);
        assert_eq!(listing.units[1].bytes(), 6);
        assert_eq!(listing.outside, ["Lab/loose.csv", "loose.csv"]);
    }

    #[test]
    fn a_filter_names_tables_groups_and_units() {
        let folder = folder_of(&["a/x/1.csv", "a/y/1.csv", "b/x/1.csv", "b/x/2.csv"]);
        let listed = |filter: Filter| -> Vec<String> {
            let listing = list(folder.path(), &filter).unwrap();
            listing.units.iter().map(|unit| unit.name.to_string()).collect()
        };
        let of = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(
            listed(Filter { tables: vec!["a".into()], ..Filter::default() }),
            ["a/x/1", "a/y/1"]
        );
        assert_eq!(
            listed(Filter { groups: vec!["x".into()], ..Filter::default() }),
            ["a/x/1", "b/x/1", "b/x/2"]
        );
        assert_eq!(listed(Filter { units: of(&["b/x/2"]), ..Filter::default() }), ["b/x/2"]);
        let missing = Filter { units: of(&["b/x/3"]), ..Filter::default() };
        assert_eq!(list(folder.path(), &missing).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn names_that_are_special_somewhere_are_refused() {
        for text in ["a/b", "a/b/c/d", "a//c", "A/b/c", "a/../c", "a/b/-c", "a/b c/d", "a/b/c;d"] {
            assert!(text.parse::<UnitName>().is_err(), "{text}");
        }
        let folder = folder_of(&["a/two words/1.csv"]);
        let error = list(folder.path(), &Filter::default()).unwrap_err();
        assert!(error.to_string().contains("two words"), "{error}");
    }
}
