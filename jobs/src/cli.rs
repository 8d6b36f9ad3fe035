//! The command line: what can be asked, with examples.

mod audit;
mod backfill;
mod doctor;
mod maintain;
pub(crate) mod plan;
pub(crate) mod refs;
mod rerun;
mod serve;
mod storage;
pub(crate) mod submit;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::{Audit, Runs};
pub(crate) use backfill::{Backfill, Chosen, Source};
pub(crate) use doctor::Doctor;
pub(crate) use maintain::{Maintain, Target};
pub(crate) use rerun::{Reconcile, Rerun, Sources};
pub(crate) use serve::Serve;
pub(crate) use storage::{AuditPlace, Storage};

use crate::record::Tally;
use crate::runs::inside::Opened;

const EXAMPLES: &str = "Examples:
  northstar demo                                   see it all on synthetic data
  northstar load csv --from ./extract --into bronze
  northstar merge silver.lab_result --changes ./changes/day_1/lab_result.csv
  northstar sql \"SELECT count(*) FROM bronze.lab_result\"
  northstar sql \"SELECT * FROM bronze.patient VERSION AS OF 4821 LIMIT 5\"
  northstar sql \"DELETE FROM bronze.patient WHERE facility_id = 'F9'\"
  northstar snapshots bronze.lab_result

Exit codes: 0 done, 1 data or user error, 2 internal error, 3 a retry may help";

