//! Whether a table of merged changes is what its sources make of it.
//!
//! ```text
//! state ─▶ the newest state of each key beside the row that the table has, by a hash of its columns
//! files ─▶ records of an extract beside rows landed in bronze and records in quarantine (W1)
//! job   ─▶ both, as counts; no value of a row leaves a query
//! ```

mod files;
mod job;
mod state;

pub use files::Balance;
pub use job::{ReconcileJob, Reconciliation};
pub use state::Group;
