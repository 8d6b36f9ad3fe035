//! A bucket with Object Lock that takes records.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectLockMode, ServerSideEncryption};
use chrono::DateTime as Utc;
use northstar_iceberg::clock::Clock;
use northstar_iceberg::{Error, ErrorKind, Result};

use crate::cli::{AuditPlace, Storage};
use crate::warehouse::failed;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Puts objects that can be neither changed nor removed until a day of their own.
#[derive(Debug, Clone)]
pub(crate) struct LockedBucket {
    client: Client,
    place: AuditPlace,
    kms_key: Option<String>,
    keep_days: u32,
    clock: Arc<dyn Clock>,
}

impl LockedBucket {
    /// The bucket that the options name, if they name one.
    pub(crate) fn of(
        storage: &Storage,
        client: Option<&Client>,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        Some(Self {
            client: client?.clone(),
            place: storage.audit.clone()?,
            kms_key: storage.kms_key.clone(),
            keep_days: storage.audit_days,
            clock: Arc::clone(clock),
        })
    }

    /// The time by which names of records begin, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Puts `body` as `KIND/YYYY-MM-DD/NAME`, the day being that of `time_ms`. A name is used for one body
    /// only: one that is there already is taken for this one, put by a request whose answer was lost.
    ///
    /// # Errors
    /// `InvalidInput` for a bucket without Object Lock; `NotFound`, `PermissionDenied`, `Unavailable`.
    pub(crate) async fn put(
        &self,
        kind: &str,
        time_ms: i64,
        name: &str,
        body: Vec<u8>,
    ) -> Result<()> {
        let day = Utc::from_timestamp_millis(time_ms).unwrap_or_default().format("%Y-%m-%d");
        let key = format!("{}{kind}/{day}/{name}", self.place.prefix);
        let until_ms = self.now_ms().saturating_add(i64::from(self.keep_days) * DAY_MS);
        let mut put = self
            .client
            .put_object()
            .bucket(&self.place.bucket)
            .key(&key)
            .if_none_match("*")
            .content_type("application/x-ndjson")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .object_lock_mode(ObjectLockMode::Compliance)
            .object_lock_retain_until_date(DateTime::from_millis(until_ms))
            .body(ByteStream::from(body));
        if let Some(kms_key) = &self.kms_key {
            put = put
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .ssekms_key_id(kms_key)
                .bucket_key_enabled(true);
        }
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) => settled(&error).map_err(|error| {
                error.with_context("bucket", &self.place.bucket).with_context("object", key)
            }),
        }
    }
}

fn settled(error: &SdkError<PutObjectError>) -> Result<()> {
    match error.code() {
        Some("PreconditionFailed") => Ok(()),
        Some("InvalidRequest") => Err(Error::new(
            ErrorKind::InvalidInput,
            "the bucket for records does not take them: it needs Object Lock, which is set when a bucket \
             is made; `northstar doctor` looks at it",
        )
        .with_context("S3", error.message().unwrap_or_default())),
        _ => Err(failed(error, "keep a record")),
    }
}
