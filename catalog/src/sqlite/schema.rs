//! The two tables of PyIceberg's `SqlCatalog`, and which of their layouts a file has.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure::failure;
use crate::{Error, ErrorKind, Result};

/// The name under which PyIceberg registers tables when none is configured.
pub(super) const CATALOG_NAME: &str = "default";

/// The statements of PyIceberg 0.12, so that either program makes the same file.
///
/// Source: <https://github.com/apache/iceberg-python/blob/main/pyiceberg/catalog/sql.py>
const CREATE: &str = "
CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000),
    previous_metadata_location VARCHAR(1000),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000) NOT NULL,
    PRIMARY KEY (catalog_name, namespace, property_key)
);";

const TABLES: [&str; 5] = [
    "catalog_name",
    "table_namespace",
    "table_name",
    "metadata_location",
    "previous_metadata_location",
];

const NAMESPACES: [&str; 4] = ["catalog_name", "namespace", "property_key", "property_value"];

/// Which columns `iceberg_tables` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// The first five; every row is a table.
    Plain,
    /// `iceberg_type` too: rows may be views.
    Typed,
}

impl Layout {
    /// A condition, to follow others, that leaves views out.
    pub(super) fn tables_only(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Typed => " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)",
        }
    }
}

/// The layout of the file; none if it has no catalog in it.
pub(super) fn layout(connection: &Connection, path: &Path) -> Result<Option<Layout>> {
    let tables = columns(connection, path, "iceberg_tables")?;
    let namespaces = columns(connection, path, "iceberg_namespace_properties")?;
    if tables.is_empty() && namespaces.is_empty() {
        return Ok(None);
    }
    let has = |columns: &[String], name: &str| columns.iter().any(|column| column == name);
    let missing = |columns: &[String], wanted: &[&'static str]| {
        wanted.iter().copied().find(|name| !has(columns, name))
    };
    if let Some(column) = missing(&tables, &TABLES).or(missing(&namespaces, &NAMESPACES)) {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!("the catalog in this file lacks the column `{column}`; restore a backup of it"),
        )
        .with_context("file", path.display()));
    }
    Ok(Some(if has(&tables, "iceberg_type") { Layout::Typed } else { Layout::Plain }))
}

/// Makes the tables that are not there yet, all or none.
pub(super) fn create(connection: &mut Connection, path: &Path) -> Result<()> {
    let made = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(
        |transaction| transaction.execute_batch(CREATE).and_then(|()| transaction.commit()),
    );
    made.map_err(|e| failure(e, "make the tables of the catalog", path))
}

fn columns(connection: &Connection, path: &Path, table: &str) -> Result<Vec<String>> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    };
    read().map_err(|e| failure(e, "read the catalog", path))
}
