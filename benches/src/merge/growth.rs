//! The same changes into the last month of tables of more and more months: what must not grow.

use super::{
    arguments::{GrowthArguments, MergeOptions, Mode},
    base::kept,
    cell::{Cell, merge},
    engine::{Base, Engine},
    engines,
    input::Input,
    place::files,
    record::record,
    table::{Line, failures, lines},
};
use crate::{
    error::{BenchError, Result},
    lab::{ChangePlan, Shape},
    numbers::{as_f64, median, word},
};

/// The most CPU of the largest table, of that of the smallest.
const MOST_CPU: f64 = 1.15;

/// The most resident memory, likewise.
const MOST_MEMORY: f64 = 1.05;

/// The most files that are opened, of those that are touched.
const MOST_OPENED: f64 = 1.05;

/// The most bytes that are written, of those of the touched files, and of the changes as Parquet.
const MOST_WRITTEN: [f64; 2] = [1.1, 1.5];

/// Rows of a month.
const MONTH_ROWS: u64 = 5_000_000 / 12;

/// What the changes touch in a table.
#[derive(Clone, Copy, Debug)]
struct Touched {
    files: u64,
    bytes: u64,
    /// Bytes of the changes as Parquet.
    changes: u64,
}

/// Runs the growth case; false when a table is wrong, Northstar failed or a target is missed.
///
/// # Errors
/// Inputs or tables that cannot be written.
pub(crate) fn run(arguments: &GrowthArguments) -> Result<bool> {
    let options = &arguments.options;
    let mut sizes = Vec::new();
    for months in &arguments.months {
        let mut input = Input::lab(MONTH_ROWS * u64::from(*months), *months, options)?;
        input.layout = input.layout.with_filters();
        let change =
            ChangePlan { shape: Shape::Recent, changes: Some(arguments.changes), rounds: 1 };
        let sets = input.changes(&change, options)?;
        sizes.push((input, sets));
    }
    let mut cells = Vec::new();
    // The sizes take turns: what else the machine does meanwhile is the same for all of them.
    for run in 1..=arguments.runs {
        for engine in engines(options, &arguments.peers) {
            for (input, sets) in &sizes {
                let cell = merge(engine, ("recent", "UID"), run, input, &sets[0], options)?;
                record("growth", &cell, options)?;
                cells.push(cell);
            }
        }
    }
    let mut touched = Vec::new();
    for (input, sets) in &sizes {
        let parquet = &sets[0].parquet;
        let about = std::fs::metadata(parquet).map_err(|error| BenchError::at(parquet, &error))?;
        touched.push((input.rows, of_last_month(input, about.len(), options)?));
    }
    let mut text = table(&cells, &touched);
    text.push(String::new());
    let mut met = true;
    let all = lines(&cells);
    for engine in engines(options, &arguments.peers) {
        let lines: Vec<&Line<'_>> = all.iter().filter(|line| line.cell.engine == engine).collect();
        let growth = growth(engine, &cells);
        met &= judged(engine, growth, &lines, &touched, &mut text);
    }
    let good = failures(&cells, &mut text);
    options.scale.show("growth", &text)?;
    Ok(met && good)
}

/// The files of the last month in the table that Northstar has written.
fn of_last_month(input: &Input, changes: u64, options: &MergeOptions) -> Result<Touched> {
    let month = |path: &std::path::Path| {
        let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
        parts.into_iter().find(|part| part.starts_with("collected_at_month="))
    };
    let all = files(&kept(Base::Northstar, input, options)?)?;
    let last = all.iter().filter_map(|(path, _)| month(path)).max();
    let last = last.ok_or_else(|| BenchError::new("there are no files of months"))?;
    let of_last = all.iter().filter(|(path, _)| month(path).as_ref() == Some(&last));
    let bytes: Vec<u64> = of_last.map(|(_, bytes)| *bytes).collect();
    let files = u64::try_from(bytes.len()).unwrap_or(0);
    Ok(Touched { files, bytes: bytes.iter().sum(), changes })
}

