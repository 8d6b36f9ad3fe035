//! AWS Glue as a catalog: `glue://REGION/`.
//!
//! | file | holds |
//! | --- | --- |
//! | `place.rs` | [`GluePlace`]: which Glue, and the form of its URL |
//! | `catalog.rs` | [`GlueCatalog`]: each call of [`crate::Catalog`] as calls to Glue |
//! | `calls.rs` | calls that are tried again where that is safe; lists read to their end |
//! | `entries.rs` | entries of tables looked up, added and removed |
//! | `swap.rs` | an entry changed from the version that was read, and what it shows after a lost reply |
//! | `rename.rs` | another name, in three steps |
//! | `convert.rs` | between the client's types and ours |
//! | `failure.rs` | what a failed call means, and whether it may have taken effect |
//!
//! The client never repeats a call by itself: after a lost reply the entry is read first, and what is
//! found there decides. What a service must do for this, and what those that stand for AWS in tests do
//! otherwise, is in `docs/glue.md`.

mod calls;
mod catalog;
mod convert;
mod entries;
mod failure;
mod place;
mod rename;
mod swap;

#[cfg(test)]
mod tests;

pub use catalog::{GlueCatalog, GlueOptions};
pub use place::GluePlace;
