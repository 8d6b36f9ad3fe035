//! Definitions as they are written.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast;

use crate::table::evolve::TableChange;
use crate::table::{ColumnDefinition, PartitionColumn};

/// The name of a table, in one to three parts.
pub(crate) type Name = ast::ObjectName;

/// A query in a definition.
pub(crate) type Query = ast::Query;

/// A statement that defines.
#[derive(Debug)]
pub(crate) enum Definition {
    CreateNamespace { name: String, if_not_exists: bool },
    DropNamespace { name: String, if_exists: bool },
    CreateTable(Box<CreateTable>),
    DropTable { name: Name, if_exists: bool },
    AlterTable(AlterTable),
}

/// `CREATE TABLE`.
#[derive(Debug)]
pub(crate) struct CreateTable {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    /// None where a query says what the columns are.
    pub(crate) columns: Vec<ColumnDefinition>,
    pub(crate) partition: Vec<PartitionColumn>,
    pub(crate) properties: BTreeMap<String, String>,
    /// What the table is filled with.
    pub(crate) query: Option<Box<Query>>,
}

/// `ALTER TABLE`.
#[derive(Debug)]
pub(crate) enum AlterTable {
    Change { name: Name, change: TableChange },
    Rename { name: Name, to: Name },
}
