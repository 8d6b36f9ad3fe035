//! What a failed call to Glue means: its kind, what to do, and whether it may have taken effect.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_glue::config::http::HttpResponse;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::operation::RequestId;

use crate::{Error, ErrorKind, Retry};

/// The longest text of the service that an error repeats.
const MOST_TEXT_CHARS: usize = 400;

/// Stands for a code where the client could not make or sign the request.
const NOT_SENT: &str = "not sent";

/// What a failed attempt means for what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The database or table is not there.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// The table's `VersionId` is another one by now.
    Overtaken,
    /// The service turned the request away before it did anything; it may be sent again.
    Throttled,
    /// The service refuses the request.
    Refused,
    /// The request may have taken effect, or may yet do so.
    Open,
}

/// A failed attempt of a call.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) meaning: Meaning,
    /// The service's name for it, or the client's.
    code: String,
    text: Option<String>,
    request_id: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What was called, on what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The action's name in IAM, without `glue:`.
    pub(super) action: &'static str,
    /// A table or a database; nothing for the whole catalog.
    pub(super) on: &'a str,
    pub(super) region: &'a str,
}

impl Failure {
    /// What the error of an attempt means.
    pub(super) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let request_id = error.request_id().map(str::to_owned);
        let (meaning, code) = match &error {
            SdkError::ConstructionFailure(_) => (Meaning::Refused, NOT_SENT.to_owned()),
            SdkError::TimeoutError(_) => (Meaning::Open, "no answer in time".to_owned()),
            // Credentials are looked for before anything is sent.
            SdkError::DispatchFailure(_) if lacks_credentials(&error) => {
                (Meaning::Refused, NOT_SENT.to_owned())
            }
            SdkError::DispatchFailure(_) => (Meaning::Open, "no answer".to_owned()),
            SdkError::ServiceError(refused) => {
                let code = refused.err().code().unwrap_or_default().to_owned();
                (meaning(&code, status.unwrap_or_default()), code)
            }
            _ => (Meaning::Open, "an answer that cannot be read".to_owned()),
        };
        let code = if code.is_empty() {
            format!("HTTP status {}", status.unwrap_or_default())
        } else {
            code
        };
        let text = error.message().filter(|_| !is_about_credentials(&code)).map(cut);
        // The source of a refusal repeats its text; that of a lost call says what was lost.
        let source = match error {
            SdkError::ServiceError(_) => None,
            other => other.into_source().ok(),
        };
        Self { meaning, code, text, request_id, source }
    }

    /// The error for the caller, if `meaning` is not something else to it.
    pub(super) fn into_error(self, call: Call<'_>) -> Error {
        let action = format!("glue:{}", call.action);
        let (kind, what) = self.said(&action);
        let mut error = Error::new(kind, what).with_context("region", call.region);
        if !call.on.is_empty() {
            error = error.with_context("on", call.on);
        }
        if let Some(id) = &self.request_id {
            error = error.with_context("request", id);
        }
        if let Some(text) = self.text {
            error = error.with_context("Glue says", text);
        }
        error = error.with_retry(match self.meaning {
            Meaning::Throttled | Meaning::Open => Retry::Again,
            Meaning::Overtaken => Retry::Refresh,
            _ => Retry::Never,
        });
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }

    /// The kind of an error, and what is wrong and to be done about it.
    fn said(&self, action: &str) -> (ErrorKind, String) {
        let code = self.code.as_str();
        match self.meaning {
            Meaning::NotFound => {
                return (ErrorKind::NotFound, format!("{action}: Glue does not find it ({code})"));
            }
            Meaning::AlreadyExists => {
                return (
                    ErrorKind::AlreadyExists,
                    format!("{action}: it is there already ({code})"),
                );
            }
            Meaning::Overtaken => {
                return (
                    ErrorKind::Conflict,
                    format!("{action}: another writer changed the table ({code}); try again"),
                );
            }
            Meaning::Throttled => {
                return (
                    ErrorKind::Unavailable,
                    format!(
                        "{action}: Glue takes no more calls for now ({code}); try again later, or ask \
                         AWS for a higher rate of this action"
                    ),
                );
            }
            Meaning::Open => {
                return (
                    ErrorKind::Unavailable,
                    format!(
                        "{action}: Glue does not answer as it should ({code}); look whether its \
                         endpoint can be reached, and try again"
                    ),
                );
            }
            Meaning::Refused => {}
        }
        refusal(code, action)
    }
}

