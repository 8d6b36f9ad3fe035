//! Which commands are jobs, and what is told of their arguments.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::tally::name;
use crate::cli::{Backfill, Command, Load, Maintain, Source, Sources};

/// A command that is recorded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    pub(super) name: &'static str,
    /// Names of tables and files, facilities, days and switches.
    pub(super) arguments: Map<String, Value>,
}

impl Job {
    /// The job that a command is; `None` for one that only looks, or that people type.
    pub(super) fn of(command: &Command) -> Option<Self> {
        let (name, arguments) = match command {
            Command::Load(Load::Csv { from, into, contract, source_system, threads: _ }) => (
                "load csv",
                json!({
                    "from": name(from), "into": into, "contract": file(contract.as_deref()),
                    "source_system": source_system,
                }),
            ),
            Command::Merge { table, changes, contract, explain } => (
                "merge",
                json!({
                    "table": table, "changes": files(changes), "contract": file(contract.as_deref()),
                    "explain": explain,
                }),
            ),
            Command::Rerun(asked) => (
                "rerun",
                with_sources(
                    json!({
                        "table": asked.table, "facility": asked.facility,
                        "from": asked.from.to_string(), "to": asked.to.to_string(),
                        "zone": asked.zone, "complete": asked.complete, "dry_run": asked.dry_run,
                    }),
                    &asked.sources,
                ),
            ),
            Command::Reconcile(asked) => (
                "reconcile",
                with_sources(
                    json!({"table": asked.table, "extract": file(asked.extract.as_deref())}),
                    &asked.sources,
                ),
            ),
            Command::Audit(asked) => (
                "audit",
                json!({
                    "tables": asked.tables, "from": asked.from, "to": asked.to,
                    "namespace": asked.namespace, "report": file(asked.report.as_deref()),
                }),
            ),
            Command::Maintain(job) => maintain(job),
            Command::Backfill(job) => return backfill(job),
            _ => return None,
        };
        Self::named(name, arguments)
    }

    fn named(name: &'static str, arguments: Value) -> Option<Self> {
        let Value::Object(mut arguments) = arguments else { return None };
        arguments.retain(|_, value| !value.is_null());
        Some(Self { name, arguments })
    }
}

/// Runs and commits of backfills. What one task of many writes is recorded when it is committed.
fn backfill(job: &Backfill) -> Option<Job> {
    let with_source = |source: &Source, mut arguments: Value| {
        if let Value::Object(map) = &mut arguments {
            map.insert("from".into(), json!(name(&source.from)));
            map.insert("into".into(), json!(source.into));
            map.insert("contract".into(), file(source.contract.as_deref()));
            map.insert("source_system".into(), json!(source.source_system));
        }
        arguments
    };
    match job {
        Backfill::Run { source, chosen, dry_run, .. } => {
            let arguments =
                json!({"tables": chosen.table, "groups": chosen.group, "dry_run": dry_run});
            Job::named("backfill run", with_source(source, arguments))
        }
        Backfill::Commit { source, .. } => {
            Job::named("backfill commit", with_source(source, json!({})))
        }
        Backfill::Units { .. } | Backfill::Plan { .. } | Backfill::Write { .. } => None,
    }
}

fn maintain(job: &Maintain) -> (&'static str, Value) {
    match job {
        Maintain::Compact { target, partition, sort, light, threads: _ } => {
            // What a partition holds is a value of rows.
            let fields: Vec<&str> = partition.iter().map(|(field, _)| field.as_str()).collect();
            let arguments = json!({
                "table": target.table, "partition": fields, "sort": sort, "light": light,
                "dry_run": target.dry_run,
            });
            ("maintain compact", arguments)
        }
        Maintain::Manifests { target } => {
            ("maintain manifests", json!({"table": target.table, "dry_run": target.dry_run}))
        }
        Maintain::Expire { target, older_than, keep } => (
            "maintain expire",
            json!({
                "table": target.table, "older_than_ms": older_than, "keep": keep,
                "dry_run": target.dry_run,
            }),
        ),
        Maintain::Orphans { table, older_than, dry_run: _, apply } => (
            "maintain orphans",
            json!({"table": table, "older_than_ms": older_than, "apply": apply}),
        ),
        Maintain::Retention { table, dry_run: _ } => {
            ("maintain retention", json!({"table": table}))
        }
    }
}

fn with_sources(mut arguments: Value, sources: &Sources) -> Value {
    if let Value::Object(map) = &mut arguments {
        let bronze = (!sources.no_bronze).then(|| sources.bronze.clone());
        map.insert("bronze".into(), json!(bronze));
        map.insert("changes".into(), files(&sources.changes));
        map.insert("contract".into(), file(sources.contract.as_deref()));
    }
    arguments
}

/// Paths may lead through folders whose names say something; those of files are enough.
fn files(paths: &[PathBuf]) -> Value {
    json!(paths.iter().map(|path| name(path)).collect::<Vec<_>>())
}

fn file(path: Option<&Path>) -> Value {
    json!(path.map(name))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn job(words: &[&str]) -> Option<Job> {
        let words = ["northstar"].iter().chain(words);
        Job::of(&Cli::try_parse_from(words).unwrap().command)
    }

    #[test]
    fn jobs_tell_names_days_and_switches() {
        let made = job(&[
            "rerun",
            "a.b",
            "--facility",
            "7",
            "--from",
            "2024-05-01",
            "--to",
            "2024-05-08",
            "--changes",
            "/srv/deep/day_1.csv",
            "--dry-run",
        ]);
        let made = made.unwrap();
        assert_eq!(made.name, "rerun");
        let told = Value::Object(made.arguments);
        assert_eq!(
            told,
            json!({
                "table": "a.b", "facility": "7", "from": "2024-05-01", "to": "2024-05-08",
                "complete": false, "dry_run": true, "bronze": "bronze", "changes": ["day_1.csv"],
            })
        );
    }

    #[test]
    fn values_of_partitions_are_not_told() {
        let made = job(&["maintain", "compact", "a.b", "--partition", "name=Jane"]).unwrap();
        let told = Value::Object(made.arguments).to_string();
        assert!(told.contains("\"name\"") && !told.contains("Jane"), "{told}");
    }

    #[test]
    fn of_a_backfill_the_driver_is_recorded() {
        let source = ["--from", "/srv/deep/history", "--into", "bronze"];
        let made =
            job(&[&["backfill", "run"], &source[..], &["--group", "west"]].concat()).unwrap();
        assert_eq!(made.name, "backfill run");
        let told = Value::Object(made.arguments);
        assert_eq!(
            told,
            json!({
                "from": "history", "into": "bronze", "source_system": "legacy_emr", "tables": [],
                "groups": ["west"], "dry_run": false,
            })
        );
        let unit = ["--unit", "lab/west/2024-05", "--wave", "{}"];
        assert_eq!(job(&[&["backfill", "write"], &source[..], &unit].concat()), None);
        let commit = job(&[&["backfill", "commit"], &source[..], &["--descriptors", "-"]].concat());
        assert_eq!(commit.unwrap().name, "backfill commit");
    }

    #[test]
    fn what_only_looks_is_no_job() {
        for words in [&["tables"][..], &["runs"], &["sql", "SELECT 1"], &["snapshots", "a.b"]] {
            assert_eq!(job(words), None, "{words:?}");
        }
    }
}
