//! What the Glue API needs of a table beside its pointer: a version number, what programs said of the
//! table, and earlier versions.
//!
//! A table's number rises with each change, whoever makes it: SQLite's own triggers see to that within
//! the same transaction. So a commit by a program that knows nothing of Glue, such as this one or
//! PyIceberg on the same file, is a version too, and a Glue client that read the table before it is
//! refused.

mod forget;
mod making;
mod numbering;
mod retire;
mod tags;
#[cfg(test)]
mod tests;

use rusqlite::{Connection, OptionalExtension, params};

pub use making::GluePage;
use making::not_iceberg;

use super::catalog::{SqliteCatalog, pointer};
use super::schema::{CATALOG_NAME, Layout};
use crate::glue::{TableInput, pointer_of};
use crate::{Error, ErrorKind, Pointer, Result, TableName};

/// A table as Glue has it.
#[derive(Debug, Clone, PartialEq)]
pub struct GlueEntry {
    /// Rises by one with each change; 0 for a table that was never changed.
    pub version: u64,
    /// Where its metadata is.
    pub pointer: Pointer,
    /// What a client last said of the table; its pointer may be older than [`GlueEntry::pointer`].
    pub input: Option<TableInput>,
    /// When it was made, or first seen, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_ms: i64,
}

/// How an update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an update that is not looked at may have failed"]
pub enum GlueUpdate {
    /// The table has this version now.
    Updated(u64),
    /// It was changed since the client read it; nothing was.
    Conflicted,
}

impl SqliteCatalog {
    /// Begins to number the versions of tables, if that was not begun before; the tables that are there
    /// begin with 0. From then on each program that writes the file goes on with it.
    ///
    /// # Errors
    /// `PermissionDenied` for a file that is read-only; `Unavailable` (retry) if it is locked.
    pub async fn number_versions(&self) -> Result<()> {
        self.call(|live| live.transaction("number the versions of tables", numbering::begin)).await
    }

    /// A table as Glue has it.
    ///
    /// # Errors
    /// `NotFound`; `Damaged` for an entry that cannot be read; `Unavailable` (retry) if the file is
    /// locked.
    pub async fn glue_entry(&self, table: &TableName) -> Result<GlueEntry> {
        let table = table.clone();
        self.call(move |live| {
            let key = (CATALOG_NAME, table.namespace(), table.table());
            let sql = entry_sql(live.layout);
            let found = live.read("read the table's entry", &sql, key, GlueRow::of)?;
            // What is missing is told by the one who knows the names that are near.
            let missing = || pointer(live, &table).and(Err(unnumbered()));
            found.into_iter().next().map_or_else(missing, GlueRow::read)
        })
        .await
    }

    /// Changes a table as a Glue client says: what is said of it, and its pointer if that is another.
    /// With `expected`, only if the table still has that version. Without, what the client gives as the
    /// previous pointer must be the current one: a client that read an older state must not undo what
    /// came since. (AWS takes such an update.) With `archive` the version before stays to be read.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for an input that is not of an Iceberg table with a pointer;
    /// `CommitUnknown` if the update may have taken effect; `Unavailable` (retry) if the file is locked.
    pub async fn update_from_glue(
        &self,
        table: &TableName,
        input: &TableInput,
        expected: Option<u64>,
        archive: bool,
        now_ms: i64,
    ) -> Result<GlueUpdate> {
        let wanted = pointer_of(input).ok_or_else(|| not_iceberg(table))?;
        let (table, text) = (table.clone(), written(input)?);
        self.call(move |live| {
            let read = entry_sql(live.layout);
            let update = Update { table: &table, read, wanted, text, expected, archive, now_ms };
            let done = live.transaction("update the table's entry", |live| update.run(live))?;
            done.map_or_else(|| pointer(live, &table).and(Err(unnumbered())), Ok)
        })
        .await
    }

    /// The versions of a table that were archived, newest first.
    ///
    /// # Errors
    /// As [`SqliteCatalog::glue_entry`]; nothing is missing of a table without archived versions.
    pub async fn glue_versions(&self, table: &TableName) -> Result<Vec<GlueEntry>> {
        let table = table.clone();
        self.call(move |live| {
            let sql = "SELECT version, metadata_location, previous_metadata_location, input,
                   created_ms, updated_ms FROM northstar_glue_versions
                 WHERE catalog_name = ?1 AND namespace = ?2 AND name = ?3 ORDER BY version DESC";
            let values = params![CATALOG_NAME, table.namespace(), table.table()];
            let rows = live.read("read the table's versions", sql, values, GlueRow::of)?;
            rows.into_iter().map(GlueRow::read).collect()
        })
        .await
    }
}

