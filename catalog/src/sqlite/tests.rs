//! The contract on SQLite, and what is SQLite's own: files, modes, locks and foreign layouts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::SqliteCatalog;
use crate::contract::{self, Fixture, metadata, name};
use crate::{Catalog, ErrorKind, OpenMode, Retry, Swap};

contract::tests!(fixture);

pub(crate) async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    Fixture {
        first: Arc::new(SqliteCatalog::open(&path, OpenMode::Create).await.unwrap()),
        second: Arc::new(SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap()),
        keep: Box::new(folder),
    }
}

/// A catalog that does not wait for locks.
async fn impatient(path: &Path, mode: OpenMode) -> crate::Result<SqliteCatalog> {
    SqliteCatalog::open_with_busy_timeout(path, mode, Duration::from_millis(1)).await
}

async fn with_lab(path: &Path) -> SqliteCatalog {
    let catalog = impatient(path, OpenMode::Create).await.unwrap();
    catalog.create_namespace("b").await.unwrap();
    catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    catalog
}

async fn location(catalog: &SqliteCatalog) -> String {
    catalog.pointer(&name("b.lab")).await.unwrap().metadata_location
}

#[tokio::test]
async fn a_new_catalog_is_private_with_its_side_files_and_in_wal_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = with_lab(&path).await;
    let mut seen: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{entry:?}");
        seen.push(entry.file_name().into_string().unwrap());
    }
    seen.sort();
    assert_eq!(seen, ["catalog.db", "catalog.db-shm", "catalog.db-wal"]);
    let pragmas = catalog.call(|live| {
        let text = |name| live.connection.pragma_query_value(None, name, |row| row.get(0));
        Ok::<(String, i64), _>((
            text("journal_mode").unwrap(),
            live.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap(),
        ))
    });
    assert_eq!(pragmas.await.unwrap(), ("wal".to_owned(), 2));
}

#[tokio::test]
async fn a_missing_file_is_named_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let error = SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(error.message().contains("make one"), "{error}");
    assert!(!path.try_exists().unwrap());
    let nowhere = folder.path().join("gone/catalog.db");
    let error = SqliteCatalog::open(&nowhere, OpenMode::Create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let error = SqliteCatalog::open(folder.path(), OpenMode::Create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn an_empty_file_is_no_catalog_until_one_is_made_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    fs::write(&path, "").unwrap();
    let error = SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    with_lab(&path).await;
    SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_database_is_damaged_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let text = "patient,result\n".repeat(100);
    fs::write(&path, &text).unwrap();
    let error = SqliteCatalog::open(&path, OpenMode::Create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert_eq!(error.context("file"), path.to_str());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn tables_of_another_layout_are_damaged_and_the_column_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let strange = Connection::open(&path).unwrap();
    strange
        .execute_batch("CREATE TABLE iceberg_tables (catalog_name TEXT, table_name TEXT)")
        .unwrap();
    let error = SqliteCatalog::open(&path, OpenMode::Create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.message().contains("`table_namespace`"), "{error}");
}

#[tokio::test]
async fn a_torn_page_is_damaged_and_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    drop(with_lab(&path).await);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xAA);
    fs::write(&path, bytes).unwrap();
    let catalog = SqliteCatalog::open(&path, OpenMode::Existing).await.unwrap();
    let error = catalog.pointer(&name("b.lab")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert_eq!(error.context("file"), path.to_str());
    let swap = catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap_err();
    assert_eq!(swap.kind(), ErrorKind::Damaged, "{swap}");
}

#[tokio::test]
async fn a_held_file_is_unavailable_to_writers_until_it_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = with_lab(&path).await;
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{error}");
    assert!(error.message().contains("another process"), "{error}");
    let error = catalog.register(&name("b.new"), "m0", &metadata()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    // Readers, and those who find what they would make, do not wait.
    assert_eq!(location(&catalog).await, "m0");
    assert!(!catalog.create_namespace("b").await.unwrap());
    holder.execute_batch("ROLLBACK").unwrap();
    let swap = catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
}

#[tokio::test]
async fn a_file_of_another_program_that_holds_it_whole_cannot_be_opened_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE").unwrap();
    let error = impatient(&path, OpenMode::Create).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again), "{error}");
}

#[tokio::test]
async fn a_connection_that_may_not_write_reads_and_is_denied_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = with_lab(&path).await;
    // The mode of the file alone would not stop a superuser.
    let refuse = |live: &super::connection::Live| {
        live.connection.pragma_update(None, "query_only", true).unwrap();
        Ok(())
    };
    catalog.call(refuse).await.unwrap();
    assert_eq!(location(&catalog).await, "m0");
    let swap = catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap_err();
    assert_eq!(swap.kind(), ErrorKind::PermissionDenied, "{swap}");
    let made = catalog.create_namespace("new").await.unwrap_err();
    assert_eq!(made.kind(), ErrorKind::PermissionDenied, "{made}");
}

