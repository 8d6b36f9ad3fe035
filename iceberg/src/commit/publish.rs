//! The commit: a change of files is put on top of whatever the table holds by then, or is not.

use async_trait::async_trait;
use iceberg::spec::{DataFile, MAIN_BRANCH};

use super::change::FileChange;
use super::outcome::Outcome;
use super::retry::Backoff;
use super::settle::{Settled, settle};
use super::snapshot::{Staged, stage};
use super::summary::CommitRequest;
use crate::observer::Event;
use crate::refs::{check_name, is_tag};
use crate::table::WriteProperties;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, Retry, storage};
use northstar_catalog::Swap;

/// What must hold for a change to be put on top of commits that came after it was planned.
#[async_trait]
pub trait Validation: Send + Sync {
    /// Why the change may not be put on top of `head`, if so. Asked whenever the head is another than
    /// the table that the change was planned on, if only by its properties or by an expiry.
    async fn conflict(&self, head: &LakeTable) -> Result<Option<String>>;
}

/// Lets every change pass: that of an append, which depends on nothing that is there.
struct Anywhere;

#[async_trait]
impl Validation for Anywhere {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(None)
    }
}

impl Lake {
    /// Appends data files, written for `table`, as one snapshot on the table's head.
    ///
    /// No files make no snapshot. See [`Lake::commit`].
    ///
    /// # Errors
    /// As [`Lake::commit`].
    pub async fn append(
        &self,
        table: &LakeTable,
        files: &[DataFile],
        request: &CommitRequest,
    ) -> Result<Outcome> {
        let change = FileChange { added: files.to_vec(), ..FileChange::default() };
        self.commit(table, &change, request, &Anywhere).await
    }

    /// Makes a change, planned on `table`, one snapshot on the head of its branch. A branch that is
    /// not there begins at the current snapshot.
    ///
    /// Tried again while other writers come first, as the table's `commit.retry.*` properties say
    /// and as long as `validation` allows. An empty change makes no snapshot. Whatever the outcome
    /// but `Committed` and `Unknown`, the added files are not part of the table and the caller may
    /// remove them. A file to be removed that is no longer alive is a conflict.
    ///
    /// # Errors
    /// `Conflict` if other commits come first too often; `InvalidInput` for a clock far behind the
    /// table, for a tag in the place of a branch, and for a name that a new branch cannot have;
    /// `Unavailable` (retry) if the catalog stays locked; `Damaged` for a manifest list that cannot be
    /// read; storage errors. In each of them nothing has changed.
    pub async fn commit(
        &self,
        table: &LakeTable,
        change: &FileChange,
        request: &CommitRequest,
        validation: &dyn Validation,
    ) -> Result<Outcome> {
        table.check_writable()?;
        let properties = WriteProperties::read(table.metadata().properties())?;
        let mut backoff = Backoff::new(&properties, self.ids.as_ref());
        loop {
            let head = self.reload(table).await?;
            let branch = change.branch();
            check_target(&head, branch)?;
            if let Some(snapshot_id) = head.snapshot_of_commit_on(branch, &request.commit_id) {
                return Ok(Outcome::AlreadyCommitted { snapshot_id });
            }
            if change.is_empty() {
                return Ok(Outcome::Unchanged);
            }
            let snapshot_id = head_id(&head, branch);
            let mut reason = conflict(table, &head, request, branch);
            if reason.is_none() && head.metadata_location() != table.metadata_location() {
                reason = validation.conflict(&head).await?;
            }
            if let Some(reason) = reason {
                return Ok(Outcome::Conflicted { snapshot_id, reason });
            }
            let attempts = backoff.failures() + 1;
            let failure = match self.attempt(&head, change, request, attempts).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => None,
                Err(error) if error.retry() == Retry::Again => Some(error),
                Err(error) => return Err(error),
            };
            self.observer.event(&Event::Retried { attempts });
            if !backoff.wait().await {
                return Err(failure.unwrap_or_else(|| overtaken(&head, attempts)));
            }
        }
    }

    /// One attempt; `None` if another writer was first.
    async fn attempt(
        &self,
        head: &LakeTable,
        change: &FileChange,
        request: &CommitRequest,
        attempts: u32,
    ) -> Result<Option<Outcome>> {
        let staged = match stage(self, head, change, request).await? {
            Ok(staged) => staged,
            Err(gone) => {
                let snapshot_id = head_id(head, change.branch());
                return Ok(Some(Outcome::Conflicted { snapshot_id, reason: gone }));
            }
        };
        let snapshot_id = staged.snapshot_id.unwrap_or_default();
        Ok(match self.publish(head, staged).await? {
            Published::NotCommitted => None,
            Published::Unknown(error) => Some(Outcome::Unknown(error)),
            Published::Committed(table) => {
                Some(Outcome::Committed { table, snapshot_id, attempts })
            }
        })
    }

    /// Moves the pointer from `head` to what was staged, and finds out whether it moved.
    pub(super) async fn publish(&self, head: &LakeTable, staged: Staged) -> Result<Published> {
        let Staged { snapshot_id, metadata_location, metadata, attempt } = staged;
        // Nothing may fail once the pointer has moved.
        let table = self.opened(head.name(), metadata_location, metadata)?;
        let (expected, next) = (head.metadata_location(), table.metadata_location());
        // From here on the files may be the table's, also if nobody waits for the reply any more.
        let files = attempt.sent();
        let swap = self.catalog.swap(head.name(), expected, next, table.metadata()).await;
        let settled = match swap {
            Ok(Swap::Committed) => Settled::Committed,
            Ok(Swap::Conflicted) => Settled::NotCommitted,
            Ok(Swap::Unknown(error)) => settle(self, head, next, snapshot_id, error).await,
            Err(error) => {
                storage::discard(&files);
                return Err(error);
            }
        };
        Ok(match settled {
            Settled::NotCommitted => {
                storage::discard(&files);
                Published::NotCommitted
            }
            Settled::Unknown(error) => Published::Unknown(error),
            Settled::Committed => {
                self.observer.event(&Event::Committed);
                Published::Committed(Box::new(table))
            }
        })
    }
}

