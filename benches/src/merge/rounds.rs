//! A MERGE a day with maintenance: what a round costs, what a scan costs after it, and whether each round
//! can be read again.

use std::{ffi::OsString, fs};

use super::{
    arguments::{MergeOptions, Mode, RoundsArguments},
    cell::{SOURCE, put_changes, set_mode},
    engine::Base,
    input::Input,
    place::{Listing, Written},
    program::{Program, told_by_statement},
};
use crate::{
    child::{Usage, tail},
    error::{BenchError, Result},
    lab::{ChangePlan, ChangeSet},
    numbers::{as_f64, median, word},
    printer::progress,
};

/// The most that the cost of a round grows, of the first round.
const MOST_GROWTH: f64 = 0.02;

/// The most CPU of a scan after the first merge-on-read merge, of one before it.
const MOST_SCAN: f64 = 1.2;

/// Times that a scan is measured; the median counts.
const SCANS: usize = 3;

/// What happened in a round.
struct Round {
    snapshot: u64,
    merge: Usage,
    written: Written,
    /// CPU seconds of compaction, manifests and expiry after it.
    maintenance_cpu_s: f64,
    /// CPU seconds of a scan after the merge, before maintenance.
    scan_cpu_s: f64,
    set: ChangeSet,
}

/// One mode of Northstar through all rounds.
struct Lived {
    mode: Mode,
    clean_scan_cpu_s: f64,
    rounds: Vec<Round>,
    /// Rounds that were read again as they were.
    travelled: usize,
}

/// Runs the rounds case; false when a round is wrong or a target is missed.
///
/// # Errors
/// Inputs or tables that cannot be written, a statement that fails.
pub(crate) fn run(arguments: &RoundsArguments) -> Result<bool> {
    let options = &arguments.options;
    let input = Input::lab(arguments.rows, 12, options)?;
    let change = ChangePlan {
        shape: arguments.shape,
        changes: arguments.changes,
        rounds: arguments.rounds.max(2),
    };
    let sets = input.changes(&change, options)?;
    let mut text = vec![
        "| mode | round | MERGE CPU s | peak MiB | MB written | scan CPU s after it | maintenance CPU s |"
            .to_string(),
        "| --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    let mut judged = Vec::new();
    let mut met = true;
    for mode in &options.modes {
        let lived = live(*mode, &input, &sets, arguments)?;
        text.extend(lived.rounds.iter().enumerate().map(|(at, round)| line(*mode, at, round)));
        met &= judge(&lived, &mut judged);
    }
    text.push(String::new());
    text.extend(judged);
    options.scale.show("rounds", &text)?;
    Ok(met)
}

/// A warehouse whose commands are measured.
struct Warehouse<'a> {
    program: Program<'a>,
    options: &'a MergeOptions,
    table: String,
}

impl Warehouse<'_> {
    /// Runs a command; what it used, and what it printed.
    fn measured(&self, rest: &[&str]) -> Result<(Usage, String)> {
        let log = self.program.warehouse.with_extension("log");
        let words = self.program.words(rest);
        let usage = self.options.python().measure(&words, self.options.limit_s, &log)?;
        let text = fs::read_to_string(&log).map_err(|error| BenchError::at(&log, &error))?;
        match usage.exit_code {
            0 => Ok((usage, text)),
            code => Err(BenchError::new(format!("{} ended with {code}: {}", rest[0], tail(&log)))),
        }
    }

    /// CPU seconds of a scan: columns of all kinds, and nothing that metadata alone could answer.
    fn scan_cpu_s(&self) -> Result<f64> {
        let scan = format!(
            "SELECT count(*), sum(result_id), sum(version), sum(reference_high), count(comment), \
             sum(character_length(test_name)), max(resulted_at) FROM {} WHERE provider_id > 0",
            self.table
        );
        let all: Result<Vec<f64>> =
            (0..SCANS).map(|_| Ok(self.measured(&["sql", &scan])?.0.cpu_s())).collect();
        Ok(median(all?))
    }

    /// A MERGE of a set, a scan, and then maintenance, with the whole of compaction if so.
    fn round(&self, input: &Input, set: &ChangeSet, whole: bool) -> Result<Round> {
        put_changes(&self.program, input, set)?;
        let before = Listing::of(&self.program.warehouse)?;
        let (merge, log) = self.measured(&["sql", &input.layout.merge(SOURCE)])?;
        let written = before.written(&self.program.warehouse)?;
        let told = told_by_statement(&log);
        let snapshot = told.iter().find(|(name, _)| name == "snapshot").map(|(_, id)| *id);
        let snapshot = snapshot
            .ok_or_else(|| BenchError::new("the MERGE told no snapshot: nothing changed"))?;
        let scan_cpu_s = self.scan_cpu_s()?;
        let mut maintenance_cpu_s = 0.0;
        let light: &[&str] = if whole { &[] } else { &["--light"] };
        for (job, options) in [("compact", light), ("manifests", &[]), ("expire", &[])] {
            let words = [&["maintain", job, &self.table], options].concat();
            maintenance_cpu_s += self.measured(&words)?.0.cpu_s();
        }
        Ok(Round { snapshot, merge, written, maintenance_cpu_s, scan_cpu_s, set: set.clone() })
    }

    /// Whether DuckDB finds a round as it was.
    fn travels(&self, round: &Round) -> bool {
        let python = self.options.python();
        let mut words = python.script("check.py");
        words.extend(["--expected".into(), round.set.expected.clone().into()]);
        words.extend(["--warehouse".into(), self.program.warehouse.clone().into()]);
        let snapshot = round.snapshot.to_string();
        words.extend(["--reader", "duckdb", "--snapshot", &snapshot].map(OsString::from));
        match python.output(&words) {
            Ok(_) => true,
            Err(error) => {
                progress(&format!("snapshot {snapshot} is wrong: {error}"));
                false
            }
        }
    }
}

