//! Bronze: rows as received, append-only, each with where it came from.
//!
//! ```text
//! folder ─▶ which files belong to which table
//! loaded ─▶ which of them are in the table already (by content), asked of the table itself
//! at_once ─▶ many files looked at, several at once where they are in a bucket
//! define ─▶ the table, made if it is not there: columns inferred or as the contract says
//! read   ─▶ rows with lineage, and rejects, through bounded channels
//! load   ─▶ quarantine first, then the rows: one commit each, a no-op when repeated
//! backfill ─▶ the same in units, by one process or many, committed in waves
//! ```
//!
//! Invariants: W1 (rows read = landed + quarantined), W2 (the same files again make no snapshot), W3
//! (`_seq` moves only with its rows), W4 (a crash leaves the old or the new snapshot).

pub(crate) mod at_once;
pub mod backfill;
pub(crate) mod define;
pub mod folder;
pub mod lineage;
pub(crate) mod load;
mod loaded;
pub mod quarantine;
pub(crate) mod read;
mod report;

pub use load::{LoadJob, LoadOptions};
pub use report::{FileOutcome, FileReport, LoadReport, TableReport};
