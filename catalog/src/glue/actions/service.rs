//! Which action does what.

use std::sync::Arc;

use iceberg::io::FileIO;
use serde_json::{Value, json};

use super::read::check_catalog;
use super::shown::Shown;
use super::{databases, partitions, search, tables, tags, versions};
use crate::sqlite::SqliteCatalog;
use crate::{Error, ErrorKind, Result};

/// The actions of Glue's Data Catalog that are served.
pub const ACTIONS: &[&str] = &[
    "BatchCreatePartition",
    "BatchDeletePartition",
    "BatchDeleteTable",
    "BatchDeleteTableVersion",
    "BatchGetPartition",
    "BatchUpdatePartition",
    "CreateDatabase",
    "CreatePartition",
    "CreateTable",
    "DeleteDatabase",
    "DeletePartition",
    "DeleteTable",
    "DeleteTableVersion",
    "GetDatabase",
    "GetDatabases",
    "GetPartition",
    "GetPartitionIndexes",
    "GetPartitions",
    "GetTable",
    "GetTables",
    "GetTableVersion",
    "GetTableVersions",
    "GetTags",
    "GetUserDefinedFunctions",
    "SearchTables",
    "TagResource",
    "UntagResource",
    "UpdateDatabase",
    "UpdatePartition",
    "UpdateTable",
];

/// Glue's Data Catalog over a catalog in SQLite.
#[derive(Debug)]
pub struct GlueService {
    pub(super) catalog: Arc<SqliteCatalog>,
    pub(super) shown: Shown,
    pub(super) warehouse: String,
    pub(super) account: String,
    region: String,
}

impl GlueService {
    /// The Data Catalog of an account in a region. `warehouse` is where tables of databases without a
    /// place of their own stand; `file_io` reads metadata files, for columns.
    ///
    /// # Errors
    /// As [`SqliteCatalog::number_versions`].
    pub async fn new(
        catalog: Arc<SqliteCatalog>,
        file_io: FileIO,
        warehouse: &str,
        account: &str,
        region: &str,
    ) -> Result<Self> {
        catalog.number_versions().await?;
        Ok(Self {
            catalog,
            shown: Shown::new(file_io),
            warehouse: warehouse.to_string(),
            account: account.to_string(),
            region: region.to_string(),
        })
    }

    /// The name of a resource among all of AWS.
    pub fn arn(&self, resource: &str) -> String {
        format!("arn:aws:glue:{}:{}:{resource}", self.region, self.account)
    }

    /// Whether a request for tags is about a database or table, and not about a job.
    pub fn has_tagged(&self, input: &Value) -> bool {
        tags::is_here(self, input)
    }

    /// Does what a client asks for; the answer is the action's output as JSON.
    ///
    /// # Errors
    /// `InvalidInput` for a request that does not fit its model; `NotFound`, `AlreadyExists`;
    /// `Conflict` for a table that was changed since the client read it; `PermissionDenied` for
    /// the catalog of another account; `Unsupported` for an action that is not of [`ACTIONS`]; `CommitUnknown` if the change may have taken effect; `Unavailable`
    /// (retry) if the catalog is locked.
    pub async fn call(&self, action: &str, input: Value, now_ms: i64) -> Result<Value> {
        check_catalog(&input, &self.account)?;
        match action {
            "CreateDatabase" => databases::create(self, input).await,
            "GetDatabase" => databases::get(self, input).await,
            "GetDatabases" => databases::list(self, input).await,
            "UpdateDatabase" => databases::update(self, input).await,
            "DeleteDatabase" => databases::delete(self, input).await,
            "CreateTable" => tables::create(self, input, now_ms).await,
            "GetTable" => tables::get(self, input).await,
            "GetTables" => tables::list(self, input).await,
            "SearchTables" => search::search(self, input).await,
            "UpdateTable" => tables::update(self, input, now_ms).await,
            "DeleteTable" => tables::delete(self, input).await,
            "BatchDeleteTable" => tables::delete_several(self, input).await,
            "GetTableVersion" => versions::get(self, input).await,
            "GetTableVersions" => versions::list(self, input).await,
            "DeleteTableVersion" => versions::delete(self, input).await,
            "BatchDeleteTableVersion" => versions::delete_several(self, input).await,
            "GetTags" => tags::get(self, input).await,
            "TagResource" => tags::set(self, input).await,
            "UntagResource" => tags::remove(self, input).await,
            _ => self.call_partitions(action, input).await,
        }
    }

    async fn call_partitions(&self, action: &str, input: Value) -> Result<Value> {
        match action {
            "GetPartition" => partitions::get(self, input).await,
            "GetPartitions" => partitions::list(self, input, "Partitions").await,
            "BatchGetPartition" => partitions::get_several(self, input).await,
            "GetPartitionIndexes" => {
                partitions::list(self, input, "PartitionIndexDescriptorList").await
            }
            "GetUserDefinedFunctions" => Ok(json!({ "UserDefinedFunctions": [] })),
            "BatchCreatePartition"
            | "BatchDeletePartition"
            | "BatchUpdatePartition"
            | "CreatePartition"
            | "DeletePartition"
            | "UpdatePartition" => partitions::change(self, input).await,
            _ => Err(Error::new(ErrorKind::Unsupported, "this action is not served here")),
        }
    }
}
