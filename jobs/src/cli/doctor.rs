//! The arguments of `northstar doctor`.

use clap::Args;

pub(crate) const HELP: &str = "Exit code 1 says that something is not safe or does not work. Nothing is changed, unless --write or
--encrypt is given.

Examples:
  northstar doctor
  northstar --warehouse s3://BUCKET/lake --catalog glue://eu-west-2/ --kms-key alias/lake \\
    --audit s3://RECORDS/northstar doctor --write --objects";

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Also write a small object into the warehouse's bucket, look at it and remove it
    #[arg(long)]
    pub(crate) write: bool,
    /// Also ask for each object of the warehouse whether it is encrypted with the key; one request each
    #[arg(long)]
    pub(crate) objects: bool,
    /// Copy those that are not onto themselves, encrypted with the key
    #[arg(long, requires = "objects")]
    pub(crate) encrypt: bool,
}
