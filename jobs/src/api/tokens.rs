//! Tokens for clients of Iceberg REST: OAuth 2's client credentials, with a key's id and secret.
//!
//! Source: RFC 6749, section 4.4; the path is that of the REST protocol's `oauth/tokens`.

use axum::http::StatusCode;
use serde_json::json;

use super::Api;
use super::answer::{Answer, Form};
use super::fault::Fault;

/// The answer to a request for a token.
///
/// # Errors
/// `invalid_request` for another grant or one without a client; `invalid_client` for a secret that is
/// not the key's.
pub(crate) fn answer(api: &Api, body: &[u8]) -> Result<Answer, Fault> {
    let field = |name: &str| {
        let fields = body.split(|byte| *byte == b'&');
        let pairs = fields.filter_map(|field| {
            let at = field.iter().position(|byte| *byte == b'=')?;
            Some((&field[..at], &field[at + 1..]))
        });
        let mut found = pairs.filter(|(key, _)| *key == name.as_bytes());
        found.next().and_then(|(_, value)| decoded(value))
    };
    if field("grant_type").as_deref() != Some("client_credentials") {
        let text = "the grant is client_credentials: give a key's id and secret";
        return Err(Fault::refused("invalid_request", text));
    }
    let (Some(id), Some(secret)) = (field("client_id"), field("client_secret")) else {
        let text = "a token needs client_id, the id of a key, and client_secret, its secret";
        return Err(Fault::refused("invalid_request", text));
    };
    let given = api.policy.token(&id, &secret, api.lake.clock.now_ms());
    let (token, seconds) = given.map_err(|_| {
        let text = "there is no such key with this secret";
        Fault::new("invalid_client", StatusCode::UNAUTHORIZED, text)
    })?;
    let value = json!({
        "access_token": token,
        "token_type": "bearer",
        "expires_in": seconds,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    Ok(Answer::json(Form::Iceberg, StatusCode::OK, Some(&value)))
}

/// The text of a form's field; `None` for one that is malformed.
fn decoded(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?,
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_decoded_or_refused() {
        assert_eq!(decoded(b"a+b%2Fc").as_deref(), Some("a b/c"));
        for bad in [&b"%"[..], b"%2", b"%zz", b"%ff"] {
            assert_eq!(decoded(bad), None);
        }
    }
}
