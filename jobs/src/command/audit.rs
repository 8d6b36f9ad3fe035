//! `northstar audit`: what changed in tables between two states, and by which runs.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use northstar_iceberg::commit::summary;
use northstar_iceberg::diff::{DiffCounts, DiffRequest};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::SqlSession;
use northstar_iceberg::{Error, ErrorKind, LakeTable, Result, TableName};
use serde::Serialize;

use super::diff::state;
use super::snapshots::time;
use crate::cli::{Audit, Global};
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

/// What became of one table. Written as it is into the report.
#[derive(Debug, Serialize)]
struct Audited {
    table: String,
    from: Option<i64>,
    to: Option<i64>,
    inserted: u64,
    updated: u64,
    deleted: u64,
    unchanged: u64,
    /// What a reader must know of the comparison.
    notes: Vec<String>,
    snapshots: Vec<Step>,
}

/// A commit between the two states, oldest first.
#[derive(Debug, Serialize)]
struct Step {
    snapshot: i64,
    committed: String,
    operation: String,
    job: Option<String>,
    run_id: Option<String>,
    actor: Option<String>,
    reason: Option<String>,
}

/// The report as it is written.
#[derive(Debug, Serialize)]
struct Report<'a> {
    from: &'a str,
    to: &'a str,
    made: String,
    actor: &'a str,
    reason: &'a str,
    tables: &'a [Audited],
    /// Tables that do not have one of the states, with the reason.
    without: BTreeMap<&'a str, &'a str>,
}

