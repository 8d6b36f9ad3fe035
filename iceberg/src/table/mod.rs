//! A table: as it was opened, how it is defined, what its properties say.

pub(crate) mod conform;
pub mod definition;
pub mod evolve;
pub(crate) mod from_arrow;
mod opened;
pub mod properties;
mod row_level;
pub mod schema;

pub use definition::{ColumnDefinition, PartitionColumn, TableDefinition};
pub use opened::LakeTable;
pub use properties::{MetricsMode, WriteProperties};
pub use row_level::{IsolationLevel, RowLevelMode};
