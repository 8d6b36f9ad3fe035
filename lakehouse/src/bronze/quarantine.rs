//! What could not land, whole: one table per namespace, a row for each record or piece of text that
//! was refused, with where it stood and why.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use northstar_iceberg::table::{ColumnDefinition, MetricsMode, TableDefinition, properties};

use super::lineage::{self, BatchLineage, SourceFile};
use crate::sources::csv::Reject;
use crate::{Error, ErrorKind, Result};

/// The quarantine table's name in every namespace.
pub const TABLE: &str = "quarantine";

/// How the quarantine table is made. `raw` holds the refused bytes as they were; it may hold PHI, so
/// manifests hold no value of it.
pub fn definition() -> TableDefinition {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let columns = vec![
        ColumnDefinition::new(lineage::SOURCE_SYSTEM, DataType::Utf8).required(),
        ColumnDefinition::new(lineage::SOURCE_TABLE, DataType::Utf8).required(),
        ColumnDefinition::new(lineage::SOURCE_FILE, DataType::Utf8).required(),
        ColumnDefinition::new(lineage::SOURCE_LINE, DataType::Int64)
            .required()
            .with_doc("line of the file on which the refused text starts"),
        ColumnDefinition::new(lineage::FILE_SHA256, DataType::Utf8).required(),
        ColumnDefinition::new("column_name", DataType::Utf8).with_doc("column at fault, if one is"),
        ColumnDefinition::new("reason_code", DataType::Utf8).required(),
        ColumnDefinition::new("reason", DataType::Utf8).required(),
        ColumnDefinition::new("raw", DataType::Binary)
            .required()
            .with_doc("the refused bytes")
            .with_metrics(MetricsMode::Counts),
        ColumnDefinition::new(lineage::BATCH_ID, DataType::Utf8).required(),
        ColumnDefinition::new(lineage::ARRIVED_AT, utc).required(),
        ColumnDefinition::new(lineage::SEQ, DataType::Int64).required(),
    ];
    let bloom = properties::bloom_filter_key(lineage::FILE_SHA256);
    TableDefinition {
        columns,
        properties: [(bloom, "true".to_string())].into(),
        ..TableDefinition::default()
    }
}

/// The rejects of one file as rows of the quarantine table; `seq` is the number of the batch there.
///
/// # Errors
/// `Internal` if they do not fit its definition.
pub fn rows(
    batch: &BatchLineage,
    seq: i64,
    file: &SourceFile,
    rejects: &[Reject],
) -> Result<RecordBatch> {
    let count = rejects.len();
    let same = |value: &str| -> ArrayRef {
        Arc::new(arrow::array::StringArray::from_iter_values(std::iter::repeat_n(value, count)))
    };
    let mut lines = Int64Builder::with_capacity(count);
    let mut columns = StringBuilder::new();
    let mut codes = StringBuilder::new();
    let mut reasons = StringBuilder::new();
    let mut raw = BinaryBuilder::new();
    for reject in rejects {
        lines.append_value(reject.line);
        columns.append_option(reject.column.as_deref());
        codes.append_value(reject.reason.code());
        reasons.append_value(reject.reason.to_string());
        raw.append_value(&reject.raw);
    }
    let arrived = TimestampMicrosecondArray::from_value(batch.arrived_at_us, count);
    let values: Vec<ArrayRef> = vec![
        same(&batch.source_system),
        same(&batch.source_table),
        same(&file.name),
        Arc::new(lines.finish()),
        same(&file.sha256),
        Arc::new(columns.finish()),
        Arc::new(codes.finish()),
        Arc::new(reasons.finish()),
        Arc::new(raw.finish()),
        same(&batch.batch_id),
        Arc::new(arrived.with_timezone("+00:00")),
        Arc::new(arrow::array::Int64Array::from_value(seq, count)),
    ];
    let fields = definition().columns.into_iter().map(|column| {
        arrow::datatypes::Field::new(column.name, column.data_type, !column.required)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, values).map_err(|error| {
        Error::new(ErrorKind::Internal, "rejects do not fit the quarantine table")
            .with_source(error)
    })
}
