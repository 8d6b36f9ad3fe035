//! The scan's schema and its configuration, as planner and codec build them alike.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::common::Statistics;
use datafusion::common::config::{ConfigOptions, TableParquetOptions};
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use parquet::arrow::RowNumber;

use super::adapter::FieldIdAdapterFactory;
use super::prune::Pruning;
use super::reads::FileReads;
use super::source::IcebergSource;

/// The column that holds the location of a row's data file, as Iceberg writes it.
pub const FILE_COLUMN: &str = "_file";

/// The column that holds a row's position in its data file, counted from 0, deleted rows included.
pub const POS_COLUMN: &str = "_pos";

/// The type of [`FILE_COLUMN`]: a path is long, and the same for all rows of a file.
pub fn file_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Which columns of a row's address a scan has behind the table's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddressColumns {
    /// `_file`, as a partition column: one constant per file, and in memory a number per row.
    pub file: bool,
    /// `_pos`, as the Parquet reader's row number. Counting rows is not free.
    pub position: bool,
}

/// The scan's columns: those of the table, then those of the row address.
pub fn table_schema(columns: SchemaRef, address: AddressColumns) -> TableSchema {
    let file: FieldRef = Arc::new(Field::new(FILE_COLUMN, file_type(), false));
    let pos: FieldRef =
        Arc::new(Field::new(POS_COLUMN, DataType::Int64, false).with_extension_type(RowNumber));
    TableSchema::builder(columns)
        .with_table_partition_cols(address.file.then_some(file).into_iter().collect::<Vec<_>>())
        .with_virtual_columns(address.position.then_some(pos).into_iter().collect::<Vec<_>>())
        .build()
}

/// DataFusion's Parquet scan with Iceberg's additions, over all columns of `schema`.
///
/// What is read is counted in `reads`. Of the options, those under `execution.parquet` are used.
pub fn scan_config(
    store: ObjectStoreUrl,
    schema: TableSchema,
    groups: Vec<FileGroup>,
    statistics: Statistics,
    pruning: Arc<Pruning>,
    reads: Option<Arc<FileReads>>,
    options: &ConfigOptions,
) -> FileScanConfig {
    let parquet = ParquetSource::new(schema).with_table_parquet_options(TableParquetOptions {
        global: options.execution.parquet.clone(),
        ..Default::default()
    });
    let source = IcebergSource::new(Arc::new(parquet), pruning).with_reads(reads);
    FileScanConfigBuilder::new(store, Arc::new(source))
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_expr_adapter(Some(Arc::new(FieldIdAdapterFactory)))
        .build()
}
