//! Commits: a snapshot built on the table's head, published by one swap of the metadata pointer.
//!
//! ```text
//! change  ─▶ reload the head ─▶ committed already? ─▶ still fits? (publish, validation)
//!         ─▶ manifests, list, metadata file (snapshot) ─▶ to disk ─▶ swap the pointer
//!              ▲                                                      │
//!              └───────────── another writer was first (retry) ◀──────┘
//! ```
//!
//! A change adds data files, removes some, or both. What it depends on is the caller's to say, by a
//! [`Validation`] that is asked whenever other commits came between.
//!
//! What changes no rows (properties, refs, schema) goes the same way without files: `alter`. So does
//! what a client of the catalog asks for, which has written its files itself: [`requested`].
//!
//! How a commit ended is a value, [`Outcome`]. A commit carries an id: applied again, it is a no-op
//! (W2). Files of an attempt that lost are removed; after a lost reply nothing is removed until
//! re-reading has settled what happened.

mod alter;
mod change;
mod gather;
mod manifests;
mod outcome;
mod presence;
mod publish;
mod regroup;
pub mod requested;
mod retry;
mod settle;
mod snapshot;
pub mod summary;

pub(crate) use manifests::is_dead;
pub(crate) use publish::lasting_conflict;
pub(crate) use retry::Backoff;
pub(crate) use snapshot::{stage, unfit};

pub use alter::Altered;
pub use change::{DeleteFile, FileChange};
pub use outcome::Outcome;
pub use publish::Validation;
pub use summary::{CommitRequest, RunContext};
