//! The last step but one of a rename by a Glue client: the entry under the old name becomes no table.

use rusqlite::{Connection, OptionalExtension, params};

use super::{GlueRow, GlueUpdate, entry_sql, unnumbered};
use crate::sqlite::SqliteCatalog;
use crate::sqlite::catalog::pointer;
use crate::sqlite::schema::CATALOG_NAME;
use crate::{Result, TableName};

impl SqliteCatalog {
    /// Removes the entry of a table that has another entry, `to`, at the same metadata file, if it is
    /// still at a version; what was committed to it meanwhile is so never lost.
    ///
    /// # Errors
    /// `NotFound`; `CommitUnknown` if it may have been done; `Unavailable` (retry) if the file is
    /// locked.
    pub async fn retire_from_glue(
        &self,
        table: &TableName,
        to: &TableName,
        expected: u64,
    ) -> Result<GlueUpdate> {
        let (table, to) = (table.clone(), to.clone());
        self.call(move |live| {
            let read = entry_sql(live.layout);
            let done = live.transaction("retire the table's entry", |live| {
                retire(live, &read, &table, &to, expected)
            })?;
            done.map_or_else(|| pointer(live, &table).and(Err(unnumbered())), Ok)
        })
        .await
    }
}

/// Within a transaction; `None` if there is no such table.
fn retire(
    live: &Connection,
    read: &str,
    table: &TableName,
    to: &TableName,
    expected: u64,
) -> rusqlite::Result<Option<GlueUpdate>> {
    let entry = |name: &TableName| {
        let key = (CATALOG_NAME, name.namespace(), name.table());
        live.query_row(read, key, GlueRow::of).optional()
    };
    let Some(from) = entry(table)? else { return Ok(None) };
    let is_same = entry(to)?.is_some_and(|to| to.location == from.location);
    if from.version != expected || !is_same || table == to {
        return Ok(Some(GlueUpdate::Conflicted));
    }
    live.execute(
        "DELETE FROM iceberg_tables
         WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3",
        params![CATALOG_NAME, table.namespace(), table.table()],
    )?;
    Ok(Some(GlueUpdate::Updated(from.version + 1)))
}
