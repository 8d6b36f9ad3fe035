//! The server: what it is made of, where it listens, and how it ends.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use northstar_catalog::glue::actions::GlueService;
use northstar_catalog::sqlite::SqliteCatalog;
use northstar_iceberg::{Error, ErrorKind, Lake, Result};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::auth::Policy;
use super::metrics::Metrics;
use super::request_log::RequestLog;
use super::router;
use crate::runs::Runs;

/// How long requests that are under way may take once the server is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(30);

/// What answers are made from.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) policy: Policy,
    pub(crate) lake: Lake,
    /// The lake's.
    pub(crate) catalog: Arc<SqliteCatalog>,
    pub(crate) glue: GlueService,
    pub(crate) runs: Arc<Runs>,
    pub(crate) log: RequestLog,
    pub(crate) metrics: Metrics,
}

/// Whom a server is, in AWS's terms.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Twelve digits.
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Api {
    /// A server's state over a lake whose catalog is `catalog`.
    ///
    /// # Errors
    /// As [`GlueService::new`].
    pub(crate) async fn new(
        lake: Lake,
        catalog: &Arc<SqliteCatalog>,
        identity: &Identity,
        runs: Arc<Runs>,
        policy: Policy,
        log: RequestLog,
    ) -> Result<Self> {
        let glue = GlueService::new(
            Arc::clone(catalog),
            lake.file_io(),
            &lake.warehouse,
            &identity.account,
            &identity.region,
        )
        .await?;
        let metrics = Metrics::new(lake.clock.now_ms());
        let catalog = Arc::clone(catalog);
        Ok(Self { policy, lake, catalog, glue, runs, log, metrics })
    }
}

/// Listens at an address; port 0 takes a free one.
///
/// # Errors
/// `PermissionDenied`, `AlreadyExists` and the like, as the system says, with the address.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| Error::io(error, "listen; is the port taken?", address))
}

/// Answers requests until `stop` is done; those under way are given time to end.
///
/// # Errors
/// `Storage` if the listener fails.
pub(crate) async fn serve(
    api: Arc<Api>,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let failed = |error| Error::io(error, "serve", "the listener");
    let app = Router::new().fallback(router::answer).with_state(api);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let ending = handle.clone();
    let served = async {
        match tls {
            None => {
                let mut server = axum_server::from_tcp(listener)?.handle(handle);
                limit(server.http_builder());
                server.serve(app).await
            }
            Some(tls) => {
                let mut server = axum_server::from_tcp_rustls(listener, tls)?.handle(handle);
                limit(server.http_builder());
                server.serve(app).await
            }
        }
    };
    let stopped = async {
        stop.await;
        ending.graceful_shutdown(Some(GRACE));
    };
    let (served, ()) = tokio::join!(served, stopped);
    served.map_err(failed)
}

fn limit(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEAD);
}

/// TLS with a certificate chain and its key, in PEM files.
///
/// # Errors
/// `NotFound`, `PermissionDenied`; `InvalidInput` for files that are no certificate and key, or that do
/// not belong together.
pub(crate) fn tls(certificate: &Path, key: &Path) -> Result<RustlsConfig> {
    let bad = |what: &str, path: &Path| {
        Error::new(ErrorKind::InvalidInput, format!("this is no {what} in PEM"))
            .with_context("path", path.display())
    };
    for path in [certificate, key] {
        std::fs::metadata(path).map_err(|error| Error::io(error, "read", path.display()))?;
    }
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| bad("certificate", certificate))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|_| bad("private key", key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(ServerConfigBuilder::with_no_client_auth)
        .and_then(|builder| builder.with_single_cert(chain, secret));
    let mut config = config.map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "the certificate and the key do not make a server")
            .with_context("path", certificate.display())
            .with_source(error)
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

type ServerConfigBuilder = rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>;
