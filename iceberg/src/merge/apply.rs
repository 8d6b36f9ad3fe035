//! Writes what a statement changes, each touched file in its way; nothing refers to the files yet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;

use super::copies::Copies;
use super::costs::FileCosts;
use super::counts::Found;
use super::planning::Planning;
use super::rewrite::{Staying, rewritten};
use super::target::Target;
use super::ways::Ways;
use crate::commit::{DeleteFile, FileChange};
use crate::scan::{IcebergTable, Positions};
use crate::table::RowLevelMode;
use crate::write::Written;
use crate::{Error, ErrorKind, LakeTable, Result, storage};

/// The files of a change that is not committed.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) written: Written,
    pub(super) deletes: Vec<DeleteFile>,
    /// Files of data or of deletes that the change replaces.
    pub(super) removed: HashSet<String>,
    pub(super) inserted_rows: u64,
    /// Data files that are written anew.
    pub(super) files_rewritten: u64,
    /// Of these, data files of which row groups were copied as they are.
    pub(super) files_copied: u64,
    /// Data files of which no row is left.
    pub(super) files_dropped: u64,
}

impl Applied {
    /// What is to be committed.
    pub(super) fn change(&self) -> FileChange {
        FileChange {
            added: self.written.files.clone(),
            added_deletes: self.deletes.clone(),
            removed: self.removed.clone(),
            ..FileChange::default()
        }
    }

    /// Removes the files, for a change that will not be committed.
    pub(super) fn discard(self) {
        self.written.discard();
        let deletes: Vec<String> =
            self.deletes.iter().map(|delete| delete.file.file_path().to_string()).collect();
        storage::discard(&deletes);
    }
}

/// What is needed to write a change.
#[derive(Debug)]
pub(super) struct Applying<'a> {
    pub(super) target: &'a Target,
    pub(super) table: &'a IcebergTable,
    pub(super) base: &'a LakeTable,
    pub(super) found: &'a Found,
    pub(super) mode: RowLevelMode,
    pub(super) costs: FileCosts,
    pub(super) commit_id: &'a str,
}

impl Applying<'_> {
    /// Writes the rows that are found, and `inserts`.
    pub(super) async fn apply(
        &self,
        planning: &mut Planning<'_>,
        inserts: Option<LogicalPlan>,
    ) -> Result<Applied> {
        let touched = self.found.touched();
        let paths = touched.keys().cloned().collect();
        let slices = match touched.is_empty() {
            true => HashMap::new(),
            false => self.table.clone().with_only(paths).slices().await?,
        };
        let ways = Ways::choose(self.mode, &self.costs, touched, &slices)?;
        let Copies { mut written, left_out } = self.copies(planning, &ways).await?;
        let files_copied = written.files.len() as u64;
        match self.write(planning, &ways, left_out, inserts).await {
            Ok(more) => written.extend(more),
            Err(error) => {
                written.discard();
                return Err(error);
            }
        }
        let mut applied = Applied {
            inserted_rows: ways.inserted_rows(written.rows),
            written,
            deletes: Vec::new(),
            removed: &ways.dropped | &ways.rewritten,
            files_rewritten: ways.rewritten.len() as u64,
            files_copied,
            files_dropped: ways.dropped.len() as u64,
        };
        if ways.deleted.is_empty() {
            return Ok(applied);
        }
        match self.delete(planning, &ways).await {
            Ok((deletes, removed)) => {
                applied.deletes = deletes;
                applied.removed.extend(removed);
                Ok(applied)
            }
            Err(error) => {
                applied.discard();
                Err(error)
            }
        }
    }

    /// Writes the rows that are decoded: of files that are written anew those that are not left out,
    /// those with new values, and new ones.
    async fn write(
        &self,
        planning: &Planning<'_>,
        ways: &Ways,
        left_out: Arc<Positions>,
        inserts: Option<LogicalPlan>,
    ) -> Result<Written> {
        let staying = Staying { files: &ways.rewritten, left_out };
        match rewritten(planning, self.target, self.table, self.found, staying, inserts)? {
            Some(plan) => planning.write(plan, self.base, self.commit_id).await,
            None => Ok(Written::default()),
        }
    }

    /// Writes one delete file for each file that goes this way; it takes the place of those that were about
    /// that file alone.
    async fn delete(
        &self,
        planning: &Planning<'_>,
        ways: &Ways,
    ) -> Result<(Vec<DeleteFile>, HashSet<String>)> {
        let (mut files, mut removed) = (Vec::new(), HashSet::new());
        let table = self.table.clone().with_only(ways.deleted.clone());
        let changed = self.found.changed(&ways.deleted);
        for file in table.file_deletes().await? {
            removed.extend(file.delete_files);
            let mut deletes = file.deletes;
            if let Some(rows) = changed.get(&deletes.data_file) {
                deletes.positions |= rows;
                files.push(deletes);
            }
        }
        if files.len() < changed.len() {
            let message = "a row is deleted from a file that is not of the table";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let deletes = planning.delete(self.base, self.commit_id, files).await?;
        Ok((deletes, removed))
    }
}
