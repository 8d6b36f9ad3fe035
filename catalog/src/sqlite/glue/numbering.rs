//! The tables and triggers that number the versions of tables.

use rusqlite::Connection;

/// Milliseconds since 1970, for SQLite of any age that another program may bring.
const NOW_MS: &str = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

/// Makes the tables and triggers that are not there yet.
pub(super) fn begin(live: &Connection) -> rusqlite::Result<()> {
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
         CREATE TABLE IF NOT EXISTS northstar_glue_tags (
            catalog_name VARCHAR(255) NOT NULL, arn VARCHAR(2048) NOT NULL,
            key VARCHAR(128) NOT NULL, value VARCHAR(256) NOT NULL,
            PRIMARY KEY (catalog_name, arn, key));
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