/// A change that a Glue client asks for.
struct Update<'a> {
    table: &'a TableName,
    /// How the entry is read.
    read: String,
    wanted: Pointer,
    text: String,
    expected: Option<u64>,
    archive: bool,
    now_ms: i64,
}

impl Update<'_> {
    /// Does it within a transaction; `None` if there is no such table.
    fn run(&self, live: &Connection) -> rusqlite::Result<Option<GlueUpdate>> {
        let key = (CATALOG_NAME, self.table.namespace(), self.table.table());
        let there = live.query_row(&self.read, key, GlueRow::of).optional()?;
        let Some(there) = there else { return Ok(None) };
        let current = there.location.as_deref();
        let moves = current != Some(self.wanted.metadata_location.as_str());
        let conflicted = match self.expected {
            Some(expected) => expected != there.version,
            None => moves && self.wanted.previous_metadata_location.as_deref() != current,
        };
        if conflicted {
            return Ok(Some(GlueUpdate::Conflicted));
        }
        if self.archive {
            live.execute(
                "INSERT OR REPLACE INTO northstar_glue_versions
                 SELECT g.catalog_name, g.namespace, g.name, g.version, t.metadata_location,
                    t.previous_metadata_location, g.input, g.created_ms, g.updated_ms
                 FROM northstar_glue_tables g JOIN iceberg_tables t ON t.catalog_name =
                    g.catalog_name AND t.table_namespace = g.namespace AND t.table_name = g.name
                 WHERE g.catalog_name = ?1 AND g.namespace = ?2 AND g.name = ?3",
                key,
            )?;
        }
        // A move is counted by the trigger.
        live.execute(
            "UPDATE iceberg_tables
             SET previous_metadata_location = metadata_location, metadata_location = ?4
             WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3
               AND metadata_location IS NOT ?4",
            params![key.0, key.1, key.2, self.wanted.metadata_location],
        )?;
        live.execute(
            "UPDATE northstar_glue_tables SET version = version + ?4, input = ?5, updated_ms = ?6
             WHERE catalog_name = ?1 AND namespace = ?2 AND name = ?3",
            params![key.0, key.1, key.2, i64::from(!moves), self.text, self.now_ms],
        )?;
        Ok(Some(GlueUpdate::Updated(there.version + 1)))
    }
}

/// An entry as it is stored.
struct GlueRow {
    version: u64,
    location: Option<String>,
    previous: Option<String>,
    input: Option<String>,
    created_ms: i64,
    updated_ms: i64,
}

impl GlueRow {
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            version: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            location: row.get(1)?,
            previous: row.get(2)?,
            input: row.get(3)?,
            created_ms: row.get(4)?,
            updated_ms: row.get(5)?,
        })
    }

    fn read(self) -> Result<GlueEntry> {
        let damaged = |message: &str| Error::new(ErrorKind::Damaged, message);
        let input = self.input.map(|text| {
            serde_json::from_str(&text)
                .map_err(|e| damaged("what Glue was told of a table cannot be read").with_source(e))
        });
        Ok(GlueEntry {
            version: self.version,
            pointer: Pointer {
                metadata_location: self
                    .location
                    .ok_or_else(|| damaged("the entry of a table names no metadata file"))?,
                previous_metadata_location: self.previous,
            },
            input: input.transpose()?,
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
        })
    }
}

/// The query of a table's entry.
fn entry_sql(layout: Layout) -> String {
    let (columns, from) = entry_columns();
    let only = layout.tables_only();
    format!("{columns} {from} AND g.namespace = ?2 AND g.name = ?3{only}")
}

/// What [`GlueRow::of`] reads, and from where: the tables of the catalog `?1`.
fn entry_columns() -> (&'static str, &'static str) {
    (
        "SELECT g.version, t.metadata_location, t.previous_metadata_location, g.input,
           g.created_ms, g.updated_ms",
        "FROM northstar_glue_tables g JOIN iceberg_tables t ON t.catalog_name = g.catalog_name
           AND t.table_namespace = g.namespace AND t.table_name = g.name
         WHERE g.catalog_name = ?1",
    )
}

fn written(input: &TableInput) -> Result<String> {
    serde_json::to_string(input).map_err(|error| {
        Error::new(ErrorKind::Internal, "what Glue is told of a table cannot be written")
            .with_source(error)
    })
}

/// For a table that is there without a number, which triggers make impossible.
fn unnumbered() -> Error {
    Error::new(ErrorKind::Damaged, "the table has no version; number the versions of tables first")
}
