//! The rows of one facility and some days, made again from what the table was made of.
//!
//! ```text
//! scope     ─▶ the facility, the days, and the condition that they come to
//! statement ─▶ one MERGE: the rows that matter, as their newest states are (`rebuilt`)
//! job       ─▶ the plan (nothing is written), then the commit
//! report    ─▶ what the plan says
//! ```
//!
//! The rows that matter are those of keys that the table has in the scope, or whose newest state is
//! there. Of these keys all rows become what a rebuild of the whole table would give; a row whose
//! facility or date moved leaves its old place and stands at its new one. Others are not touched.
//!
//! A row whose last change is in none of the files is held back: the files are not all there are, and
//! it may be newer than they are. So a merge that comes between loses nothing.
//!
//! Invariants: W2 (unchanged input makes no snapshot), M4 (the newest state is that of any order).

mod job;
mod report;
mod scope;
mod statement;

pub use job::{Rerun, RerunJob};
pub use report::RerunPlan;
pub use scope::{ScopeRequest, time_column};

pub(super) use job::{opened_bronze, soft_target};
pub(super) use scope::Scope;
