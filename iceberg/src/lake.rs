//! A lake: a catalog, a warehouse folder, and what every operation needs from outside.

use std::str::FromStr;
use std::sync::Arc;

use iceberg::io::FileIO;
use iceberg::spec::{FormatVersion, SnapshotLog, TableMetadata, TableMetadataBuilder};
use iceberg::table::Table;
use iceberg::{MetadataLocation, NamespaceIdent, Runtime, TableIdent};
use northstar_catalog::Catalog;
use uuid::Uuid;

use crate::access::{Access, AccessRecord, AccessSink};
use crate::clock::Clock;
use crate::commit::{CommitRequest, FileChange, stage};
use crate::ids::Ids;
use crate::observer::Observer;
use crate::table::{LakeTable, TableDefinition, WriteProperties};
use crate::{Error, ErrorKind, Result, TableName, storage};

/// A catalog and the warehouse under it.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Where tables are registered.
    pub catalog: Arc<dyn Catalog>,
    /// The location under which new tables stand, without a slash at its end.
    pub warehouse: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
    /// Where openings of tables are recorded.
    pub access: Arc<dyn AccessSink>,
    /// Who is told of progress.
    pub observer: Arc<dyn Observer>,
}

impl Lake {
    /// How metadata and manifests are read and written.
    pub fn file_io(&self) -> FileIO {
        storage::file_io()
    }

    /// Opens a table at its current metadata, and records who did and why.
    ///
    /// # Errors
    /// `NotFound` for a missing table; `Damaged` for a metadata file that cannot be read, naming it;
    /// whatever the access sink says, in which case the table is not opened.
    pub async fn open_table(&self, name: &TableName, access: &Access) -> Result<LakeTable> {
        let pointer = self.catalog.pointer(name).await?;
        self.record(name, access, "open", Some(&pointer.metadata_location)).await?;
        self.load(name, pointer.metadata_location).await
    }

    /// Loads a table anew, for a writer that has opened it already.
    pub(crate) async fn reload(&self, table: &LakeTable) -> Result<LakeTable> {
        let pointer = self.catalog.pointer(table.name()).await?;
        if pointer.metadata_location == table.metadata_location() {
            return Ok(table.clone());
        }
        let head = self.load(table.name(), pointer.metadata_location).await?;
        Ok(head.with_manifests(Arc::clone(table.manifests())))
    }

    /// Loads a table as one of its metadata files describes it.
    pub(crate) async fn load(&self, name: &TableName, location: String) -> Result<LakeTable> {
        let metadata = TableMetadata::read_from(&self.file_io(), &location)
            .await
            .map_err(|error| damaged("the table's metadata file", &location, name, error))?;
        self.opened(name, location, metadata)
    }

    pub(crate) fn opened(
        &self,
        name: &TableName,
        location: String,
        metadata: TableMetadata,
    ) -> Result<LakeTable> {
        let internal = |error: iceberg::Error| {
            Error::new(ErrorKind::Internal, "a table cannot be opened").with_source(error)
        };
        let inner = Table::builder()
            .file_io(self.file_io())
            .metadata_location(&location)
            .metadata(metadata)
            .identifier(TableIdent::new(
                NamespaceIdent::new(name.namespace().to_string()),
                name.table().to_string(),
            ))
            .runtime(Runtime::try_current().map_err(internal)?)
            .build()
            .map_err(internal)?;
        Ok(LakeTable::new(name.clone(), location, inner))
    }

    /// Makes a table in a namespace that exists. It has no snapshot yet.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidInput` for a definition that makes no sense; storage errors.
    pub async fn create_table(
        &self,
        name: &TableName,
        definition: &TableDefinition,
        access: &Access,
    ) -> Result<LakeTable> {
        let draft = self.draft_table(name, definition)?;
        self.create_drafted(&draft, access).await?;
        Ok(draft)
    }

