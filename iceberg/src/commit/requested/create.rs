//! New tables: drafted, made at once, or made by the commit that fills them.

use std::collections::HashMap;

use iceberg::TableUpdate;
use iceberg::spec::{
    FormatVersion, Schema, SortOrder, TableMetadata, TableMetadataBuilder, TableProperties,
    UnboundPartitionSpec,
};
use uuid::Uuid;

use super::allow::{check_new, check_requirements, check_snapshot, check_version, refused};
use super::apply::{added, check_result, times, updated};
use super::commit::Part;
use super::files::{added_files, not_whole};
use super::place::check_alone;
use super::{RequestedChange, RequestedTable};
use crate::access::Access;
use crate::commit::presence::check_present;
use crate::commit::snapshot::Attempt;
use crate::lake::{dated, dated_apart};
use crate::table::evolve::{check_schema, check_spec};
use crate::table::properties;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, TableName, storage};

impl Lake {
    /// The table that a client wants, which is nowhere yet: neither its metadata file nor an entry in
    /// the catalog. A commit with `NotExist` makes it. Its folders are there, for clients that do not
    /// make them.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` if the namespace is not there; `InvalidInput` for a definition that
    /// makes no sense, and for a location that is not in the warehouse or another table's;
    /// `Unsupported` for what only format version 3 has.
    pub async fn stage_requested(&self, wanted: &RequestedTable) -> Result<LakeTable> {
        let draft = self.draft_requested(wanted).await?;
        for folder in ["data", "metadata"] {
            storage::make_folder(&format!("{}/{folder}", draft.location()))?;
        }
        Ok(draft)
    }

    async fn draft_requested(&self, wanted: &RequestedTable) -> Result<LakeTable> {
        self.check_free(&wanted.name).await?;
        check_version(wanted.version)?;
        check_schema(&wanted.schema)?;
        let properties = all_properties(&wanted.properties)?;
        let id = self.ids.uuid();
        let location = match &wanted.location {
            None => self.own_folder(&wanted.name, id),
            Some(location) => {
                check_alone(self, &wanted.name, location).await?;
                location.trim_end_matches('/').to_string()
            }
        };
        let spec = wanted.spec.clone().unwrap_or_default();
        check_spec(&spec, &wanted.schema, &properties)?;
        let order = wanted.order.clone().unwrap_or_else(SortOrder::unsorted_order);
        let (schema, version) = (wanted.schema.clone(), wanted.version);
        let metadata =
            TableMetadataBuilder::new(schema, spec, order, location, version, properties)
                .and_then(|builder| builder.assign_uuid(id).build())
                .map_err(undefined(&wanted.name))?
                .metadata;
        self.drafted(&wanted.name, dated(metadata, &[], self.clock.now_ms())?)
    }

    /// Makes the table that a client wants. It has no snapshot yet.
    ///
    /// # Errors
    /// As [`Lake::stage_requested`]; `CommitUnknown` if it may have been made; storage errors.
    pub async fn create_requested(
        &self,
        wanted: &RequestedTable,
        access: &Access,
    ) -> Result<LakeTable> {
        let draft = self.draft_requested(wanted).await?;
        self.create_drafted(&draft, access).await?;
        Ok(draft)
    }

    /// Refuses a name that is taken, and a namespace that is not there.
    pub(super) async fn check_free(&self, name: &TableName) -> Result<()> {
        match self.catalog.pointer(name).await {
            Ok(_) => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("a table `{name}` exists already; choose another name or drop it first"),
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.catalog.list_tables(name.namespace()).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    /// What a change makes of nothing: a new table, whose first metadata file is on disk.
    pub(super) async fn part_of_new(&self, change: &RequestedChange) -> Result<Part> {
        let of_table = |error: Error| error.with_context("table", &change.name);
        self.check_free(&change.name).await?;
        check_requirements(change, None).map_err(of_table)?;
        let now_ms = self.clock.now_ms();
        let id = self.ids.uuid();
        let folder = self.own_folder(&change.name, id);
        let metadata = new_metadata(change, id, folder, now_ms).map_err(of_table)?;
        check_alone(self, &change.name, metadata.location()).await?;
        let new = added(change, &metadata);
        let next = self.drafted(&change.name, metadata)?;
        let files = added_files(self, &next, &new).await.map_err(of_table)?;
        let synced = tokio::task::spawn_blocking(move || {
            let locations: Vec<String> =
                files.iter().map(|file| file.location().to_string()).collect();
            storage::make_durable(&locations)?;
            check_present(&files, now_ms)
        });
        synced
            .await
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "bringing files to disk was broken off")
                    .with_source(error)
            })?
            .map_err(|error| of_table(not_whole(error)))?;
        let attempt = Attempt::of(vec![self.write_first(&next).await?]);
        Ok(Part { head: None, next, attempt })
    }
}

