//! Where tables are: options that every command takes.

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
    /// How long one request to S3 may take
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) s3_timeout: u64,
    /// How often a request to S3 is sent again that got no answer or was told to come back
    #[arg(long, global = true, value_name = "COUNT", default_value_t = 10)]
    pub(crate) s3_retries: usize,
}
