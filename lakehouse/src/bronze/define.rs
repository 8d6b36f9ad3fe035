//! How a bronze table is made for files that have none yet, and what columns an existing one has.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use northstar_iceberg::LakeTable;
use northstar_iceberg::table::schema::arrow_schema;
use northstar_iceberg::table::{ColumnDefinition, MetricsMode, TableDefinition, properties};

use super::lineage;
use crate::contract::{Phi, TableContract};
use crate::sources::csv::{Column, ColumnType, CsvOptions, Inference, read_header};
use crate::{Error, ErrorKind, Result};

/// The table property that names the columns of the key, with commas.
pub(crate) const KEY_PROPERTY: &str = "northstar.key";

/// The columns of the files: declared types where the contract has them, inferred ones elsewhere.
/// The files are read whole only if a type is missing.
///
/// # Errors
/// Those of the first file that cannot be read, which `blame` then names.
pub(super) fn columns(
    files: &[(String, PathBuf)],
    contract: &TableContract,
    options: &CsvOptions,
) -> std::result::Result<Vec<Column>, (String, Error)> {
    let renames = contract.renames();
    let Some((first, path)) = files.first() else { return Ok(Vec::new()) };
    let blame = |name: &str| {
        let name = name.to_string();
        move |error| (name, error)
    };
    let header = read_header(path, &renames, options).map_err(blame(first))?;
    let mut declared = Vec::with_capacity(header.columns.len());
    for column in &header.columns {
        let kind = contract.column_type(&column.name).map_err(blame(first))?;
        declared.push((column.name.clone(), kind));
    }
    if let Some(columns) = declared
        .iter()
        .map(|(name, kind)| Some(Column::new(name, (*kind)?)))
        .collect::<Option<Vec<Column>>>()
    {
        return Ok(columns);
    }
    let mut inference = Inference::new(options);
    for (name, path) in files {
        inference.add(path, &renames).map_err(blame(name))?;
    }
    let inferred = inference.columns().into_iter().zip(declared);
    Ok(inferred
        .map(|(column, (_, kind))| Column::new(column.name, kind.unwrap_or(column.column_type)))
        .collect())
}

/// Refuses a contract that these columns cannot keep.
fn check(columns: &[Column], contract: &TableContract) -> Result<()> {
    let refused = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
    let known = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let partition = contract.partition()?;
    let partitioned = partition.iter().map(|field| field.column.as_str());
    let sorted = contract.sort().iter().map(String::as_str);
    let listed = contract.key().iter().chain(contract.bloom()).map(String::as_str);
    let listed = listed.chain(contract.version());
    let laid_out = partitioned.clone().chain(sorted.clone()).filter(|name| !name.starts_with('_'));
    let mut unknown: Vec<&str> =
        contract.column_names().chain(listed).chain(laid_out).filter(|name| !known(name)).collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        return refused(format!(
            "the contract speaks of columns that the files do not have: {names}"
        ));
    }
    if let Some(name) = partitioned.clone().find(|name| contract.phi(name) == Some(Phi::Direct)) {
        return refused(format!(
            "the contract partitions by {name}, which it tags phi = \"direct\"; its values would \
             become folder names"
        ));
    }
    match partitioned.chain(sorted).find(|name| name.starts_with('_')) {
        None => Ok(()),
        Some(name) => refused(format!(
            "the contract partitions or sorts by {name}, a lineage column; use columns of the source"
        )),
    }
}

/// The bronze table for these columns.
///
/// # Errors
/// `InvalidInput` if the contract speaks of columns that the files do not have, or partitions by a
/// direct identifier or a lineage column.
pub(super) fn definition(columns: &[Column], contract: &TableContract) -> Result<TableDefinition> {
    let mut table = source_definition(columns, contract)?;
    table.columns.extend(lineage::columns());
    table.properties.insert(properties::bloom_filter_key(lineage::FILE_SHA256), "true".into());
    Ok(table)
}

/// A table of these columns alone, as the contract says it.
///
/// # Errors
/// `InvalidInput` if the contract speaks of columns that the files do not have, or partitions by a
/// direct identifier or a lineage column.
pub(crate) fn source_definition(
    columns: &[Column],
    contract: &TableContract,
) -> Result<TableDefinition> {
    check(columns, contract)?;
    let defined: Vec<ColumnDefinition> = columns
        .iter()
        .map(|column| {
            let mut defined = ColumnDefinition::new(&column.name, column.column_type.to_arrow());
            if contract.phi(&column.name) == Some(Phi::Direct) {
                defined = defined.with_metrics(MetricsMode::Counts);
            }
            match contract.doc(&column.name) {
                Some(doc) => defined.with_doc(doc),
                None => defined,
            }
        })
        .collect();
    let mut table = TableDefinition {
        columns: defined,
        partition: contract.partition()?,
        sort: contract.sort().to_vec(),
        ..TableDefinition::default()
    };
    let bloom = contract.bloom().iter();
    table
        .properties
        .extend(bloom.map(|column| (properties::bloom_filter_key(column), "true".into())));
    if !contract.key().is_empty() {
        table.properties.insert(KEY_PROPERTY.into(), contract.key().join(","));
    }
    let phi: Vec<&str> = columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| contract.phi(name) == Some(Phi::Direct))
        .collect();
    if !phi.is_empty() {
        table.properties.insert(properties::PHI_DIRECT.into(), phi.join(","));
    }
    Ok(table)
}

/// The arrow columns of these source columns.
pub(crate) fn source_schema(columns: &[Column]) -> SchemaRef {
    let fields =
        columns.iter().map(|column| Field::new(&column.name, column.column_type.to_arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The source columns of a bronze table that is there.
///
/// # Errors
/// `Unsupported` if it is no bronze table, or has columns of types that no CSV file has.
pub(crate) fn source_columns(table: &LakeTable) -> Result<Vec<Column>> {
    let schema = arrow_schema(table.metadata().current_schema())?;
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let expected: Vec<String> = lineage::columns().into_iter().map(|column| column.name).collect();
    let split = names.len().saturating_sub(expected.len());
    if names[split..].iter().ne(expected.iter()) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the table is there but does not end with bronze's lineage columns, so it was not made by \
             a load; load into another namespace",
        )
        .with_context("table", table.name()));
    }
    schema.fields()[..split]
        .iter()
        .map(|field| {
            let kind = column_type(field.data_type()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "column {} has type {}, which CSV files do not",
                        field.name(),
                        field.data_type()
                    ),
                )
                .with_context("table", table.name())
            })?;
            Ok(Column::new(field.name(), kind))
        })
        .collect()
}

/// The type that a CSV file's column has for an arrow type, if one does.
pub(crate) fn column_type(data_type: &DataType) -> Option<ColumnType> {
    Some(match data_type {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int32 => ColumnType::Int,
        DataType::Int64 => ColumnType::Long,
        DataType::Float64 => ColumnType::Double,
        DataType::Decimal128(precision, scale) => {
            ColumnType::Decimal { precision: *precision, scale: *scale }
        }
        DataType::Date32 => ColumnType::Date,
        DataType::Timestamp(TimeUnit::Microsecond, None) => ColumnType::Timestamp,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => ColumnType::Timestamptz,
        DataType::Utf8 => ColumnType::String,
        _ => return None,
    })
}
