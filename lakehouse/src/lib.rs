//! What the data means: the sources it comes from, and bronze, where it lands as received.
//!
//! | module | holds |
//! | --- | --- |
//! | [`contract`] | what a table is to be, where inference is not enough: types, keys, partitions, PHI tags |
//! | [`sources`] | where rows come from; CSV so far |
//! | [`bronze`] | rows as received, with lineage, once; what cannot land is quarantined |
//! | [`cdc`] | change data capture files, merged into tables that hold each record once |
//! | [`history`] | the versions of a row across the snapshots of its table |
//! | [`legacy_emr`] | a seeded, synthetic legacy EMR, for the demo, tests and benchmarks |

pub mod bronze;
pub mod cdc;
pub mod contract;
pub mod history;
pub mod legacy_emr;
pub mod sources;

pub use northstar_iceberg::{Error, ErrorKind, Result, Retry, TableName};
