//! `northstar maintain`: what keeps a table small and quick, a file a job.

mod compact;
mod expire;
mod manifests;
mod orphans;
mod retention;

use std::sync::Arc;

use northstar_iceberg::Result;
use northstar_iceberg::maintenance::CompactOptions;
use northstar_iceberg::observer::Silent;

use crate::cli::{Global, Maintain};
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

/// Runs the job that was asked for.
pub(crate) async fn run(global: &Global, job: &Maintain, printer: &Printer) -> Result<Done> {
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    match job {
        Maintain::Compact { target, partition, sort, light, threads } => {
            let (partition, sort, light) = (partition.clone(), *sort, *light);
            let options = CompactOptions { partition, sort, light };
            compact::run(&warehouse, target, (&options, *threads), printer).await
        }
        Maintain::Manifests { target } => manifests::run(&warehouse, target, printer).await,
        Maintain::Expire { target, older_than, keep } => {
            expire::run(&warehouse, target, (*older_than, *keep), printer).await
        }
        Maintain::Orphans { table, older_than, dry_run: _, apply } => {
            orphans::run(&warehouse, table, (*older_than, *apply), printer).await
        }
        Maintain::Retention { table, dry_run: _ } => {
            retention::run(&warehouse, table, printer).await
        }
    }
}

/// One row of numbers.
fn numbers(printer: &Printer, columns: &[(&str, u64)]) -> Result<()> {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let row = columns.iter().map(|(_, number)| number.to_string()).collect();
    printer.table(&names, &[row])
}
