//! How each object of a warehouse is encrypted, which a bucket's settings do not say: they hold for what
//! was written since they were made.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{MetadataDirective, ServerSideEncryption, StorageClass};
use futures::{StreamExt, TryStreamExt};
use northstar_iceberg::{Error, ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Findings;
use super::bucket::is_the_same;
use crate::progress::Counting;
use crate::warehouse::failed;

const CHECK: &str = "objects";

/// Requests under way at once.
const AT_ONCE: usize = 16;

/// So many are named; of more only the number is told.
const NAMED: usize = 5;

/// S3 copies no larger object with one request.
const MOST_COPIED_BYTES: i64 = 5 << 30;

/// What is looked at, and with what it should be encrypted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looked<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) kms_key: Option<&'a str>,
    /// Whether to copy those that are not.
    pub(crate) encrypt: bool,
}

/// An object that is not encrypted as it should be.
struct Bare {
    key: String,
    etag: String,
    /// Kept as it is; S3 tells of none where it is the standard one.
    class: Option<StorageClass>,
    bytes: i64,
}

/// Asks for each object how it is encrypted, and encrypts those that are not if that was asked for.
pub(crate) async fn look(of: Looked<'_>, counting: &Counting, findings: &mut Findings) {
    match all(of, counting).await {
        Ok((count, bare)) if bare.is_empty() => {
            findings.well(CHECK, format!("{count} are encrypted with the key"));
        }
        Ok((count, bare)) if of.encrypt => encrypted(of, count, bare, findings).await,
        Ok((count, bare)) => {
            let keys: Vec<&str> = bare.iter().map(|bare| bare.key.as_str()).collect();
            let found = format!(
                "{} of {count} are not encrypted with the key: {}",
                keys.len(),
                named(&keys)
            );
            findings.failing(CHECK, found, "northstar doctor --objects --encrypt");
        }
        Err(error) => {
            findings.not_told(CHECK, "s3:ListBucket, s3:GetObject and kms:Decrypt", &error)
        }
    }
}

/// How many objects there are, and those that are not encrypted as they should be, by name.
async fn all(of: Looked<'_>, counting: &Counting) -> Result<(usize, Vec<Bare>)> {
    let mut pages =
        of.client.list_objects_v2().bucket(of.bucket).prefix(of.prefix).into_paginator().send();
    let (mut count, mut bare) = (0, Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed(&error, "list the objects"))?;
        let keys = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
        let found: Vec<Option<Bare>> = futures::stream::iter(keys)
            .map(|key| looked_at(of, key))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        count += found.len();
        counting.add(found.len() as u64);
        bare.extend(found.into_iter().flatten());
    }
    Ok((count, bare))
}

async fn looked_at(of: Looked<'_>, key: String) -> Result<Option<Bare>> {
    let head = of.client.head_object().bucket(of.bucket).key(&key).send().await;
    let head = match head.map_err(|error| failed(&error, "describe an object")) {
        // It was removed meanwhile, by an expiry for instance.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        head => head?,
    };
    if is_encrypted(&head, of.kms_key) {
        return Ok(None);
    }
    let (etag, class) = (head.e_tag.unwrap_or_default(), head.storage_class);
    Ok(Some(Bare { key, etag, class, bytes: head.content_length.unwrap_or(0) }))
}

fn is_encrypted(head: &HeadObjectOutput, kms_key: Option<&str>) -> bool {
    let by_kms = matches!(
        head.server_side_encryption,
        Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
    );
    let key = head.ssekms_key_id.as_deref().unwrap_or_default();
    by_kms && kms_key.is_none_or(|wanted| is_the_same(wanted, key))
}

async fn encrypted(of: Looked<'_>, count: usize, bare: Vec<Bare>, findings: &mut Findings) {
    let Some(kms_key) = of.kms_key else {
        return findings.failing(CHECK, "no key was named", "name one with --kms-key");
    };
    let total = bare.len();
    let tried: Vec<(String, Result<()>)> = futures::stream::iter(bare)
        .map(|object| async move { (object.key.clone(), copied(of, &object, kms_key).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let failures: Vec<(&str, &Error)> = tried
        .iter()
        .filter_map(|(key, copied)| Some((key.as_str(), copied.as_ref().err()?)))
        .collect();
    match failures.first() {
        None => {
            findings.well(CHECK, format!("{total} of {count} were encrypted with the key just now"))
        }
        Some((_, error)) => {
            let keys: Vec<&str> = failures.iter().map(|(key, _)| *key).collect();
            let found = format!(
                "{} of {count} are still not encrypted with the key: {}: {}",
                keys.len(),
                error.message(),
                named(&keys)
            );
            findings.failing(
                CHECK,
                found,
                "let the role have s3:PutObject and kms:GenerateDataKey",
            );
        }
    }
}

/// Copies an object onto itself, if it is still the one that was looked at.
async fn copied(of: Looked<'_>, object: &Bare, kms_key: &str) -> Result<()> {
    if object.bytes > MOST_COPIED_BYTES {
        let text = "an object of more than 5 GiB is not copied with one request";
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    let source = format!("{}/{}", of.bucket, object.key);
    let sent = of
        .client
        .copy_object()
        .bucket(of.bucket)
        .key(&object.key)
        .copy_source(utf8_percent_encode(&source, NON_ALPHANUMERIC).to_string())
        .copy_source_if_match(&object.etag)
        .metadata_directive(MetadataDirective::Copy)
        .set_storage_class(object.class.clone())
        .server_side_encryption(ServerSideEncryption::AwsKms)
        .ssekms_key_id(kms_key)
        .bucket_key_enabled(true)
        .send()
        .await;
    match sent.map_err(|error| failed(&error, "encrypt an object")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        sent => sent.map(|_| ()),
    }
}

fn named(keys: &[&str]) -> String {
    let first = keys[..keys.len().min(NAMED)].join(", ");
    if keys.len() > NAMED { format!("{first} and {} more", keys.len() - NAMED) } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_encrypted_with_the_key_that_was_named() {
        let key = "arn:aws:kms:eu-west-2:111122223333:key/0a1b";
        let head = |algorithm: Option<ServerSideEncryption>, key: Option<&str>| {
            HeadObjectOutput::builder()
                .set_server_side_encryption(algorithm)
                .set_ssekms_key_id(key.map(str::to_string))
                .build()
        };
        let by_kms = head(Some(ServerSideEncryption::AwsKms), Some(key));
        assert!(is_encrypted(&by_kms, Some(key)));
        assert!(is_encrypted(&by_kms, Some("alias/lake")));
        assert!(is_encrypted(&by_kms, None));
        assert!(!is_encrypted(&by_kms, Some("ffff")));
        assert!(!is_encrypted(&head(Some(ServerSideEncryption::Aes256), None), Some(key)));
        assert!(!is_encrypted(&head(None, None), None));
    }

    #[test]
    fn of_many_objects_the_first_are_named() {
        assert_eq!(named(&["a", "b"]), "a, b");
        assert_eq!(named(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
    }
}
