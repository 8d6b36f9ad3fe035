//! What scans of a table have really read: counted where the bytes come from.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use prost::bytes::Bytes;

/// The data files that scans opened, and what they read of them: footers, indexes and pages. It
/// counts in this process alone; what executors of a cluster read is not in it.
#[derive(Debug, Default)]
pub struct FileReads {
    opened: Mutex<HashSet<Path>>,
    asked: Mutex<HashSet<String>>,
    bytes: AtomicU64,
}

impl FileReads {
    /// Data files of which anything was read, each once.
    pub fn files(&self) -> u64 {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        u64::try_from(opened.len()).unwrap_or(u64::MAX)
    }

    /// Data files whose bloom filters were asked, each once, whether they were opened then or not.
    pub fn files_asked(&self) -> u64 {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        u64::try_from(asked.len()).unwrap_or(u64::MAX)
    }

    /// Bytes read of all of these; what was read twice counts twice.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts a file whose bloom filters were asked.
    pub(super) fn asked(&self, file: &str, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(file.to_string());
    }

    /// Counts what was read of a file.
    pub(super) fn add(&self, file: &Path, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.contains(file) {
            opened.insert(file.clone());
        }
    }
}

/// A store whose reads are counted.
#[derive(Debug)]
pub(super) struct CountedStore {
    pub(super) inner: Arc<dyn ObjectStore>,
    pub(super) reads: Arc<FileReads>,
}

impl fmt::Display for CountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for CountedStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_read = !options.head;
        let result = self.inner.get_opts(location, options).await?;
        if is_read {
            self.reads.add(location, result.range.end.saturating_sub(result.range.start));
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let read = self.inner.get_ranges(location, ranges).await?;
        let bytes: usize = read.iter().map(Bytes::len).sum();
        self.reads.add(location, u64::try_from(bytes).unwrap_or(0));
        Ok(read)
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
