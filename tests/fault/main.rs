//! The fault tests: processes that die, replies that are lost, writers that race, disks that fail.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "these are tests throughout: what fails in them fails the test"
)]

mod alter;
mod child;
mod contents;
mod damage;
mod files;
mod kill;
mod kill_merge;
mod locked;
mod meeting;
mod merge_clock;
mod merge_races;
mod merge_replies;
mod merge_schema;
mod merge_storage;
mod merge_waits;
mod merged;
mod merging;
mod observers;
mod place;
mod race;
mod race_pairs;
mod replies;
mod storage;
mod unknown;
mod writers;
