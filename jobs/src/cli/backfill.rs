//! `northstar backfill`: its commands and their options.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use northstar_lakehouse::bronze::backfill::UnitName;

pub(super) const HELP: &str =
    "A unit is what stands in DIR as TABLE/GROUP/PERIOD.csv or TABLE/GROUP/PERIOD/*.csv. Units
that are in the tables already are left out, so that the same again does what is left.

Examples:
  northstar backfill units --from ./history --into bronze
  northstar backfill run --from ./history --into bronze --table lab_result --dry-run
  northstar backfill run --from ./history --into bronze";

const WRITE_HELP: &str = "This is what a task of jobs/emr/launcher.py runs.

Example:
  wave=$(northstar backfill plan --from ./history --into bronze --unit lab_result/west/2024-05)
  northstar backfill write --from ./history --into bronze --wave \"$wave\" \\
      --unit lab_result/west/2024-05 --to west.jsonl
  northstar backfill commit --from ./history --into bronze --descriptors west.jsonl";

#[derive(Debug, Subcommand)]
pub(crate) enum Backfill {
    /// List units: how far each is, its files and bytes
    #[command(
        after_help = "Example:\n  northstar backfill units --from ./history --into bronze --group west"
    )]
    Units {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Load all pending units in this process, in waves
    #[command(after_help = "Example:\n  northstar backfill run --from ./history --into bronze")]
    Run {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        chosen: Chosen,
        /// So many units are committed together
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = parse_units)]
        commit_units: usize,
        /// A wave takes no further unit after so many minutes
        #[arg(long, value_name = "MINUTES", default_value_t = 10)]
        commit_minutes: u32,
        /// Print the plan and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Plan a wave of units of one table and print it as JSON; makes the table if it is not there
    #[command(after_help = WRITE_HELP)]
    Plan {
        #[command(flatten)]
        source: Source,
        /// A unit of the wave; may be repeated
        #[arg(long, value_name = "TABLE/GROUP/PERIOD", required = true)]
        unit: Vec<UnitName>,
    },
    /// Write data files of units without committing them, and print a descriptor of each as JSON
    #[command(after_help = WRITE_HELP)]
    Write {
        #[command(flatten)]
        source: Source,
        /// A unit; may be repeated
        #[arg(long, value_name = "TABLE/GROUP/PERIOD", required = true)]
        unit: Vec<UnitName>,
        /// The wave that they are written for, as `backfill plan` printed it
        #[arg(long, value_name = "JSON")]
        wave: String,
        /// Write the descriptors into this file rather than to standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Commit the descriptors of one wave, exactly once
    #[command(after_help = WRITE_HELP)]
    Commit {
        #[command(flatten)]
        source: Source,
        /// File with one descriptor a line; `-` is standard input
        #[arg(long, value_name = "FILE")]
        descriptors: PathBuf,
    },
}

impl Backfill {
    /// Where units come from and go to.
    pub(crate) fn source(&self) -> &Source {
        match self {
            Self::Units { source, .. }
            | Self::Run { source, .. }
            | Self::Plan { source, .. }
            | Self::Write { source, .. }
            | Self::Commit { source, .. } => source,
        }
    }
}

/// Where units come from and go to.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Folder of the units, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Namespace of the bronze tables; made if it is not there
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) into: String,
    /// What the files alone do not say: types, partitions, PHI tags
    /// [default: tables.toml in DIR or beside it, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: Option<PathBuf>,
    /// Name of the system that the files come from
    #[arg(long, value_name = "NAME", default_value = "legacy_emr")]
    pub(crate) source_system: String,
    /// Files encoded at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) threads: usize,
}

/// Which units are meant, and how those that are done are found.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Only units of this table; may be repeated
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Vec<String>,
    /// Only units of this facility group; may be repeated
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Vec<String>,
    /// Take a file for loaded if the table has rows of one of its name, without reading it: quick where
    /// much is done, but a file that was replaced under its name is not noticed
    #[arg(long)]
    pub(crate) by_name: bool,
}

fn parse_units(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if (1..=10_000).contains(&count) => Ok(count),
        _ => Err("use a number from 1 to 10000".to_string()),
    }
}
