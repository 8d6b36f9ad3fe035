//! The engines that merge: what each is called, how it writes, on which table.

use super::arguments::{MergePeer, Mode};

/// Something that merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The binary under test.
    Northstar(Mode),
    /// An engine to compare with.
    Peer(MergePeer),
}

/// Who has written the table that an engine merges into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Northstar; Spark, Sail and PyIceberg merge into the same files.
    Northstar,
    /// DuckDB.
    Duckdb,
    /// delta-rs.
    Delta,
}

impl Base {
    /// The name of its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Northstar => "northstar",
            Self::Duckdb => "duckdb",
            Self::Delta => "delta",
        }
    }
}

impl Engine {
    /// Its name in tables and records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Northstar(_) => "northstar",
            Self::Peer(MergePeer::Duckdb) => "duckdb",
            Self::Peer(MergePeer::Delta) => "delta-rs",
            Self::Peer(MergePeer::Sail | MergePeer::SailMor) => "sail",
            Self::Peer(MergePeer::Spark | MergePeer::SparkMor) => "spark",
            Self::Peer(MergePeer::Pyiceberg) => "pyiceberg",
        }
    }

    /// How it writes.
    pub(crate) fn mode(self) -> Mode {
        match self {
            Self::Northstar(mode) => mode,
            Self::Peer(MergePeer::Duckdb | MergePeer::SailMor | MergePeer::SparkMor) => {
                Mode::MergeOnRead
            }
            Self::Peer(
                MergePeer::Delta | MergePeer::Sail | MergePeer::Spark | MergePeer::Pyiceberg,
            ) => Mode::CopyOnWrite,
        }
    }

    /// The table that it merges into.
    pub(crate) fn base(self) -> Base {
        match self {
            Self::Peer(MergePeer::Duckdb) => Base::Duckdb,
            Self::Peer(MergePeer::Delta) => Base::Delta,
            _ => Base::Northstar,
        }
    }

    /// Whether it is the binary under test.
    pub(crate) fn is_northstar(self) -> bool {
        matches!(self, Self::Northstar(_))
    }
}
