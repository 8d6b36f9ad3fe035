//! The AWS SDK's client of S3, for what the store of files does not do: settings of buckets, Object Lock,
//! how a single object is encrypted.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use northstar_iceberg::{Error, ErrorKind};

use crate::cli::Storage;

/// A client that asks the same server, with the same credentials, as the store of files.
pub(super) fn client(aws: &SdkConfig, region: &str, storage: &Storage) -> Client {
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
    let code = error.code().unwrap_or_default();
    let status = error.raw_response().map_or(0, |answer| answer.status().as_u16());
    let kind = match (code, status) {
        ("NoSuchBucket" | "NoSuchKey" | "NotFound", _) | (_, 404) => ErrorKind::NotFound,
        ("RequestTimeout" | "SlowDown", _) | (_, 0 | 429 | 500..=599) => ErrorKind::Unavailable,
        ("ExpiredToken", _) => ErrorKind::Unavailable,
        (_, 401 | 403) => ErrorKind::PermissionDenied,
        _ => ErrorKind::InvalidInput,
    };
    let said = match (error.message(), code, status) {
        (Some(message), "", _) => message.to_string(),
        (Some(message), code, _) => format!("{code}: {message}"),
        (None, "", 0) => "no answer".to_string(),
        (None, "", status) => format!("status {status}"),
        (None, code, _) => code.to_string(),
    };
    let failed = Error::new(kind, format!("S3 did not {doing}: {said}"));
    match error.request_id() {
        Some(id) => failed.with_context("request id", id),
        None => failed,
    }
}
