//! After a lost reply: reading again what happened.

use std::time::Duration;

use crate::{Error, ErrorKind, Lake, LakeTable};

/// How often the pointer is read before the answer is that it is not known.
const READINGS: u32 = 5;

/// What re-reading showed.
#[derive(Debug)]
pub(crate) enum Settled {
    /// The swap took effect.
    Committed,
    /// It did not, and it never will: the pointer has left the place that it expected.
    NotCommitted,
    /// It had not when it was last read, but a request under way could still arrive.
    Unknown(Error),
}

/// Finds out whether the swap from `head` to `location` took effect.
///
/// The pointer shows `location`, or a later head knows it or its snapshot, exactly if it did: the
/// same commit id alone may be that of another writer's attempt. A pointer that still stands at `head`
/// proves nothing about a service whose request may be late.
pub(crate) async fn settle(
    lake: &Lake,
    head: &LakeTable,
    location: &str,
    snapshot_id: Option<i64>,
    error: Error,
) -> Settled {
    for reading in 0..READINGS {
        match lake.catalog.pointer(head.name()).await {
            Ok(pointer) if pointer.metadata_location == location => return Settled::Committed,
            Ok(pointer) if pointer.metadata_location != head.metadata_location() => {
                match lake.reload(head).await {
                    Ok(now) if knows(&now, location, snapshot_id) => {
                        return Settled::Committed;
                    }
                    Ok(now) if now.metadata_location() != head.metadata_location() => {
                        return Settled::NotCommitted;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(50 << reading)).await;
    }
    Settled::Unknown(
        Error::new(
            ErrorKind::CommitUnknown,
            "the reply to a commit was lost and the table does not show it yet; run the same job \
             again, which is safe: it will find the commit or make it",
        )
        .with_context("table", head.name())
        .with_source(error),
    )
}

/// Whether a later head comes after the metadata file at `location`.
fn knows(head: &LakeTable, location: &str, snapshot_id: Option<i64>) -> bool {
    let metadata = head.metadata();
    snapshot_id.is_some_and(|id| metadata.snapshot_by_id(id).is_some())
        || metadata.metadata_log().iter().any(|entry| entry.metadata_file == location)
}
