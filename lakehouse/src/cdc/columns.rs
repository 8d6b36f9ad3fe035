//! The columns of change files, and those that a table of merged changes has beside the source's.

use std::path::Path;

use arrow::datatypes::DataType;
use northstar_iceberg::table::ColumnDefinition;

use crate::bronze::lineage::BATCH_ID;
use crate::contract::{Deletes, TableContract};
use crate::sources::csv::{Column, ColumnType, Renames, read_header};
use crate::{Error, ErrorKind, Result};

/// Where the row's last change stands in the log of its source: `commit_lsn/command_id/seqval`, which
/// sorts like the log. NULL in rows that no change file brought.
pub const SOURCE_POSITION: &str = "_source_position";
/// Whether the source has deleted the row.
pub const DELETED: &str = "_is_deleted";

pub(super) const OP: &str = "op";
pub(super) const COMMIT_LSN: &str = "commit_lsn";
pub(super) const COMMAND_ID: &str = "command_id";
pub(super) const SEQVAL: &str = "seqval";

/// What SQL Server calls them.
///
/// Source: <https://learn.microsoft.com/sql/relational-databases/system-tables/cdc-capture-instance-ct-transact-sql>
const SERVER_NAMES: [(&str, &str); 4] = [
    ("__$operation", OP),
    ("__$start_lsn", COMMIT_LSN),
    ("__$command_id", COMMAND_ID),
    ("__$seqval", SEQVAL),
];

/// The columns that say what happened and when, in the order in which rows are staged.
pub(super) fn of_changes() -> [Column; 4] {
    [
        Column::new(OP, ColumnType::Int),
        Column::new(COMMIT_LSN, ColumnType::String),
        Column::new(COMMAND_ID, ColumnType::Long),
        Column::new(SEQVAL, ColumnType::String),
    ]
}

/// The contract's renames and those of SQL Server's names.
pub(super) fn renames(contract: &TableContract) -> Renames {
    let server = SERVER_NAMES.map(|(raw, name)| (raw.to_string(), name.to_string()));
    server.into_iter().chain(contract.renames()).collect()
}

/// Without the columns that say what happened, those of the table.
///
/// # Errors
/// `InvalidData` naming the file if one of the former is missing.
pub(super) fn source_names(names: &[String], file: &Path) -> Result<Vec<String>> {
    let changes = of_changes().map(|column| column.name);
    let missing: Vec<&str> =
        changes.iter().filter(|name| !names.contains(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!(
                "a change file has the columns op, commit_lsn, command_id and seqval before those of \
                 the table; this one lacks {}",
                missing.join(", ")
            ),
        )
        .with_context("file", file.display()));
    }
    Ok(names.iter().filter(|name| !changes.contains(name)).cloned().collect())
}

/// The names of a CSV file's columns.
///
/// # Errors
/// As [`read_header`].
pub(super) fn csv_names(
    path: &Path,
    renames: &Renames,
    options: &crate::sources::csv::CsvOptions,
) -> Result<Vec<String>> {
    let header = read_header(path, renames, options)?;
    Ok(header.columns.into_iter().map(|column| column.name).collect())
}

/// The columns that a table of merged changes ends with.
pub(super) fn added(deletes: Deletes) -> Vec<ColumnDefinition> {
    let position =
        "position of the last change in the source's log; NULL if no change file brought it";
    let mut added = vec![
        ColumnDefinition::new(SOURCE_POSITION, DataType::Utf8).with_doc(position),
        ColumnDefinition::new(BATCH_ID, DataType::Utf8)
            .with_doc("batch that brought the row, and id of its commit"),
    ];
    if deletes == Deletes::Soft {
        let doc = "whether the source has deleted the row";
        added.push(ColumnDefinition::new(DELETED, DataType::Boolean).with_doc(doc));
    }
    added
}
