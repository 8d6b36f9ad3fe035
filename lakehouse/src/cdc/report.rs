//! What a merge of change files did.

use northstar_iceberg::merge::ChangeReport;

/// How a merge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The changes are in the table.
    Merged,
    /// The same files were merged before; nothing was done.
    AlreadyMerged,
    /// The files hold no change.
    Empty,
}

/// What a merge did, or found done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeReport {
    /// How it ended.
    pub outcome: MergeOutcome,
    /// Whether this run made the table.
    pub created: bool,
    /// Files of different content.
    pub files: u64,
    /// Change rows read.
    pub read_rows: u64,
    /// Of these, rows as they were before an update, which say nothing new.
    pub before_images: u64,
    /// Of these, changes at or before the watermark of a table with hard deletes.
    pub skipped_rows: u64,
    /// Keys that the other rows are about.
    pub keys: u64,
    /// Of these, keys that are new in the table.
    pub inserted: u64,
    /// Of these, rows that the changes updated.
    pub updated: u64,
    /// Of these, rows that went or were marked, and deleted keys that the table did not know.
    pub deleted: u64,
    /// Of these, keys whose changes were no newer than the table.
    pub unchanged: u64,
    /// The snapshot that holds the changes.
    pub snapshot_id: Option<i64>,
    /// What it did to the files of the table; `None` if no statement was run.
    pub statement: Option<ChangeReport>,
}

impl MergeReport {
    /// Nothing read yet.
    pub(super) fn new(outcome: MergeOutcome, files: usize) -> Self {
        Self {
            outcome,
            created: false,
            files: u64::try_from(files).unwrap_or(0),
            read_rows: 0,
            before_images: 0,
            skipped_rows: 0,
            keys: 0,
            inserted: 0,
            updated: 0,
            deleted: 0,
            unchanged: 0,
            snapshot_id: None,
            statement: None,
        }
    }
}
