//! The table of the merge case, who wins where, and which targets are met.

use super::{
    arguments::{Data, MergePeer, Mode},
    cell::Cell,
    engine::Engine,
};
use crate::numbers::{as_f64, median, word};

/// The rows at which CPU is held against the targets.
const TARGET_ROWS: u64 = 5_000_000;

/// All runs of an engine in one mode on one shape and size.
pub(super) struct Line<'a> {
    pub(super) cell: &'a Cell,
    pub(super) cpu_s: f64,
    wall_s: f64,
    pub(super) peak_mib: f64,
}

/// The lines of cells that are right: median CPU and wall, largest memory.
pub(super) fn lines(cells: &[Cell]) -> Vec<Line<'_>> {
    let same = |a: &Cell, b: &Cell| a.engine == b.engine && a.shape == b.shape && a.rows == b.rows;
    let good = |cell: &&Cell| cell.outcome.is_ok() && cell.usage.is_some();
    let firsts = cells.iter().filter(|cell| {
        cells.iter().find(|other| same(cell, other)).is_some_and(|first| std::ptr::eq(first, *cell))
    });
    let line = |first: &Cell| {
        let all: Vec<&Cell> = cells.iter().filter(|one| same(one, first)).filter(good).collect();
        let cell = *all.first()?;
        let usages = || all.iter().filter_map(|one| one.usage.as_ref());
        Some(Line {
            cell,
            cpu_s: median(usages().map(crate::child::Usage::cpu_s).collect()),
            wall_s: median(usages().map(|usage| usage.wall_s).collect()),
            peak_mib: usages()
                .map(|usage| as_f64(usage.peak_rss_kib) / 1_024.0)
                .fold(0.0, f64::max),
        })
    };
    firsts.filter_map(line).collect()
}

/// The least CPU of a peer on the same shape and size, with its name; for `auto` of all modes.
fn best_peer<'a>(of: &Cell, lines: &'a [Line<'_>]) -> Option<&'a Line<'a>> {
    let mode = of.engine.mode();
    let peers = lines.iter().filter(|line| {
        let cell = line.cell;
        let alike = cell.shape == of.shape && cell.rows == of.rows;
        alike && !cell.engine.is_northstar() && (mode == Mode::Auto || cell.engine.mode() == mode)
    });
    peers.min_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s))
}

/// The table in Markdown.
pub(super) fn table(cells: &[Cell]) -> Vec<String> {
    let lines = lines(cells);
    let mut text = vec![
        "| rows | changes | engine | mode | CPU s | of best peer | wall s | peak MiB | MB written | \
         files written | files read | files rewritten |"
            .to_string(),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    for line in &lines {
        let cell = line.cell;
        let told =
            |names: &[&str]| cell.told(names).map_or_else(String::new, |number| number.to_string());
        let ratio = best_peer(cell, &lines)
            .map_or_else(String::new, |best| format!("{:.2}", line.cpu_s / best.cpu_s));
        text.push(format!(
            "| {} | {} | {} | {} | {:.2} | {ratio} | {:.1} | {:.0} | {:.1} | {} | {} | {} |",
            cell.rows,
            cell.shape,
            cell.engine.name(),
            cell.engine.mode().property(),
            line.cpu_s,
            line.wall_s,
            line.peak_mib,
            as_f64(cell.written.bytes) / 1e6,
            cell.written.files,
            told(&["opened", "read"]),
            told(&["rewritten"]),
        ));
    }
    text
}

/// Who failed and why; false if a table was wrong or Northstar failed.
pub(super) fn failures(cells: &[Cell], text: &mut Vec<String>) -> bool {
    let mut good = true;
    for cell in cells {
        let Err(failure) = &cell.outcome else { continue };
        good &= !failure.mismatch && !cell.engine.is_northstar();
        let kind = if failure.mismatch { "WRONG TABLE" } else { "failed" };
        let message = failure.message.lines().last().unwrap_or_default();
        text.push(format!(
            "- {} rows, {}: {} {} {kind}: {message}",
            cell.rows,
            cell.shape,
            cell.engine.name(),
            cell.engine.mode().property()
        ));
    }
    good
}

/// Where a peer needs less CPU than Northstar in the same mode.
pub(super) fn wins(cells: &[Cell], text: &mut Vec<String>) {
    let lines = lines(cells);
    for line in lines.iter().filter(|line| line.cell.engine.is_northstar()) {
        let Some(best) = best_peer(line.cell, &lines) else { continue };
        if best.cpu_s < line.cpu_s {
            text.push(format!(
                "- {} rows, {}: {} wins {}; northstar needs {:.2} of its CPU.",
                line.cell.rows,
                line.cell.shape,
                best.cell.engine.name(),
                line.cell.engine.mode().property(),
                line.cpu_s / best.cpu_s
            ));
        }
    }
}

/// The targets; false if one is missed. CPU counts for 5 M narrow rows, and memory for all.
pub(super) fn targets(cells: &[Cell], most_mib: f64, data: Data, text: &mut Vec<String>) -> bool {
    let lines = lines(cells);
    let mut all_met = true;
    for line in lines.iter().filter(|line| line.cell.engine.is_northstar()) {
        let cell = line.cell;
        let against = match (cell.shape.as_str(), cell.engine.mode()) {
            ("scattered", Mode::MergeOnRead) => peer(MergePeer::Duckdb, cell, &lines),
            ("scattered", Mode::CopyOnWrite) => peer(MergePeer::Delta, cell, &lines),
            ("recent", Mode::MergeOnRead | Mode::CopyOnWrite) => best_peer(cell, &lines),
            _ => None,
        };
        let Some(against) = against else { continue };
        let ratio = line.cpu_s / against.cpu_s;
        let counts = cell.rows == TARGET_ROWS && data == Data::Lab;
        all_met &= ratio <= 1.0 || !counts;
        text.push(format!(
            "- {} rows, {}, {}: {ratio:.2} of {}'s CPU (at most 1.00{}: {})",
            cell.rows,
            cell.shape,
            cell.engine.mode().property(),
            against.cell.engine.name(),
            if counts { "" } else { ", held at 5000000 rows of `lab`" },
            word(ratio <= 1.0)
        ));
    }
    let northstar = lines.iter().filter(|line| line.cell.engine.is_northstar());
    if let Some(most) = northstar.max_by(|a, b| a.peak_mib.total_cmp(&b.peak_mib)) {
        let met = most.peak_mib <= most_mib;
        all_met &= met;
        text.push(format!(
            "- peak resident memory {:.0} MiB, at {} rows, {}, {} (at most {most_mib:.0}: {})",
            most.peak_mib,
            most.cell.rows,
            most.cell.shape,
            most.cell.engine.mode().property(),
            word(met)
        ));
    }
    all_met
}

fn peer<'a>(peer: MergePeer, of: &Cell, lines: &'a [Line<'_>]) -> Option<&'a Line<'a>> {
    let alike = |cell: &Cell| cell.shape == of.shape && cell.rows == of.rows;
    lines.iter().find(|line| line.cell.engine == Engine::Peer(peer) && alike(line.cell))
}
