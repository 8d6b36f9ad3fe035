//! The catalog itself: its statements, and what their outcomes mean.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use iceberg::spec::TableMetadata;
use rusqlite::params;
use tokio::task::spawn_blocking;

use super::connection::{BUSY_TIMEOUT, Database, Live};
use super::schema::{CATALOG_NAME, Layout};
use super::together::{self, Step};
use crate::ident::check_name;
use crate::missing::{missing_namespace, missing_table, not_empty, taken};
use crate::open::{OpenMode, sqlite_url};
use crate::{Catalog, Error, ErrorKind, Move, Pointer, Result, Swap, TableName};

/// True in SQL if the namespace `?2` of the catalog `?1` is there: as in PyIceberg, by a property
/// of its own or by a table.
pub(super) const NAMESPACE_EXISTS: &str = "(EXISTS (SELECT 1 FROM iceberg_namespace_properties
    WHERE catalog_name = ?1 AND namespace = ?2)
  OR EXISTS (SELECT 1 FROM iceberg_tables WHERE catalog_name = ?1 AND table_namespace = ?2))";

/// A catalog in one SQLite file.
///
/// Calls of one value wait for each other; several values, in one process or many, may open the
/// same file. A call whose future is dropped may still take effect.
#[derive(Debug)]
pub struct SqliteCatalog {
    url: String,
    database: Arc<Database>,
}

impl SqliteCatalog {
    /// Opens the catalog in a file; with [`OpenMode::Create`] makes the file, with mode 0600, and
    /// the tables in it if they are not there. The folder must be there. A relative path is taken
    /// from the current directory, once.
    ///
    /// # Errors
    /// `NotFound`, naming the path; `PermissionDenied`; `Damaged` if the file is not an SQLite
    /// database or has tables of another layout; `Unavailable` if another process holds it.
    pub async fn open(path: &Path, mode: OpenMode) -> Result<Self> {
        Self::open_with_busy_timeout(path, mode, BUSY_TIMEOUT).await
    }

    /// Like [`SqliteCatalog::open`], waiting at most `busy_timeout` for another process that holds
    /// the file, at each call, before that is an error. The default is 5 seconds.
    ///
    /// # Errors
    /// Those of [`SqliteCatalog::open`].
    pub async fn open_with_busy_timeout(
        path: &Path,
        mode: OpenMode,
        busy_timeout: Duration,
    ) -> Result<Self> {
        let url = sqlite_url(path)?;
        let path = std::path::absolute(path)
            .map_err(|e| Error::io(e, "find the absolute path of the catalog", path.display()))?;
        let database = blocking(move || Database::open(&path, mode, busy_timeout)).await?;
        Ok(Self { url, database: Arc::new(database) })
    }

    /// Runs `work` on the connection, on a thread that may block.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Live) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.database);
        blocking(move || database.with(work)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Error::new(
            ErrorKind::CommitUnknown,
            "a call to the catalog was cut off and may have taken effect; read the catalog again",
        )
        .with_source(e))
    })
}

#[async_trait]
impl Catalog for SqliteCatalog {
    fn url(&self) -> &str {
        &self.url
    }

    async fn create_namespace(&self, namespace: &str) -> Result<bool> {
        check_name("namespace", namespace)?;
        let namespace = namespace.to_owned();
        self.call(move |live| {
            // Most calls find it there; they need no right to write, and do not wait for a writer.
            if namespace_exists(live, &namespace)? {
                return Ok(false);
            }
            let sql = format!(
                "INSERT INTO iceberg_namespace_properties
                   (catalog_name, namespace, property_key, property_value)
                 SELECT ?1, ?2, 'exists', 'true' WHERE NOT {NAMESPACE_EXISTS}"
            );
            let made = live.write("make the namespace", &sql, params![CATALOG_NAME, namespace])?;
            Ok(made == 1)
        })
        .await
    }

