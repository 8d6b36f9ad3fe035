//! The tables of one statement, in the form in which DataFusion looks them up.
//!
//! They are asked for before planning, each once, so that a table named twice is one snapshot.
//! Names of all other tables are listed only for statements that read `information_schema`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use northstar_catalog::{ErrorKind, TableName};

use super::relation::Relation;
use super::{CATALOG, TableSource};
use crate::travel::AsOf;

/// The catalogs of one statement: [`CATALOG`], with the namespaces that the statement can see.
#[derive(Debug)]
pub(super) struct StatementCatalogs {
    catalog: Arc<StatementCatalog>,
}

impl StatementCatalogs {
    /// The `tables` that the statement reads as of now, and the `listed` names (namespace to
    /// tables), which are loaded from `source` when their columns are asked for.
    pub(super) fn new(
        tables: HashMap<Relation, Arc<dyn TableProvider>>,
        listed: BTreeMap<String, Vec<String>>,
        source: &Arc<dyn TableSource>,
    ) -> Self {
        let mut schemas: BTreeMap<String, StatementSchema> = BTreeMap::new();
        let schema = |namespace: &str| StatementSchema {
            namespace: namespace.to_owned(),
            tables: HashMap::new(),
            listed: Vec::new(),
            source: Arc::clone(source),
        };
        for (namespace, names) in listed {
            let entry = schemas.entry(namespace.clone()).or_insert_with(|| schema(&namespace));
            entry.listed = names;
        }
        for (name, provider) in tables {
            let namespace = name.namespace();
            let entry = schemas.entry(namespace.to_owned()).or_insert_with(|| schema(namespace));
            entry.tables.insert(name.within_namespace(), provider);
        }
        let schemas = schemas.into_iter().map(|(name, schema)| (name, Arc::new(schema)));
        Self { catalog: Arc::new(StatementCatalog { schemas: schemas.collect() }) }
    }
}

impl CatalogProviderList for StatementCatalogs {
    /// Keeps nothing: the catalogs of a statement are settled.
    fn register_catalog(
        &self,
        _name: String,
        catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        Some(catalog)
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let catalog = Arc::clone(&self.catalog);
        (name == CATALOG).then_some(catalog as Arc<dyn CatalogProvider>)
    }
}

#[derive(Debug)]
struct StatementCatalog {
    schemas: BTreeMap<String, Arc<StatementSchema>>,
}

impl CatalogProvider for StatementCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.schemas.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let schema = self.schemas.get(name)?;
        Some(Arc::clone(schema) as Arc<dyn SchemaProvider>)
    }
}

#[derive(Debug)]
struct StatementSchema {
    namespace: String,
    tables: HashMap<String, Arc<dyn TableProvider>>,
    listed: Vec<String>,
    source: Arc<dyn TableSource>,
}

#[async_trait]
impl SchemaProvider for StatementSchema {
    fn table_names(&self) -> Vec<String> {
        self.listed.clone()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(provider) = self.tables.get(name) {
            return Ok(Some(Arc::clone(provider)));
        }
        if !self.listed.iter().any(|listed| listed == name) {
            return Ok(None);
        }
        let external = |error| DataFusionError::External(Box::new(error));
        let table = TableName::new(&self.namespace, name).map_err(external)?;
        match self.source.provider(&table, &AsOf::Current).await {
            Ok(provider) => Ok(Some(provider)),
            // It was dropped after it had been listed.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(external(error)),
        }
    }

    /// Answered without loading the table, so that listing a thousand tables reads none of them.
    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(match self.tables.get(name) {
            Some(provider) => Some(provider.table_type()),
            None => self.table_exist(name).then_some(TableType::Base),
        })
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.listed.iter().any(|listed| listed == name)
    }
}