#[tokio::test]
async fn a_full_disk_fails_the_swap_and_leaves_the_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = with_lab(&path).await;
    let fill = |live: &super::connection::Live| {
        let pages: i64 =
            live.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        live.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        Ok(())
    };
    catalog.call(fill).await.unwrap();
    let long = "m".repeat(100_000);
    let error = catalog.swap(&name("b.lab"), "m0", &long, &metadata()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    assert_eq!(location(&catalog).await, "m0");
}

#[tokio::test]
async fn a_removed_file_is_missed_and_a_new_one_in_its_place_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = with_lab(&path).await;
    for entry in fs::read_dir(folder.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let swap = catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap_err();
    assert_eq!(swap.kind(), ErrorKind::NotFound, "{swap}");
    let other = with_lab(&path).await;
    let swap = other.swap(&name("b.lab"), "m0", "m5", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
    assert_eq!(location(&catalog).await, "m5");
    assert!(path.with_file_name("catalog.db-wal").is_file(), "the new side file was removed");
    assert_eq!(location(&other).await, "m5");
}

/// What PyIceberg 0.5 made: no column for the type.
const OLD_LAYOUT: &str = "
    CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL,
        table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
        metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000),
        PRIMARY KEY (catalog_name, table_namespace, table_name));
    CREATE TABLE iceberg_namespace_properties (catalog_name VARCHAR(255) NOT NULL,
        namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL,
        property_value VARCHAR(1000) NOT NULL, PRIMARY KEY (catalog_name, namespace, property_key));
    INSERT INTO iceberg_namespace_properties VALUES ('default', 'b', 'owner', 'lab'),
        ('other', 'hidden', 'exists', 'true');
    INSERT INTO iceberg_tables VALUES ('default', 'b', 'old', 'm0', NULL),
        ('other', 'hidden', 'old', 'x', NULL);";

#[tokio::test]
async fn the_old_layout_is_read_and_written_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    Connection::open(&path).unwrap().execute_batch(OLD_LAYOUT).unwrap();
    let catalog = SqliteCatalog::open(&path, OpenMode::Create).await.unwrap();
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["b"]);
    assert!(!catalog.create_namespace("b").await.unwrap());
    catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    let swap = catalog.swap(&name("b.old"), "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
    catalog.rename_table(&name("b.old"), &name("b.new")).await.unwrap();
    assert_eq!(catalog.list_tables("b").await.unwrap(), [name("b.lab"), name("b.new")]);
    let columns = "SELECT count(*) FROM pragma_table_info('iceberg_tables')";
    let count: i64 =
        Connection::open(&path).unwrap().query_row(columns, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 5);
}

#[tokio::test]
async fn views_and_foreign_names_are_neither_listed_nor_changed_but_fill_their_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = with_lab(&path).await;
    let foreign = Connection::open(&path).unwrap();
    foreign
        .execute_batch(
            "INSERT INTO iceberg_tables VALUES ('default', 'b', 'seen', 'v0', NULL, 'VIEW'),
                ('default', 'b', 'Upper', 'm0', NULL, 'TABLE'),
                ('default', 'b', 'typeless', 'm0', NULL, NULL),
                ('default', 'c.d', 'nested', 'm0', NULL, 'TABLE'),
                ('default', 'b', 'broken', NULL, NULL, 'TABLE')",
        )
        .unwrap();
    let tables = catalog.list_tables("b").await.unwrap();
    assert_eq!(tables, [name("b.broken"), name("b.lab"), name("b.typeless")]);
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["b"]);
    for missing in ["b.seen", "b.upper"] {
        let error = catalog.drop_table(&name(missing)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    let upper = catalog.pointer(&name("b.upper")).await.unwrap_err();
    assert!(upper.message().contains("did you mean `Upper`?"), "{upper}");
    let view = catalog.register(&name("b.seen"), "m0", &metadata()).await.unwrap_err();
    assert_eq!(view.kind(), ErrorKind::AlreadyExists, "{view}");
    let broken = catalog.pointer(&name("b.broken")).await.unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Damaged, "{broken}");
    for table in tables {
        catalog.drop_table(&table).await.unwrap();
    }
    let full = catalog.drop_namespace("b").await.unwrap_err();
    assert!(full.message().contains("2 stand in it, `Upper`"), "{full}");
}
