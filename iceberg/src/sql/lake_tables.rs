//! The tables of a lake, as SQL reads them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;

use super::TableSource;
use crate::access::Access;
use crate::inspect::{InspectTable, MetadataTable};
use crate::scan::{IcebergTable, ManifestCache};
use crate::travel::{AsOf, resolve};
use crate::{Lake, LakeTable, Result, TableName};

/// The tables of a lake, opened by one actor for one purpose: each use in a statement is recorded.
#[derive(Debug, Clone)]
pub struct LakeTables {
    lake: Lake,
    access: Access,
    manifests: Arc<ManifestCache>,
}

impl LakeTables {
    /// All tables of `lake`, opened as `access` says.
    pub fn new(lake: Lake, access: Access) -> Self {
        let manifests = Arc::new(ManifestCache::new(ManifestCache::DEFAULT_BYTES));
        Self { lake, access, manifests }
    }

    /// The same tables, whose manifests are shared with others of the lake.
    #[must_use]
    pub fn with_manifests(self, manifests: Arc<ManifestCache>) -> Self {
        Self { manifests, ..self }
    }

    /// The manifests that were read so far, as far as they are kept.
    pub fn manifests(&self) -> &Arc<ManifestCache> {
        &self.manifests
    }

    /// A table, opened and recorded, and the snapshot that is meant.
    async fn at(&self, name: &TableName, as_of: &AsOf) -> Result<(LakeTable, Option<i64>)> {
        let table = self.lake.open_table(name, &self.access).await?;
        let snapshot =
            resolve(table.metadata(), as_of).map_err(|error| error.with_context("table", name))?;
        Ok((table.with_manifests(Arc::clone(&self.manifests)), snapshot))
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
        let (table, snapshot) = self.at(name, as_of).await?;
        let table = IcebergTable::try_new(table.inner().clone(), snapshot)?;
        Ok(Arc::new(table.with_cache(Arc::clone(&self.manifests))))
    }

    async fn metadata_table(
        &self,
        name: &TableName,
        kind: MetadataTable,
        as_of: &AsOf,
    ) -> Result<Arc<dyn TableProvider>> {
        kind.check_version(name, as_of)?;
        let (table, snapshot) = self.at(name, as_of).await?;
        Ok(Arc::new(InspectTable::new(&table, kind, snapshot)))
    }
}
