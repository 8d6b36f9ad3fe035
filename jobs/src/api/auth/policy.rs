//! What a request must show, by how the server was started.

use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};

use super::bearer;
use super::keys::Keys;
use super::signature::missing;
use super::verify::verify;
use crate::api::fault::Fault;

/// What is asked for, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    /// As in the request's first line.
    pub(crate) path_and_query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// The services that a signature may be for.
    pub(crate) services: &'a [&'a str],
    /// Whether a bearer token will do.
    pub(crate) takes_tokens: bool,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) actor: String,
}

/// Who may ask.
#[derive(Debug)]
pub(crate) enum Policy {
    /// Holders of keys, in a region.
    Keys { keys: Keys, region: String },
    /// Whoever reaches a server that listens on loopback alone.
    Anonymous,
}

impl Policy {
    /// Who asks, if they may.
    ///
    /// # Errors
    /// AWS's common errors: see [`verify`]. Without keys, `AccessDeniedException` for a request that a
    /// web page made, or that names another host than this machine.
    pub(crate) fn check(&self, asked: &Asked<'_>, now_ms: i64) -> Result<Caller, Fault> {
        match self {
            Self::Anonymous => check_local(asked.headers),
            Self::Keys { keys, region } => {
                let key = match bearer_token(asked.headers) {
                    Some(token) if asked.takes_tokens => {
                        bearer::holder(keys, token, now_ms).ok_or_else(expired)?
                    }
                    _ => verify(asked, keys, region, now_ms)?,
                };
                Ok(Caller { actor: key.actor.clone() })
            }
        }
    }

    /// A token for the holder of a key, and the seconds that it is good for.
    ///
    /// # Errors
    /// `MissingAuthenticationTokenException` if the secret is not the key's.
    pub(crate) fn token(
        &self,
        id: &str,
        secret: &str,
        now_ms: i64,
    ) -> Result<(String, i64), Fault> {
        let token = match self {
            Self::Anonymous => Some("anonymous".to_string()),
            Self::Keys { keys, .. } => bearer::give(keys, id, secret, now_ms),
        };
        token.map(|token| (token, bearer::LIFE_SECONDS)).ok_or_else(missing)
    }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn expired() -> Fault {
    let text = "the token is not good, or no more; ask for another with the key and its secret";
    Fault::new("ExpiredTokenException", StatusCode::UNAUTHORIZED, text)
}

/// A browser that runs a stranger's page reaches loopback too: such a request has an origin, or comes
/// under a name that the stranger gave this machine.
fn check_local(headers: &HeaderMap) -> Result<Caller, Fault> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if headers.contains_key(ORIGIN) || !is_loopback(host) {
        let text = "a server without keys answers programs on this machine alone";
        return Err(Fault::new("AccessDeniedException", StatusCode::FORBIDDEN, text));
    }
    Ok(Caller { actor: "anonymous".to_string() })
}

/// Whether a `Host` is this machine: `localhost`, or an address of loopback, with a port or without.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn without_keys_only_programs_of_this_machine_are_answered() {
        for host in ["127.0.0.1:81", "localhost", "LocalHost:1", "[::1]:81", "127.9.9.9"] {
            assert!(check_local(&headers(&[("host", host)])).is_ok(), "{host}");
        }
        for bad in ["example.org", "", "127.0.0.1.example.org", "[::2]", "10.0.0.1:81"] {
            assert!(check_local(&headers(&[("host", bad)])).is_err(), "{bad}");
        }
        let page = headers(&[("host", "localhost"), ("origin", "http://example.org")]);
        assert_eq!(check_local(&page).unwrap_err().code, "AccessDeniedException");
    }
}
