//! The settings of a bucket.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ExpirationStatus, LifecycleRule, ObjectOwnership, ServerSideEncryption,
};
use northstar_iceberg::Error;

use super::policy::denies_plain_http;
use super::{Findings, setting};
use crate::warehouse::failed;

/// What a bucket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Tables: what is removed is to go in the end, its older versions too.
    Tables,
    /// Records: nothing goes.
    Records,
}

/// Looks at a bucket's settings; yields what it found, and whether the bucket is there.
pub(crate) async fn look(
    client: &Client,
    bucket: &str,
    held_for: Use,
    kms_key: Option<&str>,
) -> (Findings, bool) {
    let mut findings = Findings::of(format!("bucket {bucket}"));
    if let Err(error) = client.head_bucket().bucket(bucket).send().await {
        let error = failed(&error, "find the bucket");
        let next =
            "name a bucket that is there, in its region, and let the role have s3:ListBucket";
        findings.failing("reached", error.message(), next);
        return (findings, false);
    }
    findings.well("reached", "the bucket answers");
    encryption(client, bucket, kms_key, &mut findings).await;
    public_access(client, bucket, &mut findings).await;
    policy(client, bucket, &mut findings).await;
    ownership(client, bucket, &mut findings).await;
    let keeps_versions = versions(client, bucket, &mut findings).await;
    let is_to_forget = keeps_versions && held_for == Use::Tables;
    lifecycle(client, bucket, is_to_forget, &mut findings).await;
    (findings, true)
}

async fn encryption(client: &Client, bucket: &str, kms_key: Option<&str>, findings: &mut Findings) {
    const CHECK: &str = "default encryption";
    let next = match kms_key {
        Some(key) => format!("set SSE-KMS with {key} and a bucket key as the bucket's default"),
        None => {
            "set SSE-KMS with a key of your own and a bucket key as the bucket's default".into()
        }
    };
    let asked = client.get_bucket_encryption().bucket(bucket).send().await;
    let absent = "ServerSideEncryptionConfigurationNotFoundError";
    let answer = match setting(asked, absent) {
        Ok(Some(answer)) => answer,
        Ok(None) => return findings.failing(CHECK, "none", next),
        Err(error) => return findings.not_told(CHECK, "s3:GetEncryptionConfiguration", &error),
    };
    let rules = answer.server_side_encryption_configuration().map(|found| found.rules());
    let rule = rules.unwrap_or_default().first();
    let default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default());
    let (algorithm, key) = match default {
        Some(default) => (default.sse_algorithm(), default.kms_master_key_id()),
        None => return findings.failing(CHECK, "none", next),
    };
    let has_bucket_key = rule.and_then(|rule| rule.bucket_key_enabled()).unwrap_or(false);
    match (algorithm, key) {
        (ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse, Some(key)) => {
            if kms_key.is_some_and(|wanted| !is_the_same(wanted, key)) {
                let found = format!("{algorithm} with another key than --kms-key: {key}");
                findings.warning(CHECK, found, next);
            } else if has_bucket_key {
                findings.well(CHECK, format!("{algorithm} with {key}"));
            } else {
                let next = "enable the bucket key, or each object is paid for at KMS";
                findings.warning(CHECK, format!("{algorithm} without a bucket key"), next);
            }
        }
        (ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse, None) => {
            findings.warning(
                CHECK,
                format!("{algorithm} with the key aws/s3, which no policy of yours governs"),
                next,
            );
        }
        (other, _) => findings.failing(CHECK, format!("{other}: no key of your own"), next),
    }
}

/// Whether two names may be those of one key. An alias does not say which it is.
pub(super) fn is_the_same(wanted: &str, key: &str) -> bool {
    let last = |name: &str| name.rsplit(['/', ':']).next().unwrap_or_default().to_string();
    let is_alias = |name: &str| name.contains("alias/");
    is_alias(wanted) || is_alias(key) || last(wanted) == last(key)
}

async fn public_access(client: &Client, bucket: &str, findings: &mut Findings) {
    const CHECK: &str = "public access";
    let next = "block public access to the bucket: all four settings";
    let asked = client.get_public_access_block().bucket(bucket).send().await;
    match setting(asked, "NoSuchPublicAccessBlockConfiguration") {
        Ok(answer) => {
            let block = answer.and_then(|answer| answer.public_access_block_configuration);
            let Some(block) = block else {
                return findings.failing(CHECK, "not blocked by the bucket", next);
            };
            let settings = [
                ("BlockPublicAcls", block.block_public_acls),
                ("IgnorePublicAcls", block.ignore_public_acls),
                ("BlockPublicPolicy", block.block_public_policy),
                ("RestrictPublicBuckets", block.restrict_public_buckets),
            ];
            let off: Vec<&str> = settings
                .iter()
                .filter(|(_, is_on)| *is_on != Some(true))
                .map(|(name, _)| *name)
                .collect();
            if off.is_empty() {
                findings.well(CHECK, "blocked");
            } else {
                findings.failing(CHECK, format!("not wholly blocked: no {}", off.join(", ")), next);
            }
        }
        Err(error) => findings.not_told(CHECK, "s3:GetBucketPublicAccessBlock", &error),
    }
}

