//! Which files are in a table already: asked of the table's own rows, so that it follows rollbacks.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::AsArray;
use northstar_iceberg::access::Access;
use northstar_iceberg::sql::{LakeTables, SqlOptions, SqlSession};
use northstar_iceberg::{Lake, TableName};

use super::lineage::{FILE_SHA256, SOURCE_TABLE};
use crate::{Error, ErrorKind, Result};

/// How many files are asked for at a time.
const ASKED: usize = 200;

/// Of these hashes of file contents, those that `table` has rows of. With `source_table`, only rows
/// of that source table count.
///
/// Bloom filters on the hash let files that never saw it be skipped.
///
/// # Errors
/// Those of reading the table.
pub(super) async fn loaded(
    lake: &Lake,
    table: &TableName,
    source_table: Option<&str>,
    hashes: &[String],
    access: &Access,
) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    if hashes.is_empty() {
        return Ok(found);
    }
    let tables = Arc::new(LakeTables::new(lake.clone(), access.clone()));
    let session = SqlSession::new(SqlOptions::default(), tables)?;
    for asked in hashes.chunks(ASKED) {
        // Hashes are hexadecimal and table names are checked, so neither can end its literal.
        let list: Vec<String> = asked.iter().map(|hash| format!("'{hash}'")).collect();
        let scope =
            source_table.map_or(String::new(), |name| format!(" AND {SOURCE_TABLE} = '{name}'"));
        let sql = format!(
            "SELECT DISTINCT {FILE_SHA256} FROM {}.{} WHERE {FILE_SHA256} IN ({}){scope}",
            table.namespace(),
            table.table(),
            list.join(", ")
        );
        let frame = session.query(&sql).await?;
        let batches = frame.collect().await.map_err(northstar_iceberg::sql::from_datafusion)?;
        for batch in batches {
            let Some(hashes) = batch.column(0).as_string_opt::<i32>() else {
                return Err(Error::new(ErrorKind::Internal, "file hashes are not text")
                    .with_context("table", table));
            };
            found.extend(hashes.iter().flatten().map(str::to_string));
        }
    }
    Ok(found)
}
