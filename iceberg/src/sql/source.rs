//! What a SQL session reads from.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use northstar_catalog::{Error, ErrorKind, Result, TableName};

use crate::inspect::MetadataTable;
use crate::travel::AsOf;

/// Tables by name and version. A session asks for each (table, version) of a statement once.
#[async_trait]
pub trait TableSource: Debug + Send + Sync {
    /// The names of all namespaces.
    async fn namespaces(&self) -> Result<Vec<String>>;

    /// The names of a namespace's tables.
    async fn tables(&self, namespace: &str) -> Result<Vec<String>>;

    /// A table as it was `as_of`. The snapshot is settled when this returns: every scan of the
    /// provider reads the same one.
    ///
    /// # Errors
    /// `NotFound` if there is no such table or version.
    async fn provider(&self, table: &TableName, as_of: &AsOf) -> Result<Arc<dyn TableProvider>>;

    /// What the metadata of a table says, as it was `as_of`: `"table$files"` and its like.
    ///
    /// # Errors
    /// `NotFound` if there is no such table or version, or the source has no metadata tables;
    /// `Unsupported` for a version of a metadata table that has none.
    async fn metadata_table(
        &self,
        table: &TableName,
        kind: MetadataTable,
        as_of: &AsOf,
    ) -> Result<Arc<dyn TableProvider>> {
        let message = format!("`{table}${kind}`: there are no metadata tables here ({as_of})");
        Err(Error::new(ErrorKind::NotFound, message))
    }
}
