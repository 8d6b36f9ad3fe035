//! `northstar calibrate` and `northstar plan`: their options.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::submit::OwnPrices;

pub(crate) const CALIBRATE_HELP: &str = "A synthetic EMR is generated, loaded and changed in a temporary warehouse, which is removed again.
Numbers are CPU seconds of all threads, so that a machine that is busy otherwise tells about the same.

Example:
  northstar calibrate --to calibration.json";

pub(crate) const HELP: &str = "Figures come from the calibration and from the assumptions that are printed with them; each of these
is an option.

Examples:
  northstar plan backfill --source-bytes 25TB --hours 24
  northstar plan daily --changes 8000000 --changed-bytes 150GB --within-hours 2";

#[derive(Debug, Args)]
pub(crate) struct Calibrate {
    /// About how many records are generated and loaded
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(20_000..=20_000_000))]
    pub(crate) rows: u64,
    /// The same seed gives the same records
    #[arg(long, default_value_t = 27)]
    pub(crate) seed: u64,
    /// Where the numbers go [default: calibration.json in the warehouse, or here if there is none]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plan {
    /// Loading the whole of a source, in units that run beside each other
    #[command(after_help = HELP)]
    Backfill(Backfill),
    /// Merging the changes of a day, a table at a time
    #[command(after_help = HELP)]
    Daily(Daily),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Backfill {
    /// Bytes of the source's files, such as 25TB
    #[arg(long, value_name = "SIZE", default_value = "25TB", value_parser = parse_bytes)]
    pub(crate) source_bytes: u64,
    /// Rows of the source, if they are known: narrow rows take longer for their bytes
    #[arg(long, value_name = "N")]
    pub(crate) source_rows: Option<u64>,
    /// Hours that it may take
    #[arg(long, value_name = "HOURS", default_value_t = 24.0, value_parser = parse_hours)]
    pub(crate) hours: f64,
    /// Minutes that a unit is cut for
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0, value_parser = parse_minutes)]
    pub(crate) unit_minutes: f64,
    /// CPUs that a unit runs on; a worker runs several at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub(crate) unit_cores: u32,
    #[command(flatten)]
    pub(crate) assumed: Assumed,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Daily {
    /// Change rows of a day
    #[arg(long, value_name = "N", default_value_t = 8_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) changes: u64,
    /// Bytes of the change files
    #[arg(long, value_name = "SIZE", default_value = "150GB", value_parser = parse_bytes)]
    pub(crate) changed_bytes: u64,
    /// Hours that it may take
    #[arg(long, value_name = "HOURS", default_value_t = 2.0, value_parser = parse_hours)]
    pub(crate) within_hours: f64,
    /// Tables that have changes; a table has one writer at a time
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) tables: u32,
    /// Share of the changes that the largest table has
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = parse_share)]
    pub(crate) largest_share: f64,
    #[command(flatten)]
    pub(crate) assumed: Assumed,
}

/// What a plan takes for granted.
#[derive(Debug, Clone, Args)]
pub(crate) struct Assumed {
    /// The calibration [default: calibration.json in the warehouse, or here]
    #[arg(long, value_name = "FILE")]
    pub(crate) calibration: Option<PathBuf>,
    /// Virtual CPUs of a worker
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) worker_cores: u32,
    /// Memory of a worker in GB [default: 4 a CPU]
    #[arg(long, value_name = "GB")]
    pub(crate) worker_memory_gb: Option<u32>,
    /// Storage of a worker in GB; 20 come with it
    #[arg(long, value_name = "GB", default_value_t = 20, value_parser = clap::value_parser!(u32).range(20..=2_000))]
    pub(crate) worker_storage_gb: u32,
    /// Workers beside each other at most: the application's maximum capacity, the account's quota
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) most_workers: u32,
    /// What is left of the calibrated speed over S3
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, value_parser = parse_share)]
    pub(crate) s3_factor: f64,
    /// What is left of it on each CPU when all of a worker are used
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, value_parser = parse_share)]
    pub(crate) parallel_efficiency: f64,
    /// Minutes until workers are there
    #[arg(long, value_name = "MINUTES", default_value_t = 3.0, value_parser = parse_minutes)]
    pub(crate) start_minutes: f64,
    /// Region of the prices
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) price_region: String,
    /// Prices of ARM workers, which cost a fifth less
    #[arg(long)]
    pub(crate) arm: bool,
    #[command(flatten)]
    pub(crate) prices: OwnPrices,
}

/// Bytes from `25TB`, `150GB`, `512MiB` or a plain number.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write for instance 25TB or 150GB");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1_u64,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty() && fraction.len() <= 3;
    let scale = 10_u64.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let count = format!("{whole}{fraction}").parse::<u64>().ok().filter(|_| is_number);
    let bytes = count.and_then(|count| count.checked_mul(unit)).map(|bytes| bytes / scale);
    bytes.filter(|bytes| (1..=1 << 60).contains(bytes)).ok_or_else(wrong)
}

fn parse_hours(text: &str) -> Result<f64, String> {
    number(text, 0.01, 10_000.0)
}

fn parse_minutes(text: &str) -> Result<f64, String> {
    number(text, 0.1, 1_440.0)
}

fn parse_share(text: &str) -> Result<f64, String> {
    number(text, 0.01, 1.0)
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("a number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_or_binary() {
        for (text, bytes) in [
            ("25TB", 25_000_000_000_000),
            ("150GB", 150_000_000_000),
            ("1.5TB", 1_500_000_000_000),
            ("1GiB", 1 << 30),
            ("1000", 1000),
            ("0.5KB", 500),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for bad in ["", "TB", "1PB", "-1GB", "1.2345TB", "99999999999TB", "0", "1 TB", ".5TB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_are_above_nothing_and_at_most_all() {
        assert_eq!(parse_share("0.7"), Ok(0.7));
        for bad in ["0", "1.1", "NaN", "-1", "much"] {
            assert!(parse_share(bad).is_err(), "{bad}");
        }
    }
}
