//! What a snapshot does to the files of its parent.

use std::collections::HashSet;

use iceberg::spec::{DataFile, MAIN_BRANCH, Operation};

/// A file of position deletes, and the partition spec of the data file that it is about.
#[derive(Debug, Clone)]
pub struct DeleteFile {
    /// The id of the spec, by which the file's partition is read.
    pub spec_id: i32,
    /// The file.
    pub file: DataFile,
}

/// Files that a snapshot adds and takes away.
#[derive(Debug, Clone, Default)]
pub struct FileChange {
    /// Data files that nobody refers to yet, written for the table's current schema and spec.
    pub added: Vec<DataFile>,
    /// Delete files that nobody refers to yet.
    pub added_deletes: Vec<DeleteFile>,
    /// The paths of files, of data or of deletes, that are alive in the parent and will not be.
    /// Position deletes that refer to a removed data file alone go with it.
    pub removed: HashSet<String>,
    /// The paths of manifests of the parent that are written anew, together and in few.
    pub regrouped: HashSet<String>,
    /// What the snapshot's summary calls it, if not what follows from the files: `replace` for a
    /// change that leaves the rows as they are.
    pub operation: Option<Operation>,
    /// The branch that it is committed to; `main` if none is given.
    pub branch: Option<String>,
    /// Whether a snapshot is made though no file changes: one that carries summary entries alone,
    /// such as a watermark that moves past changes which came to nothing.
    pub mark: bool,
}

impl FileChange {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.added_deletes.is_empty()
            && self.removed.is_empty()
            && !self.mark
            && self.regrouped.is_empty()
    }

    /// The branch that it is committed to.
    pub fn branch(&self) -> &str {
        self.branch.as_deref().unwrap_or(MAIN_BRANCH)
    }

    /// The operation that the snapshot's summary names.
    ///
    /// Source: <https://iceberg.apache.org/spec/#snapshots>
    pub fn operation(&self) -> Operation {
        if let Some(operation) = &self.operation {
            return operation.clone();
        }
        let takes = !self.removed.is_empty() || !self.added_deletes.is_empty();
        match (self.added.is_empty(), takes) {
            (_, false) => Operation::Append,
            (true, true) => Operation::Delete,
            (false, true) => Operation::Overwrite,
        }
    }
}
