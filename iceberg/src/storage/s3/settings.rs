//! How buckets are used.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use url::{Host, Url};

use crate::clock::Clock;
use crate::{Error, ErrorKind, Result};

/// How new objects are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With a key of KMS, given by its ARN, id or alias (`alias/…`). Each write says so, and has the
    /// bucket's own key made from it, so that KMS is not asked for each object.
    Kms(String),
    /// As the bucket does by itself. Allowed by name only: it may be no encryption that an auditor
    /// takes for one.
    Unencrypted,
    /// No object is written or removed: for sources of a warehouse that is in a folder.
    ReadOnly,
}

/// How buckets are used: the same for all buckets of a process.
#[derive(Debug)]
pub struct S3Settings {
    /// Another server than Amazon's, as a URL. `http` is taken for a loopback address only, unless
    /// `allow_http` is set.
    pub endpoint: Option<String>,
    /// The region of the buckets.
    pub region: String,
    /// How new objects are encrypted.
    pub encryption: Encryption,
    /// Lets requests go unencrypted over a network.
    pub allow_http: bool,
    /// Who asks. Asked again before what it gave expires.
    pub credentials: SharedCredentialsProvider,
    /// The time, by which credentials expire.
    pub clock: Arc<dyn Clock>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How often a request is sent again after an answer that says so (5xx, 429) or none.
    pub most_retries: usize,
}

impl S3Settings {
    /// Refuses what makes no sense or is not safe.
    pub(super) fn check(&self) -> Result<()> {
        let refused = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message));
        if let Encryption::Kms(key) = &self.encryption
            && (key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return refused(
                "the KMS key is given by its ARN, its id or as alias/NAME, without spaces",
            );
        }
        if self.region.is_empty() || !self.region.bytes().all(is_of_a_region) {
            return refused("the region is one such as us-east-1");
        }
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        let Ok(url) = Url::parse(endpoint) else {
            return refused("the endpoint of S3 is a URL such as https://s3.example.org");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("the endpoint of S3 takes no user and password; use AWS credentials");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_http || is_loopback(&url) => Ok(()),
            "http" => refused(
                "an endpoint with http sends rows and signatures in the clear; use https, or allow \
                 it by name with --s3-allow-http",
            ),
            _ => refused("the endpoint of S3 is an https URL"),
        }
    }

    /// Whether requests may be sent with `http`.
    pub(super) fn sends_http(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http:"))
    }
}

fn is_of_a_region(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;
    use crate::clock::SystemClock;

    fn settings(endpoint: Option<&str>, key: &str) -> S3Settings {
        S3Settings {
            endpoint: endpoint.map(str::to_string),
            region: "eu-central-1".into(),
            encryption: Encryption::Kms(key.into()),
            allow_http: false,
            credentials: SharedCredentialsProvider::new(Credentials::new(
                "a", "b", None, None, "t",
            )),
            clock: Arc::new(SystemClock),
            request_timeout: Duration::from_secs(30),
            most_retries: 10,
        }
    }

    #[test]
    fn only_a_loopback_address_is_spoken_to_in_the_clear() {
        for endpoint in [
            "https://s3.example.org",
            "http://127.0.0.1:9000",
            "http://localhost:1",
            "http://[::1]:2",
        ] {
            settings(Some(endpoint), "alias/lake").check().unwrap();
        }
        for endpoint in [
            "http://s3.example.org",
            "http://10.0.0.1",
            "http://localhost.example.org",
            "ftp://localhost",
            "127.0.0.1:9000",
            "https://me:secret@s3.example.org",
        ] {
            let error = settings(Some(endpoint), "alias/lake").check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{endpoint}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let by_name = S3Settings {
            allow_http: true,
            ..settings(Some("http://s3.example.org"), "alias/lake")
        };
        by_name.check().unwrap();
    }

    #[test]
    fn a_key_is_one_word() {
        for key in ["", "alias/a b", "arn:aws:kms:\n"] {
            assert!(settings(None, key).check().is_err(), "{key:?}");
        }
        settings(None, "arn:aws:kms:eu-central-1:111122223333:key/0a1b").check().unwrap();
    }
}
