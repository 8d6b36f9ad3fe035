//! Timestamps as microseconds, Iceberg's unit, throughout a statement.
//!
//! DataFusion reads a timestamp in SQL, and a text or date beside one, as nanoseconds, which begin in
//! 1677 and end in 2262. Legacy data has `0001-01-01` and `9999-12-31` for "never". So a statement's
//! types, and what meets a timestamp, are settled here before DataFusion settles them:
//!
//! - `TIMESTAMP` and `TIMESTAMPTZ` are microseconds ([`SqlTypes`]); `AT TIME ZONE` gives them.
//! - A text or a date that is compared or mixed with timestamps becomes microseconds, as it would if it
//!   were stored in such a column: further digits of a text are cut off.
//! - A function that would make nanoseconds of what has none gives microseconds (`functions`).
//! - `date_trunc` and `date_bin` count in microseconds (`calendar`).
//! - What still is nanoseconds (`arrow_cast`, rows from outside) is compared with coarser timestamps
//!   without loss, in microseconds (`exact`).
//!
//! It is done with the plan as SQL gives it, so that all that is built upon it, such as a MERGE or the
//! columns of `CREATE TABLE AS`, sees the same types.

mod calendar;
mod exact;
mod functions;
mod kinds;
mod meet;
mod plans;
mod series;
mod types;

pub(super) use plans::in_microseconds;
pub(super) use series::register;
pub(super) use types::SqlTypes;
