//! `northstar cherry-pick`: what one snapshot appended, on main.

use northstar_iceberg::Result;

use super::reference::opened;
use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;

pub(crate) async fn run(
    global: &Global,
    table: &str,
    snapshot: i64,
    printer: &Printer,
) -> Result<Done> {
    let (warehouse, table) = opened(global, table).await?;
    let run = warehouse.run("cherry-pick");
    let outcome = warehouse.lake.cherry_pick(&table, snapshot, run).await?;
    let name = table.name();
    printer.say(match outcome.settled()? {
        Some((id, true)) => {
            format!("what snapshot {snapshot} appended is part of {name} by snapshot {id}")
        }
        Some((id, false)) => {
            format!(
                "what snapshot {snapshot} appended was part of {name} already, by snapshot {id}"
            )
        }
        None => format!("snapshot {snapshot} appended nothing"),
    });
    Ok(Done::Well)
}
