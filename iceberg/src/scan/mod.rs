//! Reading an Iceberg table with DataFusion's own Parquet reader.
//!
//! ```text
//! provider  a table at a snapshot: the entry
//!  ├ files      manifests ─▶ live files        (partition summaries skip whole manifests)
//!  │  ╰ manifest_cache  each manifest is read once
//!  ├ prune      filters ─▶ which files to keep (`partition`: values, `bounds`: column bounds)
//!  ├ candidates the keys of a join ─▶ which files to keep (sides: column by column)
//!  ├ blooms     where few keys are left for a file: whether it holds them
//!  ├ deletes    position-delete files ─▶ rows to leave out
//!  ├ equality   equality-delete files ─▶ the same, by reading what they compare
//!  ├ inventory  the same without rows, for maintenance
//!  ├ statistics what the planner may know of a file
//!  ├ width      how many rows a batch has where rows are wide
//!  ├ rows       rows that one scan reads or leaves out, beside those deleted
//!  ├ planned    the plan: `DataSourceExec` over `FileScanConfig` over `IcebergSource`
//!  ╰ config     its schema and configuration
//! source    DataFusion's Parquet source, wrapped
//!  ├ slice      one file with its deletes, as it travels
//!  ├ adapter    columns found by field id, `nested` ones part by part
//!  ├ readers    how each file is read: with its deleted rows or without
//!  ├ whole      small files in one piece
//!  ├ reads      what was really read, counted
//!  ╰ open       constants of a file; errors that name it
//! ```
//!
//! The plan node is a plain `DataSourceExec` over a `FileScanConfig`, never a leaf of our own:
//! Ballista gives each task its share of the files by looking for exactly that, and would let every
//! task read a custom leaf whole. [`IcebergSource`] is what a codec recognises; a bare
//! `ParquetSource` would serialise itself and drop the deletes.

mod adapter;
mod blooms;
mod bounds;
mod candidates;
mod config;
mod deletes;
mod equality;
mod files;
mod inventory;
mod manifest_cache;
mod nested;
mod open;
mod partition;
mod planned;
mod provider;
mod prune;
mod readers;
mod reads;
mod rows;
mod sides;
mod slice;
mod source;
mod statistics;
mod store;
mod whole;
mod width;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use blooms::Doubtful;
pub(crate) use bounds::scalar;
pub(crate) use candidates::{KeyColumn, ScannedFile};
pub(crate) use deletes::only_data_file;
pub(crate) use files::{manifests, spec_of};
pub(crate) use inventory::{Inventory, StoredFile};
pub(crate) use partition::{comparable, widened};
pub(crate) use rows::{Positions, RowChoice};
pub(crate) use width::batch_rows;

pub use config::{AddressColumns, FILE_COLUMN, POS_COLUMN, file_type, scan_config, table_schema};
pub use manifest_cache::ManifestCache;
pub use provider::IcebergTable;
pub use prune::Pruning;
pub use reads::FileReads;
pub use slice::FileSlice;
pub use source::{IcebergSource, find_scan, iceberg_scan};
pub use store::{store_path, store_url};
