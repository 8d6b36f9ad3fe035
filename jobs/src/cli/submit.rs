//! Jobs on EMR Serverless: `submit`, `status`, `cancel`, `logs`, `cost`, and their options.

use clap::Args;

pub(crate) const SUBMIT_HELP: &str = "The command is checked before anything is sent, and sent as it is: no secrets, and nothing about
a patient. The same submission again gives the same run; --try N makes another one of it.

Examples:
  northstar submit --endpoint http://127.0.0.1:8181 --application 00f1… --role ROLE \\
    -- merge silver.lab_result --changes /in/day_1.csv
  northstar submit --wait --try 2 --driver-cores 8 --driver-memory 54G \\
    -- load csv --from /in/extract --into bronze";

pub(crate) const STATUS_HELP: &str = "Examples:
  northstar status                       the latest runs of the application
  northstar status 00f2k6r0ptlq5o09 --wait";

pub(crate) const CANCEL_HELP: &str = "Example:\n  northstar cancel 00f2k6r0ptlq5o09 --grace 60";

pub(crate) const LOGS_HELP: &str = "Of `northstar serve` on this machine the files are read; on AWS those below the S3 log URI that the
run was submitted with (--log-uri).

Examples:
  northstar logs 00f2k6r0ptlq5o09
  northstar logs 00f2k6r0ptlq5o09 --stderr --attempt 1";

pub(crate) const COST_HELP: &str =
    "What was billed, times list prices; taxes, discounts and S3 are not in it.

Examples:
  northstar cost 00f2k6r0ptlq5o09
  northstar cost 00f2k6r0ptlq5o09 --vcpu-hour-usd 0.0579 --gb-hour-usd 0.00636";

/// Where jobs are run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The server, such as http://127.0.0.1:8181 of `northstar serve`; http on this machine only
    /// [default: AWS_ENDPOINT_URL, else EMR Serverless of AWS]
    #[arg(
        long,
        value_name = "URL",
        env = "AWS_ENDPOINT_URL_EMR_SERVERLESS",
        hide_env_values = true
    )]
    pub(crate) endpoint: Option<String>,
    /// The application, by its id
    #[arg(long, value_name = "ID", env = "NORTHSTAR_APPLICATION", value_parser = parse_id)]
    pub(crate) application: String,
    /// AWS region [default: that of the AWS profile or machine]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}

/// A run of a job.
#[derive(Debug, Clone, Args)]
pub(crate) struct OfRun {
    /// The run, by its id
    #[arg(value_parser = parse_id)]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Role that the run has, by its ARN
    #[arg(long, value_name = "ARN", env = "NORTHSTAR_ROLE")]
    pub(crate) role: String,
    /// Name of the job [default: `northstar` and the command's first word]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: Option<String>,
    /// Which try of this submission it is; another number makes another run
    #[arg(long = "try", value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempt: u32,
    /// The run is ended when it took so long
    #[arg(long, value_name = "MINUTES", default_value_t = 720,
        value_parser = clap::value_parser!(i64).range(1..=10_080))]
    pub(crate) timeout_minutes: i64,
    /// How often the service starts it at most, until it succeeds
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(i32).range(1..=10))]
    pub(crate) attempts: i32,
    /// The launcher, in the image or in a bucket, as s3://BUCKET/launcher.py
    #[arg(long, value_name = "URL", env = "NORTHSTAR_LAUNCHER",
        default_value = "local:///opt/northstar/launcher.py", value_parser = parse_entry_point)]
    pub(crate) entry_point: String,
    /// Virtual CPUs of the driver: 1, 2, 4, 8 or 16
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = parse_cores)]
    pub(crate) driver_cores: u32,
    /// Memory of the driver, without the tenth on top of it
    /// [default: what makes a worker of 4 GB a CPU: 14G with 4]
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub(crate) driver_memory: Option<String>,
    /// Where the service writes the run's log, as s3://BUCKET/PREFIX; `northstar serve` keeps it itself
    #[arg(long, value_name = "URL", value_parser = parse_log_uri)]
    pub(crate) log_uri: Option<String>,
    /// Wait until the run is over; Ctrl-C and SIGTERM cancel it
    #[arg(long)]
    pub(crate) wait: bool,
    /// What the run does: a command of this program, and its options
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The run, by its id [default: the latest runs]
    #[arg(value_parser = parse_id)]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Wait until the run is over; Ctrl-C ends the waiting, not the run
    #[arg(long, requires = "run")]
    pub(crate) wait: bool,
    /// How many runs are listed at most
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) most: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    pub(crate) of: OfRun,
    /// Time that the run has to end by itself: 15 to 1800, or 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = parse_grace)]
    pub(crate) grace: i32,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) of: OfRun,
    /// The log lines, not the results
    #[arg(long)]
    pub(crate) stderr: bool,
    /// Which attempt of the service's, from 1 [default: the last]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) attempt: Option<i32>,
}

