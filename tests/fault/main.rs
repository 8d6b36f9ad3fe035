//! The fault tests: processes that die, replies that are lost, writers that race, disks that fail.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "these are tests throughout: what fails in them fails the test"
)]

mod action_damage;
mod action_disks;
mod action_kills;
mod action_replies;
mod action_waits;
mod actions;
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
mod orphan_age;
mod place;
mod race;
mod race_pairs;
mod replies;
mod storage;
mod unknown;
mod writers;
