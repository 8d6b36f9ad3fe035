//! The embedded default: a catalog in one SQLite file, in the layout of PyIceberg's `SqlCatalog`.
//!
//! The same file opens in PyIceberg with
//! `SqlCatalog("default", uri="sqlite:////absolute/path/catalog.db")`, and a file made there opens
//! here, with or without the column `iceberg_type` that newer versions add. Views, and names that
//! break the rules of [`crate::ident`], are neither listed nor changed.
//!
//! | file | holds |
//! | --- | --- |
//! | `catalog.rs` | [`SqliteCatalog`] and its statements |
//! | `connection.rs` | the connection, its settings, and whether its file is still the same |
//! | `schema.rs` | the two tables |
//! | `together.rs` | a change of several tables in one step |
//! | `namespaces.rs` | the properties of namespaces |
//! | `glue.rs`, `glue/` | what the Glue API needs beside the pointer: version numbers, earlier versions, tags |
//! | `failure.rs` | what an error of SQLite means, and whether it leaves a change open |
//!
//! A change is one transaction, mostly of one statement, so that an error before its end means that
//! nothing happened. The file is in WAL mode: readers never wait for a writer.

mod catalog;
mod connection;
mod failure;
mod glue;
mod namespaces;
mod schema;
mod together;

#[cfg(test)]
pub(crate) mod tests;

pub use catalog::SqliteCatalog;
pub use glue::{GlueEntry, GluePage, GlueUpdate};
pub use namespaces::PropertyChanges;
