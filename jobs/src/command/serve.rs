//! `northstar serve`: the server, until it is told to end.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use futures::FutureExt;
use northstar_catalog::OpenMode;
use northstar_catalog::open::open_sqlite;
use northstar_catalog::sqlite::SqliteCatalog;
use northstar_iceberg::observer::Silent;
use northstar_iceberg::{Error, ErrorKind, Result};

use crate::api::Api;
use crate::api::auth::{Keys, Policy};
use crate::api::request_log::RequestLog;
use crate::api::server::{Identity, bind, serve, tls};
use crate::audit::Segments;
use crate::cli::{Global, Serve};
use crate::exit::Done;
use crate::printer::Printer;
use crate::runs::{Runs, RunsConfig};
use crate::signal::Told;
use crate::warehouse::Warehouse;

pub(crate) async fn run(global: &Global, asked: &Serve, printer: &Printer) -> Result<Done> {
    let policy = policy(asked)?;
    let tls = match (&asked.tls_certificate, &asked.tls_key) {
        (Some(certificate), Some(key)) => Some(tls(certificate, key)?),
        _ => None,
    };
    if tls.is_none() && !asked.listen.ip().is_loopback() {
        let text = "without TLS the server listens on loopback only; give --tls-certificate and \
                    --tls-key, or listen on 127.0.0.1";
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let warehouse = Warehouse::create(global, Arc::new(Silent)).await?;
    let catalog = Arc::new(embedded(warehouse.lake.catalog.url()).await?);
    let mut lake = warehouse.lake.clone();
    lake.catalog = Arc::clone(&catalog) as _;
    let log = RequestLog::new(warehouse.folder.join("requests.jsonl"));
    let identity = Identity { account: asked.account.clone(), region: asked.region.clone() };
    let runs = Runs::open(runs_config(&warehouse, global, asked)?)?;
    let supervised = Arc::clone(&runs);
    let segments = warehouse.audit.clone().map(|bucket| Segments {
        folder: warehouse.folder.clone(),
        bucket,
        ids: Arc::clone(&warehouse.lake.ids),
    });
    let api = Arc::new(Api::new(lake, &catalog, &identity, runs, policy, log).await?);
    let listener = bind(asked.listen)?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::io(error, "find the address", asked.listen))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    printer.say(format!("listening on {scheme}://{address}"));
    let mut told = Told::listen()?;
    let end = async move { told.ending().await }.boxed().shared();
    let recorded = async {
        if let Some(segments) = &segments {
            segments.keep(&api, end.clone()).await;
        }
    };
    let (served, (), ()) = tokio::join!(
        serve(Arc::clone(&api), listener, tls, end.clone()),
        supervised.supervise(end.clone()),
        recorded
    );
    if let Some(segments) = &segments {
        segments.move_and_tell(&api).await;
    }
    served.map(|()| Done::Well)
}

/// The catalog that the server is over: the embedded one, which alone numbers versions for Glue clients.
async fn embedded(url: &str) -> Result<SqliteCatalog> {
    if url.starts_with("sqlite:") {
        return open_sqlite(url, OpenMode::Existing).await;
    }
    let text = "the server is over the embedded catalog: give --catalog sqlite:///PATH, or none; \
                clients of another catalog speak to it directly";
    Err(Error::new(ErrorKind::InvalidInput, text).with_context("catalog", url))
}

/// Where job runs are kept, and how they are run: by this program, on this warehouse.
fn runs_config(warehouse: &Warehouse, global: &Global, asked: &Serve) -> Result<RunsConfig> {
    let folder = warehouse.folder.join(".serve");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| Error::io(error, "make the folder of job runs", folder.display()))?;
    let program = std::env::current_exe()
        .map_err(|error| Error::io(error, "find this program", "/proc/self/exe"))?;
    Ok(RunsConfig {
        folder,
        program,
        warehouse_arguments: warehouse.arguments(global),
        most_at_once: asked.runs,
        run_memory_bytes: asked.run_memory,
        clock: Arc::clone(&warehouse.lake.clock),
        ids: Arc::clone(&warehouse.lake.ids),
        account: asked.account.clone(),
        region: asked.region.clone(),
    })
}

fn policy(asked: &Serve) -> Result<Policy> {
    match &asked.keys {
        Some(file) => Ok(Policy::Keys { keys: Keys::read(file)?, region: asked.region.clone() }),
        None if !asked.anonymous => {
            let text = "say who may ask: --keys FILE, or --anonymous for programs on this machine";
            Err(Error::new(ErrorKind::InvalidInput, text))
        }
        None if asked.listen.ip().is_loopback() => Ok(Policy::Anonymous),
        None => {
            let text = "--anonymous is for loopback only; give --keys FILE, or listen on 127.0.0.1";
            Err(Error::new(ErrorKind::InvalidInput, text))
        }
    }
}
