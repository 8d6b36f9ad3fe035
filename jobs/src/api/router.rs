//! A request from its first byte to its line in the log.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use futures::FutureExt;
use northstar_iceberg::access::Access;
use serde_json::json;

use super::answer::{Answer, Form};
use super::auth::{Asked, Caller};
use super::fault::Fault;
use super::glue::GlueRequest;
use super::request_log::{Line, name};
use super::service::{Service, is_plain, rest_path};
use super::{Api, emr_serverless, rest, tokens};

/// The longest body that is taken.
const MOST_BYTES: usize = 32 << 20;

/// What is known of a request once it is answered.
#[derive(Debug, Default)]
struct Known {
    actor: String,
    action: &'static str,
    resource: String,
    request_bytes: usize,
}

/// Answers a request, whatever it is.
pub(crate) async fn answer(
    State(api): State<Arc<Api>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let begun_ms = api.lake.clock.now_ms();
    let request_id = api.lake.ids.uuid().to_string();
    let (parts, body) = request.into_parts();
    let service = Service::of(&parts.method, parts.uri.path(), &parts.headers);
    let form = service.map_or(Form::RestJson, Service::form);
    api.metrics.begin();
    let from = from.ip().to_string();
    let known = Known::default();
    let mut asking = Asking {
        api: Arc::clone(&api),
        service,
        request_id,
        from,
        begun_ms,
        known,
        is_over: false,
    };
    let handled = handle(&api, service, &parts, body, &mut asking.known);
    let answer = match AssertUnwindSafe(handled).catch_unwind().await {
        Ok(Ok(answer)) => answer,
        Ok(Err(fault)) => Answer::fault(form, &fault),
        Err(_) => Answer::fault(form, &defect(service, &asking.request_id)),
    };
    let error = answer.error.clone();
    let line = asking.line(answer.status.as_u16(), &error, answer.body.len());
    let answer = recorded(&api, service, &line, answer);
    asking.count(answer.status.as_u16(), &answer.error);
    asking.is_over = true;
    answer.into_response(form, &asking.request_id)
}

/// The status of a request whose client hung up, as other servers log it.
const CLIENT_GONE: u16 = 499;

/// A request under way. If its client hangs up it is dropped, and may have taken effect all the same: it
/// is in the log, too.
struct Asking {
    api: Arc<Api>,
    service: Option<Service>,
    request_id: String,
    from: String,
    begun_ms: i64,
    known: Known,
    is_over: bool,
}

impl Asking {
    fn duration_ms(&self) -> i64 {
        (self.api.lake.clock.now_ms() - self.begun_ms).max(0)
    }

    fn line<'a>(&'a self, status: u16, error: &'a str, answer_bytes: usize) -> Line<'a> {
        Line {
            time_ms: self.begun_ms,
            request_id: &self.request_id,
            from: &self.from,
            actor: &self.known.actor,
            service: self.service.map_or("none", Service::name),
            action: self.known.action,
            resource: &self.known.resource,
            status,
            error,
            duration_ms: self.duration_ms(),
            request_bytes: self.known.request_bytes,
            answer_bytes,
        }
    }

    fn count(&self, status: u16, error: &str) {
        let service = self.service.map_or("none", Service::name);
        self.api.metrics.end(service, self.known.action, status, error, self.duration_ms());
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Err(error) = self.api.log.write(&self.line(CLIENT_GONE, "ClientGone", 0)) {
            tracing::error!(%error, "a request whose client hung up could not be recorded");
        }
        self.count(CLIENT_GONE, "ClientGone");
    }
}

/// The answer, once its request is in the log. Of those that only tell how the server is there are
/// too many.
fn recorded(api: &Api, service: Option<Service>, line: &Line<'_>, answer: Answer) -> Answer {
    if matches!(service, Some(Service::Health | Service::Metrics)) {
        return answer;
    }
    match api.log.write(line) {
        Ok(()) => answer,
        Err(error) => {
            tracing::error!(%error, "a request could not be recorded");
            let form = service.map_or(Form::RestJson, Service::form);
            let text = "the request could not be recorded, and is not answered; it may have taken \
                        effect";
            Answer::fault(form, &internal(service, text))
        }
    }
}

