//! Databases: namespaces of the catalog, and their properties.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{after, folded, read, token, within};
use super::service::GlueService;
use crate::glue::Parameters;
use crate::ident::check_name;
use crate::{Catalog, Error, ErrorKind, Result};

/// The properties of a namespace that Glue has members for.
const LOCATION: &str = "location";
const COMMENT: &str = "comment";

/// A list's longest page.
const MOST: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    name: Option<String>,
    database_input: DatabaseInput,
}

/// A database as a client describes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DatabaseInput {
    name: String,
    description: Option<String>,
    location_uri: Option<String>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl DatabaseInput {
    fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = self.parameters.clone().unwrap_or_default();
        let members = [(LOCATION, &self.location_uri), (COMMENT, &self.description)];
        for (key, text) in members {
            if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
                properties.insert(key.to_string(), text.clone());
            }
        }
        properties
    }
}

pub(super) async fn create(service: &GlueService, input: Value) -> Result<Value> {
    let Described { database_input: input, .. } = read(input)?;
    let name = folded("database", &input.name)?;
    check_name("namespace", &name)?;
    service.catalog.create_namespace_with(&name, &input.properties()).await?;
    Ok(json!({}))
}

pub(super) async fn get(service: &GlueService, input: Value) -> Result<Value> {
    let Named { name } = read(input)?;
    let name = folded("database", &name)?;
    let properties = service.catalog.namespace_properties(&name).await?;
    Ok(json!({ "Database": shown(service, &name, properties) }))
}

pub(super) async fn list(service: &GlueService, input: Value) -> Result<Value> {
    let List { next_token, max_results } = read(input)?;
    let (most, after) = (within("MaxResults", max_results, MOST)?, after(next_token.as_deref())?);
    let mut names = service.catalog.list_namespaces().await?;
    names.retain(|name| *name > after);
    let more = names.len() > most;
    names.truncate(most);
    let mut databases = Vec::with_capacity(names.len());
    for name in &names {
        match service.catalog.namespace_properties(name).await {
            Ok(properties) => databases.push(shown(service, name, properties)),
            // It was dropped meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let mut answer = json!({ "DatabaseList": databases });
    if let Some(last) = names.last().filter(|_| more) {
        answer["NextToken"] = token(last).into();
    }
    Ok(answer)
}

pub(super) async fn update(service: &GlueService, input: Value) -> Result<Value> {
    let Described { name, database_input: input } = read(input)?;
    let given = name.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "missing field `Name`"))?;
    let name = folded("database", &given)?;
    if folded("database", &input.name)? != name {
        let text = "a database cannot be renamed: `DatabaseInput.Name` is another than `Name`";
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let there = service.catalog.namespace_properties(&name).await?;
    let wanted = input.properties();
    let gone: Vec<String> = there.into_keys().filter(|key| !wanted.contains_key(key)).collect();
    service.catalog.set_namespace_properties(&name, &gone, &wanted).await?;
    Ok(json!({}))
}

/// Removes an empty database. AWS removes the tables in it too; here that is asked for table by table.
pub(super) async fn delete(service: &GlueService, input: Value) -> Result<Value> {
    let Named { name } = read(input)?;
    let name = folded("database", &name)?;
    service.catalog.drop_namespace(&name).await?;
    service.catalog.forget_glue_tags(&service.arn(&format!("database/{name}"))).await?;
    Ok(json!({}))
}

fn shown(service: &GlueService, name: &str, mut properties: BTreeMap<String, String>) -> Value {
    let location = properties.remove(LOCATION);
    // Where clients put tables that are given no place: beside those of this engine.
    let location = location.unwrap_or_else(|| format!("{}/{name}", service.warehouse));
    let mut shown = json!({
        "Name": name,
        "LocationUri": location,
        "CatalogId": service.account,
        "CreateTableDefaultPermissions": [],
    });
    if let Some(comment) = properties.remove(COMMENT) {
        shown["Description"] = comment.into();
    }
    if !properties.is_empty() {
        shown["Parameters"] = json!(properties);
    }
    shown
}
