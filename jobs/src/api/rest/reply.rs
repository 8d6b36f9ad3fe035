//! Replies, and errors as the protocol names them.

use axum::http::StatusCode;
use northstar_iceberg::{Error, ErrorKind};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::fault::Fault;

/// What the server answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its body in JSON, if it has one.
    pub(crate) body: Option<Value>,
}

/// A reply, or an error that becomes one.
pub(super) type Answer = Result<Reply, Fault>;

impl Reply {
    /// A reply with a body.
    pub(super) fn of(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body) }
    }

    /// It is done, and there is nothing to say.
    pub(super) fn done() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None }
    }

    /// The error's name, if it is one.
    pub(crate) fn error(&self) -> Option<&str> {
        self.body.as_ref()?.get("error")?.get("type")?.as_str()
    }

    /// The same without its body.
    pub(super) fn without_body(self) -> Self {
        Self { body: None, ..self }
    }
}

impl From<Fault> for Reply {
    /// The protocol's error model.
    fn from(fault: Fault) -> Self {
        let error = json!({
            "message": fault.message, "type": fault.code, "code": fault.status.as_u16(),
        });
        Self { status: fault.status, body: Some(json!({ "error": error })) }
    }
}

/// What a call is about: an error of one kind has other names for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Namespace,
    Table,
    /// A table that is to be in a namespace: what is missing is the namespace.
    NewTable,
    /// After a commit, clients read a 5xx as: it may have taken effect.
    Commit {
        /// Whether it makes a table: what is missing is its namespace then.
        creates: bool,
    },
}

impl About {
    /// An error of this engine as the protocol names it.
    pub(super) fn fault(self, error: &Error) -> Fault {
        let (code, status) = self.named(error);
        // Context and causes may name paths and values, and are not for clients.
        Fault::new(code, status, error.message())
    }

    fn named(self, error: &Error) -> (&'static str, StatusCode) {
        // Nothing was changed, and another try may do it.
        let later = ("ServiceUnavailableException", StatusCode::SERVICE_UNAVAILABLE);
        match error.kind() {
            ErrorKind::NotFound => (self.missing(), StatusCode::NOT_FOUND),
            ErrorKind::AlreadyExists => ("AlreadyExistsException", StatusCode::CONFLICT),
            ErrorKind::Conflict => ("CommitFailedException", StatusCode::CONFLICT),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                ("BadRequestException", StatusCode::BAD_REQUEST)
            }
            ErrorKind::Unsupported => ("UnsupportedOperationException", StatusCode::BAD_REQUEST),
            ErrorKind::CommitUnknown => {
                ("CommitStateUnknownException", StatusCode::INTERNAL_SERVER_ERROR)
            }
            ErrorKind::Unavailable => later,
            ErrorKind::PermissionDenied | ErrorKind::StorageFull | ErrorKind::Storage
                if matches!(self, Self::Commit { .. }) =>
            {
                later
            }
            _ => ("InternalServerError", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn missing(self) -> &'static str {
        match self {
            Self::Namespace | Self::NewTable | Self::Commit { creates: true } => {
                "NoSuchNamespaceException"
            }
            // Of a table in a namespace that is not there, too: clients go on to look for others.
            Self::Table | Self::Commit { creates: false } => "NoSuchTableException",
        }
    }
}

/// An error that the client made.
pub(super) fn bad_request(message: impl Into<String>) -> Fault {
    Fault::refused("BadRequestException", message)
}

/// Something as JSON.
pub(super) fn value(of: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(of).map_err(|_| {
        let text = "an answer cannot be written as JSON";
        Fault::new("InternalServerError", StatusCode::INTERNAL_SERVER_ERROR, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_name_in_the_protocol() {
        let named = |about: About, kind| {
            let fault = about.fault(&Error::new(kind, "x"));
            (fault.status.as_u16(), fault.code)
        };
        let (commit, create) = (About::Commit { creates: false }, About::Commit { creates: true });
        for (about, kind, status, code) in [
            (About::Namespace, ErrorKind::NotFound, 404, "NoSuchNamespaceException"),
            (About::NewTable, ErrorKind::NotFound, 404, "NoSuchNamespaceException"),
            (About::Table, ErrorKind::NotFound, 404, "NoSuchTableException"),
            (commit, ErrorKind::NotFound, 404, "NoSuchTableException"),
            (create, ErrorKind::NotFound, 404, "NoSuchNamespaceException"),
            (About::Table, ErrorKind::AlreadyExists, 409, "AlreadyExistsException"),
            (commit, ErrorKind::Conflict, 409, "CommitFailedException"),
            (commit, ErrorKind::CommitUnknown, 500, "CommitStateUnknownException"),
            (commit, ErrorKind::InvalidInput, 400, "BadRequestException"),
            (commit, ErrorKind::Unsupported, 400, "UnsupportedOperationException"),
            (commit, ErrorKind::Unavailable, 503, "ServiceUnavailableException"),
            (commit, ErrorKind::StorageFull, 503, "ServiceUnavailableException"),
            (About::Table, ErrorKind::Damaged, 500, "InternalServerError"),
        ] {
            assert_eq!(named(about, kind), (status, code), "{about:?} {kind:?}");
        }
    }

    #[test]
    fn an_error_shows_neither_paths_nor_causes() {
        let error = Error::new(ErrorKind::Damaged, "a file is broken")
            .with_context("file", "/w/name=Jane/x.parquet")
            .with_source(std::io::Error::other("Jane"));
        let reply = Reply::from(About::Table.fault(&error));
        let error = json!({
            "message": "a file is broken", "type": "InternalServerError", "code": 500,
        });
        assert_eq!(reply.body, Some(json!({ "error": error })));
    }
}
