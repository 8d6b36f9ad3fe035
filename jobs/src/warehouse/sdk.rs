//! The AWS SDK's client of S3, for what the store of files does not do: settings of buckets, Object Lock,
//! how a single object is encrypted.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use northstar_iceberg::Error;

use crate::aws;
use crate::cli::Storage;

/// A client that asks the same server, with the same credentials, as the store of files.
pub(crate) fn client(aws: &SdkConfig, region: &str, storage: &Storage) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(storage.s3_timeout))
        .build();
    let attempts = u32::try_from(storage.s3_retries).unwrap_or(u32::MAX).saturating_add(1);
    let mut settings = Builder::from(aws)
        .region(aws_config::Region::new(region.to_string()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(attempts));
    let endpoint = storage.s3_endpoint.clone().or_else(|| aws.endpoint_url().map(str::to_string));
    if let Some(endpoint) = endpoint {
        settings = settings.endpoint_url(endpoint).force_path_style(true);
    }
    Client::from_conf(settings.build())
}

/// What S3 said, as an error of ours: its code and request id, and nothing of what was sent.
pub(crate) fn failed<E: ProvideErrorMetadata>(error: &SdkError<E>, doing: &str) -> Error {
    aws::failed(error, "S3", doing)
}
