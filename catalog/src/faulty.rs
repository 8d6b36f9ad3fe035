//! A catalog that loses replies, goes stale or stalls, as a script says: for tests of whatever
//! commits through a catalog.
//!
//! Each call of `swap` (and of `swap_all`, for several tables) and `register` takes the next [`Fault`] of its queue, each call of
//! `pointer` the next [`PointerFault`]; when a queue is empty, calls go through. All is
//! deterministic and nothing sleeps.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use iceberg::spec::TableMetadata;
use tokio::sync::Semaphore;

use crate::pointer::swap_one;
use crate::{Catalog, Error, ErrorKind, Move, Pointer, Result, Swap, TableName};

#[cfg(test)]
mod tests;

/// What another writer does, given the catalog without faults.
type Interloper =
    Box<dyn FnOnce(Arc<dyn Catalog>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What happens to one call of `swap` or `register`.
pub enum Fault {
    /// Nothing: the call goes through.
    Pass,
    /// It is done, but the caller hears that this is not known.
    LoseReply,
    /// It is not done, and the caller hears that this is not known.
    LoseRequest,
    /// It is not done: another writer came first, says the reply, though none did. `register`
    /// answers `AlreadyExists`.
    Stale,
    /// Another writer does its work first, then the call is made. See [`Fault::overtaken`].
    Overtaken(Interloper),
    /// The call waits at the gate before it is made.
    Slow(Arc<Gate>),
    /// The call is made, and its reply waits at the gate.
    SlowReply(Arc<Gate>),
    /// It is not done, and fails with this kind.
    Fail(ErrorKind),
}

impl Fault {
    /// Another writer that runs `work` on the catalog without faults before the call is made.
    pub fn overtaken<F, W>(work: F) -> Self
    where
        F: FnOnce(Arc<dyn Catalog>) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self::Overtaken(Box::new(move |catalog| Box::pin(work(catalog))))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::LoseReply => f.write_str("LoseReply"),
            Self::LoseRequest => f.write_str("LoseRequest"),
            Self::Stale => f.write_str("Stale"),
            Self::Overtaken(_) => f.write_str("Overtaken"),
            Self::Slow(_) => f.write_str("Slow"),
            Self::SlowReply(_) => f.write_str("SlowReply"),
            Self::Fail(kind) => write!(f, "Fail({kind:?})"),
        }
    }
}

/// What happens to one call of `pointer`.
#[derive(Debug)]
pub enum PointerFault {
    /// Nothing: the call goes through.
    Pass,
    /// The answer is the pointer before the current one, as from a cache. A table that was never
    /// committed to has none: the call then fails with `Internal`.
    Stale,
    /// The call waits at the gate before it is made.
    Slow(Arc<Gate>),
    /// It fails with this kind.
    Fail(ErrorKind),
}

/// Where a slow call waits until the test lets it go on.
#[derive(Debug)]
pub struct Gate {
    arrived: Semaphore,
    opened: Semaphore,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { arrived: Semaphore::new(0), opened: Semaphore::new(0) })
    }

    /// Waits until a call stands at the gate; each call is reported once.
    pub async fn arrived(&self) {
        take(&self.arrived).await;
    }

    /// Lets one call through, now or when it comes.
    pub fn open(&self) {
        self.opened.add_permits(1);
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        take(&self.opened).await;
    }
}

async fn take(permits: &Semaphore) {
    // The semaphores are never closed, which is the one error there is.
    if let Ok(permit) = permits.acquire().await {
        permit.forget();
    }
}

/// A catalog that plays a script of faults in front of another one.
#[derive(Debug)]
pub struct FaultyCatalog {
    inner: Arc<dyn Catalog>,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    swap: VecDeque<Fault>,
    register: VecDeque<Fault>,
    pointer: VecDeque<PointerFault>,
}

impl FaultyCatalog {
    /// A catalog with an empty script: all calls go through to `inner`.
    pub fn new(inner: Arc<dyn Catalog>) -> Self {
        Self { inner, script: Mutex::default() }
    }

    /// The catalog without faults.
    pub fn inner(&self) -> Arc<dyn Catalog> {
        Arc::clone(&self.inner)
    }

    /// Adds faults for the next calls of `swap`, one for each call.
    pub fn on_swap(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script().swap.extend(faults);
    }

    /// Adds faults for the next calls of `register`, one for each call.
    pub fn on_register(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script().register.extend(faults);
    }

    /// Adds faults for the next calls of `pointer`, one for each call.
    pub fn on_pointer(&self, faults: impl IntoIterator<Item = PointerFault>) {
        self.script().pointer.extend(faults);
    }

