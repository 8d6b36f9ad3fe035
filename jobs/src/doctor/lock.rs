//! Object Lock of the bucket for records.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ObjectLockEnabled, ObjectLockRetentionMode};

use super::{Findings, setting};

/// Looks whether records can be locked, and what holds for objects that ask for nothing.
pub(crate) async fn look(client: &Client, bucket: &str, keep_days: u32, findings: &mut Findings) {
    const CHECK: &str = "Object Lock";
    let none = "make a bucket with Object Lock for records; one that has none takes none of them";
    let asked = client.get_object_lock_configuration().bucket(bucket).send().await;
    let answer = match setting(asked, "ObjectLockConfigurationNotFoundError") {
        Ok(answer) => answer.and_then(|answer| answer.object_lock_configuration),
        Err(error) => {
            return findings.not_told(CHECK, "s3:GetBucketObjectLockConfiguration", &error);
        }
    };
    let Some(lock) = answer else { return findings.failing(CHECK, "none", none) };
    if lock.object_lock_enabled != Some(ObjectLockEnabled::Enabled) {
        return findings.failing(CHECK, "none", none);
    }
    findings.well(CHECK, format!("enabled; records ask for {keep_days} days"));
    let default = lock.rule.and_then(|rule| rule.default_retention);
    let next = "set a default retention in compliance mode: it holds for what others put there";
    match default {
        Some(default) if default.mode == Some(ObjectLockRetentionMode::Compliance) => {
            let years = default.years.map(|years| format!("{years} years"));
            let days = default.days.map(|days| format!("{days} days"));
            let kept = years.or(days).unwrap_or_else(|| "no time".into());
            findings.well("default retention", format!("compliance, {kept}"));
        }
        Some(_) => findings.warning("default retention", "governance: some may lift it", next),
        None => findings.warning("default retention", "none", next),
    }
}
