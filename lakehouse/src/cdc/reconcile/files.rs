//! The records of an extract's files beside the rows that landed and the records in quarantine.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use northstar_iceberg::merge::LakeSession;
use northstar_iceberg::{LakeTable, TableName};

use crate::bronze::define::source_columns;
use crate::bronze::folder::{self, FoundFile};
use crate::bronze::lineage::{FILE_SHA256, SOURCE_TABLE};
use crate::bronze::load::hash;
use crate::bronze::quarantine;
use crate::cdc::asked;
use crate::cdc::statement::table;
use crate::contract::TableContract;
use crate::sources::csv::{CsvOptions, CsvReader};
use crate::{Error, ErrorKind, Result};

/// One file, and what became of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Its path below the folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Rows of bronze that came from it.
    pub landed: u64,
    /// Records of it in quarantine.
    pub quarantined: u64,
}

impl Balance {
    /// Whether each record is in one of the two (W1).
    pub fn agrees(&self) -> bool {
        self.records == self.landed + self.quarantined
    }
}

/// The balance of each file of `folder` that is of the bronze table.
///
/// # Errors
/// `NotFound` for a folder without a file of the table; those of reading.
pub(super) async fn balances(
    session: &LakeSession,
    bronze: &LakeTable,
    folder: &Path,
    (contract, options): (&TableContract, &CsvOptions),
) -> Result<Vec<Balance>> {
    let name = bronze.name();
    let files = folder::tables(folder)?.remove(name.table()).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "the folder holds no file of the table")
            .with_context("folder", folder.display())
            .with_context("table", name)
    })?;
    let quarantine = TableName::new(name.namespace(), quarantine::TABLE)?;
    let landed = counts(session, name, "").await?;
    // The name of a table is checked, so it cannot end its literal.
    let only = format!(" WHERE {SOURCE_TABLE} = '{}'", name.table());
    let refused = match counts(session, &quarantine, &only).await {
        Err(error) if error.kind() == ErrorKind::NotFound => HashMap::new(),
        counted => counted?,
    };
    let mut by_content: BTreeMap<String, Balance> = BTreeMap::new();
    for file in &files {
        let (sha256, records) =
            tokio::task::block_in_place(|| records(file, bronze, contract, options))?;
        by_content.entry(sha256.clone()).or_insert_with(|| Balance {
            file: file.name.clone(),
            bytes: file.bytes,
            records,
            landed: landed.get(&sha256).copied().unwrap_or(0),
            quarantined: refused.get(&sha256).copied().unwrap_or(0),
        });
    }
    let mut balances: Vec<Balance> = by_content.into_values().collect();
    balances.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(balances)
}

fn records(
    file: &FoundFile,
    bronze: &LakeTable,
    contract: &TableContract,
    options: &CsvOptions,
) -> Result<(String, u64)> {
    let (sha256, _) = hash(file)?;
    let columns = source_columns(bronze)?;
    let mut reader = CsvReader::open(&file.path, &columns, &contract.renames(), options)?;
    while reader.next_batch()?.is_some() {}
    Ok((sha256, reader.counts().records()))
}

/// Rows by the hash of their file.
async fn counts(
    session: &LakeSession,
    name: &TableName,
    only: &str,
) -> Result<HashMap<String, u64>> {
    let sql =
        format!("SELECT {FILE_SHA256}, count(*) FROM {}{only} GROUP BY {FILE_SHA256}", table(name));
    let defect = || Error::new(ErrorKind::Internal, "rows by file cannot be counted");
    let mut counts = HashMap::new();
    for batch in asked::batches(session, &sql, HashMap::new()).await? {
        let hashes = arrow::compute::cast(batch.column(0), &DataType::Utf8)
            .map_err(|error| defect().with_source(error))?;
        let hashes = hashes.as_string_opt::<i32>().ok_or_else(defect)?;
        let rows = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(defect)?;
        for (hash, rows) in hashes.iter().zip(rows) {
            let rows = rows.and_then(|rows| u64::try_from(rows).ok()).ok_or_else(defect)?;
            counts.insert(hash.unwrap_or_default().to_string(), rows);
        }
    }
    Ok(counts)
}