/// What became of a swap.
pub(super) enum Published {
    Committed(Box<LakeTable>),
    /// It never took effect, and its files are removed.
    NotCommitted,
    Unknown(Error),
}

/// Refuses a branch that cannot be committed to.
fn check_target(head: &LakeTable, branch: &str) -> Result<()> {
    if is_tag(head.metadata(), branch)? {
        let message = format!("`{branch}` is a tag; commits go to branches");
        return Err(Error::new(ErrorKind::InvalidInput, message).with_context("table", head.name()));
    }
    match head.head_of(branch) {
        None if branch != MAIN_BRANCH => check_name(branch),
        _ => Ok(()),
    }
}

/// The snapshot that the next commit to a branch builds on.
fn head_id(table: &LakeTable, branch: &str) -> Option<i64> {
    table.base_of(branch).map(|snapshot| snapshot.snapshot_id())
}

fn overtaken(head: &LakeTable, attempts: u32) -> Error {
    let text =
        format!("another writer came first in each of {attempts} attempts; run the job again");
    Error::new(ErrorKind::Conflict, text).with_context("table", head.name())
}

/// Why a change that was planned on `table` can never be put on `head`, not even planned anew.
pub(crate) fn lasting_conflict(
    table: &LakeTable,
    head: &LakeTable,
    request: &CommitRequest,
    branch: &str,
) -> Option<String> {
    if table.metadata().uuid() != head.metadata().uuid() {
        return Some("the table was dropped and made again".to_string());
    }
    // It would begin anew at another snapshot than the one that was planned on.
    if table.head_of(branch).is_some() && head.head_of(branch).is_none() {
        return Some(format!("branch `{branch}` was dropped"));
    }
    let (key, expected) = request.expect.as_ref()?;
    (head.inherited_summary_on(branch, key) != expected.as_deref()).then(|| format!("{key} moved"))
}

/// Why the head no longer takes files that were written for `table`, if so.
fn conflict(
    table: &LakeTable,
    head: &LakeTable,
    request: &CommitRequest,
    branch: &str,
) -> Option<String> {
    let (before, now) = (table.metadata(), head.metadata());
    if before.uuid() == now.uuid() {
        if before.current_schema_id() != now.current_schema_id() {
            return Some("its schema changed".to_string());
        }
        if before.default_partition_spec_id() != now.default_partition_spec_id() {
            return Some("its partition spec changed".to_string());
        }
    }
    lasting_conflict(table, head, request, branch)
}
