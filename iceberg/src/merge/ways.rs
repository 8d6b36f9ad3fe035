//! Which way each touched file goes: left out, written anew, or with rows deleted by position.
//!
//! In `auto`, a file goes the way that costs less CPU, its next reads included ([`FileCosts`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::costs::FileCosts;
use super::counts::ChangedRows;
use crate::scan::FileSlice;
use crate::table::RowLevelMode;
use crate::{Error, ErrorKind, Result};

/// What becomes of a file that rows are changed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// No row is left of it, and it goes without being read.
    Dropped,
    /// The rows that stay are written anew.
    Rewritten,
    /// The rows that change are deleted by position.
    Deleted,
}

/// A data file as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: u64,
    /// Rows, deleted ones included.
    pub(super) rows: u64,
    pub(super) live_rows: u64,
}

impl Way {
    /// The way that a file goes of which so many rows change.
    pub(super) fn of(
        mode: RowLevelMode,
        costs: &FileCosts,
        file: Size,
        changed: ChangedRows,
    ) -> Self {
        if changed.deleted >= file.live_rows {
            return Self::Dropped;
        }
        let is_rewritten = match mode {
            RowLevelMode::CopyOnWrite => true,
            RowLevelMode::MergeOnRead => false,
            RowLevelMode::Auto => {
                let gone = file.rows - file.live_rows + changed.all();
                costs.anew_us(file.bytes) <= costs.deleting_us(file.bytes, gone, file.rows)
            }
        };
        if is_rewritten { Self::Rewritten } else { Self::Deleted }
    }
}

/// The touched files of a statement, by the way that each goes.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// No row is left of them.
    pub(super) dropped: HashSet<String>,
    pub(super) rewritten: HashSet<String>,
    /// How large these are.
    sizes_bytes: HashMap<String, u64>,
    /// Their rows are deleted by position.
    pub(super) deleted: HashSet<String>,
    /// Live rows of those that are written anew, before.
    pub(super) rewritten_rows: u64,
    /// Rows that are deleted from those.
    pub(super) rewritten_without: u64,
    /// Rows that get new values in files whose rows are deleted.
    pub(super) updated_elsewhere: u64,
}

impl Ways {
    /// Chooses for each of the `touched` files, of which `slices` tells the size.
    ///
    /// # Errors
    /// `Internal` for a file that is not among them: its change would be lost.
    pub(super) fn choose(
        mode: RowLevelMode,
        costs: &FileCosts,
        touched: HashMap<String, ChangedRows>,
        slices: &HashMap<String, Arc<FileSlice>>,
    ) -> Result<Self> {
        let mut ways = Self::default();
        for (path, changed) in touched {
            let slice = slices.get(&path).ok_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    "rows were found in a file that is not of the table",
                )
                .with_context("file", &path)
            })?;
            let (rows, live_rows) = (slice.rows, slice.live_rows());
            let size = Size { bytes: slice.size_bytes, rows, live_rows };
            match Way::of(mode, costs, size, changed) {
                Way::Dropped => _ = ways.dropped.insert(path),
                Way::Rewritten => {
                    ways.rewritten_rows += live_rows;
                    ways.sizes_bytes.insert(path.clone(), slice.size_bytes);
                    ways.rewritten_without += changed.deleted;
                    ways.rewritten.insert(path);
                }
                Way::Deleted => {
                    ways.updated_elsewhere += changed.updated;
                    ways.deleted.insert(path);
                }
            }
        }
        Ok(ways)
    }

    /// The files that are written anew and have at least so many bytes.
    pub(super) fn large(&self, least_bytes: u64) -> impl Iterator<Item = &String> {
        let large = self.sizes_bytes.iter().filter(move |(_, bytes)| **bytes >= least_bytes);
        large.map(|(path, _)| path)
    }

    /// The rows that are new in the table, of all that were written.
    pub(super) fn inserted_rows(&self, written_rows: u64) -> u64 {
        let old = self.rewritten_rows - self.rewritten_without + self.updated_elsewhere;
        written_rows.saturating_sub(old)
    }
}

