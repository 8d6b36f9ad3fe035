//! The load contract: what a table is to be, where its files alone do not say.
//!
//! A TOML file with a section per table; every key is optional:
//!
//! ```toml
//! [lab_result]
//! partition = ["facility_id", "month(collected_at)"]
//! sort = ["collected_at", "lab_result_id"]
//! key = ["lab_result_id"]
//! version = "version"                  # of two states of a record, the one with the higher one wins
//! version_is_utc = true                # if the version is a `timestamp`: its times are in UTC
//! deletes = "soft"                     # `merge` keeps deleted rows and marks them; or "hard"
//! bloom = ["patient_id"]
//!
//! [lab_result.columns]                 # by header text, or by `text#2` for its second occurrence
//! lab_result_id = "long"
//! patient_id = { type = "long", phi = "direct" }
//! "Patient Name" = { name = "patient_name", phi = "direct" }
//! ```
//!
//! Columns without a type are inferred from all files at hand when the table is made.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::sources::csv::{ColumnType, Renames};
use crate::{Error, ErrorKind, Result};
use northstar_iceberg::storage::landing;
use northstar_iceberg::table::PartitionColumn;

/// What is said of all tables of a source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Contract {
    tables: BTreeMap<String, TableContract>,
}

/// What is said of one table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableContract {
    partition: Vec<String>,
    sort: Vec<String>,
    key: Vec<String>,
    bloom: Vec<String>,
    version: Option<String>,
    version_is_utc: Option<bool>,
    deletes: Option<String>,
    columns: BTreeMap<String, ColumnContract>,
}

/// What is said of one column: its type alone, or more.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum ColumnContract {
    Type(String),
    Full(FullColumn),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FullColumn {
    #[serde(rename = "type")]
    column_type: Option<String>,
    name: Option<String>,
    phi: Option<Phi>,
    doc: Option<String>,
}

/// How sensitive a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phi {
    /// Identifies a person by itself: names, numbers, addresses, free text. Manifests hold counts of
    /// such a column and no value.
    Direct,
}

/// What becomes of a row that the source deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// It stays, as it was when it was deleted, and is marked.
    Soft,
    /// It goes.
    Hard,
}

impl Deletes {
    /// The name in contracts and table properties.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

impl std::str::FromStr for Deletes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "soft" => Ok(Self::Soft),
            "hard" => Ok(Self::Hard),
            other => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("`{other}` is no way to delete; use soft or hard"),
            )),
        }
    }
}

impl Contract {
    /// Reads a contract, and checks all of it: every mistake is reported at once.
    ///
    /// # Errors
    /// `InvalidInput`, naming the file and each mistake (with its line where TOML itself is wrong).
    pub fn read(path: &Path) -> Result<Self> {
        let text = landing::read_text(path, "read the contract")?;
        text.parse::<Self>().map_err(|error| error.with_context("file", path.display()))
    }

    /// The part of one table; empty if nothing is said of it.
    pub fn table(&self, name: &str) -> TableContract {
        self.tables.get(name).cloned().unwrap_or_default()
    }

    /// The tables that something is said of.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}

impl std::str::FromStr for Contract {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let contract: Self = toml::from_str(text).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "the contract is not valid TOML").with_source(error)
        })?;
        let mut mistakes = Vec::new();
        for (table, part) in &contract.tables {
            part.check(table, &mut mistakes);
        }
        if mistakes.is_empty() {
            return Ok(contract);
        }
        let many = format!("the contract has {} mistakes: {}", mistakes.len(), mistakes.join("; "));
        Err(Error::new(ErrorKind::InvalidInput, many))
    }
}

impl TableContract {
    fn check(&self, table: &str, mistakes: &mut Vec<String>) {
        for text in &self.partition {
            if let Err(error) = text.parse::<PartitionColumn>() {
                mistakes.push(format!("[{table}] partition: {}", error.message()));
            }
        }
        if let Some(Err(error)) = self.deletes.as_deref().map(str::parse::<Deletes>) {
            mistakes.push(format!("[{table}] deletes: {}", error.message()));
        }
        for (at, column) in self.key.iter().enumerate() {
            if self.key[..at].contains(column) {
                mistakes.push(format!("[{table}] key: {column} is there twice"));
            }
        }
        if let Some(version) = self.version.as_ref().filter(|version| self.key.contains(version)) {
            mistakes.push(format!(
                "[{table}] version: {version} is part of the key, so it never rises; name another \
                 column"
            ));
        }
        if self.version_is_utc.is_some() && self.version.is_none() {
            mistakes.push(format!(
                "[{table}] version_is_utc: there is no version; name its column with version = \"…\", \
                 or leave this out"
            ));
        }
        for (column, said) in &self.columns {
            if let Some(Err(error)) = said.type_text().map(str::parse::<ColumnType>) {
                mistakes.push(format!("[{table}.columns] {column}: {}", error.message()));
            }
        }
    }

