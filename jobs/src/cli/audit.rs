//! `northstar audit` and `northstar runs`: what they take.

use std::path::PathBuf;

use clap::Args;

pub(crate) const AUDIT_HELP: &str =
    "For each table the rows inserted, updated, deleted and unchanged between two states, and the
snapshots between them with job, run, actor, reason and time. No value of a row is shown. Tables
without such a state are named, and the exit code is 1.

Examples:
  northstar audit --from month-close
  northstar audit silver.lab_result --from 2024-05-01T00:00:00Z --to 2024-06-01T00:00:00Z
  northstar audit --namespace silver --from month-close --report audit.json";

pub(crate) const RUNS_HELP: &str =
    "Each job appends a record at its end: run, arguments, files, snapshots, counts and cost.

Examples:
  northstar runs
  northstar --output json runs --limit 5";

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Tables, as NAMESPACE.TABLE [default: all]
    #[arg(value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// What changed: a tag, a branch, a snapshot's id, or a time such as 2024-05-01T00:00:00Z
    #[arg(long, value_name = "STATE")]
    pub(crate) from: String,
    /// What it became; likewise
    #[arg(long, value_name = "STATE", default_value = "main")]
    pub(crate) to: String,
    /// All tables of this namespace, and no others
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "tables")]
    pub(crate) namespace: Option<String>,
    /// Also write all of it into this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// So many of the last runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
}
