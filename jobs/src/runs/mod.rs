//! Runs of jobs: each a process of this program, started from a queue, kept in a file beside the
//! catalog.
//!
//! ```text
//! API ─▶ store (a run, its first attempt) ─▶ queue ─▶ conduct: process, logs, time, stop ─▶ end
//!                                              ▲                                            │
//!                                              └──────────── the next attempt ◀─────────────┘
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `config.rs`, `service.rs` | [`RunsConfig`]: what runs need from outside; [`Runs`]: the handle of APIs |
//! | `store.rs` | the file, and its transactions |
//! | `owner.rs`, `run.rs`, `bookmark.rs` | jobs and applications; runs and attempts; bookmarks |
//! | `state.rs` | the states of an attempt |
//! | `work.rs`, `registered.rs`, `launcher.rs` | what a run does: scripts, registered jobs, the launcher's commands |
//! | `queue.rs`, `supervise.rs` | which attempts may start, and the loop that starts them |
//! | `process.rs`, `conduct.rs`, `logs.rs` | a process; an attempt from start to end; its folder |
//! | `end.rs`, `stop.rs`, `recover.rs` | how attempts end, are stopped, and are found after a restart |
//! | `prune.rs` | old runs go |
//! | `inside.rs` | what the process of a run does about itself |

mod bookmark;
mod conduct;
mod config;
mod end;
pub(crate) mod inside;
mod launcher;
mod logs;
mod owner;
mod process;
mod prune;
mod queue;
mod recover;
mod registered;
mod run;
mod service;
mod state;
mod stop;
mod store;
mod supervise;
mod work;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use bookmark::{Bookmark, BookmarkMode};
pub(crate) use config::RunsConfig;
pub(crate) use launcher::fits;
pub(crate) use logs::AttemptFolder;
pub(crate) use owner::{NewOwner, Owner, Service, Tags};
pub(crate) use run::{Attempt, NewRun, Run};
pub(crate) use service::Runs;
pub(crate) use state::State;
pub(crate) use work::{Argument, Work};
