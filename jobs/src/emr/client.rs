//! The client of EMR Serverless: AWS, or another server at an endpoint.

use std::net::IpAddr;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_emrserverless::Client;
use aws_sdk_emrserverless::config::{Builder, Region};
use aws_sdk_emrserverless::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_emrserverless::types::{Architecture, JobRun};
use northstar_iceberg::{Error, ErrorKind, Result};
use url::{Host, Url};

use crate::aws::{self, ANY_REGION};
use crate::cli::submit::Place;

/// How long one attempt of a request may take.
const ATTEMPT_SECONDS: u64 = 30;
/// How often a request is sent at most. Each is safe to send again: starting has a token.
const MOST_ATTEMPTS: u32 = 5;

/// EMR Serverless, and the application that is asked for.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) client: Client,
    pub(crate) application: String,
    pub(crate) region: String,
    /// The configuration that the client was made of, for clients of other services.
    pub(crate) aws: SdkConfig,
    /// Whether the server is on this machine, so that paths of its answers are paths here.
    pub(crate) is_here: bool,
    /// Another server than that of AWS.
    endpoint: Option<String>,
}

impl Service {
    /// A client of the service where the options, or else the environment, say it is.
    ///
    /// # Errors
    /// `InvalidInput` for an endpoint that is not safe, or without a region; `PermissionDenied` without keys.
    pub(crate) async fn of(place: &Place) -> Result<Self> {
        let known = place.region.as_deref().or(place.endpoint.as_ref().map(|_| ANY_REGION));
        let aws = aws::configuration(known).await;
        let endpoint = place.endpoint.clone().or_else(|| aws.endpoint_url().map(str::to_string));
        let is_here = match &endpoint {
            Some(endpoint) => checked(endpoint)?,
            None => false,
        };
        let region = match (aws.region(), &endpoint) {
            (Some(region), _) => region.to_string(),
            (None, Some(_)) => ANY_REGION.to_string(),
            (None, None) => {
                let text = "it is not known in which region the application is: name it with \
                            --region, or a server with --endpoint";
                return Err(Error::new(ErrorKind::InvalidInput, text));
            }
        };
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(ATTEMPT_SECONDS))
            .build();
        let mut settings = Builder::from(&aws)
            .region(Region::new(region.clone()))
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(MOST_ATTEMPTS));
        if let Some(endpoint) = &endpoint {
            settings = settings.endpoint_url(endpoint);
        }
        if !has_keys(&aws).await {
            if !is_here {
                let text = "there are no keys for AWS: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
                            AWS_SECRET_ACCESS_KEY, or sign in with `aws sso login`";
                return Err(Error::new(ErrorKind::PermissionDenied, text));
            }
            settings = settings.credentials_provider(keys_of_nobody());
        }
        let client = Client::from_conf(settings.build());
        let application = place.application.clone();
        Ok(Self { client, application, region, aws, is_here, endpoint })
    }

    /// What the service said, as an error of ours.
    pub(crate) fn failed<E: ProvideErrorMetadata>(
        &self,
        error: &SdkError<E>,
        doing: &str,
    ) -> Error {
        let failed = aws::failed(error, "EMR Serverless", doing);
        match (error.raw_response(), &self.endpoint) {
            (None, Some(endpoint)) => failed.with_context("endpoint", endpoint),
            _ => failed,
        }
    }

    /// A run as it is now; of an attempt of it, or of the last.
    ///
    /// # Errors
    /// `NotFound` for a run that the application has not.
    pub(crate) async fn run(&self, run: &str, attempt: Option<i32>) -> Result<JobRun> {
        let asked = self.client.get_job_run().application_id(&self.application).job_run_id(run);
        let got = asked.set_attempt(attempt).send().await;
        let got = got.map_err(|error| self.failed(&error, "show the run"))?;
        got.job_run.ok_or_else(|| nothing("run"))
    }

    /// What the application's workers are.
    ///
    /// # Errors
    /// `NotFound` for an application that is not there.
    pub(crate) async fn architecture(&self) -> Result<Architecture> {
        let asked = self.client.get_application().application_id(&self.application).send().await;
        let got = asked.map_err(|error| self.failed(&error, "show the application"))?;
        let application = got.application.ok_or_else(|| nothing("application"))?;
        Ok(application.architecture.unwrap_or(Architecture::X8664))
    }
}

pub(super) fn nothing(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("EMR Serverless answered without the {what}"))
}

/// Whether the environment, a profile, single sign-on or a role gives keys.
async fn has_keys(aws: &SdkConfig) -> bool {
    match aws.credentials_provider() {
        Some(chain) => chain.provide_credentials().await.is_ok(),
        None => false,
    }
}

/// Keys for a server on this machine that may not ask for any: requests are always signed.
fn keys_of_nobody() -> SharedCredentialsProvider {
    let keys = Credentials::new("ANONYMOUS", "anonymous", None, None, "northstar");
    SharedCredentialsProvider::new(keys)
}

/// Whether an endpoint is on this machine; others are spoken to over TLS.
///
/// # Errors
/// `InvalidInput` for one that is no URL of a server, or http elsewhere.
pub(crate) fn checked(endpoint: &str) -> Result<bool> {
    let refused = |text: &str| {
        Error::new(ErrorKind::InvalidInput, text).with_context("endpoint", without_keys(endpoint))
    };
    let no_url = || refused("the endpoint is no URL; write for instance http://127.0.0.1:8181");
    let url = Url::parse(endpoint).map_err(|_| no_url())?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => return Err(no_url()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("keys do not belong into an endpoint"));
    }
    match url.scheme() {
        "https" => Ok(is_here),
        "http" if is_here => Ok(true),
        "http" => Err(refused("http is for servers on this machine only; use https")),
        _ => Err(no_url()),
    }
}

/// An endpoint as it may be shown.
fn without_keys(endpoint: &str) -> String {
    match endpoint.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => endpoint.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_this_machine() {
        for here in [
            "http://127.0.0.1:8181",
            "http://localhost:1",
            "http://[::1]:2",
            "http://127.9.9.9",
            "https://localhost",
        ] {
            assert!(checked(here).unwrap(), "{here}");
        }
        assert!(!checked("https://emr-serverless.us-east-1.amazonaws.com").unwrap());
        for bad in [
            "http://10.0.0.1",
            "http://127.0.0.1.example.com",
            "http://localhost.example",
            "ftp://localhost",
            "localhost:8181",
            "",
            "http://",
        ] {
            let error = checked(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn keys_in_an_endpoint_are_refused_and_not_shown() {
        let error = checked("http://key:hidden@127.0.0.1").unwrap_err();
        assert!(!format!("{error}{error:?}").contains("hidden"), "{error}");
    }
}
