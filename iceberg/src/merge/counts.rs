//! What the pairs of a statement come to, file by file.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::find::{
    ACT_DELETE, ACT_SAME, ACT_UPDATE, NAMESPACE, PAIR_ACT, PAIR_FILE, PAIR_POS, PAIRS,
};
use super::planning::Planning;
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

/// What is found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Per file that holds a row of a pair: its rows that change.
    files: BTreeMap<String, ChangedRows>,
    pub(super) updated_rows: u64,
    pub(super) deleted_rows: u64,
    pub(super) same_rows: u64,
    /// Rows that several source rows would change.
    pub(super) doubled_rows: u64,
}

impl Found {
    /// Counts the pairs that were kept last.
    pub(super) async fn read(planning: &mut Planning<'_>) -> Result<Self> {
        let query = format!(
            "SELECT f, \
                sum(CASE WHEN act = {ACT_UPDATE} THEN 1 ELSE 0 END), \
                sum(CASE WHEN act = {ACT_DELETE} THEN 1 ELSE 0 END), \
                sum(CASE WHEN act = {ACT_SAME} THEN 1 ELSE 0 END), \
                sum(CASE WHEN claims > 1 THEN 1 ELSE 0 END) \
             FROM (SELECT \"{PAIR_FILE}\" AS f, max(\"{PAIR_ACT}\") AS act, \
                      sum(CASE WHEN \"{PAIR_ACT}\" > 0 THEN 1 ELSE 0 END) AS claims \
                   FROM {NAMESPACE}.{PAIRS} GROUP BY \"{PAIR_FILE}\", \"{PAIR_POS}\") \
             GROUP BY f"
        );
        let mut found = Self::default();
        for batch in planning.rows(&query).await? {
            found.add(&batch)?;
        }
        Ok(found)
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let defect = || Error::new(ErrorKind::Internal, "pairs cannot be counted");
        let files = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)
            .map_err(|error| defect().with_source(error))?;
        let files = files.as_string_opt::<i32>().ok_or_else(defect)?;
        let mut counts = Vec::with_capacity(4);
        for column in &batch.columns()[1..] {
            counts.push(column.as_primitive_opt::<Int64Type>().ok_or_else(defect)?);
        }
        for row in 0..batch.num_rows() {
            let count = |column: usize| u64::try_from(counts[column].value(row)).unwrap_or(0);
            let (updated, deleted) = (count(0), count(1));
            if files.is_valid(row) {
                let changed = ChangedRows { updated, deleted };
                self.files.insert(files.value(row).to_string(), changed);
            }
            self.updated_rows += updated;
            self.deleted_rows += deleted;
            self.same_rows += count(2);
            self.doubled_rows += count(3);
        }
        Ok(())
    }

    /// The files that hold a row that changes.
    pub(super) fn touched(&self) -> HashMap<String, ChangedRows> {
        let changed = self.files.iter().filter(|(_, rows)| rows.all() > 0);
        changed.map(|(path, rows)| (path.clone(), *rows)).collect()
    }

    /// The files that hold a row of a pair.
    pub(super) fn matched(&self) -> HashSet<String> {
        self.files.keys().cloned().collect()
    }
}
