//! What keeps a table small and quick to read. No row changes, and no answer.
//!
//! Each job is a plan, which reads and can be printed, and an apply, which does it and tells what it
//! did, in files and bytes:
//!
//! | job | plan | apply | what holds |
//! | --- | --- | --- | --- |
//! | small files and position deletes become few files | [`CompactionPlan`] | [`compact()`] | C1 |
//! | small manifests become few | [`ManifestPlan`] | [`rewrite_manifests`] | no data file is touched |
//! | old snapshots go, and files that only they hold | [`ExpiryPlan`] | [`expire()`] | C2 |
//! | files that nothing refers to go | [`OrphanPlan`] | [`OrphanPlan::apply`] | none that is referred to |
//! | what history and tags cost | [`Holdings`] | | |
//!
//! ```text
//! compact    groups of files (compaction) ─▶ read, written, committed (compact)
//! manifests  lists alone decide; commit/regroup.rs writes
//! expire     refs, expiry, base ─▶ Lake::alter ─▶ garbage: what only expired snapshots hold ─▶ removal
//! orphans    the folder is walked, then all that any known metadata refers to is taken away
//! ```
//!
//! A file is removed after the commit that made it useless is known to have taken effect, and never
//! after an unknown outcome; what is left behind so is an orphan.

mod base;
mod compact;
mod compaction;
mod expire;
mod expiry;
mod garbage;
mod holdings;
mod manifests;
mod orphans;
mod reading;
mod removal;

pub(crate) use base::{base_key, bases, stale_bases};

pub use compact::{CompactReport, compact};
pub use compaction::{CompactOptions, CompactionPlan, FileGroup};
pub use expire::{ExpireReport, ExpiryPreview, expire, preview_expiry};
pub use expiry::{ExpireOptions, ExpiryPlan};
pub use holdings::{Holding, Holdings};
pub use manifests::{ManifestPlan, ManifestReport, rewrite_manifests};
pub use orphans::{Orphan, OrphanPlan};
pub use removal::Removed;

/// A day, in milliseconds.
pub const DAY_MS: i64 = 86_400_000;
