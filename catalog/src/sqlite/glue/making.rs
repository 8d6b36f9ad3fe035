//! A table that a Glue client makes, and the tables of a namespace.

use rusqlite::{Connection, params};

use super::{GlueEntry, GlueRow, entry_columns, written};
use crate::glue::{TableInput, pointer_of};
use crate::missing::missing_namespace;
use crate::sqlite::SqliteCatalog;
use crate::sqlite::catalog::{NAMESPACE_EXISTS, all_namespaces, namespace_exists, naming};
use crate::sqlite::connection::Live;
use crate::sqlite::schema::{CATALOG_NAME, Layout};
use crate::{Error, ErrorKind, Result, TableName};

/// Some of the tables of a namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct GluePage {
    /// In the order of their names.
    pub tables: Vec<(TableName, GlueEntry)>,
    /// The name to go on after, if there are more.
    pub next: Option<String>,
}

impl SqliteCatalog {
    /// Registers a table as a Glue client describes it; its metadata file must be there.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` if the namespace is not there; `InvalidInput` for an input that is
    /// not of an Iceberg table with a pointer; `CommitUnknown` if the reply was lost.
    pub async fn register_from_glue(
        &self,
        table: &TableName,
        input: &TableInput,
        now_ms: i64,
    ) -> Result<()> {
        let pointer = pointer_of(input).ok_or_else(|| not_iceberg(table))?;
        let (table, text) = (table.clone(), written(input)?);
        self.call(move |live| {
            let location = pointer.metadata_location.as_str();
            let insert = insertion(live.layout);
            let made = live.transaction("register the table", |live| {
                make(live, &insert, &table, location, &text, now_ms)
            });
            match made {
                Ok(true) => Ok(()),
                Ok(false) => Err(missing_namespace(table.namespace(), &all_namespaces(live)?)),
                Err(error) => Err(naming(error, &table)),
            }
        })
        .await
    }

    /// Of the tables of a namespace, sorted by name, at most `most` after the name `after`.
    ///
    /// # Errors
    /// `NotFound` if the namespace is not there; `Damaged` for an entry that cannot be read;
    /// `Unavailable` (retry) if the file is locked.
    pub async fn glue_entries(
        &self,
        namespace: &str,
        after: &str,
        most: usize,
    ) -> Result<GluePage> {
        let (namespace, after) = (namespace.to_string(), after.to_string());
        self.call(move |live| entries(live, &namespace, &after, most)).await
    }
}

/// The error for an input that is not of an Iceberg table.
pub(super) fn not_iceberg(table: &TableName) -> Error {
    let text = "this catalog holds Iceberg tables: give the parameters `table_type` = ICEBERG and \
                `metadata_location`";
    Error::new(ErrorKind::InvalidInput, text).with_context("table", table)
}

fn insertion(layout: Layout) -> String {
    let (column, value) = match layout {
        Layout::Plain => ("", ""),
        Layout::Typed => (", iceberg_type", ", 'TABLE'"),
    };
    format!(
        "INSERT INTO iceberg_tables
           (catalog_name, table_namespace, table_name, metadata_location{column})
         SELECT ?1, ?2, ?3, ?4{value} WHERE {NAMESPACE_EXISTS}"
    )
}

/// Within a transaction; `false` if there is no such namespace. The trigger numbers the table.
fn make(
    live: &Connection,
    insert: &str,
    table: &TableName,
    location: &str,
    text: &str,
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let (namespace, name) = (table.namespace(), table.table());
    if live.execute(insert, params![CATALOG_NAME, namespace, name, location])? == 0 {
        return Ok(false);
    }
    live.execute(
        "UPDATE northstar_glue_tables SET input = ?4, created_ms = ?5, updated_ms = ?5
         WHERE catalog_name = ?1 AND namespace = ?2 AND name = ?3",
        params![CATALOG_NAME, namespace, name, text, now_ms],
    )?;
    Ok(true)
}

fn entries(live: &Live, namespace: &str, after: &str, most: usize) -> Result<GluePage> {
    let ((columns, from), only) = (entry_columns(), live.layout.tables_only());
    let sql = format!(
        "{columns}, g.name {from} AND g.namespace = ?2 AND g.name > ?3{only}
         ORDER BY g.name LIMIT ?4"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    // One more tells whether there are more.
    let values = params![CATALOG_NAME, namespace, after, most.saturating_add(1)];
    let mut rows = live.read("list the tables", &sql, values, |row| {
        Ok((row.get::<_, String>(6)?, GlueRow::of(row)?))
    })?;
    if rows.is_empty() && !namespace_exists(live, namespace)? {
        return Err(missing_namespace(namespace, &all_namespaces(live)?));
    }
    let more = i64::try_from(rows.len()).is_ok_and(|rows| rows > most);
    if more {
        rows.pop();
    }
    let next = rows.last().filter(|_| more).map(|(name, _)| name.clone());
    let mut tables = Vec::with_capacity(rows.len());
    for (name, row) in rows {
        if let Ok(table) = TableName::new(namespace, name) {
            tables.push((table, row.read()?));
        }
    }
    Ok(GluePage { tables, next })
}