fn refusal(code: &str, action: &str) -> (ErrorKind, String) {
    match code {
        "AccessDeniedException" | "AccessDenied" => (
            ErrorKind::PermissionDenied,
            format!(
                "these credentials may not call {action}; allow the action on the catalog, the database \
                 and the table in the role's policy and, where Lake Formation governs the catalog, \
                 grant the role the permission there too"
            ),
        ),
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => (
            ErrorKind::PermissionDenied,
            format!("{action}: the credentials have expired ({code}); renew them and try again"),
        ),
        _ if is_about_credentials(code) => (
            ErrorKind::PermissionDenied,
            format!(
                "{action}: AWS does not accept the credentials ({code}); check which ones the \
                 environment, the profile or the role gives, and the machine's clock"
            ),
        ),
        "GlueEncryptionException" => (
            ErrorKind::PermissionDenied,
            format!(
                "{action}: Glue cannot use the KMS key of the catalog ({code}); allow the role to use \
                 that key"
            ),
        ),
        "ResourceNumberLimitExceededException" => (
            ErrorKind::Unavailable,
            format!(
                "{action}: a limit of the account is reached ({code}); remove old table versions or \
                 tables, or ask AWS for a higher limit"
            ),
        ),
        "InvalidInputException" | "ValidationException" | "SerializationException" => {
            (ErrorKind::InvalidInput, format!("{action}: Glue does not take the request ({code})"))
        }
        "UnknownOperationException" | "InvalidAction" | "NotImplemented" => (
            ErrorKind::Unsupported,
            format!("{action}: the endpoint does not know this action ({code}); is it a Glue?"),
        ),
        NOT_SENT => (
            ErrorKind::PermissionDenied,
            format!(
                "{action} could not be sent; check that the environment, the profile or the role gives \
                 credentials"
            ),
        ),
        _ => (ErrorKind::Storage, format!("{action} failed ({code})")),
    }
}

/// Sources: the errors of each action in Glue's service model; "Common error types" of AWS.
fn meaning(code: &str, status: u16) -> Meaning {
    match code {
        "EntityNotFoundException" => Meaning::NotFound,
        "AlreadyExistsException" => Meaning::AlreadyExists,
        "ConcurrentModificationException" => Meaning::Overtaken,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "ResourceNotReadyException"
        | "SlowDown" => Meaning::Throttled,
        // These come after the service began, or from a catalog behind it.
        "InternalServiceException"
        | "OperationTimeoutException"
        | "FederationSourceException"
        | "FederationSourceRetryableException" => Meaning::Open,
        _ if status == 429 => Meaning::Throttled,
        // 408 and what is no answer of a service to a request.
        _ if status == 408 || !(400..500).contains(&status) => Meaning::Open,
        _ => Meaning::Refused,
    }
}

/// Whether a code is about who calls. The text of some shows parts of the signed request.
fn is_about_credentials(code: &str) -> bool {
    matches!(
        code,
        "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "OptInRequired"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
    )
}

/// Whether a call failed because there are no credentials to sign it with.
fn lacks_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_meaning() {
        for (code, status, expected) in [
            ("EntityNotFoundException", 400, Meaning::NotFound),
            ("AlreadyExistsException", 400, Meaning::AlreadyExists),
            ("ConcurrentModificationException", 400, Meaning::Overtaken),
            ("ThrottlingException", 400, Meaning::Throttled),
            ("RequestLimitExceeded", 503, Meaning::Throttled),
            ("", 429, Meaning::Throttled),
            ("InternalServiceException", 500, Meaning::Open),
            ("OperationTimeoutException", 400, Meaning::Open),
            ("", 503, Meaning::Open),
            ("", 302, Meaning::Open),
            ("", 408, Meaning::Open),
            ("AccessDeniedException", 400, Meaning::Refused),
            ("SomethingNew", 400, Meaning::Refused),
        ] {
            assert_eq!(meaning(code, status), expected, "{code} {status}");
        }
    }

    #[test]
    fn each_refusal_has_its_kind_and_names_the_action() {
        for (code, kind) in [
            ("AccessDeniedException", ErrorKind::PermissionDenied),
            ("ExpiredTokenException", ErrorKind::PermissionDenied),
            ("UnrecognizedClientException", ErrorKind::PermissionDenied),
            ("GlueEncryptionException", ErrorKind::PermissionDenied),
            ("ResourceNumberLimitExceededException", ErrorKind::Unavailable),
            ("InvalidInputException", ErrorKind::InvalidInput),
            ("UnknownOperationException", ErrorKind::Unsupported),
            ("SomethingNew", ErrorKind::Storage),
        ] {
            let (found, what) = refusal(code, "glue:UpdateTable");
            assert_eq!(found, kind, "{code}");
            assert!(what.contains("glue:UpdateTable"), "{what}");
        }
    }
}
