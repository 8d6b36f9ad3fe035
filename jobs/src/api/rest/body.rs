//! What a request says in its body. Nothing of it is passed over: a member that would be lost is an
//! error, because what a client takes for done must be.

use iceberg::{TableRequirement, TableUpdate};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reply::{bad_request, value};
use crate::api::fault::{self, Fault};

/// Members that updates have had and that say nothing new.
const REPEATED: [(&str, &str); 2] =
    [("add-schema", "last-column-id"), ("set-statistics", "snapshot-id")];

/// The value of a body.
///
/// # Errors
/// 400 for what is no JSON; the text of the body is not repeated.
pub(super) fn json(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        bad_request(format!("the body is not JSON (line {line}, column {column})"))
    })
}

/// The body of a request that takes no others than these members.
///
/// # Errors
/// 400, naming the member that does not fit.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    typed(json(body)?)
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
    fault::input(value, "BadRequestException").map_err(|mut fault| {
        // Apache's names for its types help nobody.
        if fault.message.starts_with("data did not match any variant") {
            fault.message =
                "a schema or a type in it cannot be read; check its names, ids and types"
                    .to_string();
        }
        fault
    })
}

/// Something of Apache's types, all of which is kept.
///
/// # Errors
/// 400, naming the member that does not fit or would be lost.
pub(super) fn whole<T: DeserializeOwned + Serialize>(sent: Value) -> Result<T, Fault> {
    if let Some(member) = needs_version_3(&sent) {
        let text = format!("`{member}` needs format version 3, which is not written");
        return Err(Fault::refused("UnsupportedOperationException", text));
    }
    let read: T = typed(sent.clone())?;
    match lost(&sent, &value(&read)?) {
        None => Ok(read),
        Some(member) => {
            Err(bad_request(format!("`{member}` is not known here, and nothing was changed")))
        }
    }
}

/// A commit of a table, as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Commit {
    pub(super) identifier: Option<Identifier>,
    #[serde(default)]
    requirements: Vec<Value>,
    updates: Vec<Value>,
}

impl Commit {
    /// What must hold, and what is changed.
    ///
    /// # Errors
    /// 400 for what is not known.
    pub(super) fn parts(self) -> Result<(Vec<TableRequirement>, Vec<TableUpdate>), Fault> {
        let requirements = self.requirements.into_iter().map(whole);
        let updates = self.updates.into_iter().map(|mut update| {
            leave_out_repeated(&mut update);
            whole(update)
        });
        Ok((requirements.collect::<Result<_, _>>()?, updates.collect::<Result<_, _>>()?))
    }
}

/// A table's name in a body.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Identifier {
    pub(super) namespace: Vec<String>,
    pub(super) name: String,
}

fn leave_out_repeated(update: &mut Value) {
    let Some(members) = update.as_object_mut() else { return };
    for (action, member) in REPEATED {
        if members.get("action").and_then(Value::as_str) == Some(action) {
            members.remove(member);
        }
    }
}

/// The first member of `sent` that is not in `read`. Names are compared, not values: those that do not
/// fit are errors when they are read. What is empty says nothing.
fn lost(sent: &Value, read: &Value) -> Option<String> {
    match (sent, read) {
        (Value::Object(sent), Value::Object(read)) => sent
            .iter()
            .filter(|(name, value)| !is_empty(value) && !is_usual(name, value))
            .find_map(|(name, value)| match read.get(name) {
                None => Some(name.clone()),
                Some(read) => lost(value, read).map(|inner| format!("{name}.{inner}")),
            }),
        (Value::Array(sent), Value::Array(read)) => {
            sent.iter().zip(read).find_map(|(sent, read)| lost(sent, read))
        }
        _ => None,
    }
}

/// DuckDB says of a partition spec, too, that it is a struct.
fn is_usual(name: &str, value: &Value) -> bool {
    name == "type" && value == "struct"
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(of) => of.is_empty(),
        Value::Object(of) => of.is_empty(),
        _ => false,
    }
}

/// A member that only format version 3 has. Apache's types may drop a default that does not fit.
fn needs_version_3(sent: &Value) -> Option<&str> {
    match sent {
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let newer = ["initial-default", "write-default"].contains(&name.as_str());
            if newer && !value.is_null() { Some(name.as_str()) } else { needs_version_3(value) }
        }),
        Value::Array(of) => of.iter().find_map(needs_version_3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn update(sent: Value) -> Result<TableUpdate, Fault> {
        let commit = Commit { identifier: None, requirements: Vec::new(), updates: vec![sent] };
        Ok(commit.parts()?.1.remove(0))
    }

    #[test]
    fn an_update_that_is_not_known_is_an_error_and_so_is_a_part_of_one() {
        let schema = json!({"type": "struct", "schema-id": 1, "identifier-field-ids": [],
            "fields": [{"id": 1, "name": "a", "required": false, "type": "int", "doc": null}]});
        let known = json!({"action": "add-schema", "schema": schema, "last-column-id": 1});
        assert!(update(known).is_ok());
        let mut newer = schema.clone();
        newer["fields"][0]["unit"] = "mmol/l".into();
        let fault = update(json!({"action": "add-schema", "schema": newer})).unwrap_err();
        assert!(fault.message.contains("`schema.fields.unit`"), "{}", fault.message);
        let mut default = schema;
        default["fields"][0]["initial-default"] = 7.into();
        let fault = update(json!({"action": "add-schema", "schema": default})).unwrap_err();
        assert_eq!(fault.code, "UnsupportedOperationException");
        for sent in [
            json!({"action": "enable-row-lineage"}),
            json!({"action": "set-location", "location": "file:///a", "move-files": true}),
            json!({"updates": {}}),
        ] {
            let fault = update(sent).unwrap_err();
            assert_eq!(fault.status.as_u16(), 400, "{}", fault.message);
        }
    }

    #[test]
    fn a_requirement_that_is_not_known_is_an_error() {
        let sent = json!({"type": "assert-nobody-looks", "ref": "main"});
        let commit = Commit { identifier: None, requirements: vec![sent], updates: Vec::new() };
        assert!(commit.parts().is_err());
    }

    #[test]
    fn values_of_a_request_are_not_repeated() {
        for sent in [
            json!({"action": "Jane `Roe"}),
            json!({"action": "set-location", "location": 4711}),
            json!({"action": "set-current-schema", "schema-id": 47.11}),
            json!({"action": "add-schema", "schema": {"type": "struct", "fields": [
                {"id": 1, "name": "Jane", "required": false, "type": "Roe"}]}}),
        ] {
            let text = update(sent).unwrap_err().message;
            let shows = ["Jane", "Roe", "47"].iter().any(|value| text.contains(value));
            assert!(!shows && !text.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_is_not_repeated() {
        let fault = json(b"{\"name\": Jane}").unwrap_err();
        assert!(!fault.message.contains("Jane"), "{}", fault.message);
    }
}
