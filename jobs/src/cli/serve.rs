//! The arguments of `northstar serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::parse_size;

pub(crate) const HELP: &str = "A file of keys refers to their secrets:

  [[key]]
  id = \"NORTHSTARFLOW\"
  secret = \"file:/run/secrets/flow\"    # or env:NAME
  actor = \"airflow\"

Examples:
  northstar serve --anonymous
  northstar serve --listen 0.0.0.0:8443 --keys keys.toml --tls-certificate s.pem --tls-key s.key
  aws glue get-databases --endpoint-url http://127.0.0.1:8181";

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8181")]
    pub(crate) listen: SocketAddr,
    /// File with the keys that callers sign with
    #[arg(long, value_name = "FILE", conflicts_with = "anonymous")]
    pub(crate) keys: Option<PathBuf>,
    /// Answer whoever asks; on an address of loopback only
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// AWS region that the server is in; signatures must name it
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) region: String,
    /// AWS account that the catalog belongs to: twelve digits
    #[arg(long, value_name = "ID", default_value = "000000000000", value_parser = parse_account)]
    pub(crate) account: String,
    /// Job runs that have a process at once; further ones wait
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) runs: usize,
    /// Memory of each job run for rows under way
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = parse_size)]
    pub(crate) run_memory: usize,
    /// TLS certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
}

fn parse_account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_string());
    }
    Err("an account has twelve digits".to_string())
}