    /// A table that is nowhere yet: neither its metadata file nor an entry in the catalog.
    ///
    /// # Errors
    /// `InvalidInput` for a definition that makes no sense.
    pub(crate) fn draft_table(
        &self,
        name: &TableName,
        definition: &TableDefinition,
    ) -> Result<LakeTable> {
        let schema = definition.schema()?;
        let spec = definition.partition_spec(&schema)?;
        let order = definition.sort_order(&schema)?;
        let properties: std::collections::HashMap<_, _> =
            definition.all_properties().into_iter().collect();
        WriteProperties::read(&properties)?;
        let id = self.ids.uuid();
        let defined = |error: iceberg::Error| {
            Error::new(ErrorKind::InvalidInput, "the table cannot be defined so")
                .with_context("table", name)
                .with_source(error)
        };
        let metadata = TableMetadataBuilder::new(
            schema,
            spec,
            order,
            self.own_folder(name, id),
            FormatVersion::V2,
            properties,
        )
        .and_then(|builder| builder.assign_uuid(id).build())
        .map_err(defined)?
        .metadata;
        self.drafted(name, dated(metadata, &[], self.clock.now_ms())?)
    }

    /// Where a new table stands. A folder of its own for each creation: a table that is dropped and
    /// made again, or that two writers make at once, never shares files.
    pub(crate) fn own_folder(&self, name: &TableName, id: Uuid) -> String {
        let id = id.simple().to_string();
        format!("{}/{}/{}-{}", self.warehouse, name.namespace(), name.table(), &id[..8])
    }

    /// A table that is nowhere yet, with a place for its first metadata file.
    pub(crate) fn drafted(&self, name: &TableName, metadata: TableMetadata) -> Result<LakeTable> {
        let location = MetadataLocation::new_with_metadata(metadata.location(), &metadata);
        self.opened(name, location.to_string(), metadata)
    }

    /// Makes a drafted table, without a snapshot.
    pub(crate) async fn create_drafted(&self, draft: &LakeTable, access: &Access) -> Result<()> {
        self.record(draft.name(), access, "create", Some(draft.metadata_location())).await?;
        let files = vec![self.write_first(draft).await?];
        self.register(draft.name(), draft.metadata_location(), draft.metadata(), files).await
    }

    /// Makes a drafted table whose first snapshot brings files; the snapshot, if there are any. It is
    /// there with them or not at all.
    ///
    /// # Errors
    /// `AlreadyExists`; storage errors. The files of the change are left to the caller, who may not
    /// remove them after `CommitUnknown`.
    pub(crate) async fn create_filled(
        &self,
        draft: &LakeTable,
        change: &FileChange,
        request: &CommitRequest,
        access: &Access,
    ) -> Result<Option<i64>> {
        if change.is_empty() {
            return self.create_drafted(draft, access).await.map(|()| None);
        }
        self.record(draft.name(), access, "create", Some(draft.metadata_location())).await?;
        let first = self.write_first(draft).await?;
        let staged = match stage(self, draft, change, request).await {
            Ok(Ok(staged)) => staged,
            Ok(Err(reason)) => {
                storage::discard(&[first]);
                return Err(Error::new(ErrorKind::Internal, reason));
            }
            Err(error) => {
                storage::discard(&[first]);
                return Err(error);
            }
        };
        let mut files = staged.attempt.sent();
        files.push(first);
        let (location, metadata) = (&staged.metadata_location, &staged.metadata);
        self.register(draft.name(), location, metadata, files).await?;
        Ok(staged.snapshot_id)
    }

    /// Writes the first metadata file of a table, and gives its location.
    pub(crate) async fn write_first(&self, draft: &LakeTable) -> Result<String> {
        let text = draft.metadata_location().to_string();
        let location = MetadataLocation::from_str(&text).map_err(|error| {
            Error::new(ErrorKind::Internal, "a metadata file has no place").with_source(error)
        })?;
        draft
            .metadata()
            .write_to(&self.file_io(), &location)
            .await
            .map_err(|error| written("the table's first metadata file", &text, error))?;
        storage::make_durable(std::slice::from_ref(&text))?;
        Ok(text)
    }

    /// Registers a new table; `files` are removed if that fails.
    pub(crate) async fn register(
        &self,
        name: &TableName,
        location: &str,
        metadata: &TableMetadata,
        files: Vec<String>,
    ) -> Result<()> {
        let registered = self.catalog.register(name, location, metadata).await;
        let Err(error) = registered else { return Ok(()) };
        // After a lost reply the files may be in use.
        if error.kind() != ErrorKind::CommitUnknown {
            storage::discard(&files);
            return Err(error);
        }
        match self.catalog.pointer(name).await {
            Ok(pointer) if pointer.metadata_location == location => Ok(()),
            _ => Err(error.with_context("table", name)),
        }
    }

