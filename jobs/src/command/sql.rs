//! `northstar sql`: one query.

use std::io::Read;
use std::sync::Arc;

use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::{SqlSession, from_datafusion};
use northstar_iceberg::{Error, Result};

use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(crate) async fn run(global: &Global, query: &str, printer: &Printer) -> Result<Done> {
    let mut text = query.to_string();
    if query == "-" {
        text.clear();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Error::io(error, "read the query", "standard input"))?;
    }
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    execute(&warehouse.session()?, &text, printer).await?;
    Ok(Done::Well)
}

/// Runs a query and prints its rows.
pub(crate) async fn execute(session: &SqlSession, query: &str, printer: &Printer) -> Result<()> {
    let frame = session.query(query).await?;
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await.map_err(from_datafusion)?;
    printer.batches(&schema, &batches)
}
