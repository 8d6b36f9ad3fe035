//! What the pairs of a statement come to, file by file: which rows change, and which are claimed twice.
//!
//! Pairs are read once and in order, and only the positions of rows are kept, as bitmaps: however many
//! pairs there are, this takes little memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use roaring::RoaringTreemap;

use super::find::{ACT_DELETE, ACT_NONE, ACT_UPDATE, PAIR_ACT, PAIR_FILE, PAIR_POS, PAIRS};
use super::planning::Planning;
use crate::scan::Positions;
use crate::{Error, ErrorKind, Result};

/// Rows of one file that change.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChangedRows {
    pub(super) updated: u64,
    pub(super) deleted: u64,
}

impl ChangedRows {
    /// Rows that are no longer where they were.
    pub(super) fn all(self) -> u64 {
        self.updated + self.deleted
    }
}

/// The rows of one file that pairs are about.
#[derive(Debug, Default)]
struct FileRows {
    /// Those that a clause takes.
    claimed: RoaringTreemap,
    updated: RoaringTreemap,
    deleted: RoaringTreemap,
    /// Those that several source rows would change.
    doubled: RoaringTreemap,
}

impl FileRows {
    fn add(&mut self, position: u64, act: i32) {
        if act == ACT_NONE {
            return;
        }
        if !self.claimed.insert(position) {
            self.doubled.insert(position);
        }
        match act {
            ACT_UPDATE => self.updated.insert(position),
            ACT_DELETE => self.deleted.insert(position),
            _ => false,
        };
    }
}

/// What is found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Per file that holds a row of a pair.
    files: BTreeMap<String, FileRows>,
    pub(super) updated_rows: u64,
    pub(super) deleted_rows: u64,
    pub(super) same_rows: u64,
    /// Rows that several source rows would change.
    pub(super) doubled_rows: u64,
}

impl Found {
    /// Reads the pairs that were kept last.
    ///
    /// # Errors
    /// Storage errors.
    pub(super) async fn read(planning: &Planning<'_>) -> Result<Self> {
        let mut found = Self::default();
        let columns = [PAIR_FILE, PAIR_POS, PAIR_ACT];
        planning.read_kept(PAIRS, &columns, |batch| found.add(batch)).await?;
        for rows in found.files.values() {
            found.updated_rows += rows.updated.len();
            found.deleted_rows += rows.deleted.len();
            found.same_rows += rows.claimed.len() - (&rows.updated | &rows.deleted).len();
            found.doubled_rows += rows.doubled.len();
        }
        Ok(found)
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let defect = || Error::new(ErrorKind::Internal, "pairs cannot be counted");
        let files = batch.column(0).as_dictionary_opt::<Int32Type>().ok_or_else(defect)?;
        let paths = files.values().as_string_opt::<i32>().ok_or_else(defect)?;
        let positions = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(defect)?;
        let acts = batch.column(2).as_primitive_opt::<Int32Type>().ok_or_else(defect)?;
        let mut row = 0;
        while row < batch.num_rows() {
            // A pair without a target row is of a join that keeps source rows: none of ours does.
            let file = files.key(row).ok_or_else(defect)?;
            let same = (row..batch.num_rows()).take_while(|at| files.key(*at) == Some(file));
            let end = row + same.count();
            let path = paths.value(file);
            if !self.files.contains_key(path) {
                self.files.insert(path.to_string(), FileRows::default());
            }
            let of_file = self.files.get_mut(path).ok_or_else(defect)?;
            for at in row..end {
                of_file.add(positions.value(at).cast_unsigned(), acts.value(at));
            }
            row = end;
        }
        Ok(())
    }

    /// The files that hold a row that changes.
    pub(super) fn touched(&self) -> HashMap<String, ChangedRows> {
        let changed = self.files.iter().map(|(path, rows)| {
            let (updated, deleted) = (rows.updated.len(), rows.deleted.len());
            (path.clone(), ChangedRows { updated, deleted })
        });
        changed.filter(|(_, rows)| rows.all() > 0).collect()
    }

    /// The files that hold a row of a pair.
    pub(super) fn matched(&self) -> HashSet<String> {
        self.files.keys().cloned().collect()
    }

    /// The rows that are no longer where they were, of these files.
    pub(super) fn changed(&self, files: &HashSet<String>) -> Arc<Positions> {
        let of_files = self.files.iter().filter(|(path, _)| files.contains(*path));
        let changed = of_files.map(|(path, rows)| (path.clone(), &rows.updated | &rows.deleted));
        Arc::new(changed.collect())
    }

    /// The rows that get new values, of all files.
    pub(super) fn updated(&self) -> Arc<Positions> {
        let some = self.files.iter().filter(|(_, rows)| !rows.updated.is_empty());
        Arc::new(some.map(|(path, rows)| (path.clone(), rows.updated.clone())).collect())
    }
}
