//! A query for one partition, on a table and on one with ten times the files.

use northstar_tests::changes::{rows, session};
use northstar_tests::lab::Lab;
use northstar_tests::scale::many_files::{Listed, Shape, listed, make};

use super::peers::{Scanned, ask};
use super::runtime;
use crate::{
    arguments::{PlanningArguments, ScaleArguments},
    child::{Python, tail},
    error::{BenchError, Result},
    numbers::{kib, word},
    printer::progress,
    process::{Mark, Spent},
};

/// The most CPU at ten times the files.
const MOST_CPU: f64 = 1.5;

/// What a query reads beside manifests and their list: the pointer in the catalog, the metadata file,
/// ten Parquet files of a few KiB.
const BESIDE_BYTES: u64 = 512 << 10;

struct Measured {
    files: u64,
    listed: Listed,
    /// Manifests that one query read.
    read: u64,
    /// Of one query.
    spent: Spent,
    /// CPU seconds of the program for one query, start included.
    program_cpu_s: f64,
    peers: Vec<(&'static str, f64)>,
}

/// Runs the case; false when an answer is wrong or a target is missed.
///
/// # Errors
/// A table that cannot be made, a program or peer that fails.
pub(crate) fn run(arguments: &PlanningArguments) -> Result<bool> {
    let small = measure(arguments, arguments.days)?;
    let large = measure(arguments, arguments.days * arguments.factor)?;
    let mut lines = vec![
        "| data files | manifests | matching | read | matching and list KiB | read KiB | CPU ms | \
         wall ms | program CPU s | peers CPU ms |"
            .to_string(),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    for one in [&small, &large] {
        let peers: Vec<String> =
            one.peers.iter().map(|(name, cpu_s)| format!("{name} {:.1}", cpu_s * 1e3)).collect();
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {:.1} | {:.1} | {:.3} | {} |",
            one.files,
            one.listed.manifests,
            one.listed.matching,
            one.read,
            kib(one.listed.matching_bytes + one.listed.list_bytes),
            kib(one.spent.read_bytes),
            one.spent.cpu_s * 1e3,
            one.spent.wall_s * 1e3,
            one.program_cpu_s,
            peers.join(", ")
        ));
    }
    let ratio = large.spent.cpu_s / small.spent.cpu_s;
    let only = [&small, &large].iter().all(|one| {
        let most = one.listed.matching_bytes + one.listed.list_bytes + BESIDE_BYTES;
        one.read <= one.listed.matching && one.spent.read_bytes <= most
    });
    lines.push(String::new());
    lines.push(format!(
        "CPU at {} files is {ratio:.2} of that at {} (at most {MOST_CPU}: {}); manifests and bytes \
         read are those that match and the list (at most {} KiB beside: {}).",
        large.files,
        small.files,
        word(ratio <= MOST_CPU),
        BESIDE_BYTES >> 10,
        word(only)
    ));
    for (at, (name, cpu_s)) in large.peers.iter().enumerate() {
        let before = small.peers.get(at).map_or(0.0, |(_, cpu_s)| *cpu_s);
        lines.push(format!(
            "{name}: {:.2} of its CPU at fewer files; northstar needs {:.2} of {name}'s CPU.",
            cpu_s / before,
            large.spent.cpu_s / cpu_s
        ));
    }
    arguments.scale.show("planning", &lines)?;
    Ok(ratio <= MOST_CPU && only)
}

fn measure(arguments: &PlanningArguments, days: i32) -> Result<Measured> {
    let scale = &arguments.scale;
    let home = scale.home()?;
    let shape = Shape { days, sites: 10, files: 10, rows: 20, asked: (days / 3, 4) };
    progress(&format!("a table of {} files", shape.all_files()));
    let runtime = runtime()?;
    runtime.block_on(async {
        let lab = Lab::below(&home).await;
        let table = make(&lab, &shape).await;
        let listed = listed(&table, &shape).await;
        let mut read = query(&lab, &shape).await?;
        let mark = Mark::now()?;
        for _ in 0..arguments.repeats {
            read = query(&lab, &shape).await?;
        }
        let repeats = f64::from(arguments.repeats);
        let all = mark.spent()?;
        let spent = Spent {
            cpu_s: all.cpu_s / repeats,
            wall_s: all.wall_s / repeats,
            read_bytes: all.read_bytes / u64::from(arguments.repeats),
        };
        let program_cpu_s = program(scale, &lab, &shape)?;
        let mut peers = Vec::new();
        if !scale.no_peers {
            for name in ["pyiceberg", "duckdb"] {
                peers.push((name, peer(scale, &lab, &shape, name)?));
            }
        }
        Ok(Measured { files: shape.all_files(), listed, read, spent, program_cpu_s, peers })
    })
}

/// Runs the query in a session of its own; the manifests that it read.
async fn query(lab: &Lab, shape: &Shape) -> Result<u64> {
    let session = session(lab);
    let found = rows(&session, &shape.query()).await;
    let expected = shape.answer().map(|number| number.to_string()).join("|");
    match found == [expected] {
        true => Ok(session.manifests().reads()),
        false => Err(BenchError::new("northstar's answer is wrong")),
    }
}

/// CPU seconds of the program for the query.
fn program(scale: &ScaleArguments, lab: &Lab, shape: &Shape) -> Result<f64> {
    let python = Python { interpreter: &scale.python, scripts: &scale.scripts };
    let words = [
        scale.northstar.clone().into(),
        "--warehouse".into(),
        lab.path("lake").into(),
        "--output".into(),
        "csv".into(),
        "sql".into(),
        shape.query().into(),
    ];
    let log = lab.path("program.log");
    let usage = python.measure(&words, 600, &log)?;
    let told = tail(&log);
    let expected = shape.answer().map(|number| number.to_string()).join(",");
    match usage.exit_code == 0 && told.lines().any(|line| line == expected) {
        true => Ok(usage.cpu_s()),
        false => Err(BenchError::new(format!("the program's answer is wrong: {told}"))),
    }
}

fn peer(scale: &ScaleArguments, lab: &Lab, shape: &Shape, name: &str) -> Result<f64> {
    let warehouse = lab.path("lake").display().to_string();
    let (from, to, site) = shape.filter();
    let words = [
        "--engine",
        name,
        "--warehouse",
        &warehouse,
        "--from",
        &from,
        "--to",
        &to,
        "--site",
        &site,
    ];
    let scanned: Scanned = ask(scale, "partition_scan.py", &words)?;
    match scanned.answer == shape.answer() {
        true => Ok(scanned.cpu_s),
        false => Err(BenchError::new(format!("{name}'s answer is wrong"))),
    }
}