#[cfg(test)]
mod tests {
    use roaring::RoaringTreemap;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn slice(size_bytes: u64, rows: u64, deleted: u64) -> Arc<FileSlice> {
        let deleted = RoaringTreemap::from_iter(0..deleted);
        let path = "f".to_string();
        Arc::new(FileSlice { path, size_bytes, rows, deleted, constants: Vec::new() })
    }

    fn way(mode: RowLevelMode, slice: &Arc<FileSlice>, updated: u64, deleted: u64) -> &'static str {
        let touched = HashMap::from([("f".to_string(), ChangedRows { updated, deleted })]);
        let slices = HashMap::from([("f".to_string(), Arc::clone(slice))]);
        let ways = Ways::choose(mode, &FileCosts::default(), touched, &slices).unwrap();
        match (ways.dropped.len(), ways.rewritten.len(), ways.deleted.len()) {
            (1, 0, 0) => "dropped",
            (0, 1, 0) => "rewritten",
            (0, 0, 1) => "deleted",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn auto_deletes_few_rows_of_a_big_file_and_writes_small_or_worn_ones_anew() {
        let auto = RowLevelMode::Auto;
        assert_eq!(way(auto, &slice(64 * MIB, 1_000_000, 0), 10_000, 0), "deleted");
        assert_eq!(way(auto, &slice(64 * MIB, 1_000_000, 0), 900_000, 0), "rewritten");
        assert_eq!(way(auto, &slice(64 * MIB, 1_000_000, 290_000), 10_000, 0), "rewritten");
        assert_eq!(way(auto, &slice(MIB / 2, 10_000, 0), 1, 0), "rewritten");
    }

    #[test]
    fn a_table_that_names_a_mode_gets_it_whatever_it_costs() {
        let (small, big) = (slice(1_000, 10, 0), slice(64 * MIB, 1_000_000, 0));
        assert_eq!(way(RowLevelMode::CopyOnWrite, &big, 1, 0), "rewritten");
        assert_eq!(way(RowLevelMode::MergeOnRead, &small, 1, 0), "deleted");
    }

    #[test]
    fn a_file_of_which_no_row_is_left_goes_without_being_read() {
        for mode in [RowLevelMode::CopyOnWrite, RowLevelMode::MergeOnRead, RowLevelMode::Auto] {
            assert_eq!(way(mode, &slice(MIB, 100, 0), 0, 100), "dropped");
            assert_eq!(way(mode, &slice(MIB, 100, 40), 0, 60), "dropped");
            assert_ne!(way(mode, &slice(MIB, 100, 40), 1, 59), "dropped");
        }
    }

    #[test]
    fn m2_a_change_of_a_file_that_is_not_there_is_an_error_and_never_left_out() {
        let touched = HashMap::from([("g".to_string(), ChangedRows { updated: 1, deleted: 0 })]);
        let slices = HashMap::from([("f".to_string(), slice(MIB, 100, 0))]);
        for mode in [RowLevelMode::CopyOnWrite, RowLevelMode::MergeOnRead, RowLevelMode::Auto] {
            let costs = FileCosts::default();
            let error = Ways::choose(mode, &costs, touched.clone(), &slices).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
        }
    }

    #[test]
    fn m3_inserted_rows_are_those_written_that_no_touched_file_had() {
        let files = [("a", slice(MIB, 100, 10), 5, 7), ("b", slice(MIB, 100, 0), 20, 3)];
        let touched = files.iter().map(|(path, _, updated, deleted)| {
            ((*path).to_string(), ChangedRows { updated: *updated, deleted: *deleted })
        });
        let touched: HashMap<_, _> = touched.collect();
        let slices = files.iter().map(|(path, slice, ..)| ((*path).to_string(), Arc::clone(slice)));
        let slices: HashMap<_, _> = slices.collect();
        for (mode, written) in
            [(RowLevelMode::CopyOnWrite, 90 - 7 + 100 - 3), (RowLevelMode::MergeOnRead, 25)]
        {
            let ways = Ways::choose(mode, &FileCosts::default(), touched.clone(), &slices).unwrap();
            assert_eq!(ways.inserted_rows(written), 0, "{mode:?}");
            assert_eq!(ways.inserted_rows(written + 4), 4, "{mode:?}");
        }
    }
}
