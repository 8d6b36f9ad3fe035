//! Which units are in the tables already: asked of the tables' rows, so that it follows rollbacks.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::AsArray;
use northstar_iceberg::access::Access;
use northstar_iceberg::sql::{LakeTables, SqlOptions, SqlSession, from_datafusion};
use northstar_iceberg::{Lake, TableName};

use super::unit::Unit;
use crate::bronze::at_once::{LOOKS, READINGS, each};
use crate::bronze::folder::FoundFile;
use crate::bronze::lineage::{BATCH_ID, FILE_SHA256, SOURCE_FILE, SOURCE_TABLE};
use crate::bronze::load::hash;
use crate::bronze::quarantine;
use crate::bronze::read::has_records;
use crate::contract::Contract;
use crate::sources::csv::CsvOptions;
use crate::{Error, ErrorKind, Result};

/// How many files are asked for at a time.
const ASKED: usize = 200;

/// How far a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// Some of its files are to be loaded.
    Pending,
    /// All of its files are in the table or, with all of their records, in quarantine.
    Done,
    /// Its files hold headers alone.
    Empty,
}

impl UnitState {
    /// One word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Empty => "empty",
        }
    }
}

/// By what a file is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// Its content: each file is read for its SHA-256.
    Content,
    /// Its path below the folder, without reading it: a file that was replaced is not noticed.
    Name,
}

/// What the states of units are told by.
#[derive(Debug)]
pub struct States<'a> {
    /// Where tables are; none if there is no warehouse yet.
    pub lake: Option<(&'a Lake, &'a Access)>,
    /// The namespace of the bronze tables.
    pub namespace: &'a str,
    /// What the files alone do not say.
    pub contract: &'a Contract,
    /// How files are read.
    pub csv: &'a CsvOptions,
    /// By what files are known again.
    pub known_by: KnownBy,
}

impl States<'_> {
    /// The states of units, in their order.
    ///
    /// A file without rows in the table counts as loaded if its rejects are in quarantine and the table
    /// has rows of the same batch: rejects are committed before the rows of their batch, so it has none.
    ///
    /// # Errors
    /// Those of reading the tables.
    pub async fn of(&self, units: &[Unit]) -> Result<Vec<UnitState>> {
        let mut states = vec![UnitState::Pending; units.len()];
        let mut tables: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, unit) in units.iter().enumerate() {
            tables.entry(unit.name.table()).or_default().push(at);
        }
        for (table, places) in tables {
            let files: Vec<&FoundFile> = places.iter().flat_map(|at| &units[*at].files).collect();
            let known = self.known(table, &files).await?;
            let renames = self.contract.table(table).renames();
            // A file that cannot be read is pending: its unit says why when it is loaded.
            let is_empty =
                |file: &FoundFile| matches!(has_records(&file.path, &renames, self.csv), Ok(false));
            let state = |unit: &&Unit| {
                let mut rest = unit.files.iter().filter(|file| !known.contains(&file.name));
                match rest.all(is_empty) {
                    false => UnitState::Pending,
                    true if unit.files.iter().any(|file| known.contains(&file.name)) => {
                        UnitState::Done
                    }
                    true => UnitState::Empty,
                }
            };
            let of_table: Vec<&Unit> = places.iter().map(|at| &units[*at]).collect();
            let made =
                tokio::task::block_in_place(|| each(&of_table, |unit| unit.place(), LOOKS, state));
            for (at, state) in places.into_iter().zip(made) {
                states[at] = state;
            }
        }
        Ok(states)
    }

    /// The names of the files that are there.
    async fn known(&self, table: &str, files: &[&FoundFile]) -> Result<HashSet<String>> {
        let Some((lake, access)) = self.lake else { return Ok(HashSet::new()) };
        let name = TableName::new(self.namespace, table)?;
        match lake.open_table(&name, access).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashSet::new()),
            opened => opened?,
        };
        // What a file is known by, and its name; a file that cannot be read is not known.
        let keys: Vec<(String, &str)> = match self.known_by {
            KnownBy::Name => files.iter().map(|file| (file.name.clone(), &file.name[..])).collect(),
            KnownBy::Content => {
                let hashed = |file: &&FoundFile| hash(file).ok().map(|(sha256, _)| sha256);
                let hashes = tokio::task::block_in_place(|| {
                    each(files, |file| &file.path, READINGS, hashed)
                });
                let named = hashes.into_iter().zip(files);
                named.filter_map(|(sha256, file)| Some((sha256?, &file.name[..]))).collect()
            }
        };
        let tables = Arc::new(LakeTables::new(lake.clone(), access.clone()));
        let asking = Asking { session: SqlSession::new(SqlOptions::default(), tables)?, name };
        let mut found = asking.in_table(self.known_by, &keys).await?;
        let rest: Vec<&str> =
            keys.iter().map(|(key, _)| &key[..]).filter(|key| !found.contains(*key)).collect();
        let quarantine = TableName::new(self.namespace, quarantine::TABLE)?;
        if !rest.is_empty() && is_there(lake, &quarantine, access).await? {
            found.extend(asking.whole_in_quarantine(&quarantine, self.known_by, &rest).await?);
        }
        let known = keys.into_iter().filter(|(key, _)| found.contains(key));
        Ok(known.map(|(_, name)| name.to_string()).collect())
    }
}

