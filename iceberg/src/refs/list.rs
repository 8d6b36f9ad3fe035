//! The refs of a table.

use std::collections::BTreeMap;
use std::fmt;

use iceberg::spec::{MAIN_BRANCH, SnapshotReference, TableMetadata};

use super::notes::Notes;
use super::retention::{MAX_REF_AGE_PROPERTY, Retention};
use crate::{Error, ErrorKind, Result};

/// Whether commits move a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefKind {
    /// It moves with each commit to it.
    Branch,
    /// It names one snapshot.
    Tag,
}

impl fmt::Display for RefKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
        })
    }
}

/// A branch or tag of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRef {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RefKind,
    /// The snapshot that it names.
    pub snapshot_id: i64,
    /// How long it is kept.
    pub retention: Retention,
    /// Owner, reason and time of creation, as far as they are known.
    pub notes: Notes,
}

impl TableRef {
    /// When the ref goes, in milliseconds since 1970-01-01 UTC; `None` if it never does.
    ///
    /// It goes with the first expiry of snapshots after that.
    pub fn expires_ms(&self, metadata: &TableMetadata) -> Option<i64> {
        if self.name == MAIN_BRANCH {
            return None;
        }
        let by_default = || metadata.properties().get(MAX_REF_AGE_PROPERTY)?.parse().ok();
        let age_ms = self.retention.max_ref_age_ms.or_else(by_default)?;
        metadata.snapshot_by_id(self.snapshot_id)?.timestamp_ms().checked_add(age_ms)
    }
}

/// The branches and tags of a table, by name.
///
/// # Errors
/// `Internal` if they cannot be read.
pub fn refs(metadata: &TableMetadata) -> Result<Vec<TableRef>> {
    let refs = references(metadata)?.into_iter().map(|(name, reference)| TableRef {
        kind: kind(&reference),
        snapshot_id: reference.snapshot_id,
        retention: Retention::of(&reference.retention),
        notes: Notes::of(&name, metadata.properties()),
        name,
    });
    Ok(refs.collect())
}

/// The same in Apache's type. The `iceberg` crate keeps the map to itself, but writes it.
///
/// # Errors
/// `Internal` if it cannot be read.
pub fn references(metadata: &TableMetadata) -> Result<BTreeMap<String, SnapshotReference>> {
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::Internal, "cannot list tags and branches").with_source(error)
    };
    let mut written = serde_json::to_value(metadata).map_err(failed)?;
    match written.get_mut("refs").map(serde_json::Value::take) {
        None | Some(serde_json::Value::Null) => Ok(BTreeMap::new()),
        Some(refs) => serde_json::from_value(refs).map_err(failed),
    }
}

/// Whether `name` is a tag, which commits cannot go to.
///
/// # Errors
/// As [`references`].
pub(crate) fn is_tag(metadata: &TableMetadata, name: &str) -> Result<bool> {
    if name == MAIN_BRANCH || metadata.snapshot_for_ref(name).is_none() {
        return Ok(false);
    }
    Ok(references(metadata)?.get(name).is_some_and(|found| kind(found) == RefKind::Tag))
}

pub(super) fn kind(reference: &SnapshotReference) -> RefKind {
    if reference.is_branch() { RefKind::Branch } else { RefKind::Tag }
}
