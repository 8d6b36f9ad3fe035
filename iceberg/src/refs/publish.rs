//! Write, audit, publish: commits go to a branch, are checked there, and `main` then takes them all
//! at once, as they are.

use iceberg::spec::MAIN_BRANCH;

use super::define::{moved, require};
use super::list::RefKind;
use super::rollback::ancestors;
use crate::commit::Altered;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, Retry};

impl Lake {
    /// Makes `main` name the head of a branch, which must come after it. Nothing is written anew: the
    /// snapshots that were checked are those that readers see (P1), with their watermarks (W3).
    /// `Unchanged` if `main` has them already.
    ///
    /// `checked` is the snapshot that was checked. Whatever came to the branch later is not
    /// published: it is a conflict.
    ///
    /// # Errors
    /// `NotFound` if there is no such branch; `InvalidInput` for a tag; `Conflict` if `main` has a
    /// commit that the branch has not, and if the branch or `main` moved since `table` was opened;
    /// what [`Lake::alter`] says.
    pub async fn fast_forward(
        &self,
        table: &LakeTable,
        branch: &str,
        checked: Option<i64>,
    ) -> Result<Altered> {
        let found = require(table, RefKind::Branch, branch)?;
        if checked.is_some_and(|id| id != found.snapshot_id) {
            return Err(moved(&found));
        }
        let to = found.snapshot_id;
        let from = table.metadata().current_snapshot_id();
        if ancestors(table, from).any(|id| id == to) {
            return Ok(Altered::Unchanged);
        }
        if from.is_some() && !ancestors(table, Some(to)).any(|id| Some(id) == from) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "main has commits that `{branch}` has not, so it cannot be set forward; commit \
                     again to a new branch of main, or cherry-pick what was appended"
                ),
            )
            .with_context("table", table.name())
            .with_retry(Retry::Never));
        }
        self.move_branch(table, MAIN_BRANCH, from, to).await
    }
}
