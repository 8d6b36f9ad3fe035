//! `northstar backfill plan`: a wave, before its units are written somewhere.

use northstar_iceberg::{Error, ErrorKind, Result};
use northstar_lakehouse::bronze::backfill::{Planned, UnitName};

use super::{job, named, opened, told};
use crate::cli::{Global, Source};
use crate::exit::Done;
use crate::printer::Printer;

/// Prints nothing but notes if there is no table and none can be made: there is nothing to write then.
pub(super) async fn run(
    global: &Global,
    source: &Source,
    units: &[UnitName],
    printer: &Printer,
) -> Result<Done> {
    named(source, units)?;
    let (warehouse, progress) = opened(global).await?;
    let wave = job(&warehouse, source)?.plan(units).await;
    progress.finish();
    match wave? {
        Planned::Wave(wave) => {
            let text = serde_json::to_string(&wave).map_err(|error| {
                Error::new(ErrorKind::Internal, "a wave cannot be written").with_source(error)
            })?;
            printer.text(&text);
            Ok(Done::Well)
        }
        Planned::NoTable(files) => {
            printer.note("no file of the table can be loaded, so there is nothing to write");
            Ok(told(&files, printer))
        }
    }
}
