//! `northstar tag`: names for snapshots that are kept, with who needs them, why, and how long.

use northstar_iceberg::Result;
use northstar_iceberg::refs::{RefKind, Retention, refs};

use super::reference::{self, Request};
use crate::cli::Global;
use crate::cli::refs::Tag;
use crate::exit::Done;
use crate::printer::Printer;

pub(crate) async fn run(global: &Global, tag: &Tag, printer: &Printer) -> Result<Done> {
    match tag {
        Tag::Create { table, name, at, owner, keep, replace } => {
            let request = Request {
                kind: RefKind::Tag,
                table,
                name,
                at: at.as_deref(),
                owner: Some(owner),
                end: keep.end(),
                retention: Retention::default(),
                replace: *replace,
            };
            reference::create(global, &request, printer).await
        }
        Tag::Drop(asked) => reference::drop(global, RefKind::Tag, asked, printer).await,
        Tag::List { table } => list(global, table, printer).await,
    }
}

async fn list(global: &Global, table: &str, printer: &Printer) -> Result<Done> {
    let (_, table) = reference::opened(global, table).await?;
    let metadata = table.metadata();
    let rows: Vec<Vec<String>> = refs(metadata)?
        .into_iter()
        .filter(|found| found.kind == RefKind::Tag)
        .map(|tag| {
            let end = tag.expires_ms(metadata);
            vec![
                tag.name,
                tag.snapshot_id.to_string(),
                tag.notes.created_ms.map(reference::day).unwrap_or_default(),
                end.map_or_else(|| "never".to_string(), reference::day),
                tag.notes.owner.unwrap_or_default(),
                tag.notes.reason.unwrap_or_default(),
            ]
        })
        .collect();
    printer.table(&["tag", "snapshot", "created", "expires", "owner", "reason"], &rows)?;
    Ok(Done::Well)
}
