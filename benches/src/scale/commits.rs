//! A thousand commits of one row: what the last costs beside the first.

use std::time::Instant;

use northstar_iceberg::LakeTable;
use northstar_iceberg::maintenance::{DAY_MS, ExpireOptions, expire};
use northstar_iceberg::merge::LakeSession;
use northstar_tests::changes::session;
use northstar_tests::lab::{Lab, tester};
use northstar_tests::scale::daily::BEGIN_MS;

use super::peers::{Committed, ask};
use super::{runtime, said};
use crate::{
    arguments::CommitsArguments,
    error::{BenchError, Result},
    numbers::{as_f64, kib, median, word},
    printer::progress,
    process::{Mark, threads_cpu_s},
};

/// The most that the last commits may take of the first.
const MOST: f64 = 1.2;

/// Commits at either end that are compared.
const WINDOW: usize = 20;

/// So many commits make as many manifests as are put together.
const CYCLE: usize = 100;

const TABLE: &str = "scale.commits";

/// How the commits come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// One a day, with an expiry each week that keeps 35 days.
    Daily,
    /// All within the days that snapshots are kept, so that each snapshot is still there.
    Kept,
}

struct Measured {
    name: &'static str,
    first_s: f64,
    last_s: f64,
    first_cpu_s: f64,
    last_cpu_s: f64,
    /// CPU seconds of a commit, the mean of the last hundred, one of which puts manifests together; with
    /// what an expiry takes.
    cycle_cpu_s: Option<f64>,
    /// Manifests, snapshots, bytes of the metadata file at the end.
    end: Option<(usize, usize, u64)>,
}

/// Runs the case; false when the target is missed by commits under the retention policy.
///
/// # Errors
/// A commit or a peer that fails.
pub(crate) fn run(arguments: &CommitsArguments) -> Result<bool> {
    let mut all = vec![
        measure(arguments, Pace::Daily, "northstar, daily")?,
        measure(arguments, Pace::Kept, "northstar, no expiry")?,
    ];
    if !arguments.scale.no_peers {
        progress("pyiceberg");
        let home = tempfile_below(arguments)?;
        let (folder, count) =
            (home.path("peer").display().to_string(), arguments.commits.to_string());
        let words = ["--warehouse", &folder, "--commits", &count];
        let peer: Committed = ask(&arguments.scale, "pyiceberg_commits.py", &words)?;
        all.push(Measured {
            name: "pyiceberg, no expiry",
            first_s: peer.first_s,
            last_s: peer.last_s,
            first_cpu_s: peer.first_cpu_s,
            last_cpu_s: peer.last_cpu_s,
            cycle_cpu_s: None,
            end: None,
        });
    }
    let mut lines = vec![
        format!(
            "| {} commits | first ms | last ms | last of first | first CPU ms | last CPU ms | last of \
             first | mean CPU ms of the last 100 | manifests | snapshots | metadata KiB |",
            arguments.commits
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    lines.extend(all.iter().map(line));
    let ratio = all[0].last_s / all[0].first_s;
    let cpu = all[0].last_cpu_s / all[0].first_cpu_s;
    let met = ratio <= MOST && cpu <= MOST;
    lines.push(String::new());
    lines.push(format!(
        "Medians of commits 2 to 21 and of the last 20. Under the retention policy the last takes \
         {ratio:.2} of the time of the first, and {cpu:.2} of its CPU (at most {MOST}: {}).",
        word(met)
    ));
    arguments.scale.show("commits", &lines)?;
    Ok(met)
}

fn line(one: &Measured) -> String {
    let end = one.end.map_or_else(
        || "| | ".to_string(),
        |(manifests, snapshots, bytes)| format!("{manifests} | {snapshots} | {}", kib(bytes)),
    );
    let cycle = one.cycle_cpu_s.map_or_else(String::new, |cpu_s| format!("{:.1}", cpu_s * 1e3));
    format!(
        "| {} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} | {:.2} | {cycle} | {end} |",
        one.name,
        one.first_s * 1e3,
        one.last_s * 1e3,
        one.last_s / one.first_s,
        one.first_cpu_s * 1e3,
        one.last_cpu_s * 1e3,
        one.last_cpu_s / one.first_cpu_s
    )
}

fn tempfile_below(arguments: &CommitsArguments) -> Result<Lab> {
    let home = arguments.scale.home()?;
    Ok(runtime()?.block_on(Lab::below(&home)))
}

fn measure(arguments: &CommitsArguments, pace: Pace, name: &'static str) -> Result<Measured> {
    progress(name);
    let home = arguments.scale.home()?;
    let commits = usize::try_from(arguments.commits).unwrap_or(usize::MAX);
    runtime()?.block_on(async {
        let lab = Lab::below(&home).await;
        lab.clock.set(BEGIN_MS);
        let session = session(&lab);
        let table = format!("CREATE TABLE {TABLE} (id BIGINT, site VARCHAR)");
        for sql in ["CREATE SCHEMA scale", table.as_str()] {
            session.execute(sql).await.map_err(|error| said(&error))?;
        }
        let (mut walls, mut cpus) = (Vec::new(), Vec::new());
        let mut mark = Mark::now()?;
        for at in 0..commits {
            if pace == Pace::Daily {
                lab.clock.set(BEGIN_MS + i64::try_from(at).unwrap_or(0) * DAY_MS);
                if at % 7 == 6 {
                    expire_old(&lab).await?;
                }
            }
            if at == commits.saturating_sub(CYCLE) {
                mark = Mark::now()?;
            }
            let before = threads_cpu_s()?;
            walls.push(commit(&session, at).await?);
            cpus.push(threads_cpu_s()? - before);
        }
        let cycle_cpu_s = mark.spent()?.cpu_s / as_f64(CYCLE.min(commits) as u64);
        let first = |values: &[f64]| median(values[1..=WINDOW].to_vec());
        let last = |values: &[f64]| median(values[commits - WINDOW..].to_vec());
        Ok(Measured {
            name,
            first_s: first(&walls),
            last_s: last(&walls),
            first_cpu_s: first(&cpus),
            last_cpu_s: last(&cpus),
            cycle_cpu_s: Some(cycle_cpu_s),
            end: Some(end(&lab).await?),
        })
    })
}

/// Expires what the retention policy lets go.
async fn expire_old(lab: &Lab) -> Result<()> {
    let name = TABLE.parse().map_err(|error| said(&error))?;
    let expired = expire(&lab.lake, &tester(), &name, &ExpireOptions::default()).await;
    expired.map(drop).map_err(|error| said(&error))
}

/// Inserts a row; the seconds that it took.
async fn commit(session: &LakeSession, at: usize) -> Result<f64> {
    let sql = format!("INSERT INTO {TABLE} VALUES ({at}, 's{}')", at % 3);
    let begin = Instant::now();
    session.execute(&sql).await.map_err(|error| said(&error))?;
    Ok(begin.elapsed().as_secs_f64())
}

async fn end(lab: &Lab) -> Result<(usize, usize, u64)> {
    let name = TABLE.parse().map_err(|error| said(&error))?;
    let table: LakeTable =
        lab.lake.open_table(&name, &tester()).await.map_err(|error| said(&error))?;
    let manifests = lab.number("SELECT count(*) FROM scale.\"commits$manifests\"").await;
    let path = northstar_iceberg::storage::local_path(table.metadata_location());
    let path = path.map_err(|error| said(&error))?;
    let bytes = std::fs::metadata(&path).map_err(|error| BenchError::at(&path, &error))?.len();
    let snapshots = table.metadata().snapshots().len();
    Ok((usize::try_from(manifests).unwrap_or(0), snapshots, bytes))
}
