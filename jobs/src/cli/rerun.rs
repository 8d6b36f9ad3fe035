//! `northstar rerun` and `northstar reconcile`: what they take.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;

pub(crate) const RERUN_HELP: &str =
    "The rows of one facility and some days become what the newest state of each key is, from all
batches of the bronze table and all change files; one commit, or none if they are so already. Rows
whose facility or date moved are found at their new place. The plan is printed first. Rows whose last
change is in none of the files are held back (exit code 1).

Examples:
  northstar rerun silver.lab_result --facility 7 --from 2024-05-01 --to 2024-05-08 --changes changes/
  northstar rerun silver.lab_result --facility 7 --from 2024-05-01 --to 2024-05-08 \\
    --changes changes/day_1/lab_result.csv changes/day_2/lab_result.csv --dry-run";

pub(crate) const RECONCILE_HELP: &str =
    "Counts by facility and month: keys in the sources, rows in the table, missing, surplus, different.
No value of a row is shown. Exit code 1 says that something differs.

Examples:
  northstar reconcile silver.lab_result --changes changes/
  northstar reconcile silver.lab_result --changes changes/ --extract extract/";

/// What a table of merged changes was made of.
#[derive(Debug, Args)]
pub(crate) struct Sources {
    /// Namespace of the bronze table of the same name
    #[arg(long, value_name = "NAMESPACE", default_value = "bronze")]
    pub(crate) bronze: String,
    /// The table was made of change files alone
    #[arg(long)]
    pub(crate) no_bronze: bool,
    /// Change files; a folder, or a prefix of a bucket, stands for all TABLE.csv and TABLE.parquet below it
    #[arg(long, value_name = "PLACE", num_args = 1..)]
    pub(crate) changes: Vec<PathBuf>,
    /// Key, version, deletes and types of the table
    /// [default: tables.toml in the folder of a change file, or in one of the two above it]
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: Option<PathBuf>,
    /// The column that holds the facility
    #[arg(long, value_name = "COLUMN", default_value = "facility_id")]
    pub(crate) facility_column: String,
    /// The column of the event date [default: that of the table's time partition]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time_column: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rerun {
    /// The table, as NAMESPACE.TABLE: one that changes are merged into, with soft deletes
    pub(crate) table: String,
    /// The facility
    #[arg(long, value_name = "FACILITY")]
    pub(crate) facility: String,
    /// The first day, in the facility's own time
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    pub(crate) from: NaiveDate,
    /// The day after the last
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    pub(crate) to: NaiveDate,
    /// The facility's time zone, for event dates of type timestamptz
    /// [default: that of the facility in NAMESPACE.facility]
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// The change files are all there are: rows whose last change is in none of them are wrong, too
    #[arg(long)]
    pub(crate) complete: bool,
    /// Print the plan, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// The table, as NAMESPACE.TABLE: one that changes are merged into, with soft deletes
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// A folder that was loaded: hold its records against rows landed and records in quarantine
    #[arg(long, value_name = "DIR")]
    pub(crate) extract: Option<PathBuf>,
}

fn parse_day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "it is no day; write for instance 2024-05-01".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_of_the_calendar() {
        assert!(parse_day("2024-02-29").is_ok());
        for bad in ["", "2023-02-29", "2024-5", "05/01/2024", "2024-05-01T00:00:00"] {
            assert!(parse_day(bad).is_err(), "{bad}");
        }
    }
}
