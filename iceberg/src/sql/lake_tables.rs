//! The tables of a lake, as SQL reads them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::TableSource;
use crate::access::Access;
use crate::scan::IcebergTable;
use crate::travel::{AsOf, resolve};
use crate::{Lake, Result, TableName};

/// The tables of a lake, opened by one actor for one purpose: each use in a statement is recorded.
#[derive(Debug, Clone)]
pub struct LakeTables {
    lake: Lake,
    access: Access,
}

impl LakeTables {
    /// All tables of `lake`, opened as `access` says.
    pub fn new(lake: Lake, access: Access) -> Self {
        Self { lake, access }
    }
}

#[async_trait]
impl TableSource for LakeTables {
    async fn namespaces(&self) -> Result<Vec<String>> {
        self.lake.catalog.list_namespaces().await
    }

    async fn tables(&self, namespace: &str) -> Result<Vec<String>> {
        let tables = self.lake.catalog.list_tables(namespace).await?;
        Ok(tables.iter().map(|table| table.table().to_string()).collect())
    }

    async fn provider(&self, name: &TableName, as_of: &AsOf) -> Result<Arc<dyn TableProvider>> {
        let table = self.lake.open_table(name, &self.access).await?;
        let snapshot =
            resolve(table.metadata(), as_of).map_err(|error| error.with_context("table", name))?;
        Ok(Arc::new(IcebergTable::try_new(table.inner().clone(), snapshot)?))
    }
}
