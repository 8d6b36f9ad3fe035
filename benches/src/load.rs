//! The load case: every tool loads the same extract, and every table is read back and checked.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use crate::{
    arguments::LoadArguments,
    child::{Python, Usage, tail},
    error::{BenchError, Result},
    lab::{Extract, write_extract},
    printer::progress,
    report,
    tools::Tool,
};

/// What the independent reader found in a table whose sums are right.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Checked {
    /// Rows read back.
    pub(crate) rows: u64,
    /// Data files.
    pub(crate) files: u64,
    /// Bytes of the data files.
    pub(crate) table_bytes: u64,
    /// Snapshots that the load left.
    pub(crate) snapshots: u64,
    /// Partitions with files.
    pub(crate) partitions: u64,
    /// Who read it.
    pub(crate) reader: String,
}

/// One run of one tool.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The tool.
    pub(crate) tool: Tool,
    /// From 1.
    pub(crate) number: u32,
    /// What it used, when it could be started.
    pub(crate) usage: Option<Usage>,
    /// What was read back, or why there is nothing.
    pub(crate) outcome: std::result::Result<Checked, Failure>,
}

/// Why a run has no checked table.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Whether the table was there and wrong, which fails the whole benchmark.
    pub(crate) mismatch: bool,
    /// The last words of the tool or of the reader.
    pub(crate) message: String,
}

/// Runs the case; false when a table is wrong, Northstar failed, or a limit is enforced and broken.
///
/// # Errors
/// An extract that cannot be written, or a binary that is not there.
pub(crate) fn run(arguments: &LoadArguments) -> Result<bool> {
    if !arguments.only_peers && fs::metadata(&arguments.northstar).is_err() {
        let binary = arguments.northstar.display();
        return Err(BenchError::new(format!(
            "{binary} is not there: build it or give --northstar"
        )));
    }
    let work_dir = absolute(&arguments.work_dir)?;
    let begin = Instant::now();
    let extract = write_extract(&arguments.plan(), &work_dir)?;
    progress(&format!("extract ready after {:.1} s", begin.elapsed().as_secs_f64()));
    let mut tools = Vec::new();
    if !arguments.only_peers {
        tools.push(Tool::Northstar);
    }
    tools.extend(arguments.peers.iter().copied().map(Tool::Peer));
    let mut runs = Vec::new();
    for number in 1..=arguments.runs {
        for tool in &tools {
            let run = run_tool(*tool, number, arguments, &extract, &work_dir)?;
            report::record(&run, arguments, &work_dir)?;
            runs.push(run);
        }
    }
    report::print(&runs, arguments)
}

/// The path from the root, because the tools write it into table metadata.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| BenchError::at(path, &error))
}

fn run_tool(
    tool: Tool,
    number: u32,
    arguments: &LoadArguments,
    extract: &Extract,
    work_dir: &Path,
) -> Result<Run> {
    progress(&format!("{} run {number} of {}", tool.name(), arguments.runs));
    let home = work_dir.join("run");
    let warehouse = home.join(format!("{}-{number}", tool.name()));
    remove(&warehouse)?;
    fs::create_dir_all(&warehouse).map_err(|error| BenchError::at(&warehouse, &error))?;
    let python = Python { interpreter: &arguments.python, scripts: &arguments.scripts };
    let log = warehouse.with_extension("log");
    let mut run = Run { tool, number, usage: None, outcome: Err(failure(false, "not run".into())) };
    match tool.server(&python, &warehouse) {
        Err(error) => run.outcome = Err(failure(false, error.to_string())),
        Ok(server) => {
            let words =
                tool.command(&python, &arguments.northstar, extract, &warehouse, server.as_ref());
            let usage = python.measure(&words, arguments.limit_s, &log)?;
            run.outcome = if usage.exit_code == 0 {
                check(tool, &python, extract, &warehouse)
            } else {
                Err(failure(false, format!("exit code {}: {}", usage.exit_code, tail(&log))))
            };
            run.usage = Some(usage);
        }
    }
    if !arguments.keep {
        remove(&warehouse)?;
    }
    Ok(run)
}

fn check(
    tool: Tool,
    python: &Python<'_>,
    extract: &Extract,
    warehouse: &Path,
) -> std::result::Result<Checked, Failure> {
    let mut words = python.script("check.py");
    words.extend([tool.place_option().into(), warehouse.into()]);
    words.extend(["--expected".into(), extract.expected.clone().into()]);
    words.extend(["--reader".into(), tool.reader().into()]);
    let read = python.output(&words).and_then(|text| Ok(serde_json::from_slice(&text)?));
    read.map_err(|error| failure(true, error.to_string()))
}

fn failure(mismatch: bool, message: String) -> Failure {
    Failure { mismatch, message }
}

pub(crate) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BenchError::at(folder, &error))
        }
        _ => Ok(()),
    }
}
