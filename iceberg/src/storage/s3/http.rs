//! Each request as it is sent: counted, and its refusal understood.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    SpawnedReqwestConnector,
};
use prost::bytes::Bytes;
use tokio::runtime::Handle;

use super::counters::{Counters, Kind};
use super::error::Refusal;

/// Connects on the runtime for requests, and counts.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) runtime: Handle,
    pub(super) counters: Arc<Counters>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = SpawnedReqwestConnector::new(self.runtime.clone()).connect(options)?;
        Ok(HttpClient::new(Counted { inner, counters: Arc::clone(&self.counters) }))
    }
}

#[derive(Debug)]
struct Counted {
    inner: HttpClient,
    counters: Arc<Counters>,
}

#[async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let copies = request.headers().contains_key("x-amz-copy-source");
        let kind = Kind::of(request.method().as_str(), request.uri().query(), copies);
        let bytes = u64::try_from(request.body().content_length()).unwrap_or(0);
        self.counters.sent(kind, bytes);
        let response = match self.inner.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                self.counters.failed();
                return Err(error);
            }
        };
        let status = response.status().as_u16();
        if status >= 500 || status == 429 {
            self.counters.failed();
        }
        if status < 400 {
            if kind == Kind::Get {
                let length = response.headers().get("content-length");
                let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
                self.counters.read(length.unwrap_or(0));
            }
            return Ok(response);
        }
        refused(kind, status, response).await
    }
}

/// An answer that is not success, with nothing in its body but S3's code and text: signatures and
/// names of keys of access may stand there, too.
async fn refused(
    kind: Kind,
    status: u16,
    response: HttpResponse,
) -> Result<HttpResponse, HttpError> {
    let (parts, body) = response.into_parts();
    // An answer to HEAD has no body.
    let text = if kind == Kind::Head { Bytes::new() } else { body.bytes().await? };
    let refusal = Refusal::read(status, &String::from_utf8_lossy(&text));
    if refusal.code == "RequestTimeout" {
        return Err(HttpError::new(HttpErrorKind::Interrupted, refusal));
    }
    if matches!(status, 400 | 401 | 403) {
        return Err(HttpError::new(HttpErrorKind::Unknown, refusal));
    }
    Ok(HttpResponse::from_parts(parts, refusal.to_string().into()))
}
