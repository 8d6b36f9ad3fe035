//! What a service answers when it cannot do what it was asked: an error that its model names.

use axum::http::StatusCode;
use northstar_catalog::glue::actions::read_input;
use northstar_iceberg::{Error, ErrorKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An error of a service's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The name that clients match on, such as `EntityNotFoundException`.
    pub(crate) code: &'static str,
    /// The status of the reply.
    pub(crate) status: StatusCode,
    /// For people; never a value of a record.
    pub(crate) message: String,
}

impl Fault {
    /// An error with a name and a status.
    pub(crate) fn new(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into() }
    }

    /// An error that the caller made, with status 400.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, StatusCode::BAD_REQUEST, message)
    }

    /// An error of this engine as Glue names it.
    pub(crate) fn glue(error: &Error) -> Self {
        let (code, status) = match error.kind() {
            ErrorKind::NotFound => ("EntityNotFoundException", StatusCode::BAD_REQUEST),
            ErrorKind::AlreadyExists => ("AlreadyExistsException", StatusCode::BAD_REQUEST),
            ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::Unsupported => {
                ("InvalidInputException", StatusCode::BAD_REQUEST)
            }
            ErrorKind::PermissionDenied => ("AccessDeniedException", StatusCode::BAD_REQUEST),
            ErrorKind::Conflict => ("ConcurrentModificationException", StatusCode::BAD_REQUEST),
            // Nothing was changed, and another try may do it.
            ErrorKind::Unavailable => ("OperationTimeoutException", StatusCode::BAD_REQUEST),
            // Clients read again after a 5xx, as is due where it is not known what was changed.
            _ => ("InternalServiceException", StatusCode::INTERNAL_SERVER_ERROR),
        };
        Self::new(code, status, error.to_string())
    }
}

/// The typed input of an action.
///
/// # Errors
/// A [`Fault`] named `code` that says which member does not fit; never the value itself.
pub(crate) fn input<T: DeserializeOwned>(value: Value, code: &'static str) -> Result<T, Fault> {
    read_input(value).map_err(|error| Fault::refused(code, error.message()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        #[expect(dead_code, reason = "only whether it can be read matters")]
        name: u32,
    }

    #[test]
    fn a_bad_member_is_named_and_its_value_is_not() {
        let fault = input::<Named>(json!({"Name": "Jane Doe"}), "X").unwrap_err();
        assert_eq!((fault.code, fault.status), ("X", StatusCode::BAD_REQUEST));
        assert!(!fault.message.contains("Jane"), "{}", fault.message);
        let missing = input::<Named>(json!({}), "X").unwrap_err();
        assert!(missing.message.contains("Name"), "{}", missing.message);
    }

    #[test]
    fn each_kind_has_its_name_in_glue() {
        let code = |kind| Fault::glue(&Error::new(kind, "x")).code;
        assert_eq!(code(ErrorKind::NotFound), "EntityNotFoundException");
        assert_eq!(code(ErrorKind::Conflict), "ConcurrentModificationException");
        assert_eq!(code(ErrorKind::CommitUnknown), "InternalServiceException");
        assert_eq!(code(ErrorKind::Unavailable), "OperationTimeoutException");
    }
}
