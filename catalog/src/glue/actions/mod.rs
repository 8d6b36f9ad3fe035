//! Glue's Data Catalog as it answers clients: the actions over a catalog in SQLite.
//!
//! | file | holds |
//! | --- | --- |
//! | `service.rs` | which action does what |
//! | `read.rs` | what a client sent, read; names, pages |
//! | `databases.rs`, `tables.rs`, `versions.rs`, `search.rs` | what is in the catalog |
//! | `partitions.rs` | what Iceberg does not keep in Glue |
//! | `tags.rs` | texts by name on databases and tables |
//! | `shown.rs` | a table as clients see it, also after commits that told Glue nothing |
//!
//! What differs from AWS: a table is an Iceberg table; `DeleteDatabase` removes empty databases alone;
//! `UpdateTable` without `VersionId` must name the current pointer as the previous one (ADR 0010).
//!
//! Source: <https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog.html>

mod databases;
mod partitions;
mod read;
mod search;
mod service;
mod shown;
mod tables;
mod tags;
mod versions;

#[cfg(test)]
mod tests;

pub use read::read as read_input;
pub use service::{ACTIONS, GlueService};
