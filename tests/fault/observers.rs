//! Observers that note, or that make something happen at one event.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use northstar_iceberg::observer::{Event, Observer};

/// What events are called in orders and in messages of failed tests.
pub(crate) fn kind(event: &Event) -> &'static str {
    match event {
        Event::FileOpened { .. } => "FileOpened",
        Event::RowsRead { .. } => "RowsRead",
        Event::SourceKept { .. } => "SourceKept",
        Event::RowsFound { .. } => "RowsFound",
        Event::Spilled { .. } => "Spilled",
        Event::DataFileWritten { .. } => "DataFileWritten",
        Event::DataFilesComplete => "DataFilesComplete",
        Event::ManifestWritten => "ManifestWritten",
        Event::ManifestsWritten => "ManifestsWritten",
        Event::Syncing => "Syncing",
        Event::MetadataWritten => "MetadataWritten",
        Event::Committed => "Committed",
        Event::Retried { .. } => "Retried",
        Event::FileRemoved { .. } => "FileRemoved",
        _ => "other",
    }
}

/// Keeps the kinds of all events.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<&'static str>>);

impl Recorder {
    /// The kinds so far.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.0.lock().expect("not poisoned").clone()
    }

    /// How many events of a kind there were.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.kinds().iter().filter(|seen| **seen == kind).count()
    }
}

impl Observer for Recorder {
    fn event(&self, event: &Event) {
        self.0.lock().expect("not poisoned").push(kind(event));
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// Does one thing at the n-th event of a kind.
pub(crate) struct At {
    kind: &'static str,
    left: AtomicUsize,
    work: Mutex<Option<Work>>,
}

impl At {
    /// Does `work` at the `nth` event (from 1) of `kind`.
    pub(crate) fn new(
        kind: &'static str,
        nth: usize,
        work: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self { kind, left: AtomicUsize::new(nth), work: Mutex::new(Some(Box::new(work))) }
    }

    /// Whether it was done.
    pub(crate) fn done(&self) -> bool {
        self.work.lock().expect("not poisoned").is_none()
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At({})", self.kind)
    }
}

impl Observer for At {
    fn event(&self, event: &Event) {
        if kind(event) == self.kind && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let work = self.work.lock().expect("not poisoned").take();
            work.expect("the n-th event comes once")();
        }
    }
}

/// Does something at each event of a kind.
pub(crate) struct Each<W> {
    kind: &'static str,
    work: W,
}

impl<W: Fn() + Send + Sync> Each<W> {
    /// Does `work` at each event of `kind`.
    pub(crate) fn new(kind: &'static str, work: W) -> Self {
        Self { kind, work }
    }
}

impl<W> fmt::Debug for Each<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Each({})", self.kind)
    }
}

impl<W: Fn() + Send + Sync> Observer for Each<W> {
    fn event(&self, event: &Event) {
        if kind(event) == self.kind {
            (self.work)();
        }
    }
}

/// Runs `work` to its end from within an observer, on a thread and a runtime of its own.
pub(crate) fn blocking<W>(work: W)
where
    W: Future<Output = ()> + Send + 'static,
{
    let thread = std::thread::spawn(|| {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(work);
    });
    thread.join().expect("the work succeeds");
}
