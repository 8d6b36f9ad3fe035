//! Tables: made, read, changed and removed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{after, folded, known_name, read, table_name, token, within};
use super::service::GlueService;
use crate::glue::{RENAMED_TO, TableInput, is_iceberg, pointer_of};
use crate::sqlite::GlueUpdate;
use crate::{Catalog, Error, ErrorKind, Result, TableName};

/// A list's longest page.
const MOST: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    database_name: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Several {
    database_name: String,
    tables_to_delete: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    database_name: String,
    table_input: Option<TableInput>,
    #[serde(default)]
    skip_archive: Option<bool>,
    version_id: Option<String>,
    open_table_format_input: Option<Value>,
    update_open_table_format_input: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    database_name: String,
    expression: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    attributes_to_get: Option<Vec<String>>,
}

impl Described {
    fn input(&self) -> Result<&TableInput> {
        if self.open_table_format_input.is_some() || self.update_open_table_format_input.is_some() {
            let text = "this server does not write metadata files for Glue clients: let an Iceberg \
                        library make the table, or create it over Iceberg REST";
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let missing = || Error::new(ErrorKind::InvalidInput, "missing field `TableInput`");
        self.table_input.as_ref().ok_or_else(missing)
    }
}

pub(super) async fn create(service: &GlueService, input: Value, now_ms: i64) -> Result<Value> {
    let request: Described = read(input)?;
    let input = request.input()?;
    let name = table_name(&request.database_name, &input.name)?;
    service.catalog.register_from_glue(&name, input, now_ms).await?;
    Ok(json!({}))
}

pub(super) async fn get(service: &GlueService, input: Value) -> Result<Value> {
    let request: Named = read(input)?;
    let name = known_name(&request.database_name, &request.name)?;
    let entry = service.catalog.glue_entry(&name).await?;
    Ok(json!({ "Table": service.shown.table(&name, &entry, &service.account).await? }))
}

pub(super) async fn list(service: &GlueService, input: Value) -> Result<Value> {
    let request: List = read(input)?;
    let database = folded("database", &request.database_name)?;
    let most = within("MaxResults", request.max_results, MOST)?;
    let mut from = after(request.next_token.as_deref())?;
    let wanted = request.expression.as_deref().map(pattern).transpose()?;
    let only = request.attributes_to_get.as_deref().unwrap_or_default();
    let mut tables = Vec::new();
    let mut next = None;
    while tables.len() < most {
        let page = service.catalog.glue_entries(&database, &from, most - tables.len()).await?;
        for (name, entry) in &page.tables {
            if wanted.as_ref().is_none_or(|wanted| wanted.is_match(name.table())) {
                let table = service.shown.table(name, entry, &service.account).await?;
                tables.push(attributes(table, only));
            }
        }
        next = page.next;
        match &next {
            Some(name) => from.clone_from(name),
            None => break,
        }
    }
    let mut answer = json!({ "TableList": tables });
    if let Some(next) = next {
        answer["NextToken"] = token(&next).into();
    }
    Ok(answer)
}

/// The members that a client asked for: all, names, or names and types.
fn attributes(table: Value, only: &[String]) -> Value {
    if only.is_empty() || only.iter().any(|name| name != "NAME" && name != "TABLE_TYPE") {
        return table;
    }
    let mut shown = json!({ "Name": table["Name"], "DatabaseName": table["DatabaseName"] });
    if only.iter().any(|name| name == "TABLE_TYPE") {
        shown["TableType"] = table["TableType"].clone();
    }
    shown
}

/// A pattern for whole names. It is matched in time linear in the name, whatever it is.
fn pattern(expression: &str) -> Result<regex::Regex> {
    let built = |text: &str| {
        regex::RegexBuilder::new(text).case_insensitive(true).size_limit(1 << 20).build()
    };
    // By itself first: what is put around it must not make two halves whole.
    let built = built(expression).and_then(|_| built(&format!("^(?:{expression})$")));
    built.map_err(|_| {
        let text = "`Expression` is not a regular expression, or too large a one";
        Error::new(ErrorKind::InvalidInput, text)
    })
}

pub(super) async fn update(service: &GlueService, input: Value, now_ms: i64) -> Result<Value> {
    let request: Described = read(input)?;
    let input = request.input()?;
    let name = known_name(&request.database_name, &input.name)?;
    let expected = request.version_id.as_deref().map(version).transpose()?;
    if let (Some(to), Some(expected)) = (renamed_to(input), expected) {
        return match service.catalog.retire_from_glue(&name, &to, expected).await? {
            GlueUpdate::Updated(_) => Ok(json!({})),
            GlueUpdate::Conflicted => Err(overtaken(&name)),
        };
    }
    let archive = !request.skip_archive.unwrap_or(false);
    let update = service.catalog.update_from_glue(&name, input, expected, archive, now_ms).await;
    let update = match update {
        // It may have taken effect: that can be seen unless another came after it.
        Err(error) if error.kind() == ErrorKind::CommitUnknown => {
            let now = service.catalog.glue_entry(&name).await;
            match now {
                Ok(now) if Some(&now.pointer) == pointer_of(input).as_ref() => {
                    GlueUpdate::Updated(now.version)
                }
                _ => return Err(error),
            }
        }
        update => update?,
    };
    match update {
        GlueUpdate::Updated(_) => Ok(json!({})),
        GlueUpdate::Conflicted => Err(overtaken(&name)),
    }
}

fn overtaken(table: &TableName) -> Error {
    let text = "the table was changed since it was read; read it again and commit on top of that";
    Error::new(ErrorKind::Conflict, text).with_context("table", table)
}

/// The table that this entry has become, if a client of ours renames it (docs/glue.md).
fn renamed_to(input: &TableInput) -> Option<TableName> {
    if is_iceberg(input) {
        return None;
    }
    input.parameters.as_ref()?.get(RENAMED_TO)?.parse().ok()
}

/// A `VersionId` as this server gives it.
///
/// # Errors
/// `Conflict` for a text that is no version of any table.
pub(super) fn version(text: &str) -> Result<u64> {
    text.parse().map_err(|_| {
        let text = "the table never had this `VersionId`; read it again";
        Error::new(ErrorKind::Conflict, text)
    })
}

pub(super) async fn delete(service: &GlueService, input: Value) -> Result<Value> {
    let request: Named = read(input)?;
    remove(service, &request.database_name, &request.name).await?;
    Ok(json!({}))
}

async fn remove(service: &GlueService, database: &str, table: &str) -> Result<()> {
    let name = known_name(database, table)?;
    service.catalog.drop_table(&name).await?;
    let arn = service.arn(&format!("table/{}/{}", name.namespace(), name.table()));
    service.catalog.forget_glue_tags(&arn).await
}

pub(super) async fn delete_several(service: &GlueService, input: Value) -> Result<Value> {
    let request: Several = read(input)?;
    if request.tables_to_delete.len() > MOST {
        let text = format!("at most {MOST} tables are deleted at once");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let mut errors = Vec::new();
    for table in &request.tables_to_delete {
        match remove(service, &request.database_name, table).await {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {
                let detail = json!({
                    "ErrorCode": "EntityNotFoundException", "ErrorMessage": error.to_string(),
                });
                errors.push(json!({ "TableName": table, "ErrorDetail": detail }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(json!({ "Errors": errors }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_of_whole_names() {
        let is = |expression: &str, name: &str| pattern(expression).unwrap().is_match(name);
        assert!(is("lab.*", "lab_result") && is("lab|visit", "visit") && is(".*", "x"));
        assert!(!is("lab", "lab_result") && !is("visit|x", "visits"));
        for bad in ["(", "a{99999}{99999}", "[", ")|("] {
            assert_eq!(pattern(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn attributes_are_those_asked_for() {
        let table = json!({"Name": "a", "DatabaseName": "b", "TableType": "T", "Owner": "o"});
        let ask = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            attributes(table.clone(), &names)
        };
        assert_eq!(ask(&[]), table);
        assert_eq!(ask(&["NAME"]), json!({"Name": "a", "DatabaseName": "b"}));
        assert_eq!(ask(&["NAME", "TABLE_TYPE"])["TableType"], "T");
    }
}
