//! What a statement did.

/// What a statement that changes rows did, or found done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReport {
    /// `MERGE`, `UPDATE`, `DELETE`, `INSERT` or another of its kind.
    pub verb: &'static str,
    /// The snapshot that holds the change; `None` if nothing was to be changed.
    pub snapshot_id: Option<i64>,
    /// Whether that snapshot was there before.
    pub already_committed: bool,
    /// Rows that are new in the table.
    pub inserted_rows: u64,
    /// Rows that have other values now. Rows that were set to what they were do not count.
    pub updated_rows: u64,
    /// Rows that are gone.
    pub deleted_rows: u64,
    /// Rows that a clause took and that stayed as they were.
    pub unchanged_rows: u64,
    /// Rows that a `MERGE` read from its source.
    pub source_rows: u64,
    /// Files that partitions, bounds, bloom filters and the keys of the source left, before any was opened.
    pub files_considered: u64,
    /// Files of the table.
    pub files: u64,
    /// Files whose bloom filters were asked, because bounds left a few keys for them; `None` where the
    /// engine does not tell.
    pub files_asked: Option<u64>,
    /// Of these, files of which something was read, to find rows or to write them anew; `None` where
    /// the engine does not tell. A file may be ruled out while others are read.
    pub files_opened: Option<u64>,
    /// Of these, files that held a changed row.
    pub files_touched: u64,
    /// Bytes read of data files; `None` where the engine does not tell.
    pub bytes_read: Option<u64>,
    /// Files that held a changed row and were written anew without it.
    pub files_rewritten: u64,
    /// Of these, files of which row groups without a changed row were copied as they are.
    pub files_copied: u64,
    /// Files of which no row is left, taken away without being read.
    pub files_dropped: u64,
    /// Data files that were written.
    pub files_added: u64,
    /// Files of position deletes that were written: for files that were not written anew.
    pub delete_files_added: u64,
    /// How often the work was done, because another writer changed rows in question meanwhile; 1 if
    /// none did.
    pub rounds: u32,
}

impl ChangeReport {
    /// Nothing done.
    pub(super) fn new(verb: &'static str) -> Self {
        Self {
            verb,
            snapshot_id: None,
            already_committed: false,
            inserted_rows: 0,
            updated_rows: 0,
            deleted_rows: 0,
            unchanged_rows: 0,
            source_rows: 0,
            files_considered: 0,
            files: 0,
            files_asked: None,
            files_opened: None,
            files_touched: 0,
            bytes_read: None,
            files_rewritten: 0,
            files_copied: 0,
            files_dropped: 0,
            files_added: 0,
            delete_files_added: 0,
            rounds: 1,
        }
    }
}
