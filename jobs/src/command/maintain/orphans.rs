//! `northstar maintain orphans`.

use northstar_iceberg::maintenance::OrphanPlan;
use northstar_iceberg::{Result, TableName};

use super::numbers;
use crate::command::snapshots::time;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::{Warehouse, shown};

pub(super) async fn run(
    warehouse: &Warehouse,
    table: &str,
    (min_age_ms, apply): (i64, bool),
    printer: &Printer,
) -> Result<Done> {
    let name: TableName = table.parse()?;
    let (lake, access) = (&warehouse.lake, &warehouse.access);
    let plan = OrphanPlan::read(lake, access, &name, min_age_ms).await?;
    if !apply {
        let rows: Vec<Vec<String>> = plan
            .orphans
            .iter()
            .map(|orphan| {
                vec![shown(&orphan.path), orphan.bytes.to_string(), time(orphan.modified_ms)]
            })
            .collect();
        printer.table(&["orphan", "bytes", "written"], &rows)?;
        printer.say(format!(
            "{} of {} files are orphans, of {} bytes; {} more are too young to tell; --apply \
             removes the orphans",
            plan.orphans.len(),
            plan.files,
            plan.bytes(),
            plan.young,
        ));
        return Ok(Done::Well);
    }
    let (files, young) = (plan.files, plan.young);
    let removed = plan.apply(lake).await?;
    numbers(
        printer,
        &[
            ("files", files),
            ("removed", removed.files),
            ("bytes", removed.bytes),
            ("young", young),
            ("left", removed.left),
        ],
    )?;
    Ok(if removed.left > 0 { Done::NeedsAttention } else { Done::Well })
}
