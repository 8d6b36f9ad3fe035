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
    numbers::{kib, median, word},
    printer::progress,
    process::Mark,
};

/// The most that the last commits may take of the first.
const MOST: f64 = 1.2;

/// Commits at either end that are compared.
const WINDOW: usize = 20;

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
            end: None,
        });
    }
    let mut lines = vec![
        format!(
            "| {} commits | first ms | last ms | last of first | first CPU ms | last CPU ms | last of \
             first | manifests | snapshots | metadata KiB |",
            arguments.commits
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |".to_string(),
    ];
    lines.extend(all.iter().map(line));
    let ratio = all[0].last_s / all[0].first_s;
    lines.push(String::new());
    lines.push(format!(
        "Medians of commits 2 to 21 and of the last 20; CPU is the mean. Under the retention policy the \
         last takes {ratio:.2} of the first (at most {MOST}: {}).",
        word(ratio <= MOST)
    ));
    arguments.scale.show("commits", &lines)?;
    Ok(ratio <= MOST)
}

fn line(one: &Measured) -> String {
    let end = one.end.map_or_else(
        || "| | ".to_string(),
        |(manifests, snapshots, bytes)| format!("{manifests} | {snapshots} | {}", kib(bytes)),
    );
    format!(
        "| {} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} | {:.2} | {end} |",
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
        let mut walls = Vec::new();
        let mut cpu = Vec::new();
        let mut mark = Mark::now()?;
        for at in 0..commits {
            if pace == Pace::Daily {
                lab.clock.set(BEGIN_MS + i64::try_from(at).unwrap_or(0) * DAY_MS);
                if at % 7 == 6 {
                    expire_old(&lab).await?;
                }
            }
            if at == 1 || at == commits - WINDOW {
                mark = Mark::now()?;
            }
            walls.push(commit(&session, at).await?);
            if at == WINDOW || at == commits - 1 {
                cpu.push(mark.spent()?.cpu_s);
            }
        }
        let [first_cpu_s, last_cpu_s] = cpu[..] else {
            return Err(BenchError::new("there are too few commits"));
        };
        Ok(Measured {
            name,
            first_s: median(walls[1..=WINDOW].to_vec()),
            last_s: median(walls[commits - WINDOW..].to_vec()),
            first_cpu_s: first_cpu_s / WINDOW as f64,
            last_cpu_s: last_cpu_s / WINDOW as f64,
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
