//! How a commit ended.

use crate::{Error, ErrorKind, LakeTable, Result};

/// How a commit ended.
#[derive(Debug)]
#[must_use = "a commit that is not looked at may have failed"]
pub enum Outcome {
    /// The commit is visible.
    Committed {
        /// The table with the new snapshot.
        table: Box<LakeTable>,
        /// The new snapshot.
        snapshot_id: i64,
        /// How many attempts it took, from 1.
        attempts: u32,
    },
    /// A commit of this id is there already; nothing was done, and the files of this one are not
    /// part of the table (W2).
    AlreadyCommitted {
        /// The snapshot of that commit.
        snapshot_id: i64,
    },
    /// There was nothing to commit, so no snapshot was made.
    Unchanged,
    /// Another commit came between in a way that this one may not be put on top of. Nothing
    /// changed; plan the work anew on the table as it is now.
    Conflicted {
        /// The snapshot that is in the way.
        snapshot_id: Option<i64>,
        /// What it changed.
        reason: String,
    },
    /// Whether the commit took effect is not known. Run the same commit again later: its id makes
    /// that safe.
    Unknown(Error),
}

impl Outcome {
    /// The snapshot that holds the commit, and whether it is new; `None` if nothing was to be done.
    ///
    /// # Errors
    /// `Conflict` and `CommitUnknown` for those two outcomes; both may be tried again.
    pub fn settled(self) -> Result<Option<(i64, bool)>> {
        match self {
            Self::Committed { snapshot_id, .. } => Ok(Some((snapshot_id, true))),
            Self::AlreadyCommitted { snapshot_id } => Ok(Some((snapshot_id, false))),
            Self::Unchanged => Ok(None),
            Self::Conflicted { snapshot_id, reason } => {
                let error = Error::new(
                    ErrorKind::Conflict,
                    format!("another writer changed the table: {reason}; run the job again"),
                );
                Err(match snapshot_id {
                    Some(id) => error.with_context("snapshot", id),
                    None => error,
                })
            }
            Self::Unknown(error) => Err(error),
        }
    }
}
