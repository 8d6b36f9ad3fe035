//! AWS for every client of it: one configuration with one TLS, and what a service says when it refuses.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use northstar_iceberg::{Error, ErrorKind};

/// What other servers than Amazon's are told.
pub(crate) const ANY_REGION: &str = "us-east-1";

/// The AWS configuration: environment, profile, single sign-on, role of the machine or container. A region
/// that is known is not looked for on the network.
pub(crate) async fn configuration(region: Option<&str>) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_string()));
    }
    loader.load().await
}

/// What a service said, as an error of ours: its code and request id, and nothing of what was sent.
pub(crate) fn failed<E: ProvideErrorMetadata>(
    error: &SdkError<E>,
    service: &str,
    doing: &str,
) -> Error {
    let code = error.code().unwrap_or_default();
    let status = error.raw_response().map_or(0, |answer| answer.status().as_u16());
    let kind =
        match (code, status) {
            ("NoSuchBucket" | "NoSuchKey" | "NotFound" | "ResourceNotFoundException", _)
            | (_, 404) => ErrorKind::NotFound,
            ("ConflictException", _) => ErrorKind::AlreadyExists,
            ("RequestTimeout" | "SlowDown" | "ThrottlingException", _)
            | (_, 0 | 429 | 500..=599) => ErrorKind::Unavailable,
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
    let failed = Error::new(kind, format!("{service} did not {doing}: {said}"));
    match error.request_id() {
        Some(id) => failed.with_context("request id", id),
        None => failed,
    }
}
