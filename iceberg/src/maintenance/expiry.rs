//! Which snapshots, tags and branches expire: from a table's metadata and the time alone.
//!
//! Source: <https://iceberg.apache.org/spec/#snapshot-retention-policy>

use std::collections::{BTreeMap, HashSet};

use iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention, TableMetadata};

use super::DAY_MS;
use super::base::{bases, stale_bases};
use crate::refs::references;
use crate::{Error, ErrorKind, Result};

const MAX_AGE: &str = "history.expire.max-snapshot-age-ms";
const MIN_KEPT: &str = "history.expire.min-snapshots-to-keep";
const MAX_REF_AGE: &str = "history.expire.max-ref-age-ms";
const GC_ENABLED: &str = "gc.enabled";

/// Snapshots are kept 35 days unless the table or the caller says otherwise (design decision 15).
const DEFAULT_AGE_MS: i64 = 35 * DAY_MS;

/// What expires. What is not said here is taken from the table's `history.expire.*` properties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpireOptions {
    /// Snapshots of this age or younger stay, in milliseconds; else as the table says, else 35 days.
    pub max_age_ms: Option<i64>,
    /// So many snapshots of each branch stay, whatever their age; else as the table says, else 1.
    pub min_kept: Option<usize>,
}

/// What expiry would do to a table's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpiryPlan {
    /// Tags and branches that have outlived their own age limit, in order.
    pub refs: Vec<String>,
    /// Snapshots that expire, oldest first.
    pub snapshots: Vec<i64>,
    /// Snapshots that stay.
    pub kept: usize,
    /// Table properties that keep what expired snapshots said for those that stay.
    pub bases: BTreeMap<String, String>,
    /// Such properties of snapshots that are gone.
    pub stale_bases: Vec<String>,
}

impl ExpiryPlan {
    /// Plans for a table at a time, in milliseconds since 1970.
    ///
    /// Kept is what a tag or branch names; of each branch the last snapshots by number, and all that
    /// are young enough; and of others, as a rollback leaves them, the young ones (C2).
    ///
    /// # Errors
    /// `InvalidInput` for a property that is no number, and for a table whose `gc.enabled` is false.
    pub fn of(metadata: &TableMetadata, now_ms: i64, options: &ExpireOptions) -> Result<Self> {
        check_gc(metadata)?;
        let limits = Limits::of(metadata, now_ms, options)?;
        let mut plan = Self::default();
        let mut stays: HashSet<i64> = metadata.current_snapshot_id().into_iter().collect();
        let mut on_branch: HashSet<i64> = HashSet::new();
        let mut main = SnapshotRetention::branch(None, None, None);
        for (name, reference) in references(metadata)? {
            if name != MAIN_BRANCH && limits.has_outlived(metadata, &reference) {
                plan.refs.push(name);
                continue;
            }
            if name == MAIN_BRANCH {
                main = reference.retention.clone();
            }
            stays.insert(reference.snapshot_id);
            on_branch.insert(reference.snapshot_id);
            limits.keep(
                metadata,
                reference.snapshot_id,
                &reference.retention,
                &mut stays,
                &mut on_branch,
            );
        }
        // A table may be without a ref for `main`; its current snapshot is one all the same.
        if let Some(current) = metadata.current_snapshot_id() {
            limits.keep(metadata, current, &main, &mut stays, &mut on_branch);
        }
        let mut gone = Vec::new();
        for snapshot in metadata.snapshots() {
            let id = snapshot.snapshot_id();
            let is_young = snapshot.timestamp_ms() >= limits.oldest_ms;
            if stays.contains(&id) || (!on_branch.contains(&id) && is_young) {
                stays.insert(id);
            } else {
                gone.push((snapshot.sequence_number(), id));
            }
        }
        gone.sort_unstable();
        plan.snapshots = gone.into_iter().map(|(_, id)| id).collect();
        plan.kept = metadata.snapshots().len() - plan.snapshots.len();
        if !plan.snapshots.is_empty() {
            plan.bases = bases(metadata, &stays);
            plan.stale_bases = stale_bases(metadata, &stays);
        }
        Ok(plan)
    }

