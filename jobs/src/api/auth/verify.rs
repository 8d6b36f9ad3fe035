//! Whether a signature is the one that the key's holder would have made.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, TimeDelta};
use sha2::{Digest, Sha256};

use super::keys::{Key, Keys};
use super::policy::Asked;
use super::signature::Signature;
use crate::api::fault::Fault;

/// How far the clocks may be apart: 15 minutes, as on AWS.
const SKEW: TimeDelta = TimeDelta::minutes(15);

/// The hash of the body, which a client may name.
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// The token of temporary keys, which this server does not give.
const SECURITY_TOKEN: &str = "x-amz-security-token";

/// The key that a request is signed with.
///
/// # Errors
/// `UnrecognizedClientException` for a key that is not known; `InvalidSignatureException` for another
/// day, region or service than the request's, for a time more than 15 minutes away, for an `x-amz-`
/// header that is not signed, and for a signature that is another.
pub(super) fn verify<'k>(
    asked: &Asked<'_>,
    keys: &'k Keys,
    region: &str,
    now_ms: i64,
) -> Result<&'k Key, Fault> {
    let signature = Signature::read(asked.headers)?;
    let known = keys.find(&signature.key_id);
    let key = known.filter(|_| !asked.headers.contains_key(SECURITY_TOKEN)).ok_or_else(|| {
        let text = "The security token included in the request is invalid.";
        Fault::new("UnrecognizedClientException", StatusCode::FORBIDDEN, text)
    })?;
    check_scope(&signature, asked.services, region)?;
    check_time(&signature, now_ms)?;
    check_headers(&signature, asked)?;
    let expected = signed(asked, &signature, key)?;
    if !is_equal(expected.as_bytes(), signature.signature.as_bytes()) {
        return Err(invalid(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method."
                .to_string(),
        ));
    }
    Ok(key)
}

fn check_scope(signature: &Signature, services: &[&str], region: &str) -> Result<(), Fault> {
    if !services.contains(&signature.service.as_str()) {
        let services = services.join("' or '");
        return Err(invalid(format!(
            "Credential should be scoped to correct service: '{services}'."
        )));
    }
    if signature.region != region {
        return Err(invalid(format!(
            "Credential should be scoped to a valid region: '{region}' is this server's."
        )));
    }
    if signature.day != signature.signed_at.format("%Y%m%d").to_string() {
        return Err(invalid(
            "Date in Credential scope does not match the date of X-Amz-Date.".to_string(),
        ));
    }
    Ok(())
}

fn check_time(signature: &Signature, now_ms: i64) -> Result<(), Fault> {
    let now = DateTime::from_timestamp_millis(now_ms).unwrap_or_default().naive_utc();
    let form = "%Y%m%dT%H%M%SZ";
    let (signed, shown) = (signature.signed_at, now.format(form));
    if signed < now - SKEW {
        let earliest = (now - SKEW).format(form);
        return Err(invalid(format!(
            "Signature expired: {} is now earlier than {earliest} ({shown} - 15 min.)",
            signed.format(form)
        )));
    }
    if signed > now + SKEW {
        let latest = (now + SKEW).format(form);
        return Err(invalid(format!(
            "Signature not yet current: {} is still later than {latest} ({shown} + 15 min.)",
            signed.format(form)
        )));
    }
    Ok(())
}

/// All that says what is asked must be signed: the host and each header of AWS. A hash of the body, if
/// one is named, must be the body's.
fn check_headers(signature: &Signature, asked: &Asked<'_>) -> Result<(), Fault> {
    let is_signed = |name: &str| signature.headers.iter().any(|signed| signed == name);
    let must = |name: &str| name == "host" || name.starts_with("x-amz-");
    let names = asked.headers.keys().map(|name| name.as_str());
    if let Some(name) = names.filter(|name| must(name)).find(|name| !is_signed(name)) {
        return Err(invalid(format!(
            "'{name}' must be a 'SignedHeader' in the AWS Authorization."
        )));
    }
    let absent = |name: &&String| !asked.headers.contains_key(name.as_str());
    if !is_signed("host") || signature.headers.iter().any(|name| absent(&name)) {
        return Err(invalid("A header that is signed is not in the request.".to_string()));
    }
    let hash = match asked.headers.get(CONTENT_SHA256) {
        None => return Ok(()),
        Some(hash) => hash.as_bytes(),
    };
    if is_equal(hash, hex(&Sha256::digest(asked.body)).as_bytes()) {
        return Ok(());
    }
    Err(invalid("The body is not the one of 'x-amz-content-sha256'.".to_string()))
}

/// The signature that the holder of the key makes of the same request.
fn signed(asked: &Asked<'_>, signature: &Signature, key: &Key) -> Result<String, Fault> {
    let unsigned = |what: &str| invalid(format!("The request cannot be signed: {what}."));
    let identity = Credentials::new(&key.id, key.secret(), None, None, "keys").into();
    let mut settings = SigningSettings::default();
    // Only what the client signed is given to the signer.
    settings.excluded_headers = None;
    let seconds = u64::try_from(signature.signed_at.and_utc().timestamp()).unwrap_or(0);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&signature.region)
        .name(&signature.service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .settings(settings)
        .build()
        .map_err(|_| unsigned("its scope"))?
        .into();
    let headers = texts(&signature.headers, asked.headers)?;
    // The host counts as a header; the address needs one to be whole.
    let url = format!("http://host.invalid{}", asked.path_and_query);
    let body = SignableBody::Bytes(asked.body);
    let request = SignableRequest::new(
        asked.method.as_str(),
        &url,
        headers.iter().map(|(name, value)| (*name, value.as_str())),
        body,
    )
    .map_err(|_| unsigned("its address"))?;
    let (_, made) = sign(request, &params).map_err(|_| unsigned("its headers"))?.into_parts();
    Ok(made)
}

/// The signed headers with their values; of several the values stand with commas between.
fn texts<'h>(names: &'h [String], headers: &HeaderMap) -> Result<Vec<(&'h str, String)>, Fault> {
    let mut texts = Vec::with_capacity(names.len());
    for name in names {
        let mut values = Vec::new();
        for value in headers.get_all(name.as_str()) {
            let text = value.to_str().map_err(|_| {
                invalid(format!("'{name}' is no plain text, and cannot be signed."))
            })?;
            values.push(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        }
        texts.push((name.as_str(), values.join(",")));
    }
    Ok(texts)
}

/// Compares without telling by its time where two texts differ.
pub(super) fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0_u8, |differs, (a, b)| differs | (a ^ b)) == 0
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn invalid(text: String) -> Fault {
    Fault::new("InvalidSignatureException", StatusCode::FORBIDDEN, text)
}
