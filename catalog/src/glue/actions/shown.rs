//! A table as `GetTable` shows it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use iceberg::io::FileIO;
use iceberg::spec::TableMetadata;
use serde_json::{Map, Value, json};

use crate::glue::{TableInput, pointer_of, table_input};
use crate::sqlite::GlueEntry;
use crate::{Error, ErrorKind, Result, TableName};

/// So many entries are kept; then all are forgotten.
const MOST_KEPT: usize = 4_096;

/// What was read from metadata files, by their location; such a file never changes.
#[derive(Debug)]
pub(super) struct Shown {
    file_io: FileIO,
    kept: Mutex<HashMap<String, TableInput>>,
}

impl Shown {
    pub(super) fn new(file_io: FileIO) -> Self {
        Self { file_io, kept: Mutex::default() }
    }

    /// A table as Glue shows it. Its columns are those of the current metadata file, also if the last
    /// commit came from a program that tells Glue nothing; they are left out if the file cannot be read.
    ///
    /// # Errors
    /// `Internal` if the entry cannot be written as JSON.
    pub(super) async fn table(
        &self,
        name: &TableName,
        entry: &GlueEntry,
        account: &str,
    ) -> Result<Value> {
        let input = self.input(name, entry).await;
        let mut shown = object(serde_json::to_value(&input))?;
        let seconds =
            |ms: i64| json!(std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64());
        shown.insert("DatabaseName".into(), name.namespace().into());
        shown.insert("CreateTime".into(), seconds(entry.created_ms));
        shown.insert("UpdateTime".into(), seconds(entry.updated_ms));
        shown.insert("IsRegisteredWithLakeFormation".into(), false.into());
        shown.insert("CatalogId".into(), account.into());
        shown.insert("VersionId".into(), entry.version.to_string().into());
        Ok(Value::Object(shown))
    }

    async fn input(&self, name: &TableName, entry: &GlueEntry) -> TableInput {
        let location = entry.pointer.metadata_location.as_str();
        let said = entry.input.as_ref();
        let is_current = |input: &&TableInput| {
            input.storage_descriptor.is_some()
                && pointer_of(input).is_some_and(|pointer| pointer == entry.pointer)
        };
        if let Some(input) = said.filter(is_current) {
            return TableInput { name: name.table().to_string(), ..input.clone() };
        }
        let read = self.kept(location);
        let read = match read {
            Some(read) => Some(read),
            None => self.read(name, entry).await,
        };
        match read {
            // What clients said of the table beside its pointer may have changed since.
            Some(read) => merged(name, read, said),
            None => bare(name, entry),
        }
    }

    fn kept(&self, location: &str) -> Option<TableInput> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(location).cloned()
    }

    async fn read(&self, name: &TableName, entry: &GlueEntry) -> Option<TableInput> {
        let location = entry.pointer.metadata_location.as_str();
        let metadata = TableMetadata::read_from(&self.file_io, location).await.ok()?;
        let read = table_input(name, &entry.pointer, &metadata, None);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(location.to_string(), read.clone());
        Some(read)
    }
}

/// What the metadata file says, and what clients said beside it.
fn merged(name: &TableName, read: TableInput, said: Option<&TableInput>) -> TableInput {
    let Some(said) = said else { return TableInput { name: name.table().to_string(), ..read } };
    let mut parameters = said.parameters.clone().unwrap_or_default();
    parameters.extend(read.parameters.unwrap_or_default());
    let stored = read.storage_descriptor.map(|read| {
        let said = said.storage_descriptor.clone().unwrap_or_default();
        crate::glue::StorageDescriptor { columns: read.columns, location: read.location, ..said }
    });
    TableInput {
        name: name.table().to_string(),
        description: read.description.or_else(|| said.description.clone()),
        table_type: read.table_type,
        storage_descriptor: stored,
        parameters: Some(parameters),
        ..said.clone()
    }
}

/// A table whose metadata file cannot be read: its pointer alone.
fn bare(name: &TableName, entry: &GlueEntry) -> TableInput {
    let mut input = entry.input.clone().unwrap_or_default();
    let mut parameters = input.parameters.take().unwrap_or_default();
    parameters.insert("table_type".into(), "ICEBERG".into());
    parameters
        .insert(crate::glue::METADATA_LOCATION.into(), entry.pointer.metadata_location.clone());
    if let Some(previous) = &entry.pointer.previous_metadata_location {
        parameters.insert(crate::glue::PREVIOUS_METADATA_LOCATION.into(), previous.clone());
    }
    TableInput {
        name: name.table().to_string(),
        table_type: Some("EXTERNAL_TABLE".into()),
        parameters: Some(parameters),
        ..input
    }
}

/// A JSON object that was written from a value.
pub(super) fn object(written: serde_json::Result<Value>) -> Result<Map<String, Value>> {
    match written {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Error::new(ErrorKind::Internal, "an answer cannot be written as JSON")),
    }
}
