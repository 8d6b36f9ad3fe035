//! The shapes of a change set: which rows of an extract change, and how.

use clap::ValueEnum;

/// How changes lie in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// 1 % of the rows, anywhere: updates, inserts and deletes.
    Scattered,
    /// As many changes, all in the last month.
    Recent,
    /// 5 % of the rows of 5 % of the partitions.
    FewFiles,
    /// Updates of exactly 1 % of the rows of every partition.
    EveryFile,
    /// Deletes of 1 % of the rows, anywhere.
    DeleteOnly,
    /// New rows, 1 % of those that are there, anywhere.
    InsertOnly,
}

impl Shape {
    /// Its name in tables and folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scattered => "scattered",
            Self::Recent => "recent",
            Self::FewFiles => "few-files",
            Self::EveryFile => "every-file",
            Self::DeleteOnly => "delete-only",
            Self::InsertOnly => "insert-only",
        }
    }

    /// The kinds of change that are in it, by their letters.
    pub(crate) fn kinds(self) -> &'static str {
        match self {
            Self::Scattered | Self::Recent | Self::FewFiles => "UID",
            Self::EveryFile => "U",
            Self::DeleteOnly => "D",
            Self::InsertOnly => "I",
        }
    }

    /// Of `changes`, how many are updates, inserts and deletes.
    pub(crate) fn split(self, changes: u64) -> [u64; 3] {
        match self {
            Self::Scattered | Self::Recent | Self::FewFiles => {
                let (updates, deletes) = (changes * 6 / 10, changes / 10);
                [updates, changes - updates - deletes, deletes]
            }
            Self::EveryFile => [changes, 0, 0],
            Self::InsertOnly => [0, changes, 0],
            Self::DeleteOnly => [0, 0, changes],
        }
    }
}