fn table(cells: &[Cell], touched: &[(u64, Touched)]) -> Vec<String> {
    let mut text = vec![
        "| rows | engine | mode | CPU s | peak MiB | files touched | files read | MB of touched files | \
         MB of changes | MB written |"
            .to_string(),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    for line in lines(cells) {
        let cell = line.cell;
        let Some(touched) = at(cell, touched) else { continue };
        let read = cell.told(&["opened", "read"]).map_or_else(String::new, |read| read.to_string());
        text.push(format!(
            "| {} | {} | {} | {:.2} | {:.0} | {} | {read} | {:.1} | {:.1} | {:.1} |",
            cell.rows,
            cell.engine.name(),
            cell.engine.mode().property(),
            line.cpu_s,
            line.peak_mib,
            touched.files,
            as_f64(touched.bytes) / 1e6,
            as_f64(touched.changes) / 1e6,
            as_f64(cell.written.bytes) / 1e6
        ));
    }
    text
}

/// CPU and memory of the largest table, of those of the smallest in the same turn: medians of the turns.
fn growth(engine: Engine, cells: &[Cell]) -> Option<[f64; 2]> {
    let all: Vec<&Cell> = cells.iter().filter(|cell| cell.engine == engine).collect();
    let rows = || all.iter().map(|cell| cell.rows);
    let (least, most) = (rows().min()?, rows().max()?);
    let used = |cell: &Cell| {
        let usage = cell.usage.as_ref().filter(|_| cell.outcome.is_ok())?;
        Some([usage.cpu_s(), as_f64(usage.peak_rss_kib)])
    };
    let of_turn = |large: &Cell| {
        let same = |small: &&&Cell| small.rows == least && small.run == large.run;
        let (small, large) = (used(all.iter().find(same)?)?, used(large)?);
        Some([large[0] / small[0], large[1] / small[1]])
    };
    let large = all.iter().filter(|cell| cell.rows == most && most > least);
    let turns: Vec<[f64; 2]> = large.filter_map(|cell| of_turn(cell)).collect();
    let middle = |at: usize| median(turns.iter().map(|turn| turn[at]).collect());
    (!turns.is_empty()).then(|| [middle(0), middle(1)])
}

/// How an engine grows from the smallest table to the largest; false if it is Northstar and misses a
/// target.
fn judged(
    engine: Engine,
    growth: Option<[f64; 2]>,
    lines: &[&Line<'_>],
    touched: &[(u64, Touched)],
    text: &mut Vec<String>,
) -> bool {
    let Some([cpu, memory]) = growth else { return !engine.is_northstar() };
    let said = format!("- {}, {}", engine.name(), engine.mode().property());
    if !engine.is_northstar() {
        text.push(format!("{said}: CPU {cpu:.2} and memory {memory:.2} of the smallest table."));
        return true;
    }
    let mut met = cpu <= MOST_CPU && memory <= MOST_MEMORY;
    text.push(format!(
        "{said}: CPU {cpu:.2} (at most {MOST_CPU}: {}) and memory {memory:.2} (at most {MOST_MEMORY}: \
         {}) of the smallest table.",
        word(cpu <= MOST_CPU),
        word(memory <= MOST_MEMORY)
    ));
    for line in lines {
        let Some(touched) = at(line.cell, touched) else { continue };
        let opened = line.cell.told(&["opened", "read"]).unwrap_or(u64::MAX);
        let opened = as_f64(opened) / as_f64(touched.files);
        let (of, bytes, most) = match engine.mode() {
            Mode::MergeOnRead => ("the changes", touched.changes, MOST_WRITTEN[1]),
            _ => ("the touched files", touched.bytes, MOST_WRITTEN[0]),
        };
        let written = as_f64(line.cell.written.bytes) / as_f64(bytes);
        met &= opened <= MOST_OPENED && written <= most;
        text.push(format!(
            "{said}, {} rows: files read {opened:.2} of those touched (at most {MOST_OPENED}: {}), bytes \
             written {written:.2} of {of} (at most {most}: {}).",
            line.cell.rows,
            word(opened <= MOST_OPENED),
            word(written <= most)
        ));
    }
    met
}

fn at(cell: &Cell, touched: &[(u64, Touched)]) -> Option<Touched> {
    touched.iter().find(|(rows, _)| *rows == cell.rows).map(|(_, touched)| *touched)
}