    /// Whether nothing expires.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty() && self.snapshots.is_empty()
    }
}

/// Refuses a table whose files may be another's too.
///
/// # Errors
/// `InvalidInput` if the table's `gc.enabled` is false.
pub(super) fn check_gc(metadata: &TableMetadata) -> Result<()> {
    match metadata.properties().get(GC_ENABLED).map(String::as_str) {
        Some("false") => Err(Error::new(
            ErrorKind::InvalidInput,
            "the table's property gc.enabled is false: its files may be used by others, so none is \
             removed; set it to true if they are not",
        )),
        _ => Ok(()),
    }
}

/// What is old.
struct Limits {
    now_ms: i64,
    /// Snapshots of this time or later are young.
    oldest_ms: i64,
    min_kept: usize,
    max_ref_age_ms: i64,
}

impl Limits {
    fn of(metadata: &TableMetadata, now_ms: i64, options: &ExpireOptions) -> Result<Self> {
        let age_ms = match options.max_age_ms {
            Some(age_ms) => age_ms,
            None => number(metadata, MAX_AGE, DEFAULT_AGE_MS)?,
        };
        let min_kept = match options.min_kept {
            Some(count) => count,
            None => number(metadata, MIN_KEPT, 1)?,
        };
        Ok(Self {
            now_ms,
            oldest_ms: now_ms.saturating_sub(age_ms),
            min_kept: min_kept.max(1),
            max_ref_age_ms: number(metadata, MAX_REF_AGE, i64::MAX)?,
        })
    }

    /// Whether a tag or branch is past its age, which is that of its snapshot.
    fn has_outlived(&self, metadata: &TableMetadata, reference: &SnapshotReference) -> bool {
        let (SnapshotRetention::Branch { max_ref_age_ms, .. }
        | SnapshotRetention::Tag { max_ref_age_ms }) = reference.retention;
        let most_ms = max_ref_age_ms.unwrap_or(self.max_ref_age_ms);
        metadata
            .snapshot_by_id(reference.snapshot_id)
            .is_some_and(|snapshot| self.now_ms.saturating_sub(snapshot.timestamp_ms()) > most_ms)
    }

    /// Adds what a branch keeps of its ancestors; a tag keeps its snapshot alone.
    fn keep(
        &self,
        metadata: &TableMetadata,
        head: i64,
        retention: &SnapshotRetention,
        stays: &mut HashSet<i64>,
        on_branch: &mut HashSet<i64>,
    ) {
        let SnapshotRetention::Branch { min_snapshots_to_keep, max_snapshot_age_ms, .. } =
            retention
        else {
            return;
        };
        let count = min_snapshots_to_keep.and_then(|count| usize::try_from(count).ok());
        let count = count.unwrap_or(self.min_kept);
        let oldest_ms =
            max_snapshot_age_ms.map_or(self.oldest_ms, |age_ms| self.now_ms.saturating_sub(age_ms));
        let ancestors = std::iter::successors(metadata.snapshot_by_id(head), |snapshot| {
            metadata.snapshot_by_id(snapshot.parent_snapshot_id()?)
        });
        for (at, snapshot) in ancestors.enumerate() {
            on_branch.insert(snapshot.snapshot_id());
            if at < count || snapshot.timestamp_ms() >= oldest_ms {
                stays.insert(snapshot.snapshot_id());
            }
        }
    }
}

fn number<T: std::str::FromStr>(metadata: &TableMetadata, key: &str, default: T) -> Result<T> {
    let Some(text) = metadata.properties().get(key) else { return Ok(default) };
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("property {key} is `{text}`, which is no number"),
        )
    })
}
