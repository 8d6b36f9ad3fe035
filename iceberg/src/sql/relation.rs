//! What a statement reads under one name: a table, or what its metadata says.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use northstar_catalog::{Result, TableName};

use super::TableSource;
use crate::inspect::{MetadataTable, SEPARATOR};
use crate::travel::AsOf;

/// A table, or one of its metadata tables: `lab`, `lab$files`.
///
/// The name of a table never has a `$`, so one name never means both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Relation {
    table: TableName,
    metadata: Option<MetadataTable>,
}

impl Relation {
    /// Reads the two parts of a name as a statement has them.
    ///
    /// # Errors
    /// `InvalidInput` for a table's name that breaks the rules; `NotFound` for a metadata table that
    /// there is not, with those that there are.
    pub(super) fn new(namespace: &str, name: &str) -> Result<Self> {
        let (table, metadata) = match name.split_once(SEPARATOR) {
            Some((table, kind)) => (table, Some(kind.parse()?)),
            None => (name, None),
        };
        Ok(Self { table: TableName::new(namespace, table)?, metadata })
    }

    /// The namespace that it is in.
    pub(super) fn namespace(&self) -> &str {
        self.table.namespace()
    }

    /// The name within the namespace.
    pub(super) fn within_namespace(&self) -> String {
        match self.metadata {
            Some(kind) => format!("{}{SEPARATOR}{kind}", self.table.table()),
            None => self.table.table().to_string(),
        }
    }

    /// Asks a source for it.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) async fn provider(
        &self,
        source: &dyn TableSource,
        as_of: &AsOf,
    ) -> Result<Arc<dyn TableProvider>> {
        match self.metadata {
            Some(kind) => source.metadata_table(&self.table, kind, as_of).await,
            None => source.provider(&self.table, as_of).await,
        }
    }
}

impl From<TableName> for Relation {
    fn from(table: TableName) -> Self {
        Self { table, metadata: None }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace(), self.within_namespace())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_name_is_a_table_or_one_of_its_metadata_tables() {
        for name in ["lab", "lab$files", "lab$snapshots"] {
            let relation = Relation::new("bronze", name).unwrap();
            assert_eq!(relation.to_string(), format!("bronze.{name}"));
        }
        assert_eq!(
            Relation::new("bronze", "lab").unwrap(),
            "bronze.lab".parse::<TableName>().unwrap().into()
        );
        let kind = |name| Relation::new("bronze", name).unwrap_err().kind();
        for name in ["lab$", "lab$rows", "lab$files$files", "lab$FILES"] {
            assert_eq!(kind(name), ErrorKind::NotFound, "{name}");
        }
        for name in ["Lab$files", "$files", "la b$files"] {
            assert_eq!(kind(name), ErrorKind::InvalidInput, "{name}");
        }
    }
}