    /// How many faults were not played yet; a test ends with none, or tested less than it says.
    pub fn unplayed(&self) -> usize {
        let script = self.script();
        script.swap.len() + script.register.len() + script.pointer.len()
    }

    /// Drops the faults that were not played yet, and tells how many those were.
    pub fn clear(&self) -> usize {
        let unplayed = self.unplayed();
        *self.script() = Script::default();
        unplayed
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_pointer(&self) -> PointerFault {
        self.script().pointer.pop_front().unwrap_or(PointerFault::Pass)
    }

    /// Plays `fault` around a call that changes the catalog.
    async fn play<T: Send>(
        &self,
        fault: Fault,
        call: impl Future<Output = Result<T>> + Send,
        overtaken: Result<T>,
    ) -> Result<T> {
        match fault {
            Fault::Pass => call.await,
            Fault::LoseReply => {
                drop(call.await);
                Err(injected(ErrorKind::CommitUnknown, "the reply of the catalog was lost"))
            }
            Fault::LoseRequest => {
                Err(injected(ErrorKind::CommitUnknown, "the request to the catalog was lost"))
            }
            Fault::Stale => overtaken,
            Fault::Overtaken(work) => {
                work(self.inner()).await;
                call.await
            }
            Fault::Slow(gate) => {
                gate.pass().await;
                call.await
            }
            Fault::SlowReply(gate) => {
                let result = call.await;
                gate.pass().await;
                result
            }
            Fault::Fail(kind) => Err(injected(kind, "the call failed before it was made")),
        }
    }
}

fn injected(kind: ErrorKind, text: &str) -> Error {
    Error::new(kind, format!("{text}, as the script of faults says"))
}

#[async_trait]
impl Catalog for FaultyCatalog {
    fn url(&self) -> &str {
        self.inner.url()
    }

    async fn create_namespace(&self, namespace: &str) -> Result<bool> {
        self.inner.create_namespace(namespace).await
    }

    async fn list_namespaces(&self) -> Result<Vec<String>> {
        self.inner.list_namespaces().await
    }

    async fn drop_namespace(&self, namespace: &str) -> Result<()> {
        self.inner.drop_namespace(namespace).await
    }

    async fn register(
        &self,
        table: &TableName,
        metadata_location: &str,
        metadata: &TableMetadata,
    ) -> Result<()> {
        let fault = self.script().register.pop_front().unwrap_or(Fault::Pass);
        let call = self.inner.register(table, metadata_location, metadata);
        let overtaken = Err(injected(ErrorKind::AlreadyExists, "another writer came first"));
        self.play(fault, call, overtaken).await
    }

    async fn pointer(&self, table: &TableName) -> Result<Pointer> {
        match self.next_pointer() {
            PointerFault::Pass => self.inner.pointer(table).await,
            PointerFault::Stale => {
                let previous = self.inner.pointer(table).await?.previous_metadata_location;
                let metadata_location = previous.ok_or_else(|| {
                    Error::new(ErrorKind::Internal, format!("`{table}` has no previous pointer"))
                })?;
                Ok(Pointer { metadata_location, previous_metadata_location: None })
            }
            PointerFault::Slow(gate) => {
                gate.pass().await;
                self.inner.pointer(table).await
            }
            PointerFault::Fail(kind) => Err(injected(kind, "the pointer could not be read")),
        }
    }

    async fn swap(
        &self,
        table: &TableName,
        expected: &str,
        next: &str,
        metadata: &TableMetadata,
    ) -> Result<Swap> {
        let fault = self.script().swap.pop_front().unwrap_or(Fault::Pass);
        let lost = matches!(fault, Fault::LoseReply | Fault::LoseRequest);
        let call = self.inner.swap(table, expected, next, metadata);
        match self.play(fault, call, Ok(Swap::Conflicted)).await {
            Err(error) if lost => Ok(Swap::Unknown(error)),
            result => result,
        }
    }

    async fn swap_all(&self, moves: &[Move<'_>]) -> Result<Swap> {
        if let [one] = moves {
            return swap_one(self, one).await;
        }
        let fault = self.script().swap.pop_front().unwrap_or(Fault::Pass);
        let lost = matches!(fault, Fault::LoseReply | Fault::LoseRequest);
        match self.play(fault, self.inner.swap_all(moves), Ok(Swap::Conflicted)).await {
            Err(error) if lost => Ok(Swap::Unknown(error)),
            result => result,
        }
    }

    async fn list_tables(&self, namespace: &str) -> Result<Vec<TableName>> {
        self.inner.list_tables(namespace).await
    }

    async fn drop_table(&self, table: &TableName) -> Result<()> {
        self.inner.drop_table(table).await
    }

    async fn rename_table(&self, from: &TableName, to: &TableName) -> Result<()> {
        self.inner.rename_table(from, to).await
    }
}
