//! The table that changes are merged into: what the contract says of it, or the table itself.

use northstar_iceberg::table::TableDefinition;
use northstar_iceberg::table::schema::arrow_schema;
use northstar_iceberg::{LakeTable, TableName};

use super::columns;
use crate::bronze::define::{KEY_PROPERTY, column_type, source_definition};
use crate::contract::{Deletes, TableContract};
use crate::sources::csv::{Column, ColumnType};
use crate::{Error, ErrorKind, Result};

const VERSION_PROPERTY: &str = "northstar.version";
/// Set to `true` if the version is a timestamp without a zone and its times are in UTC.
const VERSION_IS_UTC_PROPERTY: &str = "northstar.version-is-utc";
const DELETES_PROPERTY: &str = "northstar.deletes";

/// A table of merged changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: TableName,
    /// The columns of the source, in the table's order.
    pub(super) columns: Vec<Column>,
    pub(super) key: Vec<String>,
    pub(super) version: Option<String>,
    /// Whether the version, if it is a timestamp without a zone, holds times in UTC.
    pub(super) version_is_utc: bool,
    pub(super) deletes: Deletes,
}

impl Target {
    /// The table to be made for these columns.
    ///
    /// # Errors
    /// `InvalidInput` if the contract names no key, columns that there are not, or a version that may
    /// not rise.
    pub(super) fn planned(
        name: TableName,
        columns: Vec<Column>,
        contract: &TableContract,
    ) -> Result<Self> {
        if contract.key().is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "a table that changes are merged into needs a key; write key = [\"…\"] under [{}] in \
                     the contract, and name that with --contract",
                    name.table()
                ),
            )
            .with_context("table", &name));
        }
        let known = |column: &str| {
            let found = columns.iter().find(|known| known.name.eq_ignore_ascii_case(column));
            found.map(|known| known.name.clone()).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!("the contract speaks of a column that the files do not have: {column}"),
                )
                .with_context("table", &name)
            })
        };
        let key = contract.key().iter().map(|column| known(column)).collect::<Result<_>>()?;
        let version = contract.version().map(known).transpose()?;
        let deletes = contract.deletes()?.unwrap_or(Deletes::Soft);
        let version_is_utc = contract.version_is_utc();
        let target = Self { name, columns, key, version, version_is_utc, deletes };
        target.check_version().map_err(|error| error.with_context("table", &target.name))?;
        Ok(target)
    }

    /// The table that is there, if the contract says nothing else of it.
    ///
    /// # Errors
    /// `Unsupported` for a table that no merge made, or with a column of a type that change files do
    /// not have; `InvalidInput` for a contract that says something else, and for a version that may
    /// not rise.
    pub(super) fn of_table(table: &LakeTable, contract: &TableContract) -> Result<Self> {
        let in_table = |error: Error| error.with_context("table", table.name());
        let property = |key: &str| table.metadata().properties().get(key).map(String::as_str);
        let foreign = || {
            in_table(Error::new(
                ErrorKind::Unsupported,
                "the table is there but was not made for changes: it lacks their columns or \
                 properties; merge into another table",
            ))
        };
        let key = property(KEY_PROPERTY).ok_or_else(foreign)?;
        let key: Vec<String> = key.split(',').map(str::to_string).collect();
        let version = property(VERSION_PROPERTY).map(str::to_string);
        let said_utc = property(VERSION_IS_UTC_PROPERTY) == Some("true");
        let version_is_utc = said_utc || contract.version_is_utc();
        let deletes: Deletes = property(DELETES_PROPERTY).ok_or_else(foreign)?.parse()?;
        let schema = arrow_schema(table.metadata().current_schema())?;
        let added = columns::added(deletes);
        let split = schema.fields().len().saturating_sub(added.len());
        let (source, rest) = schema.fields().split_at(split);
        let fits = rest.iter().zip(&added).all(|(field, added)| {
            *field.name() == added.name && *field.data_type() == added.data_type
        });
        if !fits {
            return Err(foreign());
        }
        let typed = source.iter().map(|field| {
            let kind = column_type(field.data_type()).ok_or_else(|| {
                in_table(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "column {} has type {}, which change files do not",
                        field.name(),
                        field.data_type()
                    ),
                ))
            })?;
            Ok(Column::new(field.name(), kind))
        });
        let columns = typed.collect::<Result<Vec<_>>>()?;
        let name = table.name().clone();
        let target = Self { name, columns, key, version, version_is_utc, deletes };
        target.check(contract).and_then(|()| target.check_version()).map_err(in_table)?;
        Ok(target)
    }

    /// Refuses a version that falls while the source goes on: a local time, in the hour that the end
    /// of daylight saving repeats. The older of two states would win then.
    fn check_version(&self) -> Result<()> {
        let Some(version) = &self.version else { return Ok(()) };
        let column = self.columns.iter().find(|known| known.name.eq_ignore_ascii_case(version));
        let is_local = column.is_some_and(|column| column.column_type == ColumnType::Timestamp);
        if !is_local || self.version_is_utc {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "the version {version} is a timestamp without a zone: local times run twice through the \
                 hour that the end of daylight saving repeats, and an older state of a row would win; \
                 name a column of type timestamptz or a number that rises, or leave version out, so \
                 that the position in the log (commit_lsn) decides; if the column holds times in UTC, \
                 write version_is_utc = true under [{}] in the contract",
                self.name.table()
            ),
        ))
    }

    /// Refuses a contract that says something else.
    fn check(&self, contract: &TableContract) -> Result<()> {
        let same = |ours: &[String], theirs: &[String]| {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(a, b)| a.eq_ignore_ascii_case(b))
        };
        let version = contract.version().map(str::to_string);
        let said = |one: &Option<String>| one.iter().cloned().collect::<Vec<_>>();
        let deletes = contract.deletes()?;
        let differs = if !contract.key().is_empty() && !same(&self.key, contract.key()) {
            Some(("key", self.key.join(", ")))
        } else if version.is_some() && !same(&said(&self.version), &said(&version)) {
            Some(("version", self.version.clone().unwrap_or_else(|| "none".to_string())))
        } else if deletes.is_some_and(|deletes| deletes != self.deletes) {
            Some(("deletes", self.deletes.as_str().to_string()))
        } else {
            None
        };
        if let Some((what, made)) = differs {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "the contract's {what} is not that of the table, which was made with {made}; \
                     correct the contract, or merge into another table"
                ),
            ));
        }
        for column in &self.columns {
            match contract.column_type(&column.name)? {
                Some(kind) if kind != column.column_type => {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        format!(
                            "the contract gives column {} type {kind}, and the table has {}; correct \
                             the contract, or merge into another table",
                            column.name, column.column_type
                        ),
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How the table is made.
    ///
    /// # Errors
    /// `InvalidInput` if the contract speaks of columns that there are not.
    pub(super) fn definition(&self, contract: &TableContract) -> Result<TableDefinition> {
        let mut definition = source_definition(&self.columns, contract)
            .map_err(|error| error.with_context("table", &self.name))?;
        definition.columns.extend(columns::added(self.deletes));
        let properties = &mut definition.properties;
        properties.insert(KEY_PROPERTY.into(), self.key.join(","));
        properties.insert(DELETES_PROPERTY.into(), self.deletes.as_str().into());
        if let Some(version) = &self.version {
            properties.insert(VERSION_PROPERTY.into(), version.clone());
            if self.version_is_utc {
                properties.insert(VERSION_IS_UTC_PROPERTY.into(), "true".into());
            }
        }
        Ok(definition)
    }
}
