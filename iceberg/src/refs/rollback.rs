//! A branch set back to an earlier snapshot: rows and watermarks at once (W3).

use std::collections::HashSet;

use iceberg::spec::{MAIN_BRANCH, SnapshotReference};

use super::define::{find, moved, require};
use super::list::RefKind;
use super::retention::Retention;
use crate::commit::{Altered, unfit};
use crate::travel::{AsOf, resolve};
use crate::{Error, ErrorKind, Lake, LakeTable, Result, Retry};

/// What setting a branch to a snapshot would do. Nothing has happened yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// The branch.
    pub branch: String,
    /// The snapshot that it names now; `None` for `main` of a table without a snapshot.
    pub from: Option<i64>,
    /// The snapshot that it will name.
    pub to: i64,
    /// The snapshots that would no longer be part of the branch, newest first.
    pub undone: Vec<i64>,
    /// Whether `to` is `from` or one of its ancestors, so that this is only a way back.
    pub is_ancestor: bool,
}

impl Rollback {
    /// Plans to set `branch` to the snapshot `to`.
    ///
    /// # Errors
    /// `NotFound` for a branch or snapshot that the table does not have; `InvalidInput` for a tag.
    pub fn plan(table: &LakeTable, branch: &str, to: i64) -> Result<Self> {
        let metadata = table.metadata();
        resolve(metadata, &AsOf::Snapshot(to))?;
        if branch != MAIN_BRANCH {
            require(table, RefKind::Branch, branch)?;
        }
        let from = table.head_of(branch).map(|head| head.snapshot_id());
        let kept: HashSet<i64> = ancestors(table, Some(to)).collect();
        Ok(Self {
            branch: branch.to_string(),
            from,
            to,
            undone: ancestors(table, from).filter(|id| !kept.contains(id)).collect(),
            is_ancestor: ancestors(table, from).any(|id| id == to),
        })
    }
}

impl Lake {
    /// Sets a branch back as planned, if it is still where it was then: a commit that came in between
    /// is never undone unseen. `Unchanged` if it is there already.
    ///
    /// The next load inherits its watermark from the snapshot that is current then, so files that
    /// were loaded by what is undone are loaded again, once. `any` allows a snapshot that is no
    /// ancestor, such as one that was undone before.
    ///
    /// # Errors
    /// `InvalidInput` for a snapshot that is no ancestor, without `any`; `NotFound` if it has expired
    /// by now; `Conflict` if the branch has moved; what [`Lake::alter`] says.
    pub async fn roll_back(
        &self,
        table: &LakeTable,
        plan: &Rollback,
        any: bool,
    ) -> Result<Altered> {
        if !plan.is_ancestor && !any {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "snapshot {} is no ancestor of `{}`, so this is no way back; if it is meant all \
                     the same, allow any snapshot",
                    plan.to, plan.branch
                ),
            )
            .with_context("table", table.name()));
        }
        self.move_branch(table, &plan.branch, plan.from, plan.to).await
    }

    /// Makes a branch name `to`, if it still names `from`. What it keeps stays as it is.
    pub(super) async fn move_branch(
        &self,
        table: &LakeTable,
        branch: &str,
        from: Option<i64>,
        to: i64,
    ) -> Result<Altered> {
        self.alter(table, |head, builder| {
            let now = head.head_of(branch).map(|snapshot| snapshot.snapshot_id());
            if now == Some(to) {
                return Ok(None);
            }
            let found = find(head.metadata(), branch)?;
            if now != from {
                return Err(match found {
                    Some(found) => moved(&found),
                    None => gone(branch),
                });
            }
            resolve(head.metadata(), &AsOf::Snapshot(to))?;
            let retention = found.map_or_else(Retention::default, |found| found.retention);
            let reference = SnapshotReference::new(to, retention.to_iceberg(RefKind::Branch));
            builder.set_ref(branch, reference).map(Some).map_err(|error| unfit(head, error))
        })
        .await
    }
}

/// A snapshot, then its parent, and so on as far as they are kept.
pub(super) fn ancestors(table: &LakeTable, from: Option<i64>) -> impl Iterator<Item = i64> {
    let metadata = table.metadata();
    std::iter::successors(from.and_then(|id| metadata.snapshot_by_id(id)), |snapshot| {
        metadata.snapshot_by_id(snapshot.parent_snapshot_id()?)
    })
    .map(|snapshot| snapshot.snapshot_id())
}

fn gone(branch: &str) -> Error {
    Error::new(ErrorKind::Conflict, "the branch is gone by now; look at the table again")
        .with_context("name", branch)
        .with_retry(Retry::Never)
}
