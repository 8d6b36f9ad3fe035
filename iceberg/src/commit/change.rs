//! What a snapshot does to the files of its parent.

use std::collections::HashSet;

use iceberg::spec::{DataFile, Operation};

/// Files that a snapshot adds and takes away.
#[derive(Debug, Clone, Default)]
pub struct FileChange {
    /// Data files that nobody refers to yet, written for the table's current schema and spec.
    pub added: Vec<DataFile>,
    /// The paths of data files that are alive in the parent, and will not be. Position deletes that
    /// refer to one of them alone go with it.
    pub removed: HashSet<String>,
    /// Whether a snapshot is made though no file changes: one that carries summary entries alone,
    /// such as a watermark that moves past changes which came to nothing.
    pub mark: bool,
}

impl FileChange {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && !self.mark
    }

    /// The operation that the snapshot's summary names.
    ///
    /// Source: <https://iceberg.apache.org/spec/#snapshots>
    pub fn operation(&self) -> Operation {
        match (self.added.is_empty(), self.removed.is_empty()) {
            (_, true) => Operation::Append,
            (true, false) => Operation::Delete,
            (false, false) => Operation::Overwrite,
        }
    }
}