async fn policy(client: &Client, bucket: &str, findings: &mut Findings) {
    const CHECK: &str = "TLS only";
    let next = "deny s3:* to * on the bucket and its objects where aws:SecureTransport is false";
    let asked = client.get_bucket_policy().bucket(bucket).send().await;
    match setting(asked, "NoSuchBucketPolicy") {
        Ok(answer) => match answer.and_then(|answer| answer.policy) {
            Some(text) if denies_plain_http(&text, bucket) => {
                findings.well(CHECK, "the policy denies requests without TLS");
            }
            Some(_) => findings.failing(CHECK, "the policy lets requests without TLS in", next),
            None => findings.failing(CHECK, "there is no policy", next),
        },
        Err(error) => findings.not_told(CHECK, "s3:GetBucketPolicy", &error),
    }
}

async fn ownership(client: &Client, bucket: &str, findings: &mut Findings) {
    const CHECK: &str = "access lists";
    let next = "set object ownership to BucketOwnerEnforced, so that policies alone decide";
    let asked = client.get_bucket_ownership_controls().bucket(bucket).send().await;
    match setting(asked, "OwnershipControlsNotFoundError") {
        Ok(answer) => {
            let rules =
                answer.and_then(|answer| answer.ownership_controls).map(|found| found.rules);
            let rules = rules.unwrap_or_default();
            let is_enforced = |rule: &aws_sdk_s3::types::OwnershipControlsRule| {
                rule.object_ownership == ObjectOwnership::BucketOwnerEnforced
            };
            if rules.iter().any(is_enforced) {
                findings.well(CHECK, "disabled");
            } else {
                findings.warning(CHECK, "objects may have access lists of their own", next);
            }
        }
        Err(error) => findings.not_told(CHECK, "s3:GetBucketOwnershipControls", &error),
    }
}

/// Whether older versions are kept.
async fn versions(client: &Client, bucket: &str, findings: &mut Findings) -> bool {
    const CHECK: &str = "versions";
    let next = "enable versioning: what is deleted or overwritten by mistake can be had back";
    let asked = client.get_bucket_versioning().bucket(bucket).send().await;
    match asked.map_err(|error| failed(&error, "say")) {
        Ok(answer) => {
            let is_on = answer.status == Some(BucketVersioningStatus::Enabled);
            if is_on {
                findings.well(CHECK, "kept");
            } else {
                findings.warning(CHECK, "not kept", next);
            }
            is_on
        }
        Err(error) => {
            findings.not_told(CHECK, "s3:GetBucketVersioning", &error);
            false
        }
    }
}

async fn lifecycle(client: &Client, bucket: &str, is_to_forget: bool, findings: &mut Findings) {
    const UPLOADS: &str = "unfinished uploads";
    const OLDER: &str = "older versions";
    let asked = client.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let rules = match setting(asked, "NoSuchLifecycleConfiguration") {
        Ok(answer) => answer.and_then(|answer| answer.rules).unwrap_or_default(),
        Err(error) => return unknown_lifecycle(findings, is_to_forget, &error),
    };
    let days = |of: fn(&LifecycleRule) -> Option<i32>| {
        rules.iter().filter(|rule| rule.status == ExpirationStatus::Enabled).find_map(of)
    };
    let uploads =
        days(|rule| rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation);
    match uploads {
        Some(days) => findings.well(UPLOADS, format!("removed after {days} days")),
        None => findings.warning(
            UPLOADS,
            "stay, unseen and paid for",
            "add a lifecycle rule AbortIncompleteMultipartUpload of 7 days",
        ),
    }
    if !is_to_forget {
        return;
    }
    match days(|rule| rule.noncurrent_version_expiration.as_ref()?.noncurrent_days) {
        Some(days) => findings.well(OLDER, format!("removed after {days} days")),
        None => findings.warning(
            OLDER,
            "stay for ever, also of rows that were to be forgotten",
            "add a lifecycle rule NoncurrentVersionExpiration, such as of 35 days",
        ),
    }
}

fn unknown_lifecycle(findings: &mut Findings, is_to_forget: bool, error: &Error) {
    findings.not_told("unfinished uploads", "s3:GetLifecycleConfiguration", error);
    if is_to_forget {
        findings.not_told("older versions", "s3:GetLifecycleConfiguration", error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_several_names() {
        let arn = "arn:aws:kms:eu-west-2:111122223333:key/0a1b";
        assert!(is_the_same(arn, "0a1b"));
        assert!(is_the_same("0a1b", arn));
        assert!(is_the_same("alias/lake", arn));
        assert!(!is_the_same("ffff", arn));
    }
}
