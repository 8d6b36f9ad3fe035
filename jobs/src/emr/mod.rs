//! EMR Serverless, asked as a client: AWS, or `northstar serve`, which answers alike.
//!
//! | module | holds |
//! | --- | --- |
//! | `client` | the service: where it is, over what, with whose keys |
//! | `command` | the command of a run: checked, and free of what looks like a secret |
//! | `token` | the token by which the same submission is the same run |
//! | `start` | the application started, the run asked for |
//! | `watch` | a run until it is over; cancelling |
//! | `logs` | what a run printed, from files or from S3 |
//! | `size` | worker sizes that there are |
//! | `cost` | what was billed, times prices |

pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod cost;
pub(crate) mod logs;
pub(crate) mod size;
pub(crate) mod start;
mod token;
pub(crate) mod watch;

pub(crate) use client::Service;
