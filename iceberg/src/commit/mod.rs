//! Commits: a snapshot built on the table's head, published by one swap of the metadata pointer.
//!
//! ```text
//! append ─▶ reload the head ─▶ committed already? ─▶ still fits? (conflict)
//!        ─▶ manifests, list, metadata file (snapshot) ─▶ to disk ─▶ swap the pointer
//!              ▲                                                      │
//!              └───────────── another writer was first (retry) ◀──────┘
//! ```
//!
//! How a commit ended is a value, [`Outcome`]. A commit carries an id: applied again, it is a no-op
//! (W2). Files of an attempt that lost are removed; after a lost reply nothing is removed until
//! re-reading has settled what happened.

mod append;
mod outcome;
mod retry;
mod settle;
mod snapshot;
pub mod summary;

pub use outcome::Outcome;
pub use summary::{CommitRequest, RunContext};
