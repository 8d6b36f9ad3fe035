//! What a failure of S3 is to its caller.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use std::error::Error as StdError;
use std::fmt;

use object_store::client::{HttpError, HttpErrorKind};

use super::super::place::Object;
use crate::{Error, ErrorKind, Retry};

/// What S3 said when it did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// S3's word for it, such as `AccessDenied`; empty where S3 says none.
    pub(super) code: String,
    message: String,
}

impl Refusal {
    /// From the status and the body of an answer.
    pub(super) fn read(status: u16, body: &str) -> Self {
        let of = |tag: &str| {
            let (_, rest) = body.split_once(&format!("<{tag}>"))?;
            let (text, _) = rest.split_once(&format!("</{tag}>"))?;
            Some(text.chars().filter(|c| !c.is_control()).take(500).collect::<String>())
        };
        Self {
            status,
            code: of("Code").unwrap_or_default(),
            message: of("Message").unwrap_or_default(),
        }
    }

    fn cause(&self) -> Cause {
        match (self.status, self.code.as_str()) {
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => {
                Cause::Expired
            }
            (
                _,
                "AuthorizationHeaderMalformed"
                | "PermanentRedirect"
                | "IllegalLocationConstraintException",
            ) => Cause::Region,
            (_, "RequestTimeTooSkewed") => Cause::Clock,
            (_, "InvalidRequest") if self.message.contains("copy an object to itself") => {
                Cause::Unencrypted
            }
            (_, code) if code.starts_with("KMS.") => Cause::Denied,
            // An answer to HEAD has no body that would say more.
            (400, "") => Cause::Expired,
            (401 | 403, _) => Cause::Denied,
            _ => Cause::Other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.is_empty(), self.message.is_empty()) {
            (true, _) => write!(f, "S3 answers with status {}", self.status),
            (false, true) => write!(f, "S3 says {}", self.code),
            (false, false) => write!(f, "S3 says {}: {}", self.code, self.message),
        }
    }
}

impl StdError for Refusal {}

/// That there are no credentials to sign a request with.
#[derive(Debug)]
pub(super) struct NoCredentials(pub(super) Box<dyn StdError + Send + Sync>);

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no AWS credentials could be had")
    }
}

impl StdError for NoCredentials {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.0.as_ref())
    }
}

/// That nothing may be written, as nobody has said how it would be encrypted.
#[derive(Debug)]
pub(super) struct ReadOnly;

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "files in a bucket are encrypted with a key of KMS: name it with --kms-key, or leave \
             encryption to the bucket with --allow-unencrypted",
        )
    }
}

impl StdError for ReadOnly {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Missing,
    Exists,
    Denied,
    Expired,
    NoCredentials,
    Region,
    Clock,
    Unencrypted,
    ReadOnly,
    Unreachable,
    Other,
}

impl Cause {
    fn of(error: &object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => return Self::Missing,
            object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. } => return Self::Exists,
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => return Self::Denied,
            _ => {}
        }
        let mut transport = false;
        let mut next = Some(error as &(dyn StdError + 'static));
        while let Some(inner) = next {
            if let Some(refusal) = inner.downcast_ref::<Refusal>() {
                return refusal.cause();
            }
            if inner.is::<NoCredentials>() {
                return Self::NoCredentials;
            }
            if inner.is::<ReadOnly>() {
                return Self::ReadOnly;
            }
            transport |= inner
                .downcast_ref::<HttpError>()
                .is_some_and(|http| http.kind() != HttpErrorKind::Unknown);
            next = inner.source();
        }
        // Of an answer that stayed the same through all retries, the status is in the text alone.
        let text = error.to_string();
        let busy = ["status code: 5", "status code: 429", "SlowDown", "InternalError"];
        if transport || busy.iter().any(|busy| text.contains(busy)) {
            return Self::Unreachable;
        }
        if text.contains("Received redirect") || text.contains("status code: 30") {
            return Self::Region;
        }
        Self::Other
    }
}

/// Whether the credentials that signed the request have expired by what S3 says.
pub(super) fn is_expired(error: &object_store::Error) -> bool {
    Cause::of(error) == Cause::Expired
}