/// Loads legacy extracts into Apache Iceberg tables, once and whole, and reads them as they are and
/// as they were.
#[derive(Debug, Parser)]
#[command(name = "northstar", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The reason of commands that were given none.
pub(crate) const DEFAULT_REASON: &str = "command line";

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Folder that holds the catalog and the tables, or s3://BUCKET/PREFIX for the tables alone
    #[arg(long, global = true, value_name = "DIR", default_value = "./lake")]
    pub(crate) warehouse: PathBuf,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Memory for rows under way, such as 512MiB; what does not fit is put aside on disk
    #[arg(long, global = true, value_name = "SIZE", default_value = "512MiB", value_parser = parse_size)]
    pub(crate) memory: usize,
    /// Who runs this; recorded with each table opened and each commit
    #[arg(long, global = true, env = "USER", default_value = "unknown", hide_env_values = true)]
    pub(crate) actor: String,
    /// Why; recorded likewise
    #[arg(long, global = true, default_value = DEFAULT_REASON)]
    pub(crate) reason: String,
    /// The run of a job that this is, in commits
    #[arg(long, global = true, env = "NORTHSTAR_RUN_ID", hide = true)]
    pub(crate) run_id: Option<String>,
    /// Tables that were opened, for the bookmark of a job
    #[arg(skip)]
    pub(crate) opened: Opened,
    /// What a job counted, for its record
    #[arg(skip)]
    pub(crate) tally: Tally,
    #[command(flatten)]
    pub(crate) storage: Storage,
    /// More log lines (-v, -vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Aligned columns
    Table,
    /// Comma-separated, with a header
    Csv,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate, load, append, travel in time and merge changes, on synthetic data
    #[command(after_help = "Example:\n  northstar --warehouse ./try demo --patients 300")]
    Demo(Emr),
    /// Write a synthetic legacy EMR: extract, next day, changes, contract and truth
    #[command(after_help = "Example:\n  northstar generate --to ./emr --patients 2000 --seed 7")]
    Generate {
        /// Folder to write into; made if it is not there
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        emr: Emr,
    },
    /// Load files into bronze tables
    #[command(
        subcommand,
        after_help = "Example:\n  northstar load csv --from ./extract --into bronze"
    )]
    Load(Load),
    /// Load years of extracts in units that can be resumed, here or in tasks of Spark
    #[command(subcommand, after_help = backfill::HELP)]
    Backfill(Backfill),
    /// Merge change data capture files into a table, once and in order
    #[command(after_help = MERGE_HELP)]
    Merge {
        /// The table, as NAMESPACE.TABLE; made if it is not there
        table: String,
        /// Change files, CSV or Parquet, also as s3://BUCKET/KEY: op, commit_lsn, command_id, seqval, then the table's columns
        #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
        changes: Vec<PathBuf>,
        /// Key, version, deletes and types of the table
        /// [default: tables.toml in the folder of a file, or in one of the two above it]
        #[arg(long, value_name = "FILE")]
        contract: Option<PathBuf>,
        /// Tell what would be done, file by file, and do nothing
        #[arg(long)]
        explain: bool,
    },
    /// Make the rows of one facility and some days again, from what the table was made of
    #[command(after_help = rerun::RERUN_HELP)]
    Rerun(Rerun),
    /// Hold a table of merged changes against what it was made of, and count what differs
    #[command(after_help = rerun::RECONCILE_HELP)]
    Reconcile(Reconcile),
    /// Show the versions of rows across the snapshots of a table, oldest first
    #[command(after_help = HISTORY_HELP)]
    History {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// File with one key a line, its columns separated by commas; `-` is standard input. Keys may
        /// identify people, so they are never arguments, which other users of the machine can see
        #[arg(long, value_name = "FILE")]
        key_from: PathBuf,
        /// A column of the key; repeat it for a key of several [default: the key of the contract that
        /// the table was made with]
        #[arg(long, value_name = "NAME")]
        key_column: Vec<String>,
    },
    /// Run one SQL statement: a query, or one that changes rows or defines tables
    #[command(after_help = SQL_HELP)]
    Sql {
        /// The statement; `-` reads it from standard input
        query: String,
        /// Change the target on this branch; other tables are read from main
        #[arg(long, value_name = "NAME")]
        branch: Option<String>,
        /// A MERGE may read the whole table: NOT MATCHED BY SOURCE without a scope, or an ON that
        /// leaves no file out
        #[arg(long)]
        whole_table: bool,
        /// Tell what a MERGE, UPDATE or DELETE would do, file by file, and do nothing
        #[arg(long)]
        explain: bool,
    },
    /// Run a file of SQL statements, one after the other, up to the first that fails
    #[command(after_help = SCRIPT_HELP)]
    Script {
        /// The file
        file: PathBuf,
        /// JSON object of the values that `:name` and `${name}` stand for: texts and nulls
        #[arg(long, value_name = "FILE")]
        parameters: Option<PathBuf>,
    },
    /// Run SQL statements interactively
    #[command(after_help = SQL_HELP)]
    Shell {
        /// Change targets on this branch; other tables are read from main
        #[arg(long, value_name = "NAME")]
        branch: Option<String>,
        /// A MERGE may read the whole table: NOT MATCHED BY SOURCE without a scope, or an ON that
        /// leaves no file out
        #[arg(long)]
        whole_table: bool,
    },
    /// List the snapshots of a table, oldest first
    #[command(after_help = "Example:\n  northstar snapshots bronze.lab_result")]
    Snapshots {
        /// The table, as NAMESPACE.TABLE
        table: String,
    },
    /// Keep a table small and quick: compaction, expiry, orphans
    #[command(
        subcommand,
        after_help = "Example:\n  northstar maintain compact silver.patient --dry-run"
    )]
    Maintain(Maintain),
    /// Create, drop and list tags: names for snapshots that are kept
    #[command(subcommand, after_help = "Example:\n  northstar tag list bronze.lab_result")]
    Tag(refs::Tag),
    /// Create, drop, list and publish branches
    #[command(subcommand, after_help = "Example:\n  northstar branch list bronze.lab_result")]
    Branch(refs::Branch),
    /// Set a table back to a snapshot of its past
    #[command(after_help = refs::ROLLBACK_HELP)]
    Rollback(refs::Rollback),
    /// Add to main what one snapshot appended, such as one on a branch
    #[command(after_help = "Example:\n  northstar cherry-pick bronze.lab_result --snapshot 4821")]
    CherryPick {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// The snapshot
        #[arg(long, value_name = "ID")]
        snapshot: i64,
    },
    /// Compare two snapshots of a table: rows inserted, updated and deleted
    #[command(after_help = DIFF_HELP)]
    Diff {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// What changed: a snapshot's id, a tag, a branch, or a time such as 2024-05-01T00:00:00Z
        #[arg(long, value_name = "STATE")]
        from: String,
        /// What it became; likewise
        #[arg(long, value_name = "STATE", default_value = "main")]
        to: String,
        /// The column, or columns with commas between, that identify a row
        /// [default: the table's key, if it has one]
        #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
        key: Vec<String>,
        /// Print the rows themselves
        #[arg(long)]
        rows: bool,
    },
    /// Report what changed in tables between two tags or times, and by which runs
    #[command(after_help = audit::AUDIT_HELP)]
    Audit(Audit),
    /// List the records of jobs that ran, the last one last
    #[command(after_help = audit::RUNS_HELP)]
    Runs(Runs),
    /// Answer Glue, EMR Serverless and Iceberg REST clients over HTTP
    #[command(after_help = serve::HELP)]
    Serve(Serve),
    /// Look whether this machine and the buckets are set up safely, and say what to change
    #[command(after_help = doctor::HELP)]
    Doctor(Doctor),
    /// Run a command as a job of EMR Serverless: of AWS, or of `northstar serve`
    #[command(after_help = submit::SUBMIT_HELP)]
    Submit(Box<submit::Submit>),
    /// Show a job run, or list the latest
    #[command(after_help = submit::STATUS_HELP)]
    Status(submit::Status),
    /// Ask that a job run ends
    #[command(after_help = submit::CANCEL_HELP)]
    Cancel(submit::Cancel),
    /// Print what a job run printed
    #[command(after_help = submit::LOGS_HELP)]
    Logs(submit::Logs),
    /// Tell what a job run cost
    #[command(after_help = submit::COST_HELP)]
    Cost(submit::Cost),
    /// Measure how fast this machine loads and merges, for `northstar plan`
    #[command(after_help = plan::CALIBRATE_HELP)]
    Calibrate(plan::Calibrate),
    /// State units, workers, hours and dollars of work on EMR Serverless, from a calibration
    #[command(subcommand, after_help = plan::HELP)]
    Plan(plan::Plan),
    /// List all tables with their rows and files
    #[command(after_help = "Example:\n  northstar --warehouse ./try tables")]
    Tables,
}