async fn is_there(lake: &Lake, name: &TableName, access: &Access) -> Result<bool> {
    match lake.open_table(name, access).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Questions to the rows of a table.
struct Asking {
    session: SqlSession,
    name: TableName,
}

impl Asking {
    async fn in_table(&self, by: KnownBy, keys: &[(String, &str)]) -> Result<HashSet<String>> {
        let (column, table) = (column(by), &self.name);
        let select = format!("SELECT DISTINCT {column} FROM {table}");
        let mut found = HashSet::new();
        if by == KnownBy::Name {
            // Bounds of names are cut, so no file could be left out: one reading of the column is all.
            found.extend(self.texts(&select).await?.into_iter().flatten());
            return Ok(found);
        }
        for asked in keys.chunks(ASKED) {
            let list = list(asked.iter().map(|(key, _)| &key[..]));
            let sql = format!("{select} WHERE {column} IN ({list})");
            found.extend(self.texts(&sql).await?.into_iter().flatten());
        }
        Ok(found)
    }

    /// Of these files, those that are in quarantine with all of their records.
    async fn whole_in_quarantine(
        &self,
        quarantine: &TableName,
        by: KnownBy,
        keys: &[&str],
    ) -> Result<HashSet<String>> {
        let (column, table) = (column(by), self.name.table());
        let mut batches: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for asked in keys.chunks(ASKED) {
            let sql = format!(
                "SELECT DISTINCT {column}, {BATCH_ID} FROM {quarantine} WHERE {SOURCE_TABLE} = \
                 '{table}' AND {column} IN ({})",
                list(asked.iter().copied())
            );
            for row in self.texts(&sql).await? {
                if let Ok([key, batch]) = <[String; 2]>::try_from(row) {
                    batches.entry(batch).or_default().push(key);
                }
            }
        }
        let mut whole = HashSet::new();
        let asked: Vec<&str> = batches.keys().map(String::as_str).collect();
        for asked in asked.chunks(ASKED) {
            let sql = format!(
                "SELECT DISTINCT {BATCH_ID} FROM {} WHERE {BATCH_ID} IN ({})",
                self.name,
                list(asked.iter().copied())
            );
            for batch in self.texts(&sql).await?.into_iter().flatten() {
                whole.extend(batches.get(&batch).into_iter().flatten().cloned());
            }
        }
        Ok(whole)
    }

    /// The rows of a query of texts.
    async fn texts(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let frame = self.session.query(sql).await?;
        let mut rows = Vec::new();
        for batch in frame.collect().await.map_err(from_datafusion)? {
            let columns = batch.columns().iter().map(|column| {
                column.as_string_opt::<i32>().ok_or_else(|| {
                    Error::new(ErrorKind::Internal, "lineage is no text")
                        .with_context("table", &self.name)
                })
            });
            let columns = columns.collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                rows.push(columns.iter().map(|column| column.value(row).to_string()).collect());
            }
        }
        Ok(rows)
    }
}

fn column(by: KnownBy) -> &'static str {
    match by {
        KnownBy::Content => FILE_SHA256,
        KnownBy::Name => SOURCE_FILE,
    }
}

/// Literals of texts.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(|text| format!("'{}'", text.replace('\'', "''"))).collect::<Vec<_>>().join(", ")
}
