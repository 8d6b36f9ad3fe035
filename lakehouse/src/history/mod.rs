//! The versions of rows across the snapshots of their table: when each came, who brought it, and what
//! it changed.
//!
//! `keys` reads which rows are meant, and `versions` compares what the snapshots hold of them.

mod keys;
mod versions;

use northstar_iceberg::LakeTable;
use northstar_iceberg::history::rows_of_keys;
use northstar_iceberg::sql::SqlSession;

use crate::bronze::define::KEY_PROPERTY;
use crate::{Error, ErrorKind, Result};

pub use versions::{Change, ChangedCell, KeyHistory, RowVersion};

/// The versions of some rows.
#[derive(Debug, Clone)]
pub struct History {
    /// The columns of the key.
    pub key: Vec<String>,
    /// All columns of the table.
    pub columns: Vec<String>,
    /// Key by key, in the order in which they were given.
    pub keys: Vec<KeyHistory>,
}

/// The history of the rows whose keys `text` lists: one a line, the columns of a key separated by
/// commas. `named` are the key's columns; if there are none, they are those of the table's property.
/// `from` is what errors call the text.
///
/// Only snapshots of the main ancestry count.
///
/// # Errors
/// `InvalidInput` for a table without a key when none is named, a column that it does not have, and
/// a line that is no key, by its number; those of reading the table.
pub async fn history(
    session: &SqlSession,
    table: &LakeTable,
    named: &[String],
    (text, from): (Vec<u8>, &str),
) -> Result<History> {
    let key = key_columns(table, named)?;
    let keys = keys::read(table, &key, text, from)?;
    let columns: Vec<String> = table
        .metadata()
        .current_schema()
        .as_struct()
        .fields()
        .iter()
        .map(|field| field.name.clone())
        .collect();
    let moments = Box::pin(rows_of_keys(session, table, &key, &keys.rows)).await?;
    let keys = versions::compare(&columns, &keys, &moments)?;
    Ok(History { key, columns, keys })
}

fn key_columns(table: &LakeTable, named: &[String]) -> Result<Vec<String>> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let property = table.metadata().properties().get(KEY_PROPERTY);
    let names = property.map(|names| names.split(',').map(str::to_string).collect());
    names.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "the table does not say what its key is; name its columns with --key-column",
        )
        .with_context("table", table.name())
    })
}
