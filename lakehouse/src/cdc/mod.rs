//! Change data capture: files that say how records of a source changed, merged into a table that holds
//! each record once, as it is now.
//!
//! ```text
//! files    ─▶ each by its content; CSV or Parquet
//! target   ─▶ key, version and way to delete; the table, made if it is not there
//! columns  ─▶ the columns of a change row: op, commit_lsn, command_id, seqval, then the table's
//! stage    ─▶ rows checked, with their position in the source's log, put aside on disk
//!             (`csv`, `parquet` read them; `position` makes positions; `faults` what is wrong)
//! statement ─▶ one MERGE: of each key the last state, where it is newer than the table's
//! job      ─▶ all of it, once per batch of files; `counts` what it came to
//! seed     ─▶ the same table's first rows, from a bronze extract
//! rebuilt  ─▶ the newest state of each key, from all that the table was made of
//! rerun    ─▶ one facility and some days, made again from it
//! reconcile ─▶ whether the table is what was made of it
//! ```
//!
//! A state is newer than another by its version, if the contract names a version column, and then by
//! its position. With soft deletes a deleted row stays and is marked, so that files may come in any
//! order and more than once. With hard deletes nothing is left to compare with; changes at or before
//! the table's watermark are skipped instead.
//!
//! Invariants: M4 (replayed prefixes, repeated files and other groupings give the same table), W2
//! (the same files again make no snapshot), W3 (the watermark moves with its rows, and never back).

mod asked;
mod columns;
mod counts;
mod csv;
mod faults;
mod files;
mod job;
mod parquet;
mod position;
mod rebuilt;
mod reconcile;
mod report;
mod rerun;
mod seed;
mod stage;
mod statement;
mod target;

pub use columns::{DELETED, SOURCE_POSITION};
pub use files::change_files;
pub use job::{FILES_SUMMARY, MergeJob, WATERMARK_SUMMARY};
pub use reconcile::{Balance, Group, ReconcileJob, Reconciliation};
pub use report::{MergeOutcome, MergeReport};
pub use rerun::{Rerun, RerunJob, RerunPlan, ScopeRequest, time_column};
