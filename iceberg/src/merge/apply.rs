//! Writes what a statement changes, in the table's mode; nothing refers to the files yet.

use std::collections::HashSet;

use datafusion::logical_expr::LogicalPlan;

use super::counts::Found;
use super::planning::Planning;
use super::rewrite::{deleted, rewritten};
use super::target::Target;
use crate::commit::{DeleteFile, FileChange};
use crate::scan::IcebergTable;
use crate::table::RowLevelMode;
use crate::write::Written;
use crate::{LakeTable, Result, storage};

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
    pub(super) commit_id: &'a str,
}

impl Applying<'_> {
    /// Writes the rows that are found, and `inserts`.
    pub(super) async fn apply(
        &self,
        planning: &mut Planning<'_>,
        inserts: Option<LogicalPlan>,
    ) -> Result<Applied> {
        let Self { target, table, base, found, mode, commit_id } = *self;
        let touched = found.touched();
        let touched_table = table.clone().with_only(touched.clone());
        let before = match mode {
            RowLevelMode::CopyOnWrite => touched_table.live_rows().await?.values().sum(),
            RowLevelMode::MergeOnRead => 0,
        };
        let plan = rewritten(planning, target, table, found, mode, inserts)?;
        let written = match plan {
            Some(plan) => planning.write(plan, base, commit_id).await?,
            None => Written::default(),
        };
        if mode == RowLevelMode::CopyOnWrite {
            let inserted_rows = (written.rows + found.deleted_rows).saturating_sub(before);
            let files_rewritten = touched.len() as u64;
            let (deletes, removed) = (Vec::new(), touched);
            return Ok(Applied { written, deletes, removed, inserted_rows, files_rewritten });
        }
        let inserted_rows = written.rows.saturating_sub(found.updated_rows);
        let mut applied = Applied {
            written,
            deletes: Vec::new(),
            removed: HashSet::new(),
            inserted_rows,
            files_rewritten: 0,
        };
        if touched.is_empty() {
            return Ok(applied);
        }
        match self.delete(planning, &touched_table).await {
            Ok((deletes, removed)) => {
                (applied.deletes, applied.removed) = (deletes, removed);
                Ok(applied)
            }
            Err(error) => {
                applied.discard();
                Err(error)
            }
        }
    }

    /// Writes one delete file for each touched file; it takes the place of those that were about
    /// that file alone.
    async fn delete(
        &self,
        planning: &Planning<'_>,
        touched: &IcebergTable,
    ) -> Result<(Vec<DeleteFile>, HashSet<String>)> {
        let (mut files, mut removed) = (Vec::new(), HashSet::new());
        for file in touched.file_deletes().await? {
            removed.extend(file.delete_files);
            files.push(file.deletes);
        }
        let plan = deleted(planning)?;
        let deletes = planning.delete(plan, self.base, self.commit_id, files).await?;
        Ok((deletes, removed))
    }
}
