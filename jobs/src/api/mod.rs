//! `northstar serve`: one HTTP server that speaks what users of AWS speak already.
//!
//! | file | holds |
//! | --- | --- |
//! | `server.rs` | what the server is made of, where it listens, how it ends |
//! | `router.rs` | a request from its first byte to its line in the log |
//! | `service.rs` | which service a request is for |
//! | `auth/` | who calls |
//! | `glue.rs` | requests to Glue; what its Data Catalog does is in the `catalog` crate |
//! | `glue_jobs/` | AWS Glue: jobs, their runs, their bookmarks |
//! | `emr_serverless/` | EMR Serverless: applications and their job runs |
//! | `rest/` | the Iceberg REST catalog protocol |
//! | `tokens.rs` | tokens for clients that do not sign |
//! | `answer.rs`, `fault.rs` | answers and errors in the form of each protocol |
//! | `shape.rs` | requests and answers as the services' models describe them |
//! | `request_log.rs`, `metrics.rs` | who asked for what, how often, and how long it took |

pub(crate) mod answer;
pub(crate) mod auth;
pub(crate) mod emr_serverless;
pub(crate) mod fault;
pub(crate) mod glue;
pub(crate) mod glue_jobs;
pub(crate) mod metrics;
pub(crate) mod request_log;
pub(crate) mod rest;
mod router;
pub(crate) mod server;
pub(crate) mod service;
mod shape;
mod tokens;

pub(crate) use server::Api;
