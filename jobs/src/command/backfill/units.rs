//! `northstar backfill units`: how far each unit is.

use std::sync::Arc;

use northstar_iceberg::observer::Silent;
use northstar_iceberg::{ErrorKind, Result};
use northstar_lakehouse::bronze::backfill::{KnownBy, States, Unit, UnitState};
use northstar_lakehouse::sources::csv::CsvOptions;

use super::{contract_of, listed};
use crate::cli::{Chosen, Global, Source};
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

pub(super) async fn run(
    global: &Global,
    source: &Source,
    chosen: &Chosen,
    printer: &Printer,
) -> Result<Done> {
    let (units, states) = states(global, source, chosen, printer).await?;
    let rows: Vec<Vec<String>> = units
        .iter()
        .zip(&states)
        .map(|(unit, state)| {
            vec![
                unit.name.to_string(),
                state.as_str().to_string(),
                unit.files.len().to_string(),
                unit.bytes().to_string(),
            ]
        })
        .collect();
    printer.table(&["unit", "state", "files", "bytes"], &rows)?;
    let pending = states.iter().filter(|state| **state == UnitState::Pending).count();
    printer.say(format!("{} units, {pending} pending", units.len()));
    Ok(Done::Well)
}

/// The units that were chosen, each with its state. Nothing is made: without a warehouse none is done.
pub(super) async fn states(
    global: &Global,
    source: &Source,
    chosen: &Chosen,
    printer: &Printer,
) -> Result<(Vec<Unit>, Vec<UnitState>)> {
    let units = listed(source, chosen, printer)?.units;
    let contract = contract_of(source.contract.as_deref(), &source.from)?;
    let warehouse = match Warehouse::existing(global, Arc::new(Silent)).await {
        Ok(warehouse) => Some(warehouse),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let states = States {
        lake: warehouse.as_ref().map(|warehouse| (&warehouse.lake, &warehouse.access)),
        namespace: &source.into,
        contract: &contract,
        csv: &CsvOptions::default(),
        known_by: if chosen.by_name { KnownBy::Name } else { KnownBy::Content },
    };
    let states = states.of(&units).await?;
    Ok((units, states))
}
