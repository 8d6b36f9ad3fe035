//! Tables: listed, made, loaded, registered, renamed, dropped.

use std::collections::{HashMap, HashSet};

use iceberg::spec::{FormatVersion, Schema, SortOrder, UnboundPartitionSpec};
use northstar_catalog::Catalog;
use northstar_iceberg::commit::requested::RequestedTable;
use northstar_iceberg::{LakeTable, TableName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use super::body::{self, Identifier, whole};
use super::namespaces::one_level;
use super::reply::{About, Answer, Reply, bad_request, value};
use crate::api::fault::Fault;

/// The property by which clients ask for a format version.
const FORMAT_VERSION: &str = "format-version";

/// A table to be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Create {
    name: String,
    location: Option<String>,
    schema: Value,
    partition_spec: Option<Value>,
    write_order: Option<Value>,
    #[serde(default)]
    stage_create: Option<bool>,
    #[serde(default)]
    properties: Option<HashMap<String, String>>,
}

/// A table that is there and gets a name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Register {
    name: String,
    metadata_location: String,
    #[serde(default)]
    overwrite: Option<bool>,
}

/// A table that gets another name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    source: Identifier,
    destination: Identifier,
}

impl Call<'_> {
    pub(super) async fn list_tables(&self, namespace: &str) -> Answer {
        let tables = self.catalog.list_tables(namespace).await;
        let tables = tables.map_err(|error| About::Namespace.fault(&error))?;
        let names = tables.iter().map(|table| table.table().to_string()).collect();
        let (page, next) = self.query.page(names)?;
        let identifiers: Vec<Value> = page
            .into_iter()
            .map(|name| json!({ "namespace": [namespace], "name": name }))
            .collect();
        Ok(Reply::of(json!({ "identifiers": identifiers, "next-page-token": next })))
    }

    pub(super) async fn create_table(&self, namespace: &str) -> Answer {
        let create: Create = body::read(self.body)?;
        let is_staged = create.stage_create.unwrap_or(false);
        let wanted = create.wanted(namespace)?;
        let about = |error| About::NewTable.fault(&error);
        if is_staged {
            let draft = self.lake.stage_requested(&wanted).await.map_err(about)?;
            // Its metadata file is not there yet.
            return Ok(Reply::of(json!({ "metadata": value(draft.metadata())?, "config": {} })));
        }
        let table = self.lake.create_requested(&wanted, self.access).await.map_err(about)?;
        loaded(&table, false)
    }

    pub(super) async fn register_table(&self, namespace: &str) -> Answer {
        let Register { name, metadata_location, overwrite } = body::read(self.body)?;
        if overwrite == Some(true) {
            let text = "a table is not registered over another; drop that one first";
            return Err(Fault::refused("UnsupportedOperationException", text));
        }
        let name = named(namespace.to_string(), name)?;
        let table = self.lake.register_requested(&name, &metadata_location, self.access).await;
        loaded(&table.map_err(|error| About::NewTable.fault(&error))?, false)
    }

    pub(super) async fn load_table(&self, name: &TableName) -> Answer {
        let refs_only = match self.query.snapshots.as_deref() {
            None | Some("" | "all") => false,
            Some("refs") => true,
            Some(_) => return Err(bad_request("snapshots are `all` or `refs`")),
        };
        let table = self.lake.open_table(name, self.access).await;
        loaded(&table.map_err(|error| About::Table.fault(&error))?, refs_only)
    }

    pub(super) async fn table_exists(&self, name: &TableName) -> Answer {
        let found = self.catalog.pointer(name).await;
        found.map(|_| Reply::done()).map_err(|error| About::Table.fault(&error))
    }

    /// Takes a table out of the catalog. Its files stay, also if the client asks to purge them: who
    /// holds the catalog's address must not be able to destroy history that tags or law may hold.
    pub(super) async fn drop_table(&self, name: &TableName) -> Answer {
        let dropped = self.lake.drop_table(name, self.access).await;
        dropped.map_err(|error| About::Table.fault(&error))?;
        let purge = self.query.purge_requested.as_deref().unwrap_or_default();
        if purge.eq_ignore_ascii_case("true") {
            tracing::warn!(table = %name, "a purge was asked for, and the files were left");
        }
        Ok(Reply::done())
    }

    pub(super) async fn rename_table(&self) -> Answer {
        let Rename { source, destination } = body::read(self.body)?;
        let (from, to) = (identified(source)?, identified(destination)?);
        self.catalog.pointer(&from).await.map_err(|error| About::Table.fault(&error))?;
        let renamed = self.lake.rename_table(&from, &to, self.access).await;
        renamed.map_err(|error| About::NewTable.fault(&error))?;
        Ok(Reply::done())
    }

    /// A client tells how a scan or a commit went. It is taken and not kept: the filter of a scan may
    /// hold values of a patient. The table may be one that is staged.
    pub(super) fn report_metrics(&self) -> Answer {
        body::json(self.body).map(|_| Reply::done())
    }
}

