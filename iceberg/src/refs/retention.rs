//! How long a ref, and what it holds, is kept.

use iceberg::spec::SnapshotRetention;

use super::list::RefKind;
use crate::{Error, ErrorKind, Result};

/// The age of a ref that is never reached: it is kept for ever, whatever the table's default.
pub const FOREVER_MS: i64 = i64::MAX;

/// The table property that holds the age of refs which have none of their own, in milliseconds.
pub const MAX_REF_AGE_PROPERTY: &str = "history.expire.max-ref-age-ms";

/// Iceberg's retention fields. Where one is `None`, the table's `history.expire.*` property counts.
///
/// Ages count from the commit of the snapshot that the ref names, not from the ref's creation.
/// Source: <https://iceberg.apache.org/spec/#snapshot-retention-policy>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// How old the ref's snapshot may get before the ref itself goes, in milliseconds.
    pub max_ref_age_ms: Option<i64>,
    /// For a branch: how many snapshots are kept whatever their age.
    pub min_snapshots_to_keep: Option<i32>,
    /// For a branch: how old its further snapshots may get, in milliseconds.
    pub max_snapshot_age_ms: Option<i64>,
}

impl Retention {
    /// Checks the fields for a ref of `kind`.
    ///
    /// # Errors
    /// `InvalidInput` for a number that is not positive, and for a branch's fields on a tag.
    pub(super) fn check(&self, kind: RefKind) -> Result<()> {
        let refuse = |message| Err(Error::new(ErrorKind::InvalidInput, message));
        let ages = [self.max_ref_age_ms, self.max_snapshot_age_ms];
        if ages.iter().flatten().any(|age| *age <= 0)
            || self.min_snapshots_to_keep.is_some_and(|count| count <= 0)
        {
            return refuse("ages and numbers of snapshots to keep must be more than 0");
        }
        let of_branch = self.min_snapshots_to_keep.is_some() || self.max_snapshot_age_ms.is_some();
        if kind == RefKind::Tag && of_branch {
            return refuse("a tag keeps one snapshot; only branches say how many and how long");
        }
        Ok(())
    }

    pub(super) fn of(retention: &SnapshotRetention) -> Self {
        match *retention {
            SnapshotRetention::Branch {
                min_snapshots_to_keep,
                max_snapshot_age_ms,
                max_ref_age_ms,
            } => Self { max_ref_age_ms, min_snapshots_to_keep, max_snapshot_age_ms },
            SnapshotRetention::Tag { max_ref_age_ms } => Self { max_ref_age_ms, ..Self::default() },
        }
    }

    pub(super) fn to_iceberg(self, kind: RefKind) -> SnapshotRetention {
        match kind {
            RefKind::Tag => SnapshotRetention::Tag { max_ref_age_ms: self.max_ref_age_ms },
            RefKind::Branch => SnapshotRetention::branch(
                self.min_snapshots_to_keep,
                self.max_snapshot_age_ms,
                self.max_ref_age_ms,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_positive_and_fit_the_kind() {
        let age = |ms| Retention { max_ref_age_ms: Some(ms), ..Retention::default() };
        let branch = Retention { min_snapshots_to_keep: Some(3), ..age(1) };
        assert!(age(1).check(RefKind::Tag).is_ok());
        assert!(branch.check(RefKind::Branch).is_ok());
        assert!(branch.check(RefKind::Tag).is_err());
        assert!(age(0).check(RefKind::Branch).is_err());
        let none = Retention { min_snapshots_to_keep: Some(0), ..Retention::default() };
        assert!(none.check(RefKind::Branch).is_err());
        for kind in [RefKind::Tag, RefKind::Branch] {
            assert_eq!(Retention::of(&age(7).to_iceberg(kind)), age(7));
        }
    }
}
