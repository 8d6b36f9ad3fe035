//! The actions that faults are tried on, but loads and the copy-on-write MERGE: each is something that
//! may be run again, and says what it makes of the table of `bed`.
//!
//! `model` is what such a table shows, `list` names the actions, `statements`, `upkeep` and `refs` run
//! them, `trial` holds one of them to its model.

mod bed;
mod list;
mod model;
mod refs;
mod statements;
mod trial;
mod upkeep;

pub(crate) use bed::{Bed, age, bed};
pub(crate) use list::{Action, Damage, Removes, actions, named};
pub(crate) use trial::Trial;
