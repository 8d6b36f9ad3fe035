//! What the Glue API needs of a table beside its pointer: a version number, what programs said of the
//! table, and earlier versions.
//!
//! A table's number rises with each change, whoever makes it: SQLite's own triggers see to that within
//! the same transaction. So a commit by a program that knows nothing of Glue, such as this one or
//! PyIceberg on the same file, is a version too, and a Glue client that read the table before it is
//! refused.

use rusqlite::{Connection, OptionalExtension, params};

use super::catalog::{SqliteCatalog, pointer};
use super::schema::{CATALOG_NAME, Layout};
use crate::glue::{TableInput, pointer_of};
use crate::{Error, ErrorKind, Pointer, Result, TableName};

/// Milliseconds since 1970, for SQLite of any age that another program may bring.
const NOW_MS: &str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

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
        self.call(|live| live.transaction("number the versions of tables", begin)).await
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
        let wanted = pointer_of(input).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "an Iceberg table needs the parameters `table_type` = ICEBERG and `metadata_location`",
            )
            .with_context("table", table)
        })?;
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

/// Makes the tables and triggers that are not there yet.
fn begin(live: &Connection) -> rusqlite::Result<()> {
    let key = "catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL,
        name VARCHAR(255) NOT NULL";
    let old = "catalog_name = OLD.catalog_name AND namespace = OLD.table_namespace
        AND name = OLD.table_name";
    live.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS northstar_glue_tables (
            {key}, version INTEGER NOT NULL, input TEXT,
            created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
            PRIMARY KEY (catalog_name, namespace, name));
         CREATE TABLE IF NOT EXISTS northstar_glue_versions (
            {key}, version INTEGER NOT NULL, metadata_location VARCHAR(1000),
            previous_metadata_location VARCHAR(1000), input TEXT,
            created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
            PRIMARY KEY (catalog_name, namespace, name, version));
         INSERT OR IGNORE INTO northstar_glue_tables
            SELECT catalog_name, table_namespace, table_name, 0, NULL, {NOW_MS}, {NOW_MS}
            FROM iceberg_tables;
         CREATE TRIGGER IF NOT EXISTS northstar_glue_made AFTER INSERT ON iceberg_tables BEGIN
            INSERT OR REPLACE INTO northstar_glue_tables VALUES (NEW.catalog_name,
               NEW.table_namespace, NEW.table_name, 0, NULL, {NOW_MS}, {NOW_MS});
         END;
         CREATE TRIGGER IF NOT EXISTS northstar_glue_moved
         AFTER UPDATE OF metadata_location ON iceberg_tables
         WHEN NEW.metadata_location IS NOT OLD.metadata_location BEGIN
            UPDATE northstar_glue_tables SET version = version + 1, updated_ms = {NOW_MS}
               WHERE {old};
         END;
         CREATE TRIGGER IF NOT EXISTS northstar_glue_renamed
         AFTER UPDATE OF table_namespace, table_name ON iceberg_tables BEGIN
            UPDATE northstar_glue_tables SET namespace = NEW.table_namespace,
               name = NEW.table_name WHERE {old};
            UPDATE northstar_glue_versions SET namespace = NEW.table_namespace,
               name = NEW.table_name WHERE {old};
         END;
         CREATE TRIGGER IF NOT EXISTS northstar_glue_dropped AFTER DELETE ON iceberg_tables BEGIN
            DELETE FROM northstar_glue_tables WHERE {old};
            DELETE FROM northstar_glue_versions WHERE {old};
         END;"
    ))
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
    format!(
        "SELECT g.version, t.metadata_location, t.previous_metadata_location, g.input,
           g.created_ms, g.updated_ms
         FROM northstar_glue_tables g JOIN iceberg_tables t ON t.catalog_name = g.catalog_name
           AND t.table_namespace = g.namespace AND t.table_name = g.name
         WHERE g.catalog_name = ?1 AND g.namespace = ?2 AND g.name = ?3{}",
        layout.tables_only()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;
    use crate::contract::{metadata, name};
    use crate::{Catalog, OpenMode, Swap};

    /// A catalog with a table that Glue numbers, opened twice, and its folder.
    async fn numbered() -> (SqliteCatalog, SqliteCatalog, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let catalog = SqliteCatalog::open(&path, OpenMode::Create).await.unwrap();
        catalog.create_namespace("b").await.unwrap();
        catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
        catalog.number_versions().await.unwrap();
        catalog.number_versions().await.unwrap();
        let other = SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap();
        (catalog, other, folder)
    }

    fn input(location: &str, previous: Option<&str>) -> TableInput {
        let pointer = Pointer {
            metadata_location: location.to_string(),
            previous_metadata_location: previous.map(str::to_string),
        };
        crate::glue::table_input(&name("b.lab"), &pointer, &metadata(), None)
    }

    async fn version(catalog: &SqliteCatalog) -> u64 {
        catalog.glue_entry(&name("b.lab")).await.unwrap().version
    }

    #[tokio::test]
    async fn each_change_is_a_version_whoever_makes_it() {
        let (catalog, other, _folder) = numbered().await;
        let lab = name("b.lab");
        assert_eq!(version(&catalog).await, 0);
        // A program that knows nothing of Glue.
        let swap = other.swap(&lab, "m0", "m1", &metadata()).await.unwrap();
        assert!(matches!(swap, Swap::Committed));
        assert_eq!(version(&catalog).await, 1);
        let update = catalog.update_from_glue(&lab, &input("m2", None), Some(1), false, 7).await;
        assert_eq!(update.unwrap(), GlueUpdate::Updated(2));
        let entry = catalog.glue_entry(&lab).await.unwrap();
        assert_eq!((entry.version, entry.updated_ms), (2, 7));
        assert_eq!(entry.pointer.metadata_location, "m2");
        assert_eq!(entry.pointer.previous_metadata_location.as_deref(), Some("m1"));
        assert_eq!(other.pointer(&lab).await.unwrap(), entry.pointer);
        // What is said of a table may change without its pointer.
        let mut owned = input("m2", None);
        owned.owner = Some("lake".to_string());
        let update = catalog.update_from_glue(&lab, &owned, Some(2), false, 8).await.unwrap();
        assert_eq!(update, GlueUpdate::Updated(3));
        assert_eq!(catalog.glue_entry(&lab).await.unwrap().input, Some(owned));
        assert_eq!(catalog.glue_versions(&lab).await.unwrap(), []);
    }

    #[tokio::test]
    async fn w2_a_client_that_read_an_older_state_changes_nothing() {
        let (catalog, other, _folder) = numbered().await;
        let lab = name("b.lab");
        let swap = other.swap(&lab, "m0", "m1", &metadata()).await.unwrap();
        assert!(matches!(swap, Swap::Committed));
        for (stale, expected) in [
            (input("m2", Some("m0")), Some(0)),
            (input("m2", Some("m0")), None),
            (input("m2", None), None),
        ] {
            let update = catalog.update_from_glue(&lab, &stale, expected, true, 7).await.unwrap();
            assert_eq!(update, GlueUpdate::Conflicted);
        }
        assert_eq!(version(&catalog).await, 1);
        assert_eq!(catalog.pointer(&lab).await.unwrap().metadata_location, "m1");
        assert_eq!(catalog.glue_versions(&lab).await.unwrap(), []);
        let fresh = catalog.update_from_glue(&lab, &input("m2", Some("m1")), None, true, 7).await;
        assert_eq!(fresh.unwrap(), GlueUpdate::Updated(2));
        let archived = catalog.glue_versions(&lab).await.unwrap();
        assert_eq!(archived.len(), 1);
        assert_eq!(
            (archived[0].version, archived[0].pointer.metadata_location.as_str()),
            (1, "m1")
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn w2_of_racing_clients_and_commits_exactly_one_wins() {
        let (catalog, other, _folder) = numbered().await;
        let (catalog, other) = (Arc::new(catalog), Arc::new(other));
        let lab = name("b.lab");
        for round in 0..20 {
            let entry = catalog.glue_entry(&lab).await.unwrap();
            let mut writers = JoinSet::new();
            for writer in 0..8 {
                let (catalog, other) = (Arc::clone(&catalog), Arc::clone(&other));
                let (lab, entry) = (lab.clone(), entry.clone());
                writers.spawn(async move {
                    let (now, next) =
                        (entry.pointer.metadata_location, format!("m{round}-{writer}"));
                    let won = if writer % 2 == 0 {
                        let input = input(&next, Some(&now));
                        let expected = Some(entry.version);
                        let update = catalog.update_from_glue(&lab, &input, expected, false, 1);
                        update.await.unwrap() != GlueUpdate::Conflicted
                    } else {
                        let swap = other.swap(&lab, &now, &next, &metadata()).await.unwrap();
                        matches!(swap, Swap::Committed)
                    };
                    won.then_some(next)
                });
            }
            let won: Vec<String> = writers.join_all().await.into_iter().flatten().collect();
            assert_eq!(won.len(), 1, "round {round}: {won:?}");
            let now = catalog.glue_entry(&lab).await.unwrap();
            assert_eq!((now.version, now.pointer.metadata_location), (round + 1, won[0].clone()));
        }
    }

    #[tokio::test]
    async fn versions_go_with_a_table_that_is_renamed_and_end_with_one_that_is_dropped() {
        let (catalog, other, _folder) = numbered().await;
        let (lab, moved) = (name("b.lab"), name("b.result"));
        let update = catalog.update_from_glue(&lab, &input("m1", None), Some(0), true, 1).await;
        assert_eq!(update.unwrap(), GlueUpdate::Updated(1));
        other.rename_table(&lab, &moved).await.unwrap();
        assert_eq!(catalog.glue_entry(&moved).await.unwrap().version, 1);
        assert_eq!(catalog.glue_versions(&moved).await.unwrap().len(), 1);
        let gone = catalog.glue_entry(&lab).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
        other.drop_table(&moved).await.unwrap();
        assert_eq!(catalog.glue_entry(&moved).await.unwrap_err().kind(), ErrorKind::NotFound);
        other.register(&moved, "n0", &metadata()).await.unwrap();
        assert_eq!(catalog.glue_entry(&moved).await.unwrap().version, 0, "a new table");
        assert_eq!(catalog.glue_versions(&moved).await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_no_iceberg_table_is_refused() {
        let (catalog, _, _folder) = numbered().await;
        let mut view = input("m1", None);
        view.parameters = None;
        let refused = catalog.update_from_glue(&name("b.lab"), &view, None, false, 1).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        let (gone, first) = (name("b.no"), input("m1", None));
        let missing = catalog.update_from_glue(&gone, &first, None, false, 1).await;
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(version(&catalog).await, 0);
    }
}
