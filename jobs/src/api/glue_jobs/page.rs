//! Lists in pages: a token says where the next one begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::definition::refused;
use crate::api::fault::Fault;

/// The token of a place in a list.
pub(super) fn token(first: i64, second: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{first}/{second}"))
}

/// The place that the request's token says, if it has one.
///
/// # Errors
/// `InvalidInputException` for a token that was not ours.
pub(super) fn place(input: &Map<String, Value>) -> Result<Option<(i64, i64)>, Fault> {
    let Some(token) = input.get("NextToken").and_then(Value::as_str) else { return Ok(None) };
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (first, second) = text.split_once('/')?;
        Some((first.parse().ok()?, second.parse().ok()?))
    };
    read().map(Some).ok_or_else(|| refused("NextToken is not one that was given"))
}

/// How many entries the request asks for.
pub(super) fn most(input: &Map<String, Value>, default: usize) -> usize {
    let asked = input.get("MaxResults").and_then(Value::as_u64);
    asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(default)
}
