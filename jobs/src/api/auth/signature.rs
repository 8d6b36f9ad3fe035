//! What a signed request says of itself.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use chrono::NaiveDateTime;

use crate::api::fault::Fault;

/// The only way of signing that is taken.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// When a request was signed.
pub(super) const DATE: &str = "x-amz-date";

/// The parts of an `Authorization` header, and the time that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) key_id: String,
    /// `yyyymmdd`.
    pub(super) day: String,
    pub(super) region: String,
    pub(super) service: String,
    /// In lower case, sorted.
    pub(super) headers: Vec<String>,
    pub(super) signature: String,
    pub(super) signed_at: NaiveDateTime,
}

impl Signature {
    /// Reads a request's headers.
    ///
    /// # Errors
    /// `MissingAuthenticationTokenException` for a request that is not signed;
    /// `IncompleteSignatureException` for one whose signature cannot be read, saying what lacks.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Fault> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Err(missing()) };
        if values.next().is_some() {
            return Err(incomplete("there is more than one Authorization header"));
        }
        let text = value.to_str().map_err(|_| incomplete("Authorization is no plain text"))?;
        let Some(rest) = text.strip_prefix(ALGORITHM) else {
            return Err(incomplete("Authorization does not begin with AWS4-HMAC-SHA256"));
        };
        let part = |name: &str| part(rest, name);
        let scope: Vec<&str> = part("Credential")?.split('/').collect();
        let [key_id, day, region, service, "aws4_request"] = scope[..] else {
            return Err(incomplete("Credential is not KEY/DATE/REGION/SERVICE/aws4_request"));
        };
        let names: Vec<String> =
            part("SignedHeaders")?.split(';').map(str::to_ascii_lowercase).collect();
        if !names.is_sorted_by(|a, b| a < b) {
            return Err(incomplete("SignedHeaders are not sorted, or one is there twice"));
        }
        Ok(Self {
            key_id: key_id.to_string(),
            day: day.to_string(),
            region: region.to_string(),
            service: service.to_string(),
            headers: names,
            signature: part("Signature")?.to_string(),
            signed_at: signed_at(headers)?,
        })
    }
}

/// A part of the header: `Name=value`, with commas between.
fn part<'a>(rest: &'a str, name: &str) -> Result<&'a str, Fault> {
    let parts = rest.split(',').map(str::trim);
    let values = parts.filter_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let mut values = values.filter(|value| !value.is_empty());
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(incomplete(&format!("Authorization header requires '{name}' parameter"))),
    }
}

fn signed_at(headers: &HeaderMap) -> Result<NaiveDateTime, Fault> {
    let mut values = headers.get_all(DATE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(incomplete("Authorization header requires one 'X-Amz-Date' header"));
    };
    let text = value.to_str().unwrap_or_default();
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ")
        .map_err(|_| incomplete("Date must be in ISO-8601 'basic format', as 20260131T235959Z"))
}

/// A request that is not signed.
pub(super) fn missing() -> Fault {
    let text = "Missing Authentication Token: sign the request with a key of this server";
    Fault::new("MissingAuthenticationTokenException", StatusCode::FORBIDDEN, text)
}

fn incomplete(text: &str) -> Fault {
    Fault::new("IncompleteSignatureException", StatusCode::FORBIDDEN, text)
}
