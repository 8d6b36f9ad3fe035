//! What changed in a table between two of its snapshots: rows inserted, deleted and updated.
//!
//! Only files that one snapshot has and the other has not, or that have other rows deleted, are read.
//! The rows of both sides are compared as multisets, as `EXCEPT ALL` would, bit by bit: a row that
//! was only written into another file is no change, whatever wrote it (`UPDATE`, compaction). NULL is
//! equal to NULL, a NaN to itself, and `-0.0` is not `0.0`. With a key, what went and what came with
//! one key is an update.
//!
//! ```text
//! request   which two snapshots, and which key
//! sides     the table at both, under the newer schema; the files that can differ
//! plan      the queries: what is more on one side, and how it pairs
//! bits      floats as their bits, so that no engine's idea of equality comes in
//! memory    how these queries share the memory of the session
//! result    the rows, or how many there are
//! ```
//!
//! All of it runs as queries of the session and within its memory: sorts put aside what does not
//! fit.

mod bits;
mod memory;
mod plan;
mod request;
mod result;
mod sides;

pub use plan::CHANGE_COLUMN;
pub use request::DiffRequest;
pub use result::{Diff, DiffCounts};