    /// The partition spec.
    ///
    /// # Errors
    /// None for a contract that was read by [`Contract::read`].
    pub fn partition(&self) -> Result<Vec<PartitionColumn>> {
        self.partition.iter().map(|text| text.parse()).collect()
    }

    /// The columns that files are sorted by.
    pub fn sort(&self) -> &[String] {
        &self.sort
    }

    /// The columns that identify a record of the source.
    pub fn key(&self) -> &[String] {
        &self.key
    }

    /// The column that rises with each state of a record, if there is one.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether a version that is a `timestamp` without a zone holds times in UTC, as it says. Local
    /// times do not rise in the hour that the end of daylight saving repeats.
    pub fn version_is_utc(&self) -> bool {
        self.version_is_utc == Some(true)
    }

    /// What becomes of deleted rows, if it is said.
    ///
    /// # Errors
    /// None for a contract that was read by [`Contract::read`].
    pub fn deletes(&self) -> Result<Option<Deletes>> {
        self.deletes.as_deref().map(str::parse).transpose()
    }

    /// The columns that get a bloom filter.
    pub fn bloom(&self) -> &[String] {
        &self.bloom
    }

    /// New names of columns, by header text.
    pub fn renames(&self) -> Renames {
        self.columns
            .iter()
            .filter_map(|(raw, said)| Some((raw.clone(), said.full()?.name.clone()?)))
            .collect()
    }

    /// The declared type of a column, by its name in the table.
    ///
    /// # Errors
    /// None for a contract that was read by [`Contract::read`].
    pub fn column_type(&self, name: &str) -> Result<Option<ColumnType>> {
        self.column(name).and_then(ColumnContract::type_text).map(str::parse).transpose()
    }

    /// How sensitive a column is, by its name in the table.
    pub fn phi(&self, name: &str) -> Option<Phi> {
        self.column(name)?.full()?.phi
    }

    /// What a column means, by its name in the table.
    pub fn doc(&self, name: &str) -> Option<&str> {
        self.column(name)?.full()?.doc.as_deref()
    }

    /// The names of columns in the table that something is said of.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns
            .iter()
            .map(|(raw, said)| said.full().and_then(|full| full.name.as_deref()).unwrap_or(raw))
    }

    fn column(&self, name: &str) -> Option<&ColumnContract> {
        let renamed =
            |said: &ColumnContract| said.full().and_then(|full| full.name.as_deref()) == Some(name);
        self.columns
            .iter()
            .find(|(raw, said)| {
                renamed(said)
                    || (raw.eq_ignore_ascii_case(name)
                        && said.full().is_none_or(|full| full.name.is_none()))
            })
            .map(|(_, said)| said)
    }
}

impl ColumnContract {
    fn type_text(&self) -> Option<&str> {
        match self {
            Self::Type(text) => Some(text),
            Self::Full(full) => full.column_type.as_deref(),
        }
    }

    fn full(&self) -> Option<&FullColumn> {
        match self {
            Self::Type(_) => None,
            Self::Full(full) => Some(full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_its_new_name() {
        let contract: Contract = r#"
            [lab]
            partition = ["month(at)"]
            [lab.columns]
            "Patient Name" = { name = "patient_name", phi = "direct" }
            value = "decimal(12,2)"
        "#
        .parse()
        .unwrap();
        let lab = contract.table("lab");
        assert_eq!(lab.phi("patient_name"), Some(Phi::Direct));
        assert_eq!(lab.renames()["Patient Name"], "patient_name");
        assert_eq!(
            lab.column_type("value").unwrap(),
            Some(ColumnType::Decimal { precision: 12, scale: 2 })
        );
        assert_eq!(lab.column_type("other").unwrap(), None);
        assert!(contract.table("none").sort().is_empty());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "[a]\npartition = [\"week(x)\"]\n[a.columns]\nx = \"number\"\n";
        let error = text.parse::<Contract>().unwrap_err();
        assert!(error.message().contains("2 mistakes"), "{error}");
        let text = "[a]\nkey = [\"k\", \"k\"]\nversion = \"k\"\ndeletes = \"no\"\n";
        let error = text.parse::<Contract>().unwrap_err();
        for part in ["3 mistakes", "k is there twice", "part of the key", "use soft or hard"] {
            assert!(error.message().contains(part), "{error}");
        }
        let text = "[a]\nkey = [\"k\"]\nversion_is_utc = true\n";
        let error = text.parse::<Contract>().unwrap_err();
        assert!(error.message().contains("version_is_utc: there is no version"), "{error}");
        for text in ["[a]\nunknown = 1\n", "[a]\nversion_is_utc = \"yes\"\n"] {
            let error = text.parse::<Contract>().unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }
}
