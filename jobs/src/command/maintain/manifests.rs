//! `northstar maintain manifests`.

use northstar_iceberg::maintenance::{ManifestPlan, rewrite_manifests};
use northstar_iceberg::{Result, TableName};

use super::numbers;
use crate::cli::Target;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(super) async fn run(warehouse: &Warehouse, target: &Target, printer: &Printer) -> Result<Done> {
    let name: TableName = target.table.parse()?;
    let (lake, access) = (&warehouse.lake, &warehouse.access);
    if target.dry_run {
        let table = lake.open_table(&name, access).await?;
        let plan = ManifestPlan::read(lake, &table).await?;
        let rewritten = plan.rewritten.len() as u64;
        numbers(
            printer,
            &[
                ("manifests", plan.manifests),
                ("rewritten", rewritten),
                ("bytes", plan.bytes),
                ("into", plan.into),
            ],
        )?;
        printer.say(format!("would write {rewritten} manifests anew as about {}", plan.into));
        return Ok(Done::Well);
    }
    let run = warehouse.run("maintain manifests");
    let report = rewrite_manifests(lake, access, &run, &name).await?;
    numbers(
        printer,
        &[
            ("before", report.before),
            ("bytes_before", report.bytes_before),
            ("after", report.after),
            ("bytes_after", report.bytes_after),
            ("commits", report.snapshots.len() as u64),
        ],
    )?;
    if report.snapshots.is_empty() {
        printer.say("the manifests are few already");
    }
    Ok(Done::Well)
}
