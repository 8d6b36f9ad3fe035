//! Branches and tags: names for snapshots, what is kept of them, and how they move.
//!
//! ```text
//! name      what a branch or tag may be called
//! retention how long Iceberg keeps it, in Iceberg's own fields
//! notes     owner, reason and time of creation, as table properties beside the ref
//! list      the refs of a table
//! version   a snapshot from an id, a tag, a branch or a time
//! define    create, replace, drop
//! rollback  a branch set back to what it was
//! publish   write, audit, publish: `main` takes a branch's commits as they are
//! pick      or one appended snapshot of it, as a commit of its own
//! ```
//!
//! A ref moves by a change of metadata alone (`Lake::alter`), on one condition: what is replaced,
//! dropped or set back is what the caller saw. A commit that came in between is a conflict and is
//! never lost.
//!
//! Rows and watermarks move together, because a watermark is the summary entry of the nearest
//! ancestor that has one (`LakeTable::inherited_summary`); nothing here touches either alone (W3).
//!
//! Source: <https://iceberg.apache.org/spec/#snapshot-references>

mod define;
mod list;
mod name;
mod notes;
mod pick;
mod publish;
mod retention;
mod rollback;
mod version;

pub(crate) use define::require;
pub(crate) use list::is_tag;

pub use define::NewRef;
pub use list::{RefKind, TableRef, references, refs};
pub use name::check_name;
pub use notes::{Notes, note_keys};
pub use pick::SOURCE_SNAPSHOT_ID;
pub use retention::{FOREVER_MS, MAX_REF_AGE_PROPERTY, Retention};
pub use rollback::Rollback;
pub use version::find_version;
