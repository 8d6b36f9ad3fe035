//! How a session runs its queries, and the DataFusion settings that this comes to.

use std::path::PathBuf;

use datafusion::prelude::SessionConfig;

use super::CATALOG;

/// How a session runs its queries.
#[derive(Debug, Clone)]
pub struct SqlOptions {
    /// How many partitions, and so CPU cores, a query uses.
    pub target_partitions: usize,
    /// The most memory that all queries of the session use together; `None` is without limit.
    pub memory_bytes: Option<usize>,
    /// Where sorts, joins and aggregates put what does not fit into memory; `None` is the
    /// operating system's folder for temporary files.
    pub spill_dir: Option<PathBuf>,
    /// Rows in one batch.
    pub batch_rows: usize,
    /// The namespace of tables that are written without one.
    pub default_namespace: Option<String>,
    /// Whether filters run while Parquet is decoded, so that columns of rows that fall out are not.
    pub pushdown_filters: bool,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            target_partitions: std::thread::available_parallelism().map_or(1, Into::into),
            memory_bytes: None,
            spill_dir: None,
            batch_rows: 8192,
            default_namespace: None,
            pushdown_filters: false,
        }
    }
}

/// The settings of a session, with what Iceberg tables need.
pub(super) fn config(options: &SqlOptions) -> SessionConfig {
    let namespace = options.default_namespace.as_deref().unwrap_or_default();
    let mut config = SessionConfig::new()
        .with_target_partitions(options.target_partitions.max(1))
        .with_batch_size(options.batch_rows.max(1))
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, namespace)
        .with_information_schema(true);
    let settings = config.options_mut();
    // `now()` and `timestamptz` are in UTC, as Iceberg's timestamps with zone are.
    settings.execution.time_zone = Some("+00:00".to_owned());
    // A table's schema says Utf8 and Binary, and so do its readers.
    settings.sql_parser.map_string_types_to_utf8view = false;
    let parquet = &mut settings.execution.parquet;
    parquet.schema_force_view_types = false;
    parquet.pushdown_filters = options.pushdown_filters;
    parquet.enable_page_index = true;
    parquet.bloom_filter_on_read = true;
    config
}
