//! Rows in, data files out: partitioned, sorted, encoded, described, within a memory budget.
//!
//! ```text
//! batches ─▶ partition   which partition each row belongs to
//!         ─▶ chunk       rows kept as they came, up to the memory budget
//!         ─▶ spill       over the budget: sorted runs, one file per chunk
//!         ─▶ runs        the sorted runs of a partition, merged
//!         ─▶ beginning   the first rows of a file, until it is known whether they are all
//!         ─▶ data_file   Parquet, rolled at the target size, described by `bounds`
//! ```
//!
//! Row groups of a file that is written anew without some of its rows may be copied, by `row_groups`.
//! Deleted rows of a data file are written as one file of positions, by `position_deletes`.
//!
//! Nothing here commits: a [`TableWriter`] yields descriptions of files that nobody refers to yet. A
//! [`Described`] carries them to the process that commits.

mod beginning;
pub mod bounds;
mod chunk;
mod data_file;
mod delta;
mod described;
mod encoding;
mod expansion;
pub mod partition;
mod position_deletes;
mod row_groups;
mod runs;
mod spill;
pub mod transform;
mod writer;

pub use described::Described;
pub use expansion::Expansion;
pub use iceberg::spec::DataFile;
pub use position_deletes::{DeletesOf, write_position_deletes};
pub(crate) use row_groups::GroupCopier;
pub(crate) use writer::sort_columns;
pub use writer::{TableWriter, WriteOptions, Written};