/// Whether it is not known what became of a request, as its answer was lost. The client sends such a
/// request again by itself only if that can do no harm.
pub(super) fn is_lost(error: &object_store::Error) -> bool {
    let mut next = Some(error as &(dyn StdError + 'static));
    while let Some(inner) = next {
        let http = inner.downcast_ref::<HttpError>().map(HttpError::kind);
        if matches!(http, Some(HttpErrorKind::Timeout | HttpErrorKind::Interrupted)) {
            return true;
        }
        next = inner.source();
    }
    false
}

/// The kind of an error of S3 of which a reader kept the text alone; `None` for text of anything else.
pub(crate) fn kind_of_text(text: &str) -> Option<ErrorKind> {
    let (_, text) = text.split_once("Generic S3 error: ")?;
    let denied = [
        "status 401",
        "status 403",
        "says AccessDenied",
        "says ExpiredToken",
        "says KMS.",
        "no AWS",
    ];
    let kind = match denied.iter().any(|denied| text.contains(denied)) {
        true => ErrorKind::PermissionDenied,
        false if text.contains("HTTP error: S3 ") => ErrorKind::Storage,
        false => ErrorKind::Unavailable,
    };
    Some(kind)
}

/// The kind of an error of S3.
pub(crate) fn kind_of(error: &object_store::Error) -> ErrorKind {
    match Cause::of(error) {
        Cause::Missing => ErrorKind::NotFound,
        Cause::Exists => ErrorKind::AlreadyExists,
        Cause::Denied | Cause::Expired | Cause::NoCredentials | Cause::Clock => {
            ErrorKind::PermissionDenied
        }
        Cause::Region => ErrorKind::InvalidInput,
        Cause::Unencrypted => ErrorKind::Unsupported,
        Cause::ReadOnly => ErrorKind::InvalidInput,
        Cause::Unreachable => ErrorKind::Unavailable,
        Cause::Other => ErrorKind::Storage,
    }
}

/// An error of S3 as ours: what was being done, where, and what to do next.
pub(crate) fn failed(
    error: object_store::Error,
    doing: &str,
    location: impl fmt::Display,
) -> Error {
    let cause = Cause::of(&error);
    let advice = match cause {
        Cause::Denied => {
            "; check the s3 rights of this role, the bucket's policy, and kms:GenerateDataKey and \
             kms:Decrypt on the key"
        }
        Cause::Expired => "; the AWS credentials have expired: sign in again, then run this again",
        Cause::NoCredentials => {
            "; give AWS credentials by environment, profile (AWS_PROFILE) or role"
        }
        Cause::Region => "; the bucket is in another region: name it with --s3-region",
        Cause::Clock => "; this machine's clock is wrong: set it",
        Cause::Unreachable => "; S3 does not answer or is busy: run this again later",
        Cause::Missing | Cause::Exists | Cause::Unencrypted | Cause::ReadOnly | Cause::Other => "",
    };
    let ours = Error::new(kind_of(&error), format!("cannot {doing}{advice}"))
        .with_context("path", location)
        .with_source(error);
    match cause {
        // The chain, or the service behind it, may answer the next time; none of these is one file's fault.
        Cause::Expired | Cause::NoCredentials | Cause::Clock => ours.with_retry(Retry::Again),
        _ => ours,
    }
}

/// An error of reading an object that was opened before: it was replaced since, or what S3 says.
pub(crate) fn unchanged(error: object_store::Error, object: &Object) -> Error {
    if !matches!(error, object_store::Error::Precondition { .. }) {
        return failed(error, "read a file", object.location());
    }
    let message = "the file changed while it was read; run this again once it is complete";
    Error::new(ErrorKind::InvalidData, message).with_context("file", object.location())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> object_store::Error {
        let body = format!(
            "<Error><Code>{code}</Code><Message>no</Message><AWSAccessKeyId>AKIAX</AWSAccessKeyId></Error>"
        );
        let refusal = Refusal::read(status, &body);
        let http = HttpError::new(HttpErrorKind::Unknown, refusal);
        object_store::Error::Generic { store: "S3", source: Box::new(http) }
    }

    #[test]
    fn what_s3_says_decides_the_kind() {
        for (status, code, kind) in [
            (403, "AccessDenied", ErrorKind::PermissionDenied),
            (403, "SignatureDoesNotMatch", ErrorKind::PermissionDenied),
            (400, "KMS.DisabledException", ErrorKind::PermissionDenied),
            (400, "ExpiredToken", ErrorKind::PermissionDenied),
            (403, "RequestTimeTooSkewed", ErrorKind::PermissionDenied),
            (400, "AuthorizationHeaderMalformed", ErrorKind::InvalidInput),
            (400, "InvalidArgument", ErrorKind::Storage),
        ] {
            let error = failed(refused(status, code), "write a file", "s3://b/k");
            assert_eq!(error.kind(), kind, "{code}");
            assert!(error.to_string().contains(&format!("S3 says {code}: no")), "{error}");
            assert!(!error.to_string().contains("AKIAX"), "{error}");
        }
        assert_eq!(failed(refused(400, "ExpiredToken"), "x", "y").retry(), Retry::Again);
        assert!(is_expired(&refused(400, "ExpiredToken")));
        assert!(!is_expired(&refused(403, "AccessDenied")));
    }

    #[test]
    fn a_text_tells_less_and_still_whether_to_try_again() {
        for (error, kind) in [
            (refused(403, "AccessDenied"), ErrorKind::PermissionDenied),
            (refused(400, "InvalidArgument"), ErrorKind::Storage),
            (lost(HttpErrorKind::Request), ErrorKind::Unavailable),
        ] {
            assert_eq!(kind_of_text(&format!("Parquet error: {error}")), Some(kind), "{error}");
        }
        assert_eq!(kind_of_text("Parquet error: EOF"), None);
    }

    fn lost(kind: HttpErrorKind) -> object_store::Error {
        let http = HttpError::new(kind, std::io::Error::other("gone"));
        object_store::Error::Generic { store: "S3", source: Box::new(http) }
    }

    #[test]
    fn what_may_pass_is_told_to_be_tried_again() {
        let busy = ["status code: 503 Service Unavailable", "status code: 429 Too Many Requests"];
        for text in busy {
            let source = format!("Server returned non-2xx {text}: ").into();
            let error = object_store::Error::Generic { store: "S3", source };
            assert_eq!(failed(error, "x", "y").retry(), Retry::Again, "{text}");
        }
        for kind in [HttpErrorKind::Connect, HttpErrorKind::Timeout, HttpErrorKind::Interrupted] {
            assert_eq!(failed(lost(kind), "x", "y").kind(), ErrorKind::Unavailable, "{kind:?}");
        }
        assert!(is_lost(&lost(HttpErrorKind::Timeout)));
        // The client sends it again by itself.
        assert!(!is_lost(&lost(HttpErrorKind::Connect)));
    }

    #[test]
    fn no_credentials_is_no_permission() {
        let none = NoCredentials("the chain is empty".into());
        let error = object_store::Error::Generic { store: "S3", source: Box::new(none) };
        let error = failed(error, "read a file", "s3://b/k");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("AWS_PROFILE"), "{error}");
    }
}
