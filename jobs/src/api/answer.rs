//! An answer on its way out: in the form of its protocol, with a request id.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::fault::Fault;
use super::rest::Reply;

/// How a service writes its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// AWS JSON 1.1: the error's name in the body, as `__type`.
    Json11,
    /// REST with JSON: the error's name in a header.
    RestJson,
    /// Iceberg REST: an error is an object with its name, status and text.
    Iceberg,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// The error's name, if it is one.
    pub(crate) error: String,
}

impl Answer {
    /// JSON, or nothing.
    pub(crate) fn json(form: Form, status: StatusCode, value: Option<&Value>) -> Self {
        let body = value.map(Value::to_string).unwrap_or_default().into_bytes();
        Self { status, content_type: form.content_type(), body, error: String::new() }
    }

    /// A reply of Iceberg REST.
    pub(crate) fn rest(reply: &Reply) -> Self {
        let mut answer = Self::json(Form::Iceberg, reply.status, reply.body.as_ref());
        answer.error = reply.error().unwrap_or_default().to_string();
        answer
    }

    /// Text for people and for Prometheus.
    pub(crate) fn text(content_type: &'static str, text: String) -> Self {
        let body = text.into_bytes();
        Self { status: StatusCode::OK, content_type, body, error: String::new() }
    }

    /// An error.
    pub(crate) fn fault(form: Form, fault: &Fault) -> Self {
        let value = match form {
            // Glue's errors have `Message`; what all services share has `message`.
            Form::Json11 => json!({
                "__type": fault.code, "Message": fault.message, "message": fault.message,
            }),
            Form::RestJson => json!({ "message": fault.message }),
            Form::Iceberg => json!({ "error": {
                "message": fault.message, "type": fault.code, "code": fault.status.as_u16(),
            }}),
        };
        let mut answer = Self::json(form, fault.status, Some(&value));
        answer.error = fault.code.to_string();
        answer
    }

    /// As it is sent.
    pub(crate) fn into_response(self, form: Form, request_id: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
        }
        if form == Form::RestJson
            && !self.error.is_empty()
            && let Ok(name) = HeaderValue::from_str(&self.error)
        {
            headers.insert(HeaderName::from_static("x-amzn-errortype"), name);
        }
        response
    }
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json11 => "application/x-amz-json-1.1",
            Self::RestJson | Self::Iceberg => "application/json",
        }
    }
}
