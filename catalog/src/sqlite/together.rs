//! A change of several tables in one step: all pointers move, or none does.

use rusqlite::{Connection, params};

use super::catalog::{NAMESPACE_EXISTS, all_namespaces};
use super::connection::Live;
use super::schema::{CATALOG_NAME, Layout};
use crate::missing::missing_namespace;
use crate::{Move, Result};

/// What is done to one table.
#[derive(Debug)]
pub(super) struct Step {
    namespace: String,
    table: String,
    expected: Option<String>,
    next: String,
}

impl Step {
    pub(super) fn of(asked: &Move<'_>) -> Self {
        Self {
            namespace: asked.table.namespace().to_owned(),
            table: asked.table.table().to_owned(),
            expected: asked.expected.map(str::to_owned),
            next: asked.next.to_owned(),
        }
    }

    /// Makes the step within a transaction.
    fn make(&self, live: &Connection, layout: Layout) -> rusqlite::Result<Made> {
        let Some(expected) = &self.expected else { return self.insert(live, layout) };
        let moved = live.execute(
            "UPDATE iceberg_tables
             SET metadata_location = ?4, previous_metadata_location = ?5
             WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3
               AND metadata_location = ?5",
            params![CATALOG_NAME, self.namespace, self.table, self.next, expected],
        )?;
        Ok(if moved == 1 { Made::Yes } else { Made::Elsewhere })
    }

    fn insert(&self, live: &Connection, layout: Layout) -> rusqlite::Result<Made> {
        let there = format!("SELECT {NAMESPACE_EXISTS}");
        let key = params![CATALOG_NAME, self.namespace];
        if !live.query_row(&there, key, |row| row.get::<_, bool>(0))? {
            return Ok(Made::NoNamespace);
        }
        let (column, value) = match layout {
            Layout::Plain => ("", ""),
            Layout::Typed => (", iceberg_type", ", 'TABLE'"),
        };
        // A view or a table of that name is in the way.
        let sql = format!(
            "INSERT OR IGNORE INTO iceberg_tables
               (catalog_name, table_namespace, table_name, metadata_location{column})
             VALUES (?1, ?2, ?3, ?4{value})"
        );
        let made =
            live.execute(&sql, params![CATALOG_NAME, self.namespace, self.table, self.next])?;
        Ok(if made == 1 { Made::Yes } else { Made::Elsewhere })
    }
}

/// How a step ended.
enum Made {
    Yes,
    /// The pointer is not where it was expected.
    Elsewhere,
    NoNamespace,
}

/// Makes all steps or none; whether they were made.
///
/// # Errors
/// `NotFound` if the namespace of a new table does not exist; what a failed transaction says.
pub(super) fn run(live: &Live, steps: &[Step]) -> Result<bool> {
    let mut missing = None;
    let layout = live.layout;
    let done = live.try_transaction("move the pointers of tables", |connection| {
        for step in steps {
            match step.make(connection, layout)? {
                Made::Yes => {}
                Made::Elsewhere => return Ok(false),
                Made::NoNamespace => {
                    missing = Some(step.namespace.clone());
                    return Ok(false);
                }
            }
        }
        Ok(true)
    })?;
    match missing {
        Some(namespace) => Err(missing_namespace(&namespace, &all_namespaces(live)?)),
        None => Ok(done),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use crate::contract::{metadata, name};
    use crate::sqlite::SqliteCatalog;
    use crate::{Catalog, ErrorKind, Move, OpenMode, Swap, TableName};

    /// A catalog with `b.lab` and `b.patient` at `m0`, and its folder.
    async fn catalog() -> (SqliteCatalog, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let catalog = SqliteCatalog::open(&path, OpenMode::Create).await.unwrap();
        catalog.create_namespace("b").await.unwrap();
        for table in ["b.lab", "b.patient"] {
            catalog.register(&name(table), "m0", &metadata()).await.unwrap();
        }
        (catalog, folder)
    }

    async fn swap_all(
        catalog: &SqliteCatalog,
        moves: &[(&str, Option<&str>, &str)],
    ) -> crate::Result<Swap> {
        let (metadata, names): (_, Vec<TableName>) =
            (metadata(), moves.iter().map(|(table, _, _)| name(table)).collect());
        let moves: Vec<Move<'_>> = moves
            .iter()
            .zip(&names)
            .map(|((_, expected, next), table)| Move {
                table,
                expected: *expected,
                next,
                metadata: &metadata,
            })
            .collect();
        catalog.swap_all(&moves).await
    }

    async fn locations(catalog: &SqliteCatalog) -> Vec<String> {
        let mut found = Vec::new();
        for table in catalog.list_tables("b").await.unwrap() {
            found.push(catalog.pointer(&table).await.unwrap().metadata_location);
        }
        found
    }

    #[tokio::test]
    async fn several_tables_move_in_one_step_and_new_ones_with_them() {
        let (catalog, _folder) = catalog().await;
        let moves =
            [("b.lab", Some("m0"), "l1"), ("b.new", None, "n0"), ("b.patient", Some("m0"), "p1")];
        assert!(matches!(swap_all(&catalog, &moves).await.unwrap(), Swap::Committed));
        assert_eq!(locations(&catalog).await, ["l1", "n0", "p1"]);
        let lab = catalog.pointer(&name("b.lab")).await.unwrap();
        assert_eq!(lab.previous_metadata_location.as_deref(), Some("m0"));
        let new = catalog.pointer(&name("b.new")).await.unwrap();
        assert_eq!(new.previous_metadata_location, None);
        assert!(matches!(swap_all(&catalog, &[]).await.unwrap(), Swap::Committed));
    }

    #[tokio::test]
    async fn one_pointer_that_stands_elsewhere_stops_them_all() {
        let (catalog, _folder) = catalog().await;
        for last in [("b.patient", Some("gone"), "p1"), ("b.patient", None, "p1")] {
            let moves = [("b.lab", Some("m0"), "l1"), ("b.new", None, "n0"), last];
            assert!(matches!(swap_all(&catalog, &moves).await.unwrap(), Swap::Conflicted));
            assert_eq!(locations(&catalog).await, ["m0", "m0"]);
        }
        let dropped = [("b.lab", Some("m0"), "l1"), ("b.no", Some("m0"), "n1")];
        assert!(matches!(swap_all(&catalog, &dropped).await.unwrap(), Swap::Conflicted));
        let nowhere = [("b.lab", Some("m0"), "l1"), ("c.lab", None, "n0")];
        let error = swap_all(&catalog, &nowhere).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(locations(&catalog).await, ["m0", "m0"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn w2_of_racing_changes_of_two_tables_exactly_one_wins() {
        let (catalog, _folder) = catalog().await;
        let catalog = Arc::new(catalog);
        for round in 0..20 {
            let now = format!("m{round}");
            let mut writers = JoinSet::new();
            for _ in 0..8 {
                let (catalog, now) = (Arc::clone(&catalog), now.clone());
                writers.spawn(async move {
                    let next = format!("m{}", round + 1);
                    let moves =
                        [("b.patient", Some(now.as_str()), &*next), ("b.lab", Some(&now), &next)];
                    matches!(swap_all(&catalog, &moves).await.unwrap(), Swap::Committed)
                });
            }
            let won = writers.join_all().await.into_iter().filter(|won| *won).count();
            assert_eq!(won, 1, "round {round}");
            let next = format!("m{}", round + 1);
            assert_eq!(locations(&catalog).await, [next.clone(), next]);
        }
    }
}
