//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    lab::{Order, Plan},
    merge::{GrowthArguments, MergeArguments, RoundsArguments},
};

/// Measures Northstar against other engines on the same seeded files in the same run.
#[derive(Debug, Parser)]
#[command(name = "northstar-bench", version)]
pub(crate) struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    pub(crate) case: Case,
}

/// The cases.
#[derive(Debug, Subcommand)]
pub(crate) enum Case {
    /// Bulk load of lab results from CSV into a partitioned Iceberg table.
    Load(LoadArguments),
    /// A query for one partition of a table with very many data files.
    Planning(PlanningArguments),
    /// Small commits, one after the other, on one table.
    Commits(CommitsArguments),
    /// Years of daily commits under the retention policy, on a clock of their own.
    Retention(RetentionArguments),
    /// Compaction of a partition that is larger than the memory.
    Compaction(CompactionArguments),
    /// A MERGE of changes of several shapes into tables of several sizes.
    Merge(MergeArguments),
    /// The same changes into tables of more and more months.
    Growth(GrowthArguments),
    /// A MERGE a day with maintenance, and each day read again.
    Rounds(RoundsArguments),
}

/// An engine to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// PyIceberg, one file of the extract per append, all in one commit.
    Pyiceberg,
    /// PyIceberg with the whole extract in memory.
    PyicebergWhole,
    /// DuckDB with its Iceberg extension, through a REST catalog.
    Duckdb,
    /// Polars, streaming into an Iceberg table.
    Polars,
    /// delta-rs, into a Delta table.
    Delta,
}

/// The options of the load case.
#[derive(Args, Debug)]
pub(crate) struct LoadArguments {
    /// Rows of the table.
    #[arg(long, default_value_t = 5_000_000)]
    pub(crate) rows: u64,
    /// Facilities; with the months they make the partitions.
    #[arg(long, default_value_t = 8)]
    pub(crate) facilities: u32,
    /// Months from January 2024 on.
    #[arg(long, default_value_t = 12)]
    pub(crate) months: u32,
    /// Seed of the data.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Order in which the rows arrive.
    #[arg(long, value_enum, default_value_t = Order::Time)]
    pub(crate) order: Order,
    /// Most rows of one CSV file.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) file_rows: u64,
    /// Folder for extracts (kept as a cache) and for the tables of the run (removed after it).
    #[arg(long, default_value = "target/bench")]
    pub(crate) work_dir: PathBuf,
    /// Engines to compare with.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "pyiceberg,duckdb,polars,delta"
    )]
    pub(crate) peers: Vec<Peer>,
    /// The binary under test.
    #[arg(long, default_value = "target/release/northstar")]
    pub(crate) northstar: PathBuf,
    /// Measures the peers alone.
    #[arg(long)]
    pub(crate) only_peers: bool,
    /// The interpreter of an environment with `benches/requirements.txt` installed.
    #[arg(long, env = "NORTHSTAR_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// Folder of the peer scripts.
    #[arg(long, default_value = "benches/peers")]
    pub(crate) scripts: PathBuf,
    /// Times that each tool runs; the table shows the median of the CPU seconds.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Seconds after which a tool is stopped and counts as failed.
    #[arg(long, default_value_t = 3_600)]
    pub(crate) limit_s: u32,
    /// Keeps the tables of the run in the work folder.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Fails when Northstar needs more CPU than the best peer, or more memory than this many MiB.
    #[arg(long, value_name = "MIB")]
    pub(crate) enforce: Option<u64>,
    /// File to which one JSON line per tool and run is added; default `results.jsonl` in the work
    /// folder.
    #[arg(long)]
    pub(crate) record: Option<PathBuf>,
    /// File whose section of the case is written anew, as `benches/RESULTS.md`.
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Date written to the record and the results, as 2026-01-31.
    #[arg(long, default_value = "no date")]
    pub(crate) date: String,
}

/// What all cases of scale take.
#[derive(Args, Debug)]
pub(crate) struct ScaleArguments {
    /// Folder for the tables of the run, which are removed after it.
    #[arg(long, default_value = "target/bench")]
    pub(crate) work_dir: PathBuf,
    /// The binary under test.
    #[arg(long, default_value = "target/release/northstar")]
    pub(crate) northstar: PathBuf,
    /// The interpreter of an environment with `benches/requirements.txt` installed.
    #[arg(long, env = "NORTHSTAR_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// Folder of the peer scripts.
    #[arg(long, default_value = "benches/peers")]
    pub(crate) scripts: PathBuf,
    /// Leaves the peers out.
    #[arg(long)]
    pub(crate) no_peers: bool,
    /// File whose section of the case is written anew, as `benches/RESULTS.md`.
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<PathBuf>,
    /// Date of the results, as 2026-01-31.
    #[arg(long, default_value = "no date")]
    pub(crate) date: String,
}

/// The options of the planning case.
#[derive(Args, Debug)]
pub(crate) struct PlanningArguments {
    /// Days of the smaller table, each a commit of 100 files in 10 partitions.
    #[arg(long, default_value_t = 100)]
    pub(crate) days: i32,
    /// How many times as many days the larger table has.
    #[arg(long, default_value_t = 10)]
    pub(crate) factor: i32,
    /// Times that the query runs; the table shows the mean.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,
    #[command(flatten)]
    pub(crate) scale: ScaleArguments,
}

/// The options of the commits case.
#[derive(Args, Debug)]
pub(crate) struct CommitsArguments {
    /// Commits.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(50..))]
    pub(crate) commits: u32,
    #[command(flatten)]
    pub(crate) scale: ScaleArguments,
}

/// The options of the retention case.
#[derive(Args, Debug)]
pub(crate) struct RetentionArguments {
    /// Days: seven years are 2,557.
    #[arg(long, default_value_t = 2_557, value_parser = clap::value_parser!(u32).range(40..))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) scale: ScaleArguments,
}

/// The options of the compaction case.
#[derive(Args, Debug)]
pub(crate) struct CompactionArguments {
    /// Rows, all in one partition.
    #[arg(long, default_value_t = 6_000_000)]
    pub(crate) rows: u64,
    /// Loads that the rows come in.
    #[arg(long, default_value_t = 24)]
    pub(crate) loads: u64,
    /// Memory that compaction is given, in MiB.
    #[arg(long, default_value_t = 512)]
    pub(crate) memory_mib: u64,
    #[command(flatten)]
    pub(crate) scale: ScaleArguments,
}

impl LoadArguments {
    /// The extract to generate.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            rows: self.rows,
            facilities: self.facilities,
            months: self.months,
            seed: self.seed,
            order: self.order,
            file_rows: self.file_rows,
            document_bytes: 0,
        }
    }
}
