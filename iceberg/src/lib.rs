//! What an Iceberg table can do: be created, appended to, scanned, and read as it was.
//!
//! The table format (metadata, manifests, transforms) is Apache's `iceberg` crate; reading and
//! writing Parquet is DataFusion and arrow 59. The two meet in schemas and bounds only, never in a
//! `RecordBatch` (ADR 0001).
//!
//! | module | holds |
//! | --- | --- |
//! | [`lake`] | a catalog and a warehouse folder: the place where tables are opened |
//! | [`table`] | a table as it was opened; its definition, schema and properties |
//! | [`travel`] | which snapshot `AS OF` means |
//! | [`scan`] | reading: files chosen from manifests, Parquet read by field id |
//! | [`write`](mod@write) | rows in, data files out: partitioned, sorted, within a memory budget |
//! | [`commit`] | snapshots, the retry loop, the outcome of a commit |
//! | [`refs`] | branches and tags: made, dropped, set back, published |
//! | [`merge`] | `MERGE`, `UPDATE` and `DELETE`: rows found, files rewritten, one commit |
//! | [`history`] | the rows of some keys, snapshot by snapshot |
//! | [`diff`] | what changed between two snapshots |
//! | [`inspect`] | metadata tables: snapshots, files, manifests … as SQL reads them |
//! | [`maintenance`] | what keeps a table small and quick: compaction, expiry, orphans |
//! | [`engine`] | where queries run |
//! | `join` | hash joins within a memory limit |
//! | [`sql`] | SQL sessions with `VERSION AS OF` and `TIMESTAMP AS OF` |
//! | [`codec`] | the scan as it travels to executors |
//! | [`access`], [`clock`], [`ids`], [`observer`], [`storage`] | what is passed in from outside |

pub mod access;
pub mod clock;
pub mod codec;
pub mod commit;
pub mod diff;
pub mod engine;
pub mod history;
pub mod ids;
pub mod inspect;
mod join;
pub mod lake;
pub mod maintenance;
pub mod merge;
pub mod observer;
pub mod refs;
pub mod scan;
pub mod sql;
pub mod storage;
pub mod table;
pub mod travel;
pub mod write;

pub use lake::Lake;
pub use northstar_catalog::{Error, ErrorKind, Result, Retry, TableName};
pub use table::LakeTable;