const DIFF_HELP: &str =
    "Rows that were only written into other files, such as by a compaction, are no change.

Examples:
  northstar diff bronze.patient --from 4821 --to month-close
  northstar diff bronze.patient --from 2024-05-01T00:00:00Z --key patient_id --rows";

const SQL_HELP: &str = "Examples:
  northstar sql \"SELECT count(*) FROM bronze.lab_result\"
  northstar sql \"SELECT count(*) FROM bronze.lab_result VERSION AS OF 4821\"
  northstar sql \"SELECT count(*) FROM bronze.lab_result VERSION AS OF 'month-close'\"
  northstar sql \"SELECT count(*) FROM bronze.lab_result TIMESTAMP AS OF '2024-05-01T00:00:00Z'\"
  northstar sql \"UPDATE silver.visit SET status = 'closed' WHERE id IN (SELECT id FROM silver.done)\"
  northstar sql \"CREATE TABLE silver.done AS SELECT id FROM silver.visit WHERE closed\"
  northstar sql - < merge.sql
  northstar sql --branch audit \"DELETE FROM silver.visit WHERE site = 'F9'\"
  northstar --output csv sql \"SELECT * FROM bronze.patient\" > patients.csv";

const SCRIPT_HELP: &str =
    "Each statement is a commit of its own. Of queries the rows are counted, not printed. A