#[derive(Debug, Args)]
pub(crate) struct Cost {
    #[command(flatten)]
    pub(crate) of: OfRun,
    #[command(flatten)]
    pub(crate) prices: OwnPrices,
}

/// Prices that are not those of the list.
#[derive(Debug, Clone, Args)]
pub(crate) struct OwnPrices {
    /// Dollars for a virtual CPU and hour
    #[arg(long, value_name = "USD", value_parser = parse_price)]
    pub(crate) vcpu_hour_usd: Option<f64>,
    /// Dollars for a GB of memory and hour
    #[arg(long, value_name = "USD", value_parser = parse_price)]
    pub(crate) gb_hour_usd: Option<f64>,
    /// Dollars for a GB of storage beyond 20 and hour
    #[arg(long, value_name = "USD", value_parser = parse_price)]
    pub(crate) storage_gb_hour_usd: Option<f64>,
}

/// Identifiers of the service, which go into paths.
fn parse_id(text: &str) -> Result<String, String> {
    let is_id = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match is_id {
        true => Ok(text.to_string()),
        false => Err("an id is of lower-case letters and digits, 64 at most".to_string()),
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    match (1..=256).contains(&length) && !text.trim().is_empty() {
        true => Ok(text.to_string()),
        false => Err("a name has 1 to 256 characters".to_string()),
    }
}

fn parse_entry_point(text: &str) -> Result<String, String> {
    match text.rsplit('/').next() == Some("launcher.py") && text.contains("://") {
        true => Ok(text.to_string()),
        false => Err("the launcher is a URL that ends in /launcher.py".to_string()),
    }
}

fn parse_log_uri(text: &str) -> Result<String, String> {
    match text.strip_prefix("s3://").is_some_and(|rest| !rest.trim_matches('/').is_empty()) {
        true => Ok(text.to_string()),
        false => Err("write s3://BUCKET/PREFIX".to_string()),
    }
}

fn parse_cores(text: &str) -> Result<u32, String> {
    match text {
        "1" | "2" | "4" | "8" | "16" => text.parse().map_err(|_| "no number".to_string()),
        _ => Err("a driver has 1, 2, 4, 8 or 16 virtual CPUs".to_string()),
    }
}

/// Spark's sizes: a number of mebibytes or gibibytes.
fn parse_memory(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(['g', 'G', 'm', 'M']);
    let is_size = digits.len() + 1 == text.len() && digits.parse::<u32>().is_ok_and(|n| n > 0);
    match is_size {
        true => Ok(text.to_string()),
        false => Err("write for instance 14G or 3500M".to_string()),
    }
}

fn parse_grace(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(seconds @ (0 | 15..=1_800)) => Ok(seconds),
        _ => Err("0, or 15 to 1800 seconds".to_string()),
    }
}

/// A price that can be paid.
fn parse_price(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(price) if price.is_finite() && (0.0..=1_000.0).contains(&price) => Ok(price),
        _ => Err("a price is a number of dollars, such as 0.0526".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_a_request_is_what_the_service_takes() {
        for good in ["0", "15", "1800"] {
            assert!(parse_grace(good).is_ok(), "{good}");
        }
        for bad in ["14", "1801", "-1", "soon"] {
            assert!(parse_grace(bad).is_err(), "{bad}");
        }
        for bad in ["", "../x", "A", "a/b", &"a".repeat(65)] {
            assert!(parse_id(bad).is_err(), "{bad}");
        }
        assert!(parse_memory("14G").is_ok() && parse_memory("3500m").is_ok());
        for bad in ["", "G", "14", "1.5G", "14GG", "0G", "1T"] {
            assert!(parse_memory(bad).is_err(), "{bad}");
        }
        assert!(parse_entry_point("s3://b/x/launcher.py").is_ok());
        assert!(parse_entry_point("s3://b/x/other.py").is_err());
        for bad in ["-1", "NaN", "inf", "free"] {
            assert!(parse_price(bad).is_err(), "{bad}");
        }
    }
}
