//! Tokens for clients of Iceberg REST: OAuth 2's client credentials, with a key's id and secret.
//!
//! Source: RFC 6749, sections 2.3.1 and 4.4; the path is that of the REST protocol's `oauth/tokens`.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Api;
use super::answer::{Answer, Form};
use super::fault::Fault;

/// The answer to a request for a token.
///
/// # Errors
/// `invalid_request` for another grant or one without a client; `invalid_client` for a secret that is
/// not the key's.
pub(crate) fn answer(api: &Api, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Fault> {
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
    let clients = match field("client_id").zip(field("client_secret")) {
        Some(client) => vec![client],
        None => basic(headers),
    };
    if clients.is_empty() {
        let text = "a token needs client_id, the id of a key, and client_secret, its secret";
        return Err(Fault::refused("invalid_request", text));
    }
    let now_ms = api.lake.clock.now_ms();
    let given = clients.iter().find_map(|(id, secret)| api.policy.token(id, secret, now_ms).ok());
    let (token, seconds) = given.ok_or_else(|| {
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

/// The id and secret in a header, as DuckDB sends them: as they are, and as a form would have them,
/// which is how OAuth wants them.
fn basic(headers: &HeaderMap) -> Vec<(String, String)> {
    let client = || {
        let (scheme, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        let text =
            STANDARD.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let text = String::from_utf8(text).ok()?;
        text.split_once(':').map(|(id, secret)| (id.to_string(), secret.to_string()))
    };
    let Some((id, secret)) = client() else { return Vec::new() };
    let form = decoded(id.as_bytes()).zip(decoded(secret.as_bytes()));
    [Some((id, secret)), form].into_iter().flatten().collect()
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
    fn a_client_in_a_header_is_read_as_it_is_and_as_a_form() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, text.parse().unwrap());
            basic(&headers)
        };
        let pair = |id: &str, secret: &str| (id.to_string(), secret.to_string());
        let sent = STANDARD.encode("key:a+b%2F");
        let read = [pair("key", "a+b%2F"), pair("key", "a b/")];
        assert_eq!(of(&format!("Basic {sent}")), read);
        for bad in ["Basic", "Basic %%%", "Bearer a2V5OmE="] {
            assert_eq!(of(bad), [], "{bad}");
        }
        assert_eq!(of(&format!("Basic {}", STANDARD.encode("key"))), []);
    }

    #[test]
    fn a_field_is_decoded_or_refused() {
        assert_eq!(decoded(b"a+b%2Fc").as_deref(), Some("a b/c"));
        for bad in [&b"%"[..], b"%2", b"%zz", b"%ff"] {
            assert_eq!(decoded(bad), None);
        }
    }
}