    /// Removes a table from the catalog; its files stay.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn drop_table(&self, name: &TableName, access: &Access) -> Result<()> {
        self.record(name, access, "drop", None).await?;
        self.catalog.drop_table(name).await
    }

    /// Gives a table another name.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`.
    pub async fn rename_table(
        &self,
        from: &TableName,
        to: &TableName,
        access: &Access,
    ) -> Result<()> {
        self.record(from, access, "rename", None).await?;
        self.catalog.rename_table(from, to).await
    }

    pub(crate) async fn record(
        &self,
        table: &TableName,
        access: &Access,
        action: &str,
        metadata_location: Option<&str>,
    ) -> Result<()> {
        let record = AccessRecord {
            time_ms: self.clock.now_ms(),
            actor: access.actor().to_string(),
            purpose: access.purpose().to_string(),
            table: table.to_string(),
            action: action.to_string(),
            metadata_location: metadata_location.map(str::to_string),
        };
        self.access.record(&record).await
    }
}

/// The metadata with its time set: Apache's builder takes it from the machine, and a snapshot may not
/// be older than it. An entry at the end of the snapshot log that was not there `before` has the same
/// time, by which `TIMESTAMP AS OF` finds it.
pub(crate) fn dated(
    metadata: TableMetadata,
    before: &[SnapshotLog],
    now_ms: i64,
) -> Result<TableMetadata> {
    dated_apart(metadata, before, now_ms, now_ms)
}

/// The same with a time of its own for the new entry of the log.
pub(crate) fn dated_apart(
    metadata: TableMetadata,
    before: &[SnapshotLog],
    now_ms: i64,
    entry_ms: i64,
) -> Result<TableMetadata> {
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::Internal, "table metadata does not survive JSON").with_source(error)
    };
    let is_new = metadata.history().last() != before.last();
    let mut json = serde_json::to_value(metadata).map_err(failed)?;
    json["last-updated-ms"] = now_ms.into();
    let log = json.get_mut("snapshot-log").and_then(serde_json::Value::as_array_mut);
    if let Some(last) = log.and_then(|log| log.last_mut()).filter(|_| is_new) {
        last["timestamp-ms"] = entry_ms.into();
    }
    serde_json::from_value(json).map_err(failed)
}

/// An error of Apache's `iceberg` while it read a stored file.
pub(crate) fn damaged(
    what: &str,
    location: &str,
    table: impl std::fmt::Display,
    error: iceberg::Error,
) -> Error {
    let missing = match storage::stored(&error) {
        Some(ours) if ours.kind() == ErrorKind::NotFound => true,
        // A bucket that cannot be read says nothing about the file.
        Some(_) => false,
        None => {
            storage::local_path(location).is_ok_and(|path| matches!(path.try_exists(), Ok(false)))
        }
    };
    if !missing && let Some(ours) = storage::of_bucket(&error, format!("{what} cannot be read")) {
        return ours.with_context("table", table).with_context("file", location);
    }
    let message = if missing {
        format!(
            "{what} is missing; restore it from a backup, or register the table at an earlier metadata file"
        )
    } else {
        format!(
            "{what} cannot be read; restore it from a backup, or register the table at an earlier metadata file"
        )
    };
    Error::new(ErrorKind::Damaged, message)
        .with_context("table", table)
        .with_context("file", location)
        .with_source(error)
}

/// An error of Apache's `iceberg` while it wrote a file: its kind follows from the I/O error within.
pub(crate) fn written(what: &str, location: &str, error: iceberg::Error) -> Error {
    if let Some(ours) = storage::of_bucket(&error, format!("cannot write {what}")) {
        return ours.with_context("path", location);
    }
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Error::io(std::io::Error::from(io.kind()), &format!("write {what}"), location);
        }
        cause = inner.source();
    }
    let text = error.to_string();
    let kind = if text.contains("No space left") || text.contains("os error 28") {
        ErrorKind::StorageFull
    } else if text.contains("Permission denied") || text.contains("Read-only file system") {
        ErrorKind::PermissionDenied
    } else {
        ErrorKind::Storage
    };
    Error::new(kind, format!("cannot write {what}"))
        .with_context("path", location)
        .with_source(error)
}
