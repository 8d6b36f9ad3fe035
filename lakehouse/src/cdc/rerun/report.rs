//! What a rerun would do.

use northstar_iceberg::merge::Explanation;

/// The plan of a rerun: nothing was written for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RerunPlan {
    /// Change files of different content.
    pub files: u64,
    /// Bytes of these files.
    pub file_bytes: u64,
    /// Change rows read.
    pub read_rows: u64,
    /// Keys that the table has in the scope, or whose newest state is there.
    pub keys: u64,
    /// Rows that would come.
    pub inserted: u64,
    /// Rows that would be other than they are, moved ones among them.
    pub updated: u64,
    /// Rows that would go, for no source has them.
    pub removed: u64,
    /// Rows that are as they should be.
    pub unchanged: u64,
    /// Rows whose last change is in none of the files: they stay as they are.
    pub held_back: u64,
    /// Whether the files end before the last change that was merged into the table. A row that comes
    /// may then be older than the one that is missing.
    pub ends_early: bool,
    /// Rows too many, of keys that the table has more than once; all of these keys are written anew.
    pub doubled: u64,
    /// Files of the table.
    pub table_files: u64,
    /// Of these, files that hold a row that would change.
    pub files_touched: u64,
    /// Bytes that would be read to write them anew, at most.
    pub read_bytes: u64,
    /// Bytes that would be written, about.
    pub write_bytes: u64,
}

impl RerunPlan {
    /// Adds what a statement would do.
    pub(super) fn add(&mut self, explained: &Explanation) {
        let report = &explained.report;
        self.keys = report.source_rows;
        self.inserted = report.inserted_rows;
        self.updated = report.updated_rows;
        self.removed = report.deleted_rows;
        self.unchanged = report.unchanged_rows;
        self.table_files = report.files;
        self.files_touched = report.files_touched;
        self.read_bytes = explained.files.iter().map(|file| file.read_bytes).sum();
        let written: u64 = explained.files.iter().map(|file| file.write_bytes).sum();
        self.write_bytes = written + explained.insert_bytes;
    }

    /// Whether anything would change.
    pub fn changes(&self) -> bool {
        self.inserted + self.updated + self.removed > 0
    }
}