pub(crate) async fn run(global: &Global, asked: &Audit, printer: &Printer) -> Result<Done> {
    let named = asked.tables.iter().map(|name| name.parse()).collect::<Result<Vec<TableName>>>()?;
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    let names = match named.is_empty() {
        false => named,
        true => all(&warehouse, asked.namespace.as_deref()).await?,
    };
    let session = warehouse.session()?;
    let (mut audited, mut without) = (Vec::new(), Vec::new());
    for name in &names {
        match table(&warehouse, &session, name, asked).await {
            Ok(one) => audited.push(one),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                without.push((name.to_string(), error.message().to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    print(&audited, &without, printer)?;
    if let Some(path) = &asked.report {
        let without = without.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
        let made = time(warehouse.lake.clock.now_ms());
        let report = Report {
            from: &asked.from,
            to: &asked.to,
            made,
            actor: &global.actor,
            reason: &global.reason,
            tables: &audited,
            without,
        };
        write(path, &report)?;
        printer.say(format!("written to {}", path.display()));
    }
    Ok(if without.is_empty() { Done::Well } else { Done::NeedsAttention })
}

async fn all(warehouse: &Warehouse, namespace: Option<&str>) -> Result<Vec<TableName>> {
    let catalog = &warehouse.lake.catalog;
    let namespaces = match namespace {
        Some(one) => vec![one.to_string()],
        None => catalog.list_namespaces().await?,
    };
    let mut names = Vec::new();
    for namespace in namespaces {
        names.extend(catalog.list_tables(&namespace).await?);
    }
    Ok(names)
}

async fn table(
    warehouse: &Warehouse,
    session: &SqlSession,
    name: &TableName,
    asked: &Audit,
) -> Result<Audited> {
    let request = DiffRequest { from: state(&asked.from), to: state(&asked.to), key: Vec::new() };
    let diff = warehouse.lake.diff(name, &request, &warehouse.access, session).await?;
    let DiffCounts { inserted, updated, deleted } = Box::pin(diff.counts()).await?;
    let rows = match diff.to {
        Some(id) => rows(session, name, id).await?,
        None => 0,
    };
    let opened = warehouse.lake.open_table(name, &warehouse.access).await?;
    Ok(Audited {
        table: name.to_string(),
        from: diff.from,
        to: diff.to,
        inserted,
        updated,
        deleted,
        unchanged: rows.saturating_sub(inserted + updated),
        notes: diff.notes.clone(),
        snapshots: steps(&opened, diff.from, diff.to),
    })
}

async fn rows(session: &SqlSession, name: &TableName, snapshot: i64) -> Result<u64> {
    let sql = format!(
        "SELECT count(*) FROM \"{}\".\"{}\" VERSION AS OF {snapshot}",
        name.namespace().replace('"', "\"\""),
        name.table().replace('"', "\"\"")
    );
    u64::try_from(super::demo::count(session, &sql).await?).map_err(|_| {
        Error::new(ErrorKind::Internal, "rows cannot be counted").with_context("table", name)
    })
}

/// The commits that lead to `to` and are not part of what led to `from`.
fn steps(table: &LakeTable, from: Option<i64>, to: Option<i64>) -> Vec<Step> {
    let metadata = table.metadata();
    let ancestry = |head: Option<i64>| {
        let head = head.and_then(|id| metadata.snapshot_by_id(id));
        std::iter::successors(head, |one| metadata.snapshot_by_id(one.parent_snapshot_id()?))
    };
    let before: HashSet<i64> = ancestry(from).map(|one| one.snapshot_id()).collect();
    let between = ancestry(to).take_while(|one| !before.contains(&one.snapshot_id()));
    let mut steps: Vec<Step> = between
        .map(|one| {
            let said = one.summary();
            let entry = |key: &str| said.additional_properties.get(key).cloned();
            Step {
                snapshot: one.snapshot_id(),
                committed: time(one.timestamp_ms()),
                operation: said.operation.as_str().to_string(),
                job: entry(summary::JOB),
                run_id: entry(summary::RUN_ID),
                actor: entry(summary::ACTOR),
                reason: entry(summary::REASON),
            }
        })
        .collect();
    steps.reverse();
    steps
}

fn print(audited: &[Audited], without: &[(String, String)], printer: &Printer) -> Result<()> {
    let counts = |one: &Audited| {
        let counts = [one.inserted, one.updated, one.deleted, one.unchanged];
        let snapshots = one.snapshots.len().to_string();
        counts.iter().map(u64::to_string).chain([snapshots]).collect::<Vec<_>>()
    };
    let counted = ["inserted", "updated", "deleted", "unchanged", "snapshots"];
    if printer.is_for_people() {
        let rows: Vec<Vec<String>> =
            audited.iter().map(|one| [vec![one.table.clone()], counts(one)].concat()).collect();
        let header: Vec<&str> = ["table"].into_iter().chain(counted).collect();
        if !rows.is_empty() {
            printer.table(&header, &rows)?;
        }
        print_steps(audited, printer)?;
    } else {
        let shown = |id: Option<i64>| id.map_or_else(|| "none".to_string(), |id| id.to_string());
        let ends = |one: &Audited| vec![one.table.clone(), shown(one.from), shown(one.to)];
        let rows: Vec<Vec<String>> =
            audited.iter().map(|one| [ends(one), counts(one)].concat()).collect();
        let header: Vec<&str> = ["table", "from", "to"].into_iter().chain(counted).collect();
        printer.table(&header, &rows)?;
    }
    for one in audited {
        for note in &one.notes {
            printer.note(format!("note: {}: {note}", one.table));
        }
    }
    for (name, why) in without {
        printer.note(format!("not compared: {name}: {why}"));
    }
    Ok(())
}

/// For people, who are shown minutes and the beginning of a run's id.
fn print_steps(audited: &[Audited], printer: &Printer) -> Result<()> {
    let text = |said: &Option<String>| said.clone().unwrap_or_default();
    let mut rows = Vec::new();
    for one in audited {
        for step in &one.snapshots {
            rows.push(vec![
                one.table.clone(),
                step.committed.chars().take(16).collect::<String>().replace('T', " "),
                text(&step.job),
                text(&step.run_id).chars().take(8).collect(),
                text(&step.actor),
                text(&step.reason),
            ]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    printer.table(&["table", "committed", "job", "run", "actor", "reason"], &rows)
}

/// Writes a private file.
fn write(path: &Path, report: &Report<'_>) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(report).map_err(|error| {
        Error::new(ErrorKind::Internal, "the report cannot be written as JSON").with_source(error)
    })?;
    text.push(b'\n');
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(&text))
        .map_err(|error| Error::io(error, "write the report", path.display()))
}
