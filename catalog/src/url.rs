//! What the URLs of catalogs share: percent-encoding, and options after a `?`.

use std::fmt::Write as _;

use crate::{Error, ErrorKind, Result};

/// Names of options that would carry a secret. A URL is shown in logs and kept in files, so none does.
const SECRET: [&str; 7] =
    ["secret", "password", "passwd", "access_key", "token", "credential", "signature"];

/// The bytes that percent-encoded text stands for; none if an escape is malformed or a NUL.
pub(crate) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' { hex(rest.next()?)? * 16 + hex(rest.next()?)? } else { byte };
        if byte == 0 {
            return None;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

/// The value of one hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Bytes as a URL holds them; those of `plain`, letters and digits stand for themselves.
pub(crate) fn percent_encoded(bytes: &[u8], plain: &[u8]) -> Result<String> {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            text.push(char::from(byte));
        } else if write!(text, "%{byte:02X}").is_err() {
            return Err(Error::new(ErrorKind::Internal, "a URL could not be written to memory"));
        }
    }
    Ok(text)
}

/// A URL's text before its `?`, and its options, which are all among `known` and each given once.
///
/// # Errors
/// `InvalidInput`. What is not understood is not shown: it may be a secret.
pub(crate) fn options<'a>(
    url: &'a str,
    known: &[&'static str],
) -> Result<(&'a str, Vec<(&'static str, String)>)> {
    let Some((before, after)) = url.split_once('?') else { return Ok((url, Vec::new())) };
    let mut options: Vec<(&'static str, String)> = Vec::new();
    for part in after.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let Some(&known_name) = known.iter().find(|known| **known == name) else {
            return Err(unknown_option(name, known));
        };
        let value = percent_decoded(value).and_then(|value| String::from_utf8(value).ok());
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Err(invalid(format!(
                "the option `{known_name}` of the catalog URL has no value that can be read; write \
                 {known_name}=VALUE, with what is special in it percent-encoded"
            )));
        };
        if options.iter().any(|(earlier, _)| *earlier == known_name) {
            return Err(invalid(format!(
                "the option `{known_name}` stands twice in the catalog URL; write it once"
            )));
        }
        options.push((known_name, value));
    }
    Ok((before, options))
}

fn unknown_option(name: &str, known: &[&'static str]) -> Error {
    let name = name.to_ascii_lowercase();
    if SECRET.iter().any(|secret| name.contains(secret)) {
        return invalid(
            "the catalog URL has an option that looks like a secret; take it out, and have it \
             replaced where it was shown: secrets come from the environment, a file or a role"
                .to_owned(),
        );
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    invalid(format!(
        "the catalog URL has an option that is not known; there are {}",
        known.join(", ")
    ))
}

/// Whether the part of a URL that names a host has a user or a password before it.
pub(crate) fn names_a_user(url: &str) -> bool {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

pub(crate) fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_decoded_and_their_names_known() {
        let known = ["endpoint", "catalog_id"];
        let (before, read) =
            options("glue://r/?endpoint=http%3A%2F%2Fa%3Fb&catalog_id=12", &known).unwrap();
        assert_eq!(before, "glue://r/");
        assert_eq!(read, [("endpoint", "http://a?b".to_owned()), ("catalog_id", "12".to_owned())]);
        assert_eq!(options("glue://r", &known).unwrap(), ("glue://r", Vec::new()));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_not_shown() {
        for bad in [
            "x?hunter2",
            "x?hunter2=1",
            "x?secret_access_key=hunter2",
            "x?AWS_SESSION_TOKEN=hunter2",
            "x?endpoint=%zzhunter2",
            "x?endpoint",
            "x?endpoint=hunter2&endpoint=hunter2",
        ] {
            let error = options(bad, &["endpoint"]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let secret = options("x?password=1", &["endpoint"]).unwrap_err();
        assert!(secret.message().contains("secret"), "{secret}");
    }

    #[test]
    fn a_user_is_seen_before_the_host_alone() {
        assert!(names_a_user("http://me:hunter2@host/a"));
        assert!(!names_a_user("http://host/a@b?c=d@e"));
    }
}
