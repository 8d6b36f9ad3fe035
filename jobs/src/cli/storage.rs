//! Where tables are: options that every command takes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Storage {
    /// The catalog, as a URL such as sqlite:///srv/lake/catalog.db
    /// [default: catalog.db in the warehouse, if that is a folder]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) catalog: Option<String>,
    /// Folder for rows put aside and for the record of accesses
    /// [default: the warehouse if it is a folder, else .northstar]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// KMS key that new files in a bucket are encrypted with: its ARN, its id or alias/NAME
    #[arg(
        long,
        global = true,
        value_name = "KEY",
        env = "NORTHSTAR_KMS_KEY",
        hide_env_values = true,
        conflicts_with = "allow_unencrypted"
    )]
    pub(crate) kms_key: Option<String>,
    /// Write files into a bucket without naming a key; the bucket alone decides then
    #[arg(long, global = true)]
    pub(crate) allow_unencrypted: bool,
    /// Region of the bucket [default: that of the AWS profile or machine]
    #[arg(long, global = true, value_name = "REGION", env = "AWS_REGION", hide_env_values = true)]
    pub(crate) s3_region: Option<String>,
    /// Another S3 server than Amazon's [default: AWS_ENDPOINT_URL]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "AWS_ENDPOINT_URL_S3",
        hide_env_values = true
    )]
    pub(crate) s3_endpoint: Option<String>,
    /// Speak http with an S3 server that is not on this machine: rows go in the clear
    #[arg(long, global = true)]
    pub(crate) s3_allow_http: bool,
    /// Bucket with Object Lock where each opening of a table, and each request to the server, is recorded
    /// too, as s3://BUCKET/PREFIX
    #[arg(long, global = true, value_name = "URL", value_parser = parse_audit)]
    pub(crate) audit: Option<AuditPlace>,
    /// How long nobody may change or remove those records: six years, as HIPAA has it, unless told
    #[arg(long, global = true, value_name = "DAYS", default_value_t = 2_192,
        value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) audit_days: u32,
    /// How long one request to S3 may take
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) s3_timeout: u64,
    /// How often a request to S3 is sent again that got no answer or was told to come back
    #[arg(long, global = true, value_name = "COUNT", default_value_t = 10)]
    pub(crate) s3_retries: usize,
}

/// Where records are kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditPlace {
    pub(crate) bucket: String,
    /// Empty, or with a slash at its end.
    pub(crate) prefix: String,
}

impl std::fmt::Display for AuditPlace {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "s3://{}/{}", self.bucket, self.prefix)
    }
}

fn parse_audit(text: &str) -> Result<AuditPlace, String> {
    let bad = || "write s3://BUCKET or s3://BUCKET/PREFIX".to_string();
    let rest = text.strip_prefix("s3://").ok_or_else(bad)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    if bucket.is_empty() {
        return Err(bad());
    }
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(AuditPlace { bucket: bucket.to_string(), prefix })
}

impl Storage {
    /// The same options for another process of this program. Variables of the environment that set them
    /// need not be there.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let texts = [
            ("--catalog", &self.catalog),
            ("--kms-key", &self.kms_key),
            ("--s3-region", &self.s3_region),
            ("--s3-endpoint", &self.s3_endpoint),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                arguments.extend([name.into(), text.into()]);
            }
        }
        if let Some(place) = &self.audit {
            arguments.extend(["--audit".into(), place.to_string().into()]);
        }
        for (name, is_on) in [
            ("--allow-unencrypted", self.allow_unencrypted),
            ("--s3-allow-http", self.s3_allow_http),
        ] {
            if is_on {
                arguments.push(name.into());
            }
        }
        let numbers = [
            ("--s3-timeout", self.s3_timeout.to_string()),
            ("--s3-retries", self.s3_retries.to_string()),
            ("--audit-days", self.audit_days.to_string()),
        ];
        arguments.extend(numbers.into_iter().flat_map(|(name, text)| [name.into(), text.into()]));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn storage(words: impl IntoIterator<Item = OsString>) -> Storage {
        let words = std::iter::once(OsString::from("northstar")).chain(words);
        Cli::try_parse_from(words.chain(["tables".into()])).unwrap().global.storage
    }

    #[test]
    fn another_process_gets_the_same_options() {
        let words = [
            "--catalog",
            "sqlite:///srv/catalog.db",
            "--kms-key",
            "alias/lake",
            "--s3-region",
            "eu-west-2",
            "--s3-endpoint",
            "https://s3.example",
            "--s3-allow-http",
            "--s3-timeout",
            "7",
            "--s3-retries",
            "3",
            "--audit",
            "s3://records/northstar",
            "--audit-days",
            "30",
        ];
        let first = storage(words.map(OsString::from));
        let again = storage(first.arguments());
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
        assert!(
            storage(["--allow-unencrypted".into()])
                .arguments()
                .contains(&"--allow-unencrypted".into())
        );
    }

    #[test]
    fn records_go_below_a_prefix_of_a_bucket() {
        for (text, prefix) in
            [("s3://b", ""), ("s3://b/", ""), ("s3://b/a", "a/"), ("s3://b/a/c/", "a/c/")]
        {
            let place = AuditPlace { bucket: "b".into(), prefix: prefix.into() };
            assert_eq!(parse_audit(text), Ok(place), "{text}");
        }
        for bad in ["", "s3://", "s3:///a", "b/a", "file:///a"] {
            assert!(parse_audit(bad).is_err(), "{bad}");
        }
    }
}
