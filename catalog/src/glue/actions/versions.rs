//! Earlier versions of a table.

use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{after, known_name, read, token, within};
use super::service::GlueService;
use super::tables::version;
use crate::sqlite::GlueEntry;
use crate::{Error, ErrorKind, Result, TableName};

/// A list's longest page.
const MOST: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    database_name: String,
    table_name: String,
    version_id: Option<String>,
    version_ids: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Request {
    fn name(&self) -> Result<TableName> {
        known_name(&self.database_name, &self.table_name)
    }

    fn version_id(&self) -> Result<&str> {
        let missing = || Error::new(ErrorKind::InvalidInput, "missing field `VersionId`");
        self.version_id.as_deref().ok_or_else(missing)
    }
}

/// The current version and those that were archived, newest first.
async fn all(service: &GlueService, name: &TableName) -> Result<Vec<GlueEntry>> {
    let current = service.catalog.glue_entry(name).await?;
    let earlier = service.catalog.glue_versions(name).await?;
    let mut all = vec![current];
    // One that was archived between the two readings is not told twice.
    all.extend(
        earlier.into_iter().filter(|entry| entry.version != all[0].version).collect::<Vec<_>>(),
    );
    Ok(all)
}

pub(super) async fn list(service: &GlueService, input: Value) -> Result<Value> {
    let request: Request = read(input)?;
    let name = request.name()?;
    let most = within("MaxResults", request.max_results, MOST)?;
    let before = after(request.next_token.as_deref())?;
    let before = if before.is_empty() { u64::MAX } else { version(&before).map_err(as_input)? };
    let mut entries = all(service, &name).await?;
    entries.retain(|entry| entry.version < before);
    let more = entries.len() > most;
    entries.truncate(most);
    let mut versions = Vec::with_capacity(entries.len());
    for entry in &entries {
        versions.push(shown(service, &name, entry).await?);
    }
    let mut answer = json!({ "TableVersions": versions });
    if let Some(last) = entries.last().filter(|_| more) {
        answer["NextToken"] = token(&last.version.to_string()).into();
    }
    Ok(answer)
}

pub(super) async fn get(service: &GlueService, input: Value) -> Result<Value> {
    let request: Request = read(input)?;
    let name = request.name()?;
    let entries = all(service, &name).await?;
    let entry = match &request.version_id {
        None => entries.first(),
        Some(text) => {
            let wanted = version(text).map_err(|_| missing(&name))?;
            entries.iter().find(|entry| entry.version == wanted)
        }
    };
    let entry = entry.ok_or_else(|| missing(&name))?;
    Ok(json!({ "TableVersion": shown(service, &name, entry).await? }))
}

pub(super) async fn delete(service: &GlueService, input: Value) -> Result<Value> {
    let request: Request = read(input)?;
    let name = request.name()?;
    remove(service, &name, request.version_id()?).await?;
    Ok(json!({}))
}

pub(super) async fn delete_several(service: &GlueService, input: Value) -> Result<Value> {
    let request: Request = read(input)?;
    let name = request.name()?;
    let missing = || Error::new(ErrorKind::InvalidInput, "missing field `VersionIds`");
    let wanted = request.version_ids.as_deref().ok_or_else(missing)?;
    if wanted.len() > MOST {
        let text = format!("at most {MOST} versions are deleted at once");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let mut errors = Vec::new();
    for id in wanted {
        match remove(service, &name, id).await {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {
                let code = match error.kind() {
                    ErrorKind::NotFound => "EntityNotFoundException",
                    _ => "InvalidInputException",
                };
                errors.push(json!({
                    "TableName": name.table(),
                    "VersionId": id,
                    "ErrorDetail": { "ErrorCode": code, "ErrorMessage": error.to_string() },
                }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(json!({ "Errors": errors }))
}

async fn remove(service: &GlueService, name: &TableName, id: &str) -> Result<()> {
    let version = version(id).map_err(|_| missing(name))?;
    if service.catalog.glue_entry(name).await?.version == version {
        let text = "the current version of a table cannot be deleted";
        return Err(Error::new(ErrorKind::InvalidInput, text).with_context("table", name));
    }
    match service.catalog.forget_glue_version(name, version).await? {
        true => Ok(()),
        false => Err(missing(name)),
    }
}

async fn shown(service: &GlueService, name: &TableName, entry: &GlueEntry) -> Result<Value> {
    let table = service.shown.table(name, entry, &service.account).await?;
    Ok(json!({ "Table": table, "VersionId": entry.version.to_string() }))
}

fn missing(name: &TableName) -> Error {
    let text = "there is no such version of the table; list them with GetTableVersions";
    Error::new(ErrorKind::NotFound, text).with_context("table", name)
}

fn as_input(error: Error) -> Error {
    Error::new(ErrorKind::InvalidInput, error.message())
}
