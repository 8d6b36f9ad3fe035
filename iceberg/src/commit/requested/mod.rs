//! Changes that a client of the catalog asks for: requirements that must hold, and updates of
//! metadata. The client has planned the change and written its files; here it is looked at, made on
//! the table's head and published like any other commit.
//!
//! ```text
//! requirements ─▶ updates, on the head's metadata (apply) ─▶ what follows from them (follow)
//!     ▲       ─▶ files of new snapshots: there, whole, in the warehouse (files) ─▶ metadata file
//!     │                                                   ─▶ to disk ─▶ swap the pointers
//!     └───────────── another writer was first (commit) ◀──────────────────┘
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `change.rs` | [`RequestedChange`], [`RequestedTable`], and how it ended: [`Requested`] |
//! | `commit.rs` | changes of one table or of several, made in one step |
//! | `apply.rs` | updates, on the metadata of a head |
//! | `allow.rs` | what of them is refused, and why |
//! | `follow.rs` | what follows: properties of renamed columns, of dropped refs, of expired snapshots |
//! | `files.rs` | the files of snapshots that are new |
//! | `place.rs` | where tables may stand |
//! | `create.rs` | new tables: drafted, made at once, or made by a commit |
//! | `register.rs` | tables that are there already and get a name |
//!
//! Source: <https://iceberg.apache.org/rest-catalog-spec/>

mod allow;
mod apply;
mod change;
mod commit;
mod create;
mod files;
mod follow;
mod place;
mod register;

pub use change::{Requested, RequestedChange, RequestedTable};
