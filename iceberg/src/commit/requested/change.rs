//! What a client asks for, and how it ended.

use std::collections::HashMap;

use iceberg::spec::{FormatVersion, Schema, SortOrder, UnboundPartitionSpec};
use iceberg::{TableRequirement, TableUpdate};

use crate::{Error, LakeTable, TableName};

/// A change of one table.
#[derive(Debug, Clone)]
pub struct RequestedChange {
    /// The table.
    pub name: TableName,
    /// What must hold of it when the change is made. `NotExist` makes it a new table.
    pub requirements: Vec<TableRequirement>,
    /// What is changed, in order.
    pub updates: Vec<TableUpdate>,
}

impl RequestedChange {
    /// Whether it makes a new table.
    pub fn creates(&self) -> bool {
        self.requirements.contains(&TableRequirement::NotExist)
    }
}

/// A table that a client wants.
#[derive(Debug, Clone)]
pub struct RequestedTable {
    /// Its name.
    pub name: TableName,
    /// Its columns; they are given new ids.
    pub schema: Schema,
    /// Its partition spec over them; `None` for an unpartitioned table.
    pub spec: Option<UnboundPartitionSpec>,
    /// Its sort order over them; `None` for an unsorted one.
    pub order: Option<SortOrder>,
    /// Its properties, over those that each new table gets.
    pub properties: HashMap<String, String>,
    /// Its format version, 1 or 2.
    pub version: FormatVersion,
    /// Where it shall stand; `None` for a folder of its own.
    pub location: Option<String>,
}

/// How a change ended.
#[derive(Debug)]
#[must_use = "a change that is not looked at may have failed"]
pub enum Requested {
    /// The tables as they are now, in the order of the request.
    Done(Vec<LakeTable>),
    /// Whether the change took effect is not known: the client must read the tables again before it
    /// removes a file or repeats the change.
    Unknown(Error),
}