parameter is a text; for a number write CAST(:name AS BIGINT).

Example:
  northstar script nightly.sql --parameters parameters.json";

const MERGE_HELP: &str = "The contract says the key. The batch is merged whole or, if a record is bad, refused whole. The
same files again change nothing; files may come again in other groups.

Examples:
  northstar merge silver.lab_result --changes changes/day_1/lab_result.csv
  northstar merge silver.lab_result --changes day_1.csv day_2.parquet --contract tables.toml";

const HISTORY_HELP: &str = "Examples:
  northstar history silver.lab_result --key-from keys.txt
  echo 1029 | northstar history silver.lab_result --key-from -
  northstar --output csv history bronze.visit --key-from - --key-column visit_id < keys.txt";

#[derive(Debug, Subcommand)]
pub(crate) enum Load {
    /// Load a folder of CSV files; files that were loaded before are skipped
    #[command(after_help = LOAD_HELP)]
    Csv {
        /// Folder, or s3://BUCKET/PREFIX, with TABLE.csv files, or TABLE/ folders of CSV files
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Namespace of the bronze tables; made if it is not there
        #[arg(long, value_name = "NAMESPACE")]
        into: String,
        /// What the files alone do not say: types, partitions, PHI tags
        /// [default: tables.toml in DIR or beside it, if there is one]
        #[arg(long, value_name = "FILE")]
        contract: Option<PathBuf>,
        /// Name of the system that the files come from
        #[arg(long, value_name = "NAME", default_value = "legacy_emr")]
        source_system: String,
        /// Files encoded at once
        #[arg(long, value_name = "N", default_value_t = 2)]
        threads: usize,
    },
}

const LOAD_HELP: &str =
    "Records that cannot be loaded go to NAMESPACE.quarantine, whole, with file, line,
column and reason. Exit code 1 says that a file was refused or is damaged.

Example:
  northstar load csv --from ./extract --into bronze
  northstar sql \"SELECT _source_file, _source_line, reason FROM bronze.quarantine\"";

#[derive(Debug, Clone, Args)]
pub(crate) struct Emr {
    /// The same seed gives the same bytes
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// About how many records in all; sets the number of patients
    #[arg(long, value_name = "N", conflicts_with = "patients")]
    pub(crate) rows: Option<u64>,
    /// Facilities (clinics)
    #[arg(long, value_name = "N")]
    pub(crate) facilities: Option<u32>,
    /// Patients; the other tables grow with them
    #[arg(long, value_name = "N")]
    pub(crate) patients: Option<u32>,
    /// Months of history
    #[arg(long, value_name = "N")]
    pub(crate) months: Option<u32>,
    /// Malformed records strewn in, to see quarantine at work
    #[arg(long, value_name = "N")]
    pub(crate) malformed: Option<u32>,
}

/// Bytes from `512MiB`, `2GiB`, `64KiB` or a plain number.
fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1_usize,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" | "m" => 1 << 20,
        "GiB" | "G" | "g" => 1 << 30,
        other => return Err(format!("`{other}` is no unit; use KiB, MiB or GiB")),
    };
    let bytes = digits
        .trim()
        .parse::<usize>()
        .ok()
        .and_then(|count| count.checked_mul(unit))
        .ok_or_else(|| format!("`{text}` is no size; write for instance 512MiB"))?;
    if bytes < 16 << 20 {
        return Err("less than 16MiB is too little to load with".to_string());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("512MiB"), Ok(512 << 20));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        assert_eq!(parse_size("33554432"), Ok(32 << 20));
        for bad in ["", "MiB", "12parsecs", "1KiB", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn help_fits_100_columns() {
        let mut command = Cli::command();
        let mut texts = vec![command.render_long_help().to_string()];
        for sub in command.get_subcommands_mut() {
            texts.push(sub.render_long_help().to_string());
        }
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
