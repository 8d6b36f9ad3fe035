//! Where Iceberg tables are registered, and the atomic swap of their metadata pointer.
//!
//! A catalog knows, for each table, the location of its current metadata file. A commit writes a
//! new metadata file and then moves that pointer with one compare-and-swap, whose outcome is a
//! value ([`Swap`]): only this makes a commit visible.
//!
//! | module | holds |
//! | --- | --- |
//! | [`error`] | the one error type of all Northstar libraries |
//! | [`ident`] | names of namespaces and tables, and their rules |
//! | [`mod@pointer`] | the [`Catalog`] trait, a table's [`Pointer`], the [`Swap`] outcomes |
//! | [`mod@open`] | a catalog from one URL |
//! | [`glue`] | AWS Glue as a catalog, and what it says of an Iceberg table |
//! | [`sqlite`] | the embedded default, in the layout of PyIceberg's `SqlCatalog` |
//! | [`rest`] | a catalog behind the Iceberg REST protocol, for reading |
//! | [`faulty`] | a catalog that loses replies, goes stale or stalls, for tests |

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod error;
pub mod faulty;
pub mod glue;
pub mod ident;
#[cfg(test)]
mod listening;
mod missing;
pub mod open;
pub mod pointer;
pub mod rest;
pub mod sqlite;
mod url;
mod waits;

pub use error::{Error, ErrorKind, Result, Retry};
pub use ident::TableName;
pub use open::{OpenMode, open};
pub use pointer::{Catalog, Move, Pointer, Swap};
pub use waits::Patience;
