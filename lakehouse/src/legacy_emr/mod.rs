//! A seeded legacy EMR: extract, nightly export and change rows of a made-up group of clinics.
//!
//! [`LegacyEmr::write`] writes the CSV files, the load contract and a truth file that says what is
//! in them, so that a load or a MERGE can be checked without trusting either. All people are made
//! up; phone numbers, e-mail addresses and social security numbers come from ranges that are never
//! given out.
//!
//! ```text
//! out/extract/<table>.csv             what the legacy system held at the end of day 0
//! out/daily/day_1/<table>.csv         the nightly export: the rows of new visits of day 1
//! out/changes/day_{1,2,3}/<table>.csv change rows as SQL Server CDC gives them
//! out/people.csv                      which patient rows are the same person
//! out/tables.toml                     the load contract
//! out/truth.json                      counts, sums and defects (see `truth`)
//! ```
//!
//! The change rows alone, on top of the extract, give the state after each day. The nightly export
//! holds the same new rows as the change rows of day 1; a MERGE of both converges to that state.
//! Where the extract holds a key more than once, the row with the highest `version` is the live
//! one.
//!
//! Change files begin with `op` (1 delete with the row as it was, 2 insert, 4 update with the row
//! as it is now), `commit_lsn`, `command_id` and `seqval`; the order of changes is that of
//! `(commit_lsn, command_id, seqval)`, the command as a number. A few change rows come twice, at the end of a file.
//!
//! The bytes follow from [`LegacyEmr`] alone: each row draws from a ChaCha8 stream of its own
//! (seed, table, row), everything is integer arithmetic, and nothing depends on the clock, on
//! threads or on hash order.
//!
//! | module | holds |
//! | --- | --- |
//! | `config` | the size, the seed, the share of defects |
//! | `tables`, `contract` | columns and keys of the tables; `tables.toml` |
//! | `draws`, `row`, `times` | random draws; one row as CSV; local times with gaps and folds |
//! | `names`, `codes` | small lists of names and codes, with old and wrong spellings |
//! | `people`, `clinical`, `results` | the rows themselves |
//! | `world`, `corrections` | any row by its key, as of day 0; its next version |
//! | `extract`, `extract_file`, `malformed` | all files; a file of the extract; broken records |
//! | `changes`, `change_log` | what happens in the days after; the change files |
//! | `truth`, `writer` | the truth file; one CSV file |

mod change_log;
mod changes;
mod clinical;
mod codes;
mod config;
mod contract;
mod corrections;
mod draws;
mod extract;
mod extract_file;
mod malformed;
mod names;
mod people;
mod results;
mod row;
mod tables;
mod times;
mod truth;
mod world;
mod writer;

#[cfg(test)]
mod tests;

pub use config::{Defects, LegacyEmr};
pub use extract::{LiveCount, TableCount, Written};
