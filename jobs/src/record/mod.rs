//! The record of a run: what each job was asked, read, changed and cost, as one line of JSON at its end.
//!
//! ```text
//! job   ─▶ which commands are jobs, and which of their arguments are told: names, days and switches
//! tally ─▶ what a job counted; commands hand it over
//! cost  ─▶ time, memory and requests to S3, of this process
//! run   ─▶ the record, begun before the command and ended after it
//! line  ─▶ `runs.jsonl` in the warehouse's local folder
//! ```
//!
//! No value of a row is in it: of files the names, of tables the snapshots.

mod cost;
mod job;
mod line;
mod run;
mod tally;

pub(crate) use line::last;
pub(crate) use run::Recorded;
pub(crate) use tally::{Counts, Tally};