    async fn list_namespaces(&self) -> Result<Vec<String>> {
        let mut names = self.call(all_namespaces).await?;
        names.retain(|name| check_name("namespace", name).is_ok());
        Ok(names)
    }

    async fn drop_namespace(&self, namespace: &str) -> Result<()> {
        let namespace = namespace.to_owned();
        self.call(move |live| {
            let sql = "DELETE FROM iceberg_namespace_properties
                 WHERE catalog_name = ?1 AND namespace = ?2 AND NOT EXISTS
                   (SELECT 1 FROM iceberg_tables WHERE catalog_name = ?1 AND table_namespace = ?2)";
            let values = params![CATALOG_NAME, namespace];
            if live.write("remove the namespace", sql, values)? > 0 {
                return Ok(());
            }
            // Views and tables whose names we do not take stand in it as well.
            let tables = all_tables(live, &namespace, "")?;
            match tables.first() {
                None => Err(missing_namespace(&namespace, &all_namespaces(live)?)),
                Some(first) => Err(not_empty(&namespace, tables.len(), first)),
            }
        })
        .await
    }

    async fn register(
        &self,
        table: &TableName,
        metadata_location: &str,
        _metadata: &TableMetadata,
    ) -> Result<()> {
        let (table, location) = (table.clone(), metadata_location.to_owned());
        self.call(move |live| {
            let (column, value) = match live.layout {
                Layout::Plain => ("", ""),
                Layout::Typed => (", iceberg_type", ", 'TABLE'"),
            };
            let sql = format!(
                "INSERT INTO iceberg_tables
                   (catalog_name, table_namespace, table_name, metadata_location{column})
                 SELECT ?1, ?2, ?3, ?4{value} WHERE {NAMESPACE_EXISTS}"
            );
            let values = params![CATALOG_NAME, table.namespace(), table.table(), location];
            match live.write("register the table", &sql, values) {
                Ok(0) => Err(missing_namespace(table.namespace(), &all_namespaces(live)?)),
                Ok(_) => Ok(()),
                Err(error) => Err(naming(error, &table)),
            }
        })
        .await
    }

    async fn pointer(&self, table: &TableName) -> Result<Pointer> {
        let table = table.clone();
        self.call(move |live| pointer(live, &table)).await
    }

    async fn swap(
        &self,
        table: &TableName,
        expected: &str,
        next: &str,
        _metadata: &TableMetadata,
    ) -> Result<Swap> {
        let (table, expected, next) = (table.clone(), expected.to_owned(), next.to_owned());
        let moved = self
            .call(move |live| {
                let sql = "UPDATE iceberg_tables
                     SET metadata_location = ?4, previous_metadata_location = ?5
                     WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3
                       AND metadata_location = ?5";
                let (namespace, name) = (table.namespace(), table.table());
                let values = params![CATALOG_NAME, namespace, name, next, expected];
                live.write("move the table's pointer", sql, values)
            })
            .await;
        match moved {
            Ok(0) => Ok(Swap::Conflicted),
            Ok(_) => Ok(Swap::Committed),
            Err(error) if error.kind() == ErrorKind::CommitUnknown => Ok(Swap::Unknown(error)),
            Err(error) => Err(error),
        }
    }