async fn handle(
    api: &Arc<Api>,
    service: Option<Service>,
    parts: &Parts,
    body: Body,
    known: &mut Known,
) -> Result<Answer, Fault> {
    let path = parts.uri.path();
    // Also of a request that nobody answers: a client that is still sending would not see why.
    let body = read(body).await?;
    known.request_bytes = body.len();
    let Some(service) = service.filter(|_| is_plain(path)) else {
        let text = "there is no such service or path here";
        return Err(Fault::new("UnknownOperationException", StatusCode::NOT_FOUND, text));
    };
    match service {
        Service::Health => {
            let text = json!({ "status": "ok" });
            return Ok(Answer::json(service.form(), StatusCode::OK, Some(&text)));
        }
        Service::Metrics => return Ok(Answer::text(METRICS, api.metrics.text())),
        _ => {}
    }
    if service == Service::Tokens {
        known.action = "CreateToken";
        return tokens::answer(api, &parts.headers, &body);
    }
    let caller = check(api, service, parts, &body)?;
    known.actor.clone_from(&caller.actor);
    match service {
        Service::Glue => {
            let request = GlueRequest::read(&parts.headers, &body)?;
            known.action = request.action;
            known.resource = request.resource();
            let value = request.answer(api, &caller).await?;
            Ok(Answer::json(service.form(), StatusCode::OK, Some(&value)))
        }
        Service::EmrServerless => {
            if let Some((operation, application)) = emr_serverless::asked(&parts.method, path) {
                known.action = operation;
                known.resource = name(&application).to_string();
            }
            let (method, query) = (&parts.method, parts.uri.query());
            let called = emr_serverless::call(&api.runs, method, path, query, &body, &caller.actor);
            let (status, value) = called.await?;
            Ok(Answer::json(service.form(), status, Some(&value)))
        }
        Service::Iceberg => {
            let path = rest_path(path).unwrap_or_default();
            (known.action, known.resource) = rest::described(&parts.method, path);
            let access = Access::new(&caller.actor, "a client of Iceberg REST");
            let access = access.map_err(|_| internal(Some(service), "nobody calls"))?;
            let (method, query) = (&parts.method, parts.uri.query());
            let (lake, catalog) = (&api.lake, &api.catalog);
            let reply = rest::call(lake, catalog, &access, method, path, query, &body).await;
            Ok(Answer::rest(&reply))
        }
        _ => {
            let text = "this service is not here";
            Err(Fault::new("UnknownOperationException", StatusCode::NOT_FOUND, text))
        }
    }
}

/// How Prometheus names its text.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn read(body: Body) -> Result<Bytes, Fault> {
    to_bytes(body, MOST_BYTES).await.map_err(|_| {
        let text = format!("the body is longer than {} MiB, or was cut off", MOST_BYTES >> 20);
        Fault::new("RequestEntityTooLargeException", StatusCode::PAYLOAD_TOO_LARGE, text)
    })
}

fn check(api: &Api, service: Service, parts: &Parts, body: &[u8]) -> Result<Caller, Fault> {
    let path_and_query = parts.uri.path_and_query().map_or("/", |text| text.as_str());
    let asked = Asked {
        method: &parts.method,
        path_and_query,
        headers: &parts.headers,
        body,
        services: service.signing_names(),
        takes_tokens: service == Service::Iceberg,
    };
    api.policy.check(&asked, api.lake.clock.now_ms())
}

/// A defect of this program: the client may try again, and the log says what happened.
fn defect(service: Option<Service>, request_id: &str) -> Fault {
    tracing::error!(request_id, "a defect: a request ended in a panic");
    internal(service, "a defect of this server; its log has the request's id")
}

fn internal(service: Option<Service>, text: &str) -> Fault {
    let code = match service {
        Some(Service::Glue) => "InternalServiceException",
        Some(Service::Iceberg | Service::Tokens) => "InternalServerError",
        _ => "InternalServerException",
    };
    Fault::new(code, StatusCode::INTERNAL_SERVER_ERROR, text)
}
