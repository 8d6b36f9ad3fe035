//! Tags and branches with their retention.

use std::collections::BTreeMap;

use iceberg::spec::{SnapshotReference, TableMetadata};

use crate::{Error, ErrorKind, Result};

/// All tags and branches by name. Apache's crate keeps the map to itself, but writes it.
///
/// # Errors
/// `Internal` if the metadata does not survive JSON.
pub(super) fn refs(metadata: &TableMetadata) -> Result<BTreeMap<String, SnapshotReference>> {
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::Internal, "cannot list tags and branches").with_source(error)
    };
    let mut json = serde_json::to_value(metadata).map_err(failed)?;
    match json.get_mut("refs").map(serde_json::Value::take) {
        Some(refs) if !refs.is_null() => serde_json::from_value(refs).map_err(failed),
        _ => Ok(BTreeMap::new()),
    }
}
