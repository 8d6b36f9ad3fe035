//! What a load did, file by file, with counts that balance (W1).

use crate::{Error, TableName};

/// What became of a file.
#[derive(Debug)]
pub enum FileOutcome {
    /// Its rows landed.
    Loaded,
    /// A file of the same content had landed before; nothing was done.
    AlreadyLoaded,
    /// It holds a header alone.
    Empty,
    /// All of its records are in quarantine.
    Quarantined,
    /// Its rows landed up to `line`; from there on the text could not be told apart and is one
    /// quarantined record.
    Damaged {
        /// Where the damage starts.
        line: i64,
    },
    /// Nothing of it was loaded, and this is why.
    Refused(Error),
}

impl FileOutcome {
    /// One word for tables.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::AlreadyLoaded => "already loaded",
            Self::Empty => "empty",
            Self::Quarantined => "quarantined",
            Self::Damaged { .. } => "damaged",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether someone should look at the file.
    pub fn needs_attention(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Refused(_))
    }
}

/// What became of a file, with its counts.
#[derive(Debug)]
pub struct FileReport {
    /// Its path below the loaded folder.
    pub name: String,
    /// What became of it.
    pub outcome: FileOutcome,
    /// Records read in this run.
    pub read_rows: u64,
    /// Of these, landed.
    pub landed_rows: u64,
    /// Of these, quarantined.
    pub quarantined_rows: u64,
}

/// What became of a table.
#[derive(Debug)]
pub struct TableReport {
    /// The table.
    pub table: TableName,
    /// Whether this run made it.
    pub created: bool,
    /// Its files.
    pub files: Vec<FileReport>,
    /// The snapshot that this run's rows are in, if it made one.
    pub snapshot_id: Option<i64>,
    /// Bytes put aside on disk for want of memory.
    pub spilled_bytes: u64,
}

impl TableReport {
    /// Records read.
    pub fn read_rows(&self) -> u64 {
        self.files.iter().map(|file| file.read_rows).sum()
    }

    /// Records landed.
    pub fn landed_rows(&self) -> u64 {
        self.files.iter().map(|file| file.landed_rows).sum()
    }

    /// Records quarantined.
    pub fn quarantined_rows(&self) -> u64 {
        self.files.iter().map(|file| file.quarantined_rows).sum()
    }
}

/// What a load did.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Table by table, in order of names.
    pub tables: Vec<TableReport>,
}

impl LoadReport {
    /// Whether records read are records landed plus records quarantined, in every file (W1).
    pub fn balances(&self) -> bool {
        self.files().all(|file| file.read_rows == file.landed_rows + file.quarantined_rows)
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &FileReport> {
        self.tables.iter().flat_map(|table| &table.files)
    }
}
