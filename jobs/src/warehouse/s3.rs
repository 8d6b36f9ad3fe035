//! The settings of S3, from the options and the AWS configuration of this machine.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use northstar_iceberg::clock::SystemClock;
use northstar_iceberg::storage::s3::{Encryption, S3Settings, configure};
use northstar_iceberg::{Error, ErrorKind, Result};

use super::place::Place;
use super::sdk;
use crate::aws::{ANY_REGION, configuration};
use crate::cli::Global;

/// Sets up S3 if the warehouse is in a bucket, or tables may be: where a key was named. What it yields
/// is a client for the rest of S3.
///
/// # Errors
/// `InvalidInput` for a warehouse or a record of accesses in a bucket without a key, unless that is
/// allowed by name, without a region or with an endpoint that is not safe.
pub(super) async fn set_up(place: &Place, global: &Global) -> Result<Option<Client>> {
    let storage = &global.storage;
    let encryption = match (&storage.kms_key, storage.allow_unencrypted, place) {
        (Some(key), _, _) => Encryption::Kms(key.clone()),
        (None, true, _) => Encryption::Unencrypted,
        (None, false, Place::Folder(_)) if storage.audit.is_none() => return Ok(None),
        (None, false, Place::Folder(_)) => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "what is recorded in a bucket is encrypted with a key of KMS: name it with --kms-key, \
                 or leave encryption to the bucket with --allow-unencrypted",
            ));
        }
        (None, false, Place::Bucket(location)) => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a warehouse in a bucket is encrypted with a key of KMS: name it with --kms-key, or \
                 leave encryption to the bucket with --allow-unencrypted",
            )
            .with_context("warehouse", location));
        }
    };
    client(encryption, global).await.map(Some)
}

/// Sets up S3 for sources in a bucket. Where no key is named nothing is written there; a warehouse in a
/// bucket is set up by itself.
///
/// # Errors
/// `InvalidInput` without a region or with an endpoint that is not safe.
pub(super) async fn set_up_sources(global: &Global) -> Result<()> {
    let encryption = match (&global.storage.kms_key, global.storage.allow_unencrypted) {
        (Some(key), _) => Encryption::Kms(key.clone()),
        (None, true) => Encryption::Unencrypted,
        (None, false) => Encryption::ReadOnly,
    };
    client(encryption, global).await.map(drop)
}

async fn client(encryption: Encryption, global: &Global) -> Result<Client> {
    let storage = &global.storage;
    let elsewhere = storage.s3_endpoint.is_some().then_some(ANY_REGION);
    let aws = configuration(storage.s3_region.as_deref().or(elsewhere)).await;
    let endpoint = storage.s3_endpoint.clone().or_else(|| aws.endpoint_url().map(str::to_string));
    let region = match (aws.region(), &endpoint) {
        (Some(region), _) => region.to_string(),
        (None, Some(_)) => ANY_REGION.to_string(),
        (None, None) => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "it is not known in which region the bucket is: name it with --s3-region",
            ));
        }
    };
    let credentials = aws.credentials_provider().ok_or_else(|| {
        Error::new(ErrorKind::Internal, "the AWS configuration has no credential chain")
    })?;
    let client = sdk::client(&aws, &region, storage);
    configure(S3Settings {
        endpoint,
        region,
        encryption,
        allow_http: storage.s3_allow_http,
        credentials,
        clock: Arc::new(SystemClock),
        request_timeout: Duration::from_secs(storage.s3_timeout),
        most_retries: storage.s3_retries,
    })?;
    Ok(client)
}