    async fn swap_all(&self, moves: &[Move<'_>]) -> Result<Swap> {
        let steps: Vec<Step> = moves.iter().map(Step::of).collect();
        let moved = self.call(move |live| together::run(live, &steps)).await;
        match moved {
            Ok(true) => Ok(Swap::Committed),
            Ok(false) => Ok(Swap::Conflicted),
            Err(error) if error.kind() == ErrorKind::CommitUnknown => Ok(Swap::Unknown(error)),
            Err(error) => Err(error),
        }
    }

    async fn list_tables(&self, namespace: &str) -> Result<Vec<TableName>> {
        let namespace = namespace.to_owned();
        self.call(move |live| {
            let tables = all_tables(live, &namespace, live.layout.tables_only())?;
            if tables.is_empty() && !namespace_exists(live, &namespace)? {
                return Err(missing_namespace(&namespace, &all_namespaces(live)?));
            }
            let names = tables.into_iter().map(|table| TableName::new(namespace.as_str(), table));
            Ok(names.filter_map(Result::ok).collect())
        })
        .await
    }

    async fn drop_table(&self, table: &TableName) -> Result<()> {
        let table = table.clone();
        self.call(move |live| {
            let sql = format!(
                "DELETE FROM iceberg_tables
                 WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3{}",
                live.layout.tables_only()
            );
            let values = params![CATALOG_NAME, table.namespace(), table.table()];
            match live.write("remove the table's entry", &sql, values)? {
                0 => Err(missing(live, &table)?),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn rename_table(&self, from: &TableName, to: &TableName) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.call(move |live| {
            if from == to {
                pointer(live, &from)?;
                return Err(taken(&to));
            }
            let sql = format!(
                "UPDATE iceberg_tables SET table_namespace = ?2, table_name = ?3
                 WHERE catalog_name = ?1 AND table_namespace = ?4 AND table_name = ?5{}
                   AND {NAMESPACE_EXISTS}",
                live.layout.tables_only()
            );
            let (namespace, name) = (from.namespace(), from.table());
            let values = params![CATALOG_NAME, to.namespace(), to.table(), namespace, name];
            match live.write("rename the table", &sql, values) {
                Ok(0) => {
                    pointer(live, &from)?;
                    Err(missing_namespace(to.namespace(), &all_namespaces(live)?))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(naming(error, &to)),
            }
        })
        .await
    }
}

pub(super) fn pointer(live: &Live, table: &TableName) -> Result<Pointer> {
    let sql = format!(
        "SELECT metadata_location, previous_metadata_location FROM iceberg_tables
         WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3{}",
        live.layout.tables_only()
    );
    let values = params![CATALOG_NAME, table.namespace(), table.table()];
    let found = live.read("read the table's pointer", &sql, values, |row| {
        Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?))
    })?;
    match found.into_iter().next() {
        Some((Some(metadata_location), previous_metadata_location)) => {
            Ok(Pointer { metadata_location, previous_metadata_location })
        }
        Some((None, _)) => Err(Error::new(
            ErrorKind::Damaged,
            format!("the entry of `{table}` names no metadata file; drop it and register it again"),
        )),
        None => Err(missing(live, table)?),
    }
}

/// The error for a table that is not there.
fn missing(live: &Live, table: &TableName) -> Result<Error> {
    if namespace_exists(live, table.namespace())? {
        let tables = all_tables(live, table.namespace(), live.layout.tables_only())?;
        return Ok(missing_table(table, &tables));
    }
    Ok(missing_namespace(table.namespace(), &all_namespaces(live)?))
}

/// Names the table in the error for a row that is there already.
pub(super) fn naming(error: Error, table: &TableName) -> Error {
    if error.kind() == ErrorKind::AlreadyExists { taken(table) } else { error }
}

pub(super) fn namespace_exists(live: &Live, namespace: &str) -> Result<bool> {
    let sql = format!("SELECT {NAMESPACE_EXISTS}");
    let values = params![CATALOG_NAME, namespace];
    let found = live.read("look for the namespace", &sql, values, |row| row.get(0))?;
    Ok(found.first().copied().unwrap_or(false))
}

/// The namespaces under whatever names, sorted.
pub(super) fn all_namespaces(live: &Live) -> Result<Vec<String>> {
    let sql = "SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?1
         UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ?1 ORDER BY 1";
    live.read("list the namespaces", sql, params![CATALOG_NAME], |row| row.get(0))
}

/// The tables of a namespace under whatever names, sorted; `filter` is a condition in SQL.
fn all_tables(live: &Live, namespace: &str, filter: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT table_name FROM iceberg_tables
         WHERE catalog_name = ?1 AND table_namespace = ?2{filter} ORDER BY 1"
    );
    live.read("list the tables", &sql, params![CATALOG_NAME, namespace], |row| row.get(0))
}
