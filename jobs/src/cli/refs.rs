//! What can be asked of branches and tags.

use chrono::{DateTime, NaiveDate};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Tag {
    /// Give a snapshot a name, and say who needs it, why, and for how long
    #[command(after_help = TAG_HELP)]
    Create {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// The tag's name
        name: String,
        /// Which snapshot: an id, a tag, a branch or a time [default: the current one]
        #[arg(long, value_name = "VERSION")]
        at: Option<String>,
        /// Who answers for it; the reason is taken from --reason
        #[arg(long, value_name = "WHO")]
        owner: String,
        #[command(flatten)]
        keep: Keep,
        /// Replace a tag of this name, if it differs
        #[arg(long)]
        replace: bool,
    },
    /// Remove a tag; its snapshot goes with the next expiry, if nothing else holds it
    #[command(after_help = "Example:\n  northstar tag drop bronze.lab_result close-2024-05")]
    Drop(Drop),
    /// List the tags of a table
    #[command(after_help = "Example:\n  northstar tag list bronze.lab_result")]
    List {
        /// The table, as NAMESPACE.TABLE
        table: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Branch {
    /// Begin a branch at a snapshot
    #[command(after_help = BRANCH_HELP)]
    Create {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// The branch's name
        name: String,
        /// Which snapshot: an id, a tag, a branch or a time [default: the current one]
        #[arg(long, value_name = "VERSION")]
        at: Option<String>,
        /// Who answers for it; the reason is taken from --reason
        #[arg(long, value_name = "WHO")]
        owner: Option<String>,
        #[command(flatten)]
        keep: Keep,
        /// Snapshots to keep whatever their age
        #[arg(long, value_name = "N")]
        keep_snapshots: Option<i32>,
        /// Age up to which further snapshots are kept, such as 7d
        #[arg(long, value_name = "AGE", value_parser = parse_age)]
        keep_snapshots_for: Option<i64>,
        /// Set a branch of this name to that snapshot, if it differs
        #[arg(long)]
        replace: bool,
    },
    /// Remove a branch; what it alone holds goes with the next expiry
    #[command(after_help = "Example:\n  northstar branch drop bronze.lab_result audit")]
    Drop(Drop),
    /// List the branches of a table, with their snapshots ahead of and behind main
    #[command(after_help = "Example:\n  northstar branch list bronze.lab_result")]
    List {
        /// The table, as NAMESPACE.TABLE
        table: String,
    },
    /// Let main have all commits of a branch, which must come after it
    #[command(after_help = FORWARD_HELP)]
    FastForward {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// The branch
        name: String,
        /// The snapshot that was checked; if the branch has moved on, nothing is done
        #[arg(long, value_name = "ID")]
        checked: Option<i64>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Drop {
    /// The table, as NAMESPACE.TABLE
    pub(crate) table: String,
    /// Its name
    pub(crate) name: String,
    /// It is no error if there is none
    #[arg(long)]
    pub(crate) if_exists: bool,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Keep {
    /// Keep it up to this day or time, such as 2031-06-01
    #[arg(long, value_name = "TIME", value_parser = parse_end)]
    keep_until: Option<i64>,
    /// Keep it to this age, such as 35d or 12h, from the commit of its snapshot on
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    keep_for: Option<i64>,
    /// Keep it until it is dropped
    #[arg(long)]
    keep_forever: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The table, as NAMESPACE.TABLE
    pub(crate) table: String,
    /// To which snapshot: an id, a tag or a time
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: String,
    /// The branch that is set back
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(crate) branch: String,
    /// Also to a snapshot that is no ancestor, such as one that was undone
    #[arg(long)]
    pub(crate) any: bool,
    /// Say what would be undone, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// When a ref ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing was said.
    Unsaid,
    /// At this time, in milliseconds since 1970-01-01 UTC.
    Until(i64),
    /// At this age of its snapshot, in milliseconds.
    Age(i64),
    /// Never.
    Never,
}

impl Keep {
    /// When the ref ends.
    pub(crate) fn end(&self) -> End {
        match (self.keep_until, self.keep_for, self.keep_forever) {
            (Some(ms), ..) => End::Until(ms),
            (_, Some(ms), _) => End::Age(ms),
            (.., true) => End::Never,
            _ => End::Unsaid,
        }
    }
}

const TAG_HELP: &str = "A tag holds every file of its snapshot, so it needs --reason and one of \
--keep-until, --keep-for
and --keep-forever. No name or reason may tell of a patient.

Examples:
  northstar tag create bronze.lab_result close-2024-05 --owner finance --keep-until 2031-06-01 \\
    --reason \"month close\"
  northstar tag create bronze.lab_result before-fix --at 2024-05-01T00:00:00Z --owner data \\
    --keep-for 90d --reason \"incident 17\"
  northstar sql \"SELECT count(*) FROM bronze.lab_result VERSION AS OF 'close-2024-05'\"";

const BRANCH_HELP: &str = "Examples:
  northstar branch create bronze.lab_result audit
  northstar branch create bronze.lab_result trial --at 4821 --owner data --keep-for 14d \\
    --keep-snapshots 5";

const FORWARD_HELP: &str = "Examples:
  northstar branch fast-forward bronze.lab_result audit
  northstar branch fast-forward bronze.lab_result audit --checked 4821";

pub(crate) const ROLLBACK_HELP: &str =
    "Rows and watermarks go back together: files whose rows are undone can be loaded again.
Nothing is removed; readers of earlier times see what they saw.

Examples:
  northstar rollback bronze.lab_result --to 4821 --dry-run
  northstar rollback bronze.lab_result --to close-2024-05
  northstar rollback bronze.lab_result --to 2024-05-01T06:00:00Z";

/// Milliseconds from `35d`, `12h` or `30m`.
fn parse_age(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no age; write for instance 35d, 12h or 30m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "d" => 24 * 3_600_000_i64,
        "h" => 3_600_000,
        "m" => 60_000,
        _ => return Err(wrong()),
    };
    let age = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(unit_ms));
    age.filter(|ms| *ms > 0).ok_or_else(wrong)
}

/// Milliseconds since 1970-01-01 UTC, from a day or a time with zone.
fn parse_end(text: &str) -> Result<i64, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let day = text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    day.map(|start| start.and_utc().timestamp_millis())
        .ok_or_else(|| format!("`{text}` is no day; write for instance 2031-06-01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_days_have_one_meaning() {
        assert_eq!(parse_age("35d"), Ok(35 * 86_400_000));
        assert_eq!(parse_age("12h"), Ok(43_200_000));
        assert_eq!(parse_age("30m"), Ok(1_800_000));
        for bad in ["", "d", "0d", "-1d", "3w", "5", "99999999999999d"] {
            assert!(parse_age(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_end("1970-01-02"), Ok(86_400_000));
        assert_eq!(parse_end("1970-01-01T01:00:00+01:00"), Ok(0));
        for bad in ["", "2024", "2024-02-30", "2024-05-01 00:00:00"] {
            assert!(parse_end(bad).is_err(), "{bad}");
        }
    }
}
