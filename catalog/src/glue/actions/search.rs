//! Tables by words in their names and descriptions, over all databases.

use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{after, read, token, within};
use super::service::GlueService;
use crate::{Catalog, ErrorKind, Result};

/// A list's longest page.
const MOST: usize = 1_000;

/// Tables that are read at once.
const STEP: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    search_text: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: Option<String>,
    value: Option<String>,
}

impl Request {
    /// Whether a table has the text in its name or description, and each filter's value.
    fn is_wanted(&self, table: &Value) -> bool {
        let has = |member: &str, text: &str| {
            table[member].as_str().is_some_and(|found| found.to_lowercase().contains(text))
        };
        let text = self.search_text.as_deref().unwrap_or_default().trim_matches('"').to_lowercase();
        let said = text.is_empty() || has("Name", &text) || has("Description", &text);
        said && self.filters.iter().all(|filter| filter.fits(table))
    }
}

impl Filter {
    fn fits(&self, table: &Value) -> bool {
        let (Some(key), Some(value)) = (&self.key, &self.value) else { return true };
        let found = match key.to_lowercase().as_str() {
            "databasename" | "database" => &table["DatabaseName"],
            "name" | "tablename" => &table["Name"],
            "tabletype" => &table["TableType"],
            "owner" => &table["Owner"],
            _ => &table["Parameters"][key.as_str()],
        };
        found.as_str().is_some_and(|found| found.eq_ignore_ascii_case(value))
    }
}

pub(super) async fn search(service: &GlueService, input: Value) -> Result<Value> {
    let request: Request = read(input)?;
    let most = within("MaxResults", request.max_results, MOST)?;
    let from = after(request.next_token.as_deref())?;
    let (from_database, mut from) = from.split_once('.').unwrap_or_default();
    let databases = service.catalog.list_namespaces().await?;
    let mut found: Vec<Value> = Vec::new();
    for database in databases.iter().filter(|name| name.as_str() >= from_database) {
        let mut place = if database == from_database { from.to_string() } else { String::new() };
        from = "";
        loop {
            let page = match service.catalog.glue_entries(database, &place, STEP).await {
                // It was dropped meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                page => page?,
            };
            for (name, entry) in &page.tables {
                let table = service.shown.table(name, entry, &service.account).await?;
                if !request.is_wanted(&table) {
                    continue;
                }
                if found.len() == most {
                    let last = found.last().map(last_of).unwrap_or_default();
                    return Ok(json!({ "TableList": found, "NextToken": token(&last) }));
                }
                found.push(table);
            }
            match page.next {
                Some(next) => place = next,
                None => break,
            }
        }
    }
    Ok(json!({ "TableList": found }))
}

/// The place of a table in the list of all.
fn last_of(table: &Value) -> String {
    let text = |member: &str| table[member].as_str().unwrap_or_default().to_string();
    format!("{}.{}", text("DatabaseName"), text("Name"))
}
