//! The integration tests: whole operations, through the libraries and through the program.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests end loudly where they cannot go on"
)]

mod bad_input;
mod cdc;
mod cli;
mod cluster;
mod commits;
mod diff;
mod engines;
mod evolution;
mod glue;
mod inserts;
mod inspect;
mod loads;
mod maintenance;
mod merge_blooms;
mod merge_conflicts;
mod merge_copies;
mod merge_explained;
mod merge_memory;
mod merge_model;
mod merge_on_read;
mod merge_pruning;
mod merges;
mod nested;
mod refs;
mod remote_scan;
mod rerun;
mod scale;
mod slt;
mod table_life;
mod time_travel;
mod timestamps;
mod writes;
