//! Tags of databases and tables.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{known_name, read};
use super::service::GlueService;
use crate::{Error, ErrorKind, Result};

/// So many tags a resource has at most.
const MOST_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    resource_arn: String,
    tags_to_add: Option<BTreeMap<String, String>>,
    tags_to_remove: Option<Vec<String>>,
}

/// Whether an ARN is of a database or table of this catalog.
pub(super) fn is_here(service: &GlueService, input: &Value) -> bool {
    let arn = input["ResourceArn"].as_str().unwrap_or_default();
    let here = |kind: &str| arn.starts_with(&service.arn(kind));
    here("database/") || here("table/")
}

pub(super) async fn get(service: &GlueService, input: Value) -> Result<Value> {
    let request = checked(service, input).await?;
    Ok(json!({ "Tags": service.catalog.glue_tags(&request.resource_arn).await? }))
}

pub(super) async fn set(service: &GlueService, input: Value) -> Result<Value> {
    let request = checked(service, input).await?;
    let missing = || Error::new(ErrorKind::InvalidInput, "missing field `TagsToAdd`");
    let tags = request.tags_to_add.as_ref().ok_or_else(missing)?;
    check_tags(tags)?;
    let mut all = service.catalog.glue_tags(&request.resource_arn).await?;
    all.extend(tags.clone());
    if all.len() > MOST_TAGS {
        let text = format!("a resource has at most {MOST_TAGS} tags");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    service.catalog.set_glue_tags(&request.resource_arn, &[], tags).await?;
    Ok(json!({}))
}

pub(super) async fn remove(service: &GlueService, input: Value) -> Result<Value> {
    let request = checked(service, input).await?;
    let missing = || Error::new(ErrorKind::InvalidInput, "missing field `TagsToRemove`");
    let removed = request.tags_to_remove.as_deref().ok_or_else(missing)?;
    service.catalog.set_glue_tags(&request.resource_arn, removed, &BTreeMap::new()).await?;
    Ok(json!({}))
}

/// The lengths that Glue takes: 128 and 256 characters.
fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    let fits = |key: &str, value: &str| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    if tags.iter().all(|(key, value)| fits(key, value)) {
        return Ok(());
    }
    let text = "a tag's key has 1 to 128 characters, and its value at most 256";
    Err(Error::new(ErrorKind::InvalidInput, text))
}

/// The request, if what it names is there.
async fn checked(service: &GlueService, input: Value) -> Result<Request> {
    let request: Request = read(input)?;
    let part = |kind: &str| request.resource_arn.strip_prefix(&service.arn(kind));
    if let Some(database) = part("database/") {
        service.catalog.namespace_properties(database).await?;
        return Ok(request);
    }
    if let Some((database, table)) = part("table/").and_then(|rest| rest.split_once('/')) {
        service.catalog.glue_entry(&known_name(database, table)?).await?;
        return Ok(request);
    }
    let text = format!("`ResourceArn` is of a database or table: {}database/NAME", service.arn(""));
    Err(Error::new(ErrorKind::InvalidInput, text))
}
