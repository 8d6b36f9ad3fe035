//! `northstar maintain retention`.

use northstar_iceberg::maintenance::{Holding, Holdings};
use northstar_iceberg::{Result, TableName};

use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(super) async fn run(warehouse: &Warehouse, table: &str, printer: &Printer) -> Result<Done> {
    let name: TableName = table.parse()?;
    let table = warehouse.lake.open_table(&name, &warehouse.access).await?;
    let holdings = Holdings::read(&warehouse.lake, &table).await?;
    let row = |held_by: String, holding: &Holding, alone: &str| {
        let Holding { files, bytes } = holding;
        vec![held_by, files.to_string(), bytes.to_string(), alone.to_string()]
    };
    let mut rows = vec![row("live".to_string(), &holdings.live, "")];
    let mut from = 0;
    for (days, holding) in &holdings.history {
        let class = match days {
            Some(days) => format!("history of {from} to {days} days"),
            None => format!("history of over {from} days"),
        };
        from = days.unwrap_or(from);
        rows.push(row(class, holding, ""));
    }
    rows.push(row("tags alone".to_string(), &holdings.tags, ""));
    for (tag, holding) in &holdings.by_tag {
        let alone = holdings.by_tag_alone.get(tag).copied().unwrap_or_default();
        rows.push(row(format!("tag {tag}"), holding, &alone.bytes.to_string()));
    }
    printer.table(&["held_by", "files", "bytes", "bytes_alone"], &rows)?;
    Ok(Done::Well)
}
