//! `northstar serve`: one HTTP server that speaks what users of AWS speak already.
//!
//! | file | holds |
//! | --- | --- |
//! | `fault.rs` | errors as the services' models name them |
//! | `shape.rs` | requests and answers as the services' models describe them |
//! | `glue_jobs/` | AWS Glue: jobs, their runs, their bookmarks |
//! | `emr_serverless/` | EMR Serverless: applications and their job runs |

pub(crate) mod emr_serverless;
pub(crate) mod fault;
pub(crate) mod glue_jobs;
mod shape;