/// The metadata that updates make of nothing.
///
/// # Errors
/// `InvalidInput` for updates that make no table, or one with other ids than they say: its files
/// would not be found again.
fn new_metadata(
    change: &RequestedChange,
    id: Uuid,
    folder: String,
    now_ms: i64,
) -> Result<TableMetadata> {
    let seed = Seed::of(change)?;
    let spec = seed.spec.cloned().unwrap_or_default();
    let order = seed.order.cloned().unwrap_or_else(SortOrder::unsorted_order);
    let location = seed.location.map_or(folder, str::to_string);
    let version = seed.version;
    let mut sequence = 0;
    for update in &change.updates {
        check_new(update)?;
        if let TableUpdate::AddSnapshot { snapshot } = update {
            check_snapshot(snapshot, version, &mut sequence, now_ms)?;
        }
    }
    let properties = all_properties(&HashMap::new())?;
    let fresh = |error: iceberg::Error| undefined(&change.name)(error);
    let builder = TableMetadataBuilder::new(
        seed.schema.clone(),
        spec.clone(),
        order,
        location,
        version,
        properties,
    )
    .map_err(fresh)?
    .assign_uuid(id);
    let metadata = updated(builder, &change.updates)?.metadata;
    let kept = metadata.schemas_iter().any(|schema| schema.as_struct() == seed.schema.as_struct());
    if !kept || metadata.schemas_iter().len() > seed.schemas || !has_spec(&metadata, &spec) {
        return Err(refused(
            "the ids of the new table's columns or partition fields are not those that a new table \
             gets; stage the table first (stage-create) and use its ids",
        ));
    }
    check_result(change, &metadata)?;
    let (updated_ms, entry_ms) = times(change, &metadata, now_ms);
    dated_apart(metadata, &[], updated_ms, entry_ms)
}

/// Whether the metadata has the spec under the ids that it was given.
fn has_spec(metadata: &TableMetadata, wanted: &UnboundPartitionSpec) -> bool {
    let spec = metadata.partition_spec_by_id(wanted.spec_id().unwrap_or_default());
    spec.is_some_and(|spec| {
        spec.fields().len() == wanted.fields().len()
            && spec.fields().iter().zip(wanted.fields()).all(|(is, wanted)| {
                is.source_id == wanted.source_id
                    && is.transform == wanted.transform
                    && wanted.field_id.is_none_or(|id| id == is.field_id)
            })
    })
}

/// What of the updates a new table begins with.
struct Seed<'a> {
    schema: &'a Schema,
    /// How many schemas there are.
    schemas: usize,
    spec: Option<&'a UnboundPartitionSpec>,
    order: Option<&'a SortOrder>,
    location: Option<&'a str>,
    version: FormatVersion,
}

impl<'a> Seed<'a> {
    fn of(change: &'a RequestedChange) -> Result<Self> {
        let updates = || change.updates.iter();
        let mut schemas = updates().filter_map(|update| match update {
            TableUpdate::AddSchema { schema } => Some(schema),
            _ => None,
        });
        let Some(schema) = schemas.next() else {
            return Err(refused("a new table needs a schema: add-schema is missing"));
        };
        Ok(Self {
            schema,
            schemas: 1 + schemas.count(),
            spec: updates().find_map(|update| match update {
                TableUpdate::AddSpec { spec } => Some(spec),
                _ => None,
            }),
            order: updates().find_map(|update| match update {
                TableUpdate::AddSortOrder { sort_order } => Some(sort_order),
                _ => None,
            }),
            location: updates().rev().find_map(|update| match update {
                TableUpdate::SetLocation { location } => Some(location.as_str()),
                _ => None,
            }),
            version: updates()
                .filter_map(|update| match update {
                    TableUpdate::UpgradeFormatVersion { format_version } => Some(*format_version),
                    _ => None,
                })
                .max()
                .unwrap_or(FormatVersion::V2),
        })
    }
}

/// The properties of a new table: those that each gets, then what was asked for.
///
/// # Errors
/// `InvalidInput` for those that the metadata itself keeps.
fn all_properties(wanted: &HashMap<String, String>) -> Result<HashMap<String, String>> {
    let reserved = |key: &&String| TableProperties::RESERVED_PROPERTIES.contains(&key.as_str());
    if let Some(key) = wanted.keys().find(reserved) {
        return Err(refused(&format!(
            "{key} is kept in the table's metadata itself and cannot be set"
        )));
    }
    let mut all: HashMap<String, String> = properties::defaults().into_iter().collect();
    all.extend(wanted.clone());
    Ok(all)
}

fn undefined(name: &TableName) -> impl Fn(iceberg::Error) -> Error {
    move |error| {
        let text = format!("the table cannot be defined so: {}", error.message());
        Error::new(ErrorKind::InvalidInput, text).with_context("table", name)
    }
}
