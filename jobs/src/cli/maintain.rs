//! `northstar maintain`: its jobs and their options.

use clap::{Args, Subcommand};

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Maintain {
    /// Write small files, and files with deleted rows, anew as few files of the target size
    #[command(
        after_help = "Example:\n  northstar maintain compact silver.patient --partition site=north --dry-run\n  northstar maintain compact bronze.lab_result --light"
    )]
    Compact {
        #[command(flatten)]
        target: Target,
        /// Only partitions whose field has this value, as folder names show it; may be repeated
        #[arg(long, value_name = "FIELD=VALUE", value_parser = parse_field)]
        partition: Vec<(String, String)>,
        /// Also write files anew that are not in the table's sort order
        #[arg(long)]
        sort: bool,
        /// Only what pays each day: small files beside others of about their size, and files of which
        /// at least 30 % of the rows are deleted
        #[arg(long)]
        light: bool,
        /// Files encoded at once
        #[arg(long, value_name = "N", default_value_t = 2)]
        threads: usize,
    },
    /// Put many small manifests together, ordered by partition; data files stay as they are
    #[command(after_help = "Example:\n  northstar maintain manifests bronze.lab_result")]
    Manifests {
        #[command(flatten)]
        target: Target,
    },
    /// Let old snapshots go, and the files that they alone hold; what a tag names stays
    #[command(
        after_help = "Example:\n  northstar maintain expire bronze.lab_result --older-than 60d --dry-run"
    )]
    Expire {
        #[command(flatten)]
        target: Target,
        /// Snapshots older than this go, such as 35d or 12h
        /// [default: the table's history.expire.max-snapshot-age-ms, else 35d]
        #[arg(long, value_name = "AGE", value_parser = parse_age)]
        older_than: Option<i64>,
        /// Of each branch so many snapshots stay, whatever their age
        /// [default: the table's history.expire.min-snapshots-to-keep, else 1]
        #[arg(long, value_name = "N")]
        keep: Option<usize>,
    },
    /// List files in the table's folder that nothing refers to; --apply removes them
    #[command(after_help = "Example:\n  northstar maintain orphans bronze.lab_result --apply")]
    Orphans {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// Only files that were last written so long ago, such as 3d; at least 1d, and more than the
        /// longest job takes: the files of one that still runs look like orphans, and without them its
        /// commit fails
        #[arg(long, value_name = "AGE", value_parser = parse_age, default_value = "3d")]
        older_than: i64,
        /// List only, which is the default
        #[arg(long, conflicts_with = "apply")]
        dry_run: bool,
        /// Remove the files
        #[arg(long)]
        apply: bool,
    },
    /// Tell what history and tags hold, in bytes
    #[command(after_help = "Example:\n  northstar maintain retention bronze.lab_result")]
    Retention {
        /// The table, as NAMESPACE.TABLE
        table: String,
        /// Accepted for likeness with the others: this only reads
        #[arg(long, hide = true)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The table, as NAMESPACE.TABLE
    pub(crate) table: String,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Milliseconds from `35d`, `12h`, `30m`.
fn parse_age(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no age; write for instance 35d, 12h or 30m");
    let (unit, unit_ms) = match text.chars().last() {
        Some('d') => ('d', DAY_MS),
        Some('h') => ('h', 3_600_000),
        Some('m') => ('m', 60_000),
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let count: u32 = digits.parse().map_err(|_| wrong())?;
    i64::from(count).checked_mul(unit_ms).ok_or_else(wrong)
}

fn parse_field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok((field.to_string(), value.to_string())),
        _ => Err(format!("`{text}` is no partition; write for instance site=north")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_units() {
        assert_eq!(parse_age("35d"), Ok(35 * DAY_MS));
        assert_eq!(parse_age("12h"), Ok(DAY_MS / 2));
        assert_eq!(parse_age("0m"), Ok(0));
        for bad in ["", "d", "35", "-1d", "1w", "1dd", "1.5d"] {
            assert!(parse_age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_partition_is_a_field_and_a_value() {
        assert_eq!(parse_field("site=a=b"), Ok(("site".to_string(), "a=b".to_string())));
        assert_eq!(parse_field("site="), Ok(("site".to_string(), String::new())));
        assert!(parse_field("site").is_err() && parse_field("=north").is_err());
    }
}
