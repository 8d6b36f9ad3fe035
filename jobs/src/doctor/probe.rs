//! One small object, written as the warehouse's are, read, and removed.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ServerSideEncryption};
use northstar_iceberg::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::Findings;
use super::bucket::is_the_same;
use crate::warehouse::failed;

const BODY: &[u8] = b"northstar doctor\n";

/// Writes, reads and removes `PREFIX.doctor/ID`.
pub(crate) async fn look(
    client: &Client,
    (bucket, prefix): (&str, &str),
    kms_key: Option<&str>,
    id: Uuid,
    findings: &mut Findings,
) {
    let key = format!("{prefix}.doctor/{id}");
    let tried = written(client, bucket, &key, kms_key).await;
    // It is removed whatever became of it.
    let removed = client.delete_object().bucket(bucket).key(&key).send().await;
    let removed = removed.map_err(|error| failed(&error, "remove the object"));
    match tried.and(removed.map(|_| ())) {
        Ok(()) => findings.well("written", "an object was written, read and removed"),
        Err(error) => {
            let next = "let the role have s3:PutObject, s3:GetObject, s3:DeleteObject, and \
                        kms:GenerateDataKey and kms:Decrypt on the key";
            findings.failing("written", error.message(), next);
        }
    }
}

async fn written(client: &Client, bucket: &str, key: &str, kms_key: Option<&str>) -> Result<()> {
    let mut put = client
        .put_object()
        .bucket(bucket)
        .key(key)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .body(ByteStream::from_static(BODY));
    if let Some(kms_key) = kms_key {
        put = put
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id(kms_key)
            .bucket_key_enabled(true);
    }
    put.send().await.map_err(|error| failed(&error, "take the object"))?;
    let got = client.get_object().bucket(bucket).key(key).send().await;
    let got = got.map_err(|error| failed(&error, "give the object back"))?;
    let with = got.ssekms_key_id().unwrap_or_default().to_string();
    if kms_key.is_some_and(|wanted| !is_the_same(wanted, &with)) {
        let text = "S3 encrypted the object with another key than it was asked to";
        return Err(Error::new(ErrorKind::InvalidData, text));
    }
    match got.body.collect().await.map(|body| body.into_bytes()) {
        Ok(body) if *body == *BODY => Ok(()),
        Ok(_) => {
            Err(Error::new(ErrorKind::InvalidData, "S3 gave another object back than it took"))
        }
        Err(error) => {
            let text = "S3 did not give the object back whole";
            Err(Error::new(ErrorKind::Unavailable, text).with_source(error))
        }
    }
}