impl Create {
    /// The table that is wanted, all of which is kept.
    fn wanted(self, namespace: &str) -> Result<RequestedTable, Fault> {
        let mut properties = self.properties.unwrap_or_default();
        let version = properties.remove(FORMAT_VERSION);
        Ok(RequestedTable {
            name: named(namespace.to_string(), self.name)?,
            schema: whole::<Schema>(self.schema)?,
            spec: self.partition_spec.map(whole::<UnboundPartitionSpec>).transpose()?,
            order: self.write_order.map(whole::<SortOrder>).transpose()?,
            properties,
            version: format_version(version.as_deref())?,
            location: self.location,
        })
    }
}

fn format_version(text: Option<&str>) -> Result<FormatVersion, Fault> {
    match text {
        None | Some("2") => Ok(FormatVersion::V2),
        Some("1") => Ok(FormatVersion::V1),
        Some(_) => Err(Fault::refused(
            "UnsupportedOperationException",
            "tables are made in format version 1 or 2; leave `format-version` out, or ask for 2",
        )),
    }
}

/// A table's name in a body.
///
/// # Errors
/// 400 for one that breaks the rules.
pub(super) fn identified(identifier: Identifier) -> Result<TableName, Fault> {
    named(one_level(identifier.namespace)?, identifier.name)
}

fn named(namespace: String, name: String) -> Result<TableName, Fault> {
    TableName::new(namespace, name).map_err(|error| bad_request(error.message()))
}

/// A table as clients load it. The catalog gives out no secrets, so nothing is to be configured.
///
/// # Errors
/// 500.
pub(super) fn loaded(table: &LakeTable, refs_only: bool) -> Answer {
    let mut metadata = value(table.metadata())?;
    put_in_order(&mut metadata);
    if refs_only {
        keep_named(&mut metadata);
    }
    Ok(Reply::of(json!({
        "metadata-location": table.metadata_location(), "metadata": metadata, "config": {},
    })))
}

/// Puts what is numbered in the order of its numbers: Apache's types keep it in none.
fn put_in_order(metadata: &mut Value) {
    let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_i64);
    for (member, key) in [
        ("schemas", "schema-id"),
        ("partition-specs", "spec-id"),
        ("sort-orders", "order-id"),
        ("snapshots", "sequence-number"),
    ] {
        if let Some(Value::Array(items)) = metadata.get_mut(member) {
            items.sort_by_key(|item| (number(item, key), number(item, "timestamp-ms")));
        }
    }
}

/// Leaves out the snapshots that no branch or tag names; a client asks for them when it needs them.
fn keep_named(metadata: &mut Value) {
    let id = |of: &Value| of.get("snapshot-id").and_then(Value::as_i64);
    let mut named: HashSet<i64> = match metadata.get("refs") {
        Some(Value::Object(refs)) => refs.values().filter_map(id).collect(),
        _ => HashSet::new(),
    };
    named.extend(metadata.get("current-snapshot-id").and_then(Value::as_i64));
    if let Some(Value::Array(snapshots)) = metadata.get_mut("snapshots") {
        snapshots.retain(|snapshot| id(snapshot).is_some_and(|id| named.contains(&id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_ref_names_is_shown_on_demand() {
        let mut metadata = json!({
            "current-snapshot-id": 3,
            "refs": {"main": {"snapshot-id": 3, "type": "branch"},
                     "close": {"snapshot-id": 1, "type": "tag"}},
            "snapshots": [{"snapshot-id": 1}, {"snapshot-id": 2}, {"snapshot-id": 3}],
        });
        keep_named(&mut metadata);
        assert_eq!(metadata["snapshots"], json!([{"snapshot-id": 1}, {"snapshot-id": 3}]));
        let mut empty = json!({"refs": {}, "snapshots": []});
        keep_named(&mut empty);
        assert_eq!(empty["snapshots"], json!([]));
    }

    #[test]
    fn versions_are_one_and_two() {
        assert_eq!(format_version(None).unwrap(), FormatVersion::V2);
        assert_eq!(format_version(Some("1")).unwrap(), FormatVersion::V1);
        for other in ["3", "x", ""] {
            let fault = format_version(Some(other)).unwrap_err();
            assert_eq!(fault.code, "UnsupportedOperationException");
        }
    }
}
