//! `northstar maintain expire`.

use northstar_iceberg::maintenance::{ExpireOptions, ExpiryPlan, Removed, expire, preview_expiry};
use northstar_iceberg::{Result, TableName};

use super::numbers;
use crate::cli::Target;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(super) async fn run(
    warehouse: &Warehouse,
    target: &Target,
    (max_age_ms, min_kept): (Option<i64>, Option<usize>),
    printer: &Printer,
) -> Result<Done> {
    let name: TableName = target.table.parse()?;
    let (lake, access) = (&warehouse.lake, &warehouse.access);
    let options = ExpireOptions { max_age_ms, min_kept };
    if target.dry_run {
        let preview = preview_expiry(lake, access, &name, &options).await?;
        let files = Removed { files: preview.files, bytes: preview.bytes, left: 0 };
        print(&preview.plan, &files, printer)?;
        for id in &preview.plan.snapshots {
            printer.say(format!("would expire snapshot {id}"));
        }
        for name in &preview.plan.refs {
            printer.say(format!("would drop the tag or branch {name}"));
        }
        return Ok(Done::Well);
    }
    let report = expire(lake, access, &name, &options).await?;
    print(&report.plan, &report.removed, printer)?;
    for name in &report.plan.refs {
        printer.say(format!("dropped the tag or branch {name}"));
    }
    if report.removed.left > 0 {
        printer.note(format!(
            "{} files could not be removed; `northstar maintain orphans` finds them",
            report.removed.left
        ));
        return Ok(Done::NeedsAttention);
    }
    Ok(Done::Well)
}

fn print(plan: &ExpiryPlan, files: &Removed, printer: &Printer) -> Result<()> {
    numbers(
        printer,
        &[
            ("expired", plan.snapshots.len() as u64),
            ("kept", plan.kept as u64),
            ("refs_dropped", plan.refs.len() as u64),
            ("files", files.files),
            ("bytes", files.bytes),
        ],
    )
}
