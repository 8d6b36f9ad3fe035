//! Metadata tables: what a table's metadata says of it, as tables that SQL reads.
//!
//! `SELECT * FROM ns."t$files"` reads the files of `ns.t`; `ns."t$files" VERSION AS OF 5` those of an
//! earlier snapshot. Names and columns are those of Iceberg's own metadata tables, as Spark shows
//! them, made flat: a struct becomes its fields, a map or a list becomes JSON text with the names of
//! columns in place of their ids. `key_metadata` is left out, since it may hold a key.
//!
//! Bounds and partition values of columns tagged as PHI are masked, whoever wrote them.
//!
//! ```text
//! kind      which tables there are, and which of them have versions
//! provider  such a table as DataFusion scans it: one manifest at a time
//!  ├ history     snapshots, history, refs: from the metadata file alone
//!  ├ files       files, data_files, delete_files, entries
//!  ├ manifests   manifests
//!  ╰ partitions  partitions
//! column    a column: its name, its type, its value in a row
//! describe  ids, bounds and partitions as text; `phi` says which are masked
//! ```
//!
//! Source: <https://iceberg.apache.org/docs/latest/spark-queries/#inspecting-tables>

mod column;
mod describe;
mod files;
mod history;
mod kind;
mod manifests;
mod partitions;
mod phi;
mod provider;

pub(crate) use describe::Description;

pub use describe::MASK;
pub use kind::{MetadataTable, SEPARATOR};
pub use provider::InspectTable;
