//! Partitions, which an Iceberg table keeps in its metadata and not in Glue: a list of them is empty.

use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{known_name, read};
use super::service::GlueService;
use crate::{Error, ErrorKind, Result};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfTable {
    database_name: String,
    table_name: String,
}

async fn check(service: &GlueService, input: Value) -> Result<()> {
    let request: OfTable = read(input)?;
    let name = known_name(&request.database_name, &request.table_name)?;
    service.catalog.glue_entry(&name).await.map(drop)
}

/// The empty list under a name.
pub(super) async fn list(service: &GlueService, input: Value, member: &str) -> Result<Value> {
    check(service, input).await?;
    Ok(json!({ member: [] }))
}

/// Partitions by their values: none is there.
pub(super) async fn get_several(service: &GlueService, input: Value) -> Result<Value> {
    check(service, input).await?;
    Ok(json!({ "Partitions": [], "UnprocessedKeys": [] }))
}

pub(super) async fn get(service: &GlueService, input: Value) -> Result<Value> {
    check(service, input).await?;
    let text = "an Iceberg table has no partitions in Glue; ask its metadata table `$partitions`";
    Err(Error::new(ErrorKind::NotFound, text))
}

/// Whatever would change a partition.
pub(super) async fn change(service: &GlueService, input: Value) -> Result<Value> {
    check(service, input).await?;
    let text = "an Iceberg table's partitions follow from its rows; they are not set in Glue";
    Err(Error::new(ErrorKind::InvalidInput, text))
}
