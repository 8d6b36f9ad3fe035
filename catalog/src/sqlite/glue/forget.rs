//! Archived versions that a Glue client no longer wants.

use rusqlite::params;

use crate::sqlite::SqliteCatalog;
use crate::sqlite::schema::CATALOG_NAME;
use crate::{Result, TableName};

impl SqliteCatalog {
    /// Removes an archived version; `false` if there is none of that number.
    ///
    /// # Errors
    /// `Unavailable` (retry) if the file is locked; `CommitUnknown` if it may have been removed.
    pub async fn forget_glue_version(&self, table: &TableName, version: u64) -> Result<bool> {
        let table = table.clone();
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        self.call(move |live| {
            let sql = "DELETE FROM northstar_glue_versions
                 WHERE catalog_name = ?1 AND namespace = ?2 AND name = ?3 AND version = ?4";
            let values = params![CATALOG_NAME, table.namespace(), table.table(), version];
            Ok(live.write("remove a table's version", sql, values)? == 1)
        })
        .await
    }
}