fn live(
    mode: Mode,
    input: &Input,
    sets: &[ChangeSet],
    arguments: &RoundsArguments,
) -> Result<Lived> {
    let options = &arguments.options;
    let warehouse = Base::Northstar.lay_out(input, options)?;
    let memory = options.memory.as_deref();
    let program = Program { binary: &options.scale.northstar, warehouse, memory };
    program.sql(&set_mode(input, mode.property()))?;
    let warehouse = Warehouse { program, options, table: input.layout.table() };
    let clean_scan_cpu_s = warehouse.scan_cpu_s()?;
    let mut rounds = Vec::new();
    for (number, set) in (1..).zip(sets) {
        progress(&format!("{}, round {number} of {}", mode.property(), sets.len()));
        let whole = number % arguments.compact_every.max(1) == 0;
        rounds.push(warehouse.round(input, set, whole)?);
    }
    let travelled = rounds.iter().filter(|round| warehouse.travels(round)).count();
    Ok(Lived { mode, clean_scan_cpu_s, rounds, travelled })
}

fn line(mode: Mode, at: usize, round: &Round) -> String {
    format!(
        "| {} | {} | {:.2} | {:.0} | {:.1} | {:.2} | {:.2} |",
        mode.property(),
        at + 1,
        round.merge.cpu_s(),
        as_f64(round.merge.peak_rss_kib) / 1_024.0,
        as_f64(round.written.bytes) / 1e6,
        round.scan_cpu_s,
        round.maintenance_cpu_s
    )
}

fn judge(lived: &Lived, text: &mut Vec<String>) -> bool {
    let costs: Vec<f64> = lived.rounds.iter().map(|round| round.merge.cpu_s()).collect();
    let growth = growth(&costs);
    let merges: f64 = costs.iter().sum();
    let upkeep: f64 = lived.rounds.iter().map(|round| round.maintenance_cpu_s).sum();
    let scan = lived.rounds.first().map_or(0.0, |round| round.scan_cpu_s) / lived.clean_scan_cpu_s;
    let all = lived.travelled == lived.rounds.len();
    text.push(format!(
        "- {}: the cost of a round grows by {:.1} % of the first a round (at most {:.0} %: {}); a scan \
         after the first round takes {scan:.2} of the CPU of a clean table's {:.2} s (at most \
         {MOST_SCAN}: {}); maintenance takes {:.0} % of the CPU of the MERGEs; {} of {} rounds read again \
         by DuckDB with the right count and sums of every partition: {}.",
        lived.mode.property(),
        growth * 100.0,
        MOST_GROWTH * 100.0,
        word(growth <= MOST_GROWTH),
        lived.clean_scan_cpu_s,
        word(scan <= MOST_SCAN),
        upkeep / merges * 100.0,
        lived.travelled,
        lived.rounds.len(),
        word(all)
    ));
    growth <= MOST_GROWTH && scan <= MOST_SCAN && all
}

/// The slope of the line through the costs of the rounds, of that line's value at the first.
fn growth(costs: &[f64]) -> f64 {
    let count = as_f64(u64::try_from(costs.len()).unwrap_or(1));
    let middle = (count - 1.0) / 2.0;
    let mean = costs.iter().sum::<f64>() / count;
    let places = || (0..).map(as_f64).zip(costs);
    let above: f64 = places().map(|(at, cost)| (at - middle) * (cost - mean)).sum();
    let below: f64 = places().map(|(at, _)| (at - middle) * (at - middle)).sum();
    let slope = above / below;
    slope / (mean - slope * middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope_of_the_first_round() {
        assert!((growth(&[10.0, 11.0, 12.0]) - 0.1).abs() < 1e-9);
        assert!(growth(&[5.0, 5.0, 5.0, 5.0]).abs() < 1e-9);
    }
}
