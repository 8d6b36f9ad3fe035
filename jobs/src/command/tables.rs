//! `northstar tables`: what there is.

use std::sync::Arc;

use northstar_iceberg::observer::Silent;
use northstar_iceberg::{LakeTable, Result};

use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(crate) async fn run(global: &Global, printer: &Printer) -> Result<Done> {
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    print(&warehouse, printer).await?;
    printer.note(format!("in {}", warehouse.shown()));
    Ok(Done::Well)
}

/// Prints every table with its size; one that cannot be opened is named with the reason.
pub(crate) async fn print(warehouse: &Warehouse, printer: &Printer) -> Result<()> {
    let mut rows = Vec::new();
    let catalog = &warehouse.lake.catalog;
    for namespace in catalog.list_namespaces().await? {
        for name in catalog.list_tables(&namespace).await? {
            match warehouse.lake.open_table(&name, &warehouse.access).await {
                Ok(table) => rows.push(row(&table)),
                Err(error) => {
                    rows.push(vec![
                        name.to_string(),
                        "?".into(),
                        "?".into(),
                        "?".into(),
                        "?".into(),
                    ]);
                    printer.error(&error);
                }
            }
        }
    }
    printer.table(&["table", "rows", "files", "bytes", "snapshots"], &rows)
}

fn row(table: &LakeTable) -> Vec<String> {
    let metadata = table.metadata();
    let entry = |key: &str| match metadata.current_snapshot() {
        Some(snapshot) => {
            snapshot.summary().additional_properties.get(key).cloned().unwrap_or_else(|| "?".into())
        }
        None => "0".to_string(),
    };
    vec![
        table.name().to_string(),
        entry("total-records"),
        entry("total-data-files"),
        entry("total-files-size"),
        metadata.snapshots().len().to_string(),
    ]
}
