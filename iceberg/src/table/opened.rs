//! A table at the metadata it was opened with.

use iceberg::spec::{Snapshot, TableMetadata};
use iceberg::table::Table;

use crate::{Error, ErrorKind, Result, TableName};

/// A table as it stood when it was opened: it does not follow later commits.
#[derive(Debug, Clone)]
pub struct LakeTable {
    name: TableName,
    metadata_location: String,
    inner: Table,
}

impl LakeTable {
    pub(crate) fn new(name: TableName, metadata_location: String, inner: Table) -> Self {
        Self { name, metadata_location, inner }
    }

    /// The table's full name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The metadata file that was read, which is what a commit expects the pointer to show.
    pub fn metadata_location(&self) -> &str {
        &self.metadata_location
    }

    /// What that file says.
    pub fn metadata(&self) -> &TableMetadata {
        self.inner.metadata()
    }

    /// The same table in Apache's type, for scans.
    pub fn inner(&self) -> &Table {
        &self.inner
    }

    /// The value of a summary property in the nearest ancestor of the current snapshot that has it:
    /// how watermarks and sequences are kept (a rollback takes them back with the rows).
    pub fn inherited_summary(&self, key: &str) -> Option<&str> {
        self.ancestors().find_map(|snapshot| {
            snapshot.summary().additional_properties.get(key).map(String::as_str)
        })
    }

    /// The current snapshot, then its parent, and so on as far as they are kept.
    pub fn ancestors(&self) -> impl Iterator<Item = &Snapshot> {
        let metadata = self.inner.metadata();
        std::iter::successors(metadata.current_snapshot(), |snapshot| {
            metadata.snapshot_by_id(snapshot.parent_snapshot_id()?)
        })
        .map(AsRef::as_ref)
    }

    /// The ancestor that was committed with `commit_id`, if there is one (W2).
    pub fn snapshot_of_commit(&self, commit_id: &str) -> Option<i64> {
        let key = crate::commit::summary::COMMIT_ID;
        self.ancestors()
            .find(|snapshot| {
                snapshot.summary().additional_properties.get(key).is_some_and(|id| id == commit_id)
            })
            .map(Snapshot::snapshot_id)
    }

    /// The folder that the table's files stand in, without a slash at its end.
    pub fn location(&self) -> &str {
        self.inner.metadata().location().trim_end_matches('/')
    }

    /// Refuses a table that this version cannot write to.
    ///
    /// # Errors
    /// `Unsupported`, with the format version.
    pub fn check_writable(&self) -> Result<()> {
        let version = self.inner.metadata().format_version();
        if version == iceberg::spec::FormatVersion::V2 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "tables of format version {version} are read, not written; this needs version 2"
            ),
        )
        .with_context("table", &self.name))
    }
}
