//! What a failed call to a REST catalog means: its kind, what to do, and whether it may have taken
//! effect.

use serde_json::Value;

use crate::{Error, ErrorKind, Retry};

/// The longest text of the server that an error repeats.
const MOST_TEXT_CHARS: usize = 400;

/// What a failed attempt means for what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The namespace, table or endpoint is not there.
    NotFound,
    /// It is there already, or in use.
    Taken,
    /// The token is not, or no longer, accepted.
    Unauthorized,
    /// The server turned the request away before it did anything; it may be sent again.
    Throttled,
    /// The server refuses the request.
    Refused,
    /// The request may have taken effect, or may yet do so.
    Open,
}

/// A failed attempt of a call.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) meaning: Meaning,
    error: Error,
}

impl Failure {
    /// What an answer with an error's status means.
    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let said = &said["error"];
        let meaning = meaning(status);
        let (kind, what) = match status {
            401 | 419 => (
                ErrorKind::PermissionDenied,
                "the REST catalog does not accept the token; check where the URL says it is kept",
            ),
            403 => (
                ErrorKind::PermissionDenied,
                "the REST catalog does not allow this to the caller; ask its owner for the permission",
            ),
            404 => (ErrorKind::NotFound, "the REST catalog does not find it"),
            409 => (ErrorKind::AlreadyExists, "the REST catalog has it already, or it is in use"),
            405 | 406 | 501 => (
                ErrorKind::Unsupported,
                "the REST catalog does not do this; use another client for it",
            ),
            400 | 422 => (ErrorKind::InvalidInput, "the REST catalog does not take the request"),
            429 => (
                ErrorKind::Unavailable,
                "the REST catalog takes no more calls for now; try again later",
            ),
            _ if meaning == Meaning::Open => (
                ErrorKind::Unavailable,
                "the REST catalog does not answer as it should; look whether it runs, and try again",
            ),
            _ => (ErrorKind::Storage, "the REST catalog refuses the request"),
        };
        let mut error = Error::new(kind, what).with_context("status", status);
        if let Some(name) = said["type"].as_str() {
            error = error.with_context("type", cut(name));
        }
        // What is said about a token may repeat it.
        if let Some(text) = said["message"].as_str().filter(|_| meaning != Meaning::Unauthorized) {
            error = error.with_context("it says", cut(text));
        }
        Self { meaning, error: error.with_retry(retry(meaning)) }
    }

    /// No answer, or one that breaks off.
    pub(super) fn lost(source: reqwest::Error) -> Self {
        let meaning = if source.is_builder() { Meaning::Refused } else { Meaning::Open };
        let error = Error::new(
            ErrorKind::Unavailable,
            "the REST catalog does not answer; look whether it runs and can be reached, and try again",
        );
        Self { meaning, error: error.with_source(source).with_retry(retry(meaning)) }
    }

    /// An answer that is not what the protocol says.
    pub(super) fn unreadable(what: &str) -> Self {
        let error = Error::new(
            ErrorKind::Unavailable,
            format!("the REST catalog's answer has no {what}; is this an Iceberg REST catalog?"),
        );
        Self { meaning: Meaning::Refused, error: error.with_retry(Retry::Never) }
    }

    /// The error for the caller, of a call on `on`.
    pub(super) fn into_error(self, on: impl std::fmt::Display) -> Error {
        let on = on.to_string();
        if on.is_empty() { self.error } else { self.error.with_context("on", on) }
    }
}

impl From<Error> for Failure {
    /// Something failed before anything was sent.
    fn from(error: Error) -> Self {
        Self { meaning: Meaning::Refused, error }
    }
}

fn meaning(status: u16) -> Meaning {
    match status {
        404 => Meaning::NotFound,
        409 => Meaning::Taken,
        401 | 419 => Meaning::Unauthorized,
        429 => Meaning::Throttled,
        408 => Meaning::Open,
        400..=499 | 501 => Meaning::Refused,
        _ => Meaning::Open,
    }
}

fn retry(meaning: Meaning) -> Retry {
    if matches!(meaning, Meaning::Throttled | Meaning::Open) { Retry::Again } else { Retry::Never }
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_TEXT_CHARS).collect()
}
