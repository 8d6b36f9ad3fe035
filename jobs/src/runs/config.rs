//! What runs need from outside.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use northstar_iceberg::clock::Clock;
use northstar_iceberg::ids::Ids;

/// Where runs are kept, how they are run, and in whose name they are known.
#[derive(Debug, Clone)]
pub(crate) struct RunsConfig {
    /// Holds the state, `runs.db`, and below `logs` what runs print. The folder must be there.
    pub(crate) folder: PathBuf,
    /// The program that each run is a process of: this one.
    pub(crate) program: PathBuf,
    /// The options that say where tables are, such as `--warehouse DIR`; every run has them.
    pub(crate) warehouse_arguments: Vec<OsString>,
    /// So many runs have a process at once; further ones wait.
    pub(crate) most_at_once: usize,
    /// The memory of each run for rows under way.
    pub(crate) run_memory_bytes: usize,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// New identifiers.
    pub(crate) ids: Arc<dyn Ids>,
    /// The account of ARNs: 12 digits.
    pub(crate) account: String,
    /// The region of ARNs.
    pub(crate) region: String,
}
