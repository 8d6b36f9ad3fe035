//! A change of a table's definition, made on whatever the table is by then.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{FormatVersion, TableMetadataBuilder};

use super::columns::{self, ColumnChange};
use super::fields::{self, FieldChange};
use super::settings;
use crate::commit::Altered;
use crate::{Error, ErrorKind, Lake, LakeTable, Result};

/// What Iceberg's engines call the version of a table's format among its properties.
const FORMAT_VERSION: &str = "format-version";

/// A change of a table's definition. All of it is made, or nothing.
#[derive(Debug, Clone)]
pub enum TableChange {
    /// Of columns.
    Columns(Vec<ColumnChange>),
    /// Of the partition spec: files that are there keep theirs.
    PartitionFields(Vec<FieldChange>),
    /// Properties that are set. `format-version` is none in truth: `2` upgrades a table of version 1.
    SetProperties(BTreeMap<String, String>),
    /// Properties that go.
    UnsetProperties(Vec<String>),
}

impl Lake {
    /// Changes a table's definition; no file is read or written but the metadata file.
    ///
    /// # Errors
    /// `InvalidInput`, `AlreadyExists`, `NotFound` and `Unsupported` for a change that cannot be
    /// made, with the reason; else as [`Lake::alter`].
    pub async fn evolve(&self, table: &LakeTable, change: &TableChange) -> Result<Altered> {
        self.alter(table, |head, builder| {
            change.apply(head, builder).map_err(|error| error.with_context("table", head.name()))
        })
        .await
    }
}

impl TableChange {
    fn apply(
        &self,
        head: &LakeTable,
        builder: TableMetadataBuilder,
    ) -> Result<Option<TableMetadataBuilder>> {
        let metadata = head.metadata();
        let properties = metadata.properties();
        let next = match self {
            Self::Columns(changes) => {
                let Some(evolved) = columns::evolved(metadata, changes)? else { return Ok(None) };
                let (set, gone) = settings::follow(properties, &evolved.renamed, &evolved.dropped);
                builder
                    .add_current_schema(evolved.schema)
                    .and_then(|builder| builder.set_properties(set))
                    .and_then(|builder| builder.remove_properties(&gone))
            }
            Self::PartitionFields(changes) => match fields::evolved(metadata, changes)? {
                None => return Ok(None),
                Some(spec) => builder.add_default_partition_spec(spec),
            },
            Self::SetProperties(wanted) => {
                let mut wanted = wanted.clone();
                let upgrades = match wanted.remove(FORMAT_VERSION) {
                    Some(version) => settings::upgrades(metadata, &version)?,
                    None => false,
                };
                let set: HashMap<String, String> = wanted
                    .iter()
                    .filter(|(key, value)| properties.get(*key) != Some(value))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                let mut all = properties.clone();
                all.extend(wanted);
                settings::check(&all, metadata.current_schema())?;
                match (set.is_empty(), upgrades) {
                    (true, false) => return Ok(None),
                    (_, false) => builder.set_properties(set),
                    (_, true) => builder
                        .upgrade_format_version(FormatVersion::V2)
                        .and_then(|builder| builder.set_properties(set)),
                }
            }
            Self::UnsetProperties(keys) => {
                let gone: Vec<String> =
                    keys.iter().filter(|key| properties.contains_key(*key)).cloned().collect();
                if gone.is_empty() {
                    return Ok(None);
                }
                builder.remove_properties(&gone)
            }
        };
        next.map(Some).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "the table cannot be changed so").with_source(error)
        })
    }
}
