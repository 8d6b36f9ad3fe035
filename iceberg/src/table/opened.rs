//! A table at the metadata it was opened with.

use std::sync::Arc;

use iceberg::spec::{MAIN_BRANCH, Snapshot, SnapshotRef, TableMetadata};
use iceberg::table::Table;

use crate::maintenance::base_key;
use crate::scan::ManifestCache;
use crate::{Error, ErrorKind, Result, TableName};

/// A table as it stood when it was opened: it does not follow later commits.
#[derive(Debug, Clone)]
pub struct LakeTable {
    name: TableName,
    metadata_location: String,
    inner: Table,
    manifests: Arc<ManifestCache>,
}

impl LakeTable {
    pub(crate) fn new(name: TableName, metadata_location: String, inner: Table) -> Self {
        let manifests = Arc::new(ManifestCache::new(0));
        Self { name, metadata_location, inner, manifests }
    }

    /// The same table, whose manifests are looked for among those that were read before. It stays so
    /// when a commit loads the table anew.
    #[must_use]
    pub fn with_manifests(self, manifests: Arc<ManifestCache>) -> Self {
        Self { manifests, ..self }
    }

    /// Where its manifests are looked for first.
    pub fn manifests(&self) -> &Arc<ManifestCache> {
        &self.manifests
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
        self.inherited_summary_on(MAIN_BRANCH, key)
    }

    /// The same on a branch, or where it would begin: a commit to a branch that is not there makes it from
    /// the current snapshot. Where ancestors have expired, what they said is in a table property.
    pub fn inherited_summary_on(&self, branch: &str, key: &str) -> Option<&str> {
        let mut oldest = None;
        for snapshot in self.ancestors_of(self.base_of(branch)) {
            if let Some(value) = snapshot.summary().additional_properties.get(key) {
                return Some(value);
            }
            oldest = Some(snapshot.snapshot_id());
        }
        self.metadata().properties().get(&base_key(oldest?, key)).map(String::as_str)
    }

    /// The snapshot that a branch or tag names. `main` is the current one.
    pub fn head_of(&self, branch: &str) -> Option<&SnapshotRef> {
        let metadata = self.inner.metadata();
        match branch {
            MAIN_BRANCH => metadata.current_snapshot(),
            other => metadata.snapshot_for_ref(other),
        }
    }

    /// The current snapshot, then its parent, and so on as far as they are kept.
    pub fn ancestors(&self) -> impl Iterator<Item = &Snapshot> {
        self.ancestors_on(MAIN_BRANCH)
    }

    /// The same from the head of a branch.
    pub fn ancestors_on(&self, branch: &str) -> impl Iterator<Item = &Snapshot> {
        self.ancestors_of(self.head_of(branch))
    }

    /// The snapshot that the next commit to a branch builds on: its head, or the current snapshot if the
    /// branch is yet to be made.
    pub(crate) fn base_of(&self, branch: &str) -> Option<&SnapshotRef> {
        self.head_of(branch).or_else(|| self.inner.metadata().current_snapshot())
    }

    fn ancestors_of<'a>(
        &'a self,
        head: Option<&'a SnapshotRef>,
    ) -> impl Iterator<Item = &'a Snapshot> {
        let metadata = self.inner.metadata();
        std::iter::successors(head, |snapshot| {
            metadata.snapshot_by_id(snapshot.parent_snapshot_id()?)
        })
        .map(AsRef::as_ref)
    }

    /// The ancestor that was committed with `commit_id`, if there is one (W2).
    pub fn snapshot_of_commit(&self, commit_id: &str) -> Option<i64> {
        self.snapshot_of_commit_on(MAIN_BRANCH, commit_id)
    }

    /// The same on a branch, or where it would begin.
    pub fn snapshot_of_commit_on(&self, branch: &str, commit_id: &str) -> Option<i64> {
        let key = crate::commit::summary::COMMIT_ID;
        self.ancestors_of(self.base_of(branch))
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
        let upgrade = match version {
            iceberg::spec::FormatVersion::V1 => {
                "; ALTER TABLE … SET TBLPROPERTIES ('format-version' = '2') upgrades it"
            }
            _ => "",
        };
        Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "tables of format version {version} are read, not written; this needs version \
                 2{upgrade}"
            ),
        )
        .with_context("table", &self.name))
    }
}
