//! What a running job tells about itself: progress for people, stage edges for fault tests.

use std::fmt::Debug;

/// Something that has just been done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A source file is about to be read.
    FileOpened {
        /// The file's name, without its folder.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// Rows were taken from a source.
    RowsRead {
        /// How many rows.
        rows: u64,
        /// How many bytes of the source they took.
        bytes: u64,
    },
    /// The source of a statement was evaluated, and its rows put aside.
    SourceKept {
        /// How many rows.
        rows: u64,
    },
    /// The rows that a statement takes were found, and their places put aside.
    RowsFound {
        /// How many pairs of a row and a source row.
        pairs: u64,
    },
    /// Rows that did not fit into memory were put aside on disk.
    Spilled {
        /// How many bytes were written.
        bytes: u64,
    },
    /// A data file was written and closed.
    DataFileWritten {
        /// How many rows it holds.
        rows: u64,
        /// Its size.
        bytes: u64,
    },
    /// All data files of a commit are written; nothing refers to them yet.
    DataFilesComplete,
    /// One manifest of an attempt is written.
    ManifestWritten,
    /// The manifests and the manifest list of an attempt are written.
    ManifestsWritten,
    /// The files of an attempt are written, and are brought to disk now.
    Syncing,
    /// The new metadata file is written; the pointer still shows the old one.
    MetadataWritten,
    /// The pointer has moved: the commit is visible.
    Committed,
    /// Another writer was first; the commit is tried again on top of it.
    Retried {
        /// How many attempts have failed so far.
        attempts: u32,
    },
    /// Maintenance removed a file that nothing refers to.
    FileRemoved {
        /// Its size, as far as it is known.
        bytes: u64,
    },
}

/// Is told each [`Event`] as it happens, on whatever thread that is.
pub trait Observer: Debug + Send + Sync {
    /// Takes note of an event. Must not block for long.
    fn event(&self, event: &Event);
}

/// Takes no note.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event) {}
}
