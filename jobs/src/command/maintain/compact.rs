//! `northstar maintain compact`.

use northstar_iceberg::maintenance::{CompactOptions, CompactionPlan, compact};
use northstar_iceberg::{Result, TableName};

use super::numbers;
use crate::cli::Target;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(super) async fn run(
    warehouse: &Warehouse,
    target: &Target,
    (options, threads): (&CompactOptions, usize),
    printer: &Printer,
) -> Result<Done> {
    let name: TableName = target.table.parse()?;
    if target.dry_run {
        let table = warehouse.lake.open_table(&name, &warehouse.access).await?;
        let plan = CompactionPlan::read(&table, options).await?;
        print(&plan, printer)?;
        return Ok(Done::Well);
    }
    let session = warehouse.maintaining_session("maintain compact", threads)?;
    let report = compact(&session, &name, options).await?;
    numbers(
        printer,
        &[
            ("rewritten", report.files_rewritten),
            ("bytes_before", report.bytes_rewritten),
            ("delete_files", report.delete_files_removed),
            ("deleted_rows", report.deleted_rows),
            ("added", report.files_added),
            ("bytes_after", report.bytes_added),
            ("commits", report.snapshots.len() as u64),
        ],
    )?;
    if report.snapshots.is_empty() {
        printer.say("nothing to compact");
    }
    Ok(Done::Well)
}

fn print(plan: &CompactionPlan, printer: &Printer) -> Result<()> {
    let rows: Vec<Vec<String>> = plan
        .groups
        .iter()
        .map(|group| {
            let numbers = [
                group.files.len() as u64,
                group.bytes,
                group.small_files,
                group.deleted_rows,
                group.unsorted_files,
            ];
            let numbers = numbers.iter().map(u64::to_string);
            [group.partition.clone()].into_iter().chain(numbers).collect()
        })
        .collect();
    let header = ["partition", "files", "bytes", "small", "deleted_rows", "unsorted"];
    printer.table(&header, &rows)?;
    printer.say(format!(
        "would write {} files of {} bytes anew and drop {} delete files of {} bytes",
        plan.files(),
        plan.bytes(),
        plan.deletes.len(),
        plan.deletes.iter().map(|(_, bytes)| bytes).sum::<u64>(),
    ));
    Ok(())
}
