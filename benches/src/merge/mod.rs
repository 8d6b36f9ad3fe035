//! The cases that merge: `merge` (shapes of changes and sizes of tables, beside peers), `growth` (the same
//! changes into tables of more months) and `rounds` (a MERGE a day with maintenance).
//!
//! `input` has the extracts and change sets, `base` the tables that are merged into, `cell` runs one
//! engine on one of them, `table` says what came of it.

mod arguments;
mod base;
mod cell;
mod engine;
mod growth;
mod input;
mod layout;
mod place;
mod program;
mod record;
mod rounds;
mod table;

pub(crate) use arguments::{GrowthArguments, MergeArguments, RoundsArguments};
pub(crate) use growth::run as growth;
pub(crate) use rounds::run as rounds;

use arguments::{Data, MergeOptions};
use cell::{Cell, merge};
use engine::Engine;
use input::Input;
use record::record;

use crate::{error::Result, lab::ChangePlan};

/// Runs the merge case; false when a table is wrong, Northstar failed or a target is missed.
///
/// # Errors
/// Inputs or tables that cannot be written.
pub(crate) fn run(arguments: &MergeArguments) -> Result<bool> {
    let options = &arguments.options;
    let engines = engines(options, &arguments.peers);
    let mut cells = Vec::new();
    for rows in &arguments.rows {
        let input = match arguments.data {
            Data::Tpch => Input::tpch(*rows, options)?,
            data => Input::results(data, *rows, arguments.months, options)?,
        };
        for shape in &arguments.shapes {
            let change = ChangePlan { shape: *shape, changes: arguments.changes, rounds: 1 };
            let sets = input.changes(&change, options)?;
            for run in 1..=arguments.runs {
                for engine in &engines {
                    let said = (shape.name(), shape.kinds());
                    let cell = merge(*engine, said, run, &input, &sets[0], options)?;
                    record("merge", &cell, options)?;
                    cells.push(cell);
                }
            }
        }
    }
    report(&cells, arguments)
}

/// Northstar in each mode, then the peers.
fn engines(options: &MergeOptions, peers: &[arguments::MergePeer]) -> Vec<Engine> {
    let peers = peers.iter().filter(|_| !options.scale.no_peers).copied().map(Engine::Peer);
    options.modes.iter().copied().map(Engine::Northstar).chain(peers).collect()
}

fn report(cells: &[Cell], arguments: &MergeArguments) -> Result<bool> {
    let mut text = table::table(cells);
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.extend([String::new(), title.to_string(), String::new()]);
            text.extend(lines);
        }
    };
    let (mut targets, mut wins, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let most_mib = arguments.options.most_mib();
    let met = table::targets(cells, most_mib, arguments.data, &mut targets);
    table::wins(cells, &mut wins);
    let good = table::failures(cells, &mut failures);
    section("Targets:", targets);
    section("Where a peer wins:", wins);
    section("Not measured:", failures);
    let case = match arguments.data {
        Data::Lab => "merge",
        Data::LabWide => "merge-wide",
        Data::Tpch => "merge-tpch",
    };
    let section = arguments.section.as_deref().unwrap_or(case);
    arguments.options.scale.show(section, &text)?;
    Ok(met && good)
}
