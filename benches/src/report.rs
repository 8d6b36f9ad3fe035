//! Prints the table of a case and records its runs.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::Command,
};

use crate::{
    arguments::LoadArguments,
    error::{BenchError, Result},
    load::Run,
    numbers::{as_f64, median, word},
    printer::result,
    results::Section,
    tools::Tool,
};

/// Bytes of a megabyte, as the sizes of tables are given.
const MB: f64 = 1e6;

/// All runs of one tool, as one line of the table.
struct Line {
    tool: Tool,
    cpu_s: f64,
    wall_s: f64,
    peak_rss_mib: f64,
    table_mb: f64,
    files: u64,
    rows: u64,
}

/// Adds one JSON line for `run` to the record.
///
/// # Errors
/// A record that cannot be written.
pub(crate) fn record(run: &Run, arguments: &LoadArguments, work_dir: &Path) -> Result<()> {
    let path = arguments.record.clone().unwrap_or_else(|| work_dir.join("results.jsonl"));
    let failure = run.outcome.as_ref().err();
    let line = serde_json::json!({
        "case": "load",
        "date": arguments.date,
        "commit": commit(),
        "machine": machine(),
        "plan": arguments.plan().folder_name(),
        "tool": run.tool.name(),
        "run": run.number,
        "usage": run.usage,
        "checked": run.outcome.as_ref().ok(),
        "mismatch": failure.is_some_and(|failure| failure.mismatch),
        "failure": failure.map(|failure| &failure.message),
    });
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.map_err(|error| BenchError::at(&path, &error))?;
    writeln!(file, "{line}").map_err(|error| BenchError::at(&path, &error))
}

/// Prints the table and the limits, and keeps them if asked to; false when the benchmark as a whole
/// failed.
///
/// # Errors
/// Results that cannot be written.
pub(crate) fn print(runs: &[Run], arguments: &LoadArguments) -> Result<bool> {
    let mut tools: Vec<Tool> = Vec::new();
    for run in runs {
        if !tools.contains(&run.tool) {
            tools.push(run.tool);
        }
    }
    let lines: Vec<Line> = tools.iter().filter_map(|tool| line(*tool, runs)).collect();
    let best_peer = lines.iter().filter(|line| line.tool != Tool::Northstar);
    let best_peer = best_peer.map(|line| line.cpu_s).min_by(f64::total_cmp);
    let northstar = lines.iter().find(|line| line.tool == Tool::Northstar);
    let base = northstar.map(|line| line.cpu_s).or(best_peer);
    let base_name = if northstar.is_some() { "x northstar" } else { "x best peer" };
    let mut text = vec![
        format!(
            "| {} rows | CPU s | {base_name} | wall s | peak MiB | table MB | files | rows checked |",
            arguments.rows
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    for line in &lines {
        text.push(format!(
            "| {} | {:.2} | {:.2} | {:.1} | {:.0} | {:.1} | {} | {} |",
            line.tool.name(),
            line.cpu_s,
            base.map_or(1.0, |base| line.cpu_s / base),
            line.wall_s,
            line.peak_rss_mib,
            line.table_mb,
            line.files,
            line.rows
        ));
    }
    text.push(String::new());
    let mut good = true;
    for run in runs {
        if let Err(failure) = &run.outcome {
            good &= !failure.mismatch && run.tool != Tool::Northstar;
            let kind = if failure.mismatch { "WRONG TABLE" } else { "failed" };
            text.push(format!(
                "- {} run {} {kind}: {}",
                run.tool.name(),
                run.number,
                failure.message
            ));
        }
    }
    let within = northstar
        .zip(best_peer)
        .map(|(line, peer)| limits(line, peer, arguments.enforce, &mut text));
    text.iter().for_each(|line| result(line));
    if let Some(path) = &arguments.results {
        Section { case: "load", date: &arguments.date, lines: &text }.write(path)?;
    }
    Ok(good && (arguments.enforce.is_none() || within == Some(true)))
}

/// The line of a tool: median CPU and wall, largest memory; none when no run was right.
fn line(tool: Tool, runs: &[Run]) -> Option<Line> {
    let good = runs.iter().filter(|run| run.tool == tool);
    let good: Vec<_> =
        good.filter_map(|run| run.usage.as_ref().zip(run.outcome.as_ref().ok())).collect();
    let (_, checked) = good.first()?;
    Some(Line {
        tool,
        cpu_s: median(good.iter().map(|(usage, _)| usage.cpu_s()).collect()),
        wall_s: median(good.iter().map(|(usage, _)| usage.wall_s).collect()),
        peak_rss_mib: good
            .iter()
            .map(|(usage, _)| as_f64(usage.peak_rss_kib) / 1_024.0)
            .fold(0.0, f64::max),
        table_mb: as_f64(checked.table_bytes) / MB,
        files: checked.files,
        rows: checked.rows,
    })
}

/// Says how Northstar stands to the best peer and to the memory limit.
fn limits(
    northstar: &Line,
    best_peer_cpu_s: f64,
    enforce: Option<u64>,
    text: &mut Vec<String>,
) -> bool {
    let ratio = northstar.cpu_s / best_peer_cpu_s;
    let limit_mib = enforce.unwrap_or(1_024);
    let cpu_met = ratio <= 1.0;
    let memory_met = northstar.peak_rss_mib <= as_f64(limit_mib);
    text.push(format!(
        "northstar needs {ratio:.2} of the best peer's CPU (at most 1.00: {}), {:.0} MiB (at most \
         {limit_mib}: {})",
        word(cpu_met),
        northstar.peak_rss_mib,
        word(memory_met)
    ));
    cpu_met && memory_met
}

/// The commit that is measured, or `unknown` outside a repository.
pub(crate) fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    text.map_or_else(|| "unknown".into(), |text| String::from_utf8_lossy(&text).trim().to_owned())
}

/// The machine's memory.
pub(crate) fn memory() -> String {
    field("/proc/meminfo", "MemTotal")
}

/// Processor, cores and memory.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, {}", field("/proc/cpuinfo", "model name"), memory())
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}
