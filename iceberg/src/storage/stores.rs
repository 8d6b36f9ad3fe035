//! The buckets of this process, and the runtime for their requests.
//!
//! A location is all that most callers have, some of them on threads of their own or while a value is
//! dropped. So the client of a bucket is found by its name, process-wide, as loggers are. Requests run
//! on two threads of their own: a caller that waits for one never keeps it from going on.

use std::collections::HashMap;
use std::future::Future;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use tokio::runtime::{Builder, Handle, Runtime};

use super::s3::{Bucket, Counters, S3Settings};
use crate::{Error, ErrorKind, Result};

/// Threads for requests: they move bytes and do nothing else.
const THREADS: usize = 2;

static STORES: LazyLock<Stores> = LazyLock::new(Stores::default);

#[derive(Debug, Default)]
struct Stores {
    settings: RwLock<Option<Arc<S3Settings>>>,
    buckets: RwLock<HashMap<String, Arc<Bucket>>>,
    runtime: OnceLock<Runtime>,
    counters: Arc<Counters>,
}

/// Sets how buckets are used from now on; those that are open are opened anew.
pub(super) fn configure(settings: S3Settings) {
    *STORES.settings.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(settings));
    STORES.buckets.write().unwrap_or_else(PoisonError::into_inner).clear();
}

/// What requests were made so far.
pub(super) fn counters() -> &'static Counters {
    &STORES.counters
}

/// A bucket by its name.
///
/// # Errors
/// `Unsupported` if no settings for S3 were given; `InvalidInput` for settings or a name that cannot be.
pub(super) fn bucket(name: &str) -> Result<Arc<Bucket>> {
    if let Some(bucket) =
        STORES.buckets.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    {
        return Ok(bucket);
    }
    let settings = STORES.settings.read().unwrap_or_else(PoisonError::into_inner).clone();
    let settings = settings.ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "files in a bucket need the settings of S3: name its key with --kms-key, or allow \
             unencrypted files with --allow-unencrypted",
        )
        .with_context("bucket", name)
    })?;
    let bucket = Arc::new(Bucket::open(name, &settings, handle()?, Arc::clone(&STORES.counters))?);
    let mut buckets = STORES.buckets.write().unwrap_or_else(PoisonError::into_inner);
    Ok(Arc::clone(buckets.entry(name.to_string()).or_insert(bucket)))
}

/// Puts a bucket in place of one of its name.
#[cfg(test)]
pub(super) fn add(name: &str, bucket: Bucket) -> Arc<Bucket> {
    let bucket = Arc::new(bucket);
    let mut buckets = STORES.buckets.write().unwrap_or_else(PoisonError::into_inner);
    buckets.insert(name.to_string(), Arc::clone(&bucket));
    bucket
}

/// The runtime for requests.
///
/// # Errors
/// As the operating system says when its threads are started.
pub(super) fn handle() -> Result<Handle> {
    if let Some(runtime) = STORES.runtime.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("requests")
        .enable_all()
        .build()
        .map_err(|error| Error::io(error, "start the threads for requests", "this process"))?;
    Ok(STORES.runtime.get_or_init(|| runtime).handle().clone())
}

/// What requests that are under way come to.
#[derive(Debug)]
pub(super) struct Answer<T>(Receiver<T>);

impl<T> Answer<T> {
    /// Waits for it, on whatever thread this is.
    ///
    /// # Errors
    /// `Internal` if the requests were broken off.
    pub(super) fn wait(self) -> Result<T> {
        self.0.recv().map_err(|error| {
            Error::new(ErrorKind::Internal, "requests to S3 were broken off").with_source(error)
        })
    }
}

/// Begins requests.
///
/// # Errors
/// As [`handle`].
pub(super) fn begin<T: Send + 'static>(
    requests: impl Future<Output = T> + Send + 'static,
) -> Result<Answer<T>> {
    let (send, receive) = sync_channel(1);
    handle()?.spawn(async move {
        // Who no longer wants it is gone.
        drop(send.send(requests.await));
    });
    Ok(Answer(receive))
}

/// Runs requests, and waits for them on whatever thread this is.
///
/// # Errors
/// `Internal` if they were broken off.
pub(super) fn wait<T: Send + 'static>(
    requests: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    begin(requests)?.wait()
}
