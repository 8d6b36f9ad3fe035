//! Which REST catalog: its address, and what else a `rest://` or `rests://` URL says.

use std::fmt;
use std::net::IpAddr;

use super::secret::SecretPlace;
use crate::Result;
use crate::url::{invalid, names_a_user, options, percent_encoded};

/// The options of a `rest://` URL.
const OPTIONS: [&str; 5] = ["warehouse", "token", "credential", "oauth2_uri", "scope"];

/// How a client says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It does not.
    Nobody,
    /// By a token that it has.
    Token(SecretPlace),
    /// By a token that it asks for, as OAuth 2's client credentials.
    Client {
        /// Where `CLIENT_ID:CLIENT_SECRET` is kept.
        credential: SecretPlace,
        /// The URL that gives tokens; without one, the catalog's own `v1/oauth/tokens`.
        oauth2_uri: Option<String>,
        /// What the token is for.
        scope: String,
    },
}

/// Which REST catalog, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestPlace {
    /// Host, port and path, without a slash at the end.
    pub address: String,
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// Which of the server's warehouses.
    pub warehouse: Option<String>,
    /// Who calls.
    pub login: Login,
}

impl RestPlace {
    /// Reads `rests://HOST:PORT/PATH`, which may go on with `?warehouse=NAME` and with `&token=PLACE`, or
    /// with `&credential=PLACE`, `&oauth2_uri=URL` and `&scope=TEXT`; a `PLACE` is `env:NAME` or
    /// `file:/PATH`. `rest://` is the same without TLS; a token is sent by it only within the machine.
    ///
    /// # Errors
    /// `InvalidInput`, which shows nothing of a URL that may hold a secret.
    pub fn parse(url: &str) -> Result<Self> {
        let (before, options) = options(url, &OPTIONS)?;
        let (scheme, address) = before.split_once("://").unwrap_or((before, ""));
        let address = address.trim_end_matches('/');
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
        if names_a_user(before) {
            return Err(invalid(
                "the URL of a REST catalog names a user; take it out, and have its password replaced \
                 where it was shown; write token=env:NAME or credential=file:/PATH"
                    .to_owned(),
            ));
        }
        if address.is_empty() || address.starts_with('/') || !address.chars().all(legal) {
            return Err(invalid(
                "the URL of a REST catalog names no host that can be read; write rests://HOST:PORT/PATH"
                    .to_owned(),
            ));
        }
        let tls = scheme.eq_ignore_ascii_case("rests");
        let option = |name: &str| {
            options.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        let place = Self {
            address: address.to_owned(),
            tls,
            warehouse: option("warehouse"),
            login: login(option)?,
        };
        if !place.tls && place.login != Login::Nobody && !is_this_machine(&place.address) {
            return Err(invalid(
                "a token is sent by TLS only; write rests:// for a catalog on another machine"
                    .to_owned(),
            ));
        }
        Ok(place)
    }

    /// The catalog's URL in HTTP.
    pub(super) fn http(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}

/// The URL; parsing it gives the same place.
impl fmt::Display for RestPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/", if self.tls { "rests" } else { "rest" }, self.address)?;
        let mut said = vec![("warehouse", self.warehouse.clone())];
        match &self.login {
            Login::Nobody => {}
            Login::Token(place) => said.push(("token", Some(place.to_string()))),
            Login::Client { credential, oauth2_uri, scope } => {
                said.push(("credential", Some(credential.to_string())));
                said.push(("oauth2_uri", oauth2_uri.clone()));
                said.push(("scope", Some(scope.clone())));
            }
        }
        let said = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (position, (name, value)) in said.enumerate() {
            let value = percent_encoded(value.as_bytes(), b":/.-_~").map_err(|_| fmt::Error)?;
            write!(f, "{}{name}={value}", if position == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

fn login(option: impl Fn(&str) -> Option<String>) -> Result<Login> {
    let (oauth2_uri, scope) = (option("oauth2_uri"), option("scope"));
    match (option("token"), option("credential")) {
        (Some(_), Some(_)) => Err(invalid(
            "the URL of a REST catalog has both `token` and `credential`; write one of them".to_owned(),
        )),
        (None, Some(credential)) => {
            if let Some(uri) = &oauth2_uri {
                let local = uri.strip_prefix("http://").is_some_and(is_this_machine);
                if names_a_user(uri) || !(uri.starts_with("https://") || local) {
                    return Err(invalid(
                        "the option `oauth2_uri` of a REST catalog's URL is no https:// URL without a \
                         user; a secret is sent there"
                            .to_owned(),
                    ));
                }
            }
            let credential = SecretPlace::parse("credential", &credential)?;
            let scope = scope.unwrap_or_else(|| "catalog".to_owned());
            Ok(Login::Client { credential, oauth2_uri, scope })
        }
        (token, None) if oauth2_uri.is_none() && scope.is_none() => match token {
            Some(token) => Ok(Login::Token(SecretPlace::parse("token", &token)?)),
            None => Ok(Login::Nobody),
        },
        _ => Err(invalid(
            "`oauth2_uri` and `scope` in the URL of a REST catalog go with `credential`; add it or \
             leave them out"
                .to_owned(),
        )),
    }
}

/// Whether an address is of this machine alone.
fn is_this_machine(address: &str) -> bool {
    let authority = address.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_place_comes_back_from_its_url() {
        for (url, http) in [
            ("rest://127.0.0.1:8181/", "http://127.0.0.1:8181"),
            ("rests://lake.example:8181/api/catalog/", "https://lake.example:8181/api/catalog"),
            ("rests://h/?warehouse=a%20b&token=env:LAKE_TOKEN", "https://h"),
            ("rest://[::1]:80/?token=file:/run/token", "http://[::1]:80"),
            (
                "rests://h/?credential=env:C&oauth2_uri=https://login.example/t&scope=PRINCIPAL%20ALL",
                "https://h",
            ),
        ] {
            let place = RestPlace::parse(url).unwrap();
            assert_eq!(place.to_string(), url);
            assert_eq!(place.http(), http);
        }
        let place = RestPlace::parse("RESTS://h?credential=env:C").unwrap();
        assert_eq!(place.to_string(), "rests://h/?credential=env:C&scope=catalog");
    }

    #[test]
    fn what_is_no_place_is_refused_and_secrets_are_not_shown() {
        for url in [
            "rest:",
            "rest://",
            "rests:///a",
            "rests://me:hunter2@host/",
            "rests://host/a b",
            "rests://host/?token=hunter2",
            "rests://host/?credential=hunter2:hunter2",
            "rests://host/?hunter2",
            "rests://host/?client_secret=hunter2",
            "rests://host/?token=env:A&credential=env:B",
            "rests://host/?scope=hunter2",
            "rests://host/?credential=env:B&oauth2_uri=http://login.example/hunter2",
            "rests://host/?credential=env:B&oauth2_uri=https://me:hunter2@login.example/",
            "rest://lake.example/?token=env:A",
            "rest://127.0.0.1.example/?token=env:A",
        ] {
            let error = RestPlace::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
