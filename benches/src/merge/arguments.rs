//! The options of the cases that merge.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{arguments::ScaleArguments, lab::Shape, numbers::as_f64};

/// What is merged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Data {
    /// Lab results, partitioned by facility and month.
    Lab,
    /// The same with a document of `--document-bytes` that hardly compresses in each row.
    LabWide,
    /// TPC-H's lineitem, partitioned by the month of `l_shipdate`.
    Tpch,
}

impl Data {
    /// Its name for the scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::LabWide => "lab-wide",
            Self::Tpch => "tpch",
        }
    }
}

/// How Northstar writes, as `write.merge.mode` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Files with a touched row are written anew.
    CopyOnWrite,
    /// Touched rows are named in delete files.
    MergeOnRead,
    /// Chosen for each file.
    Auto,
}

impl Mode {
    /// The value of the property.
    pub(crate) fn property(self) -> &'static str {
        match self {
            Self::CopyOnWrite => "copy-on-write",
            Self::MergeOnRead => "merge-on-read",
            Self::Auto => "auto",
        }
    }
}

/// An engine to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MergePeer {
    /// DuckDB through a REST catalog: merge-on-read.
    Duckdb,
    /// delta-rs on a Delta table: copy-on-write.
    Delta,
    /// Sail, copy-on-write.
    Sail,
    /// Sail, merge-on-read.
    SailMor,
    /// Spark with Iceberg, copy-on-write.
    Spark,
    /// Spark with Iceberg, merge-on-read.
    SparkMor,
    /// PyIceberg's upsert and delete: copy-on-write.
    Pyiceberg,
}

/// What the cases that merge have in common.
#[derive(Args, Debug)]
pub(crate) struct MergeOptions {
    /// Modes of Northstar.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "copy-on-write,merge-on-read,auto"
    )]
    pub(crate) modes: Vec<Mode>,
    /// Memory that Northstar is given, in whole `MiB` or `GiB`; its own default if not said.
    #[arg(long, value_parser = memory)]
    pub(crate) memory: Option<String>,
    /// Bytes of the document of a wide row.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) document_bytes: u32,
    /// Facilities; with the months they make the partitions.
    #[arg(long, default_value_t = 8)]
    pub(crate) facilities: u32,
    /// Seed of data and changes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Seconds after which an engine is stopped and counts as failed.
    #[arg(long, default_value_t = 1_800)]
    pub(crate) limit_s: u32,
    /// PyIceberg is left out above so many rows: its upsert takes minutes for a million.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) pyiceberg_rows: u64,
    /// Sail and Spark are left out above so many rows: Sail takes more than 12 GB for 20 million.
    #[arg(long, default_value_t = 6_000_000)]
    pub(crate) slow_rows: u64,
    /// The interpreter of an environment with Spark, as `make test-interop` makes it.
    #[arg(long, default_value = ".venv-spark/bin/python")]
    pub(crate) spark_python: PathBuf,
    /// Folder of the jars that Spark needs for Iceberg.
    #[arg(long, default_value = ".cache/jars")]
    pub(crate) jars: PathBuf,
    /// File to which one JSON line per run is added; default `results.jsonl` in the work folder.
    #[arg(long)]
    pub(crate) record: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) scale: ScaleArguments,
}

impl MergeOptions {
    /// The most resident memory of Northstar in MiB: 1.5 of what it is given, and 1 GiB if it is not told.
    pub(crate) fn most_mib(&self) -> f64 {
        let given = self.memory.as_deref().and_then(mib);
        given.map_or(1_024.0, |mib| 1.5 * as_f64(mib))
    }
}

/// A memory limit as it was said.
fn memory(text: &str) -> Result<String, String> {
    match mib(text) {
        Some(_) => Ok(text.to_string()),
        None => Err("give whole MiB or GiB, as 256MiB".to_string()),
    }
}

fn mib(text: &str) -> Option<u64> {
    let number = |text: &str| text.parse::<u64>().ok();
    let gib = || text.strip_suffix("GiB").and_then(number).and_then(|gib| gib.checked_mul(1_024));
    text.strip_suffix("MiB").and_then(number).or_else(gib)
}

/// The options of the merge case.
#[derive(Args, Debug)]
pub(crate) struct MergeArguments {
    /// What is merged into.
    #[arg(long, value_enum, default_value_t = Data::Lab)]
    pub(crate) data: Data,
    /// Sizes of the table in rows. TPC-H has about 6,000,000 rows for a scale factor of 1.
    #[arg(long, value_delimiter = ',', default_value = "5000000")]
    pub(crate) rows: Vec<u64>,
    /// Months from January 2024 on.
    #[arg(long, default_value_t = 12)]
    pub(crate) months: u32,
    /// How the changes lie in the table.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "scattered,recent,few-files,every-file,delete-only,insert-only"
    )]
    pub(crate) shapes: Vec<Shape>,
    /// Changes, instead of the shape's own number.
    #[arg(long)]
    pub(crate) changes: Option<u64>,
    /// Engines to compare with.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "duckdb,delta,sail,sail-mor,spark,spark-mor,pyiceberg"
    )]
    pub(crate) peers: Vec<MergePeer>,
    /// Name of the section in the results, if not that of the case.
    #[arg(long)]
    pub(crate) section: Option<String>,
    /// Times that each engine merges, in turns; the table shows the median of the CPU seconds.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    #[command(flatten)]
    pub(crate) options: MergeOptions,
}

/// The options of the growth case.
#[derive(Args, Debug)]
pub(crate) struct GrowthArguments {
    /// Months of the tables; each month has about 417,000 rows in 8 partitions.
    #[arg(long, value_delimiter = ',', default_value = "3,12,48")]
    pub(crate) months: Vec<u32>,
    /// Changes, all in the last month.
    #[arg(long, default_value_t = 50_000)]
    pub(crate) changes: u64,
    /// Engines to compare with.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "duckdb,delta")]
    pub(crate) peers: Vec<MergePeer>,
    /// Times that each engine merges into each table, the tables taking turns.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    #[command(flatten)]
    pub(crate) options: MergeOptions,
}

/// The options of the rounds case.
#[derive(Args, Debug)]
pub(crate) struct RoundsArguments {
    /// Rows of the table before the first round.
    #[arg(long, default_value_t = 5_000_000)]
    pub(crate) rows: u64,
    /// Rounds, each a MERGE.
    #[arg(long, default_value_t = 10)]
    pub(crate) rounds: usize,
    /// How the changes of a round lie in the table.
    #[arg(long, value_enum, default_value_t = Shape::Scattered)]
    pub(crate) shape: Shape,
    /// Changes of a round; 1 % of the rows if not said.
    #[arg(long)]
    pub(crate) changes: Option<u64>,
    /// Rounds after which all small files and all delete files are compacted; after the others it is
    /// `compact --light`.
    #[arg(long, default_value_t = 5)]
    pub(crate) compact_every: usize,
    #[command(flatten)]
    pub(crate) options: MergeOptions,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_said_in_whole_units() {
        assert_eq!([mib("256MiB"), mib("2GiB")], [Some(256), Some(2_048)]);
        assert!(["256", "1.5GiB", "x MiB"].iter().all(|text| memory(text).is_err()));
    }
}
