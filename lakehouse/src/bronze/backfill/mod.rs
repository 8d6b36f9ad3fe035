//! The backfill: years of extracts, loaded in units that can be resumed, by one process or by many.
//!
//! ```text
//! unit       ─▶ TABLE/GROUP/PERIOD: which files are loaded together
//! state      ─▶ which units are in the tables already, asked of the tables' rows
//! wave       ─▶ some 50 units of one table; its `_seq` and `_batch_id`, fixed before any row is written
//! write      ─▶ the data files of a unit, uncommitted, anywhere and in any order
//! descriptor ─▶ what was written, as JSON
//! commit     ─▶ the units of a wave that are not there yet: rejects, then rows, one snapshot each
//! job        ─▶ all of it in one process
//! ```
//!
//! There is no record of progress beside the tables. A unit is done when the table has the rows of its
//! files, which a commit makes so for all units of a wave at once; whatever dies before leaves orphans,
//! and whatever dies after is found by content. Invariants as for loads: W1 to W4.

mod commit;
mod descriptor;
mod job;
mod report;
mod state;
#[cfg(test)]
mod tests;
mod unit;
mod wave;
mod write;

pub use descriptor::{Descriptor, SourceReport};
pub use job::BackfillJob;
pub use report::{BackfillReport, UnitOutcome, UnitReport, WaveReport};
pub use state::{KnownBy, States, UnitState};
pub use unit::{Filter, Listing, Unit, UnitName, list};
pub use wave::{Planned, Wave};
