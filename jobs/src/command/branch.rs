//! `northstar branch`: lines of commits beside main, and how main takes them.

use std::collections::HashSet;

use northstar_iceberg::refs::{RefKind, Retention, TableRef, refs};
use northstar_iceberg::{LakeTable, Result};

use super::reference::{self, Request};
use crate::cli::Global;
use crate::cli::refs::Branch;
use crate::exit::Done;
use crate::printer::Printer;

pub(crate) async fn run(global: &Global, branch: &Branch, printer: &Printer) -> Result<Done> {
    match branch {
        Branch::Create {
            table,
            name,
            at,
            owner,
            keep,
            keep_snapshots,
            keep_snapshots_for,
            replace,
        } => {
            let request = Request {
                kind: RefKind::Branch,
                table,
                name,
                at: at.as_deref(),
                owner: owner.as_deref(),
                end: keep.end(),
                retention: Retention {
                    min_snapshots_to_keep: *keep_snapshots,
                    max_snapshot_age_ms: *keep_snapshots_for,
                    ..Retention::default()
                },
                replace: *replace,
            };
            reference::create(global, &request, printer).await
        }
        Branch::Drop(asked) => reference::drop(global, RefKind::Branch, asked, printer).await,
        Branch::List { table } => list(global, table, printer).await,
        Branch::FastForward { table, name, checked } => {
            fast_forward(global, table, name, *checked, printer).await
        }
    }
}

async fn list(global: &Global, table: &str, printer: &Printer) -> Result<Done> {
    let (_, table) = reference::opened(global, table).await?;
    let found = refs(table.metadata())?;
    let branches = found.into_iter().filter(|found| found.kind == RefKind::Branch);
    let rows: Vec<Vec<String>> = branches.map(|branch| row(&table, branch)).collect();
    let header = ["branch", "snapshot", "ahead", "behind", "created", "expires", "owner", "reason"];
    printer.table(&header, &rows)?;
    Ok(Done::Well)
}

fn row(table: &LakeTable, branch: TableRef) -> Vec<String> {
    let ids = |name: &str| -> HashSet<i64> {
        table.ancestors_on(name).map(|snapshot| snapshot.snapshot_id()).collect()
    };
    let (own, main) = (ids(&branch.name), ids("main"));
    let end = branch.expires_ms(table.metadata());
    vec![
        branch.name,
        branch.snapshot_id.to_string(),
        own.difference(&main).count().to_string(),
        main.difference(&own).count().to_string(),
        branch.notes.created_ms.map(reference::day).unwrap_or_default(),
        end.map_or_else(|| "never".to_string(), reference::day),
        branch.notes.owner.unwrap_or_default(),
        branch.notes.reason.unwrap_or_default(),
    ]
}

async fn fast_forward(
    global: &Global,
    table: &str,
    name: &str,
    checked: Option<i64>,
    printer: &Printer,
) -> Result<Done> {
    let (warehouse, table) = reference::opened(global, table).await?;
    let altered = warehouse.lake.fast_forward(&table, name, checked).await?;
    printer.say(if altered.settled()? {
        let head = table.head_of(name).map(|snapshot| snapshot.snapshot_id()).unwrap_or_default();
        format!("main of {} is at snapshot {head}, as {name} is", table.name())
    } else {
        format!("main of {} had all of {name} already", table.name())
    });
    Ok(Done::Well)
}
