//! The handle through which runs are started, seen and stopped.

use std::sync::{Arc, Mutex, PoisonError};

use northstar_iceberg::{Error, ErrorKind, Result};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::config::RunsConfig;
use super::process::Starter;
use super::store::{Store, broken};

/// The runs of a server.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(super) config: RunsConfig,
    store: Arc<Store>,
    changes: watch::Sender<u64>,
    starter: Mutex<Option<Arc<Starter>>>,
}

impl Runs {
    /// Opens the runs of a folder, and makes their store if it is not there.
    ///
    /// # Errors
    /// `Unavailable` if another server has the folder; `Damaged`; storage errors.
    pub(crate) fn open(config: RunsConfig) -> Result<Arc<Self>> {
        let store = Arc::new(Store::open(&config.folder)?);
        let (changes, _) = watch::channel(0);
        Ok(Arc::new(Self { config, store, changes, starter: Mutex::default() }))
    }

    /// How the runs were opened.
    pub(crate) fn config(&self) -> &RunsConfig {
        &self.config
    }

    /// The time.
    pub(crate) fn now_ms(&self) -> i64 {
        self.config.clock.now_ms()
    }

    /// Tells of changes to any run, job or application.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Reads in one transaction, so that all is of one moment. Nobody is told of what it changes.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.look(move |tx| work(tx).map(Ok::<T, Error>)).await?
    }

    /// The same, with an inner error.
    pub(crate) async fn look<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<std::result::Result<T, E>> + Send + 'static,
    ) -> Result<std::result::Result<T, E>> {
        self.transaction(TransactionBehavior::Deferred, work).await
    }

    /// Changes something in one transaction.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.decide(move |tx| work(tx).map(Ok::<T, Error>)).await?
    }

    /// Changes something in one transaction, or refuses to by an inner error; then nothing changes.
    pub(crate) async fn decide<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<std::result::Result<T, E>> + Send + 'static,
    ) -> Result<std::result::Result<T, E>> {
        let done = self.transaction(TransactionBehavior::Immediate, work).await?;
        if done.is_ok() {
            self.changed();
        }
        Ok(done)
    }

    /// One transaction on a thread that may block; nobody is told.
    pub(super) async fn transaction<T: Send + 'static, E: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<std::result::Result<T, E>> + Send + 'static,
    ) -> Result<std::result::Result<T, E>> {
        let store = Arc::clone(&self.store);
        spawn_blocking(move || store.transaction(behavior, work)).await.unwrap_or_else(|error| {
            Err(Error::new(
                ErrorKind::CommitUnknown,
                "a change of runs was cut off and may have taken effect; read it again to see",
            )
            .with_source(error))
        })
    }

    /// How many attempts of all runs are not over.
    pub(crate) fn under_way(tx: &Connection) -> Result<i64> {
        tx.query_row("SELECT count(*) FROM attempts WHERE ended_ms IS NULL", [], |row| row.get(0))
            .map_err(broken)
    }

    /// The thread that starts processes.
    pub(super) fn starter(&self) -> Result<Arc<Starter>> {
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
        let there = match starter.take() {
            Some(there) => there,
            None => Arc::new(Starter::new()?),
        };
        Ok(Arc::clone(starter.insert(there)))
    }
}
