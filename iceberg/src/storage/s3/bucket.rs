//! One bucket: reads, conditional writes and removal, with credentials renewed when S3 says that they
//! have expired.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::aws::{AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, CopyOptions, GetOptions, GetRange, GetResult, ListResult,
    MultipartId, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, RetryConfig,
};
use prost::bytes::Bytes;
use tokio::runtime::Handle;

use super::counters::Counters;
use super::credentials::Renewed;
use super::error::{ReadOnly, is_expired, is_lost, kind_of};
use super::http::Connector;
use super::settings::{Encryption, S3Settings};
use crate::{Error, ErrorKind};

/// How often a conditional write is sent again whose answer was lost.
const MOST_LOST: u32 = 3;

/// As many objects as S3 removes in one request.
const REMOVED_AT_ONCE: usize = 1_000;

/// A bucket.
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    uploads: Arc<dyn MultipartStore>,
    credentials: Option<Arc<Renewed>>,
    is_read_only: bool,
}

impl Bucket {
    /// A bucket as the settings say. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `InvalidInput` for settings or a name that the client does not take.
    pub(crate) fn open(
        name: &str,
        settings: &S3Settings,
        runtime: Handle,
        counters: Arc<Counters>,
    ) -> crate::Result<Self> {
        let chain = settings.credentials.clone();
        let credentials =
            Arc::new(Renewed::new(chain, Arc::clone(&settings.clock), runtime.clone()));
        let options = ClientOptions::new()
            .with_timeout(settings.request_timeout)
            .with_connect_timeout(settings.request_timeout)
            .with_allow_http(settings.sends_http());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(&settings.region)
            .with_credentials(Arc::clone(&credentials) as _)
            .with_client_options(options)
            .with_retry(retries(settings))
            .with_checksum_algorithm(Checksum::SHA256)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_http_connector(Connector { runtime, counters });
        builder = match &settings.endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint.trim_end_matches('/')),
            // Amazon's certificate is for one name before the service's.
            None => builder.with_virtual_hosted_style_request(!name.contains('.')),
        };
        if let Encryption::Kms(key) = &settings.encryption {
            builder = builder.with_sse_kms_encryption(key).with_bucket_key(true);
        }
        let store = builder.build().map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "the settings of S3 cannot be used")
                .with_context("bucket", name)
                .with_source(error)
        })?;
        let store = Arc::new(store);
        Ok(Self {
            uploads: Arc::clone(&store) as _,
            store,
            credentials: Some(credentials),
            is_read_only: settings.encryption == Encryption::ReadOnly,
        })
    }

    /// A bucket in memory.
    #[cfg(test)]
    pub(crate) fn of(store: Arc<dyn ObjectStore>, uploads: Arc<dyn MultipartStore>) -> Self {
        Self { store, uploads, credentials: None, is_read_only: false }
    }

    /// Refuses a change of a bucket that is only read from.
    fn check_writes(&self) -> Result<()> {
        if self.is_read_only {
            return Err(object_store::Error::Generic { store: "S3", source: Box::new(ReadOnly) });
        }
        Ok(())
    }

    /// Whether a request may be sent again, with credentials that are asked for anew.
    async fn renews(&self, failed: Option<&object_store::Error>) -> bool {
        match (failed, &self.credentials) {
            (Some(error), Some(credentials)) if is_expired(error) => {
                credentials.forget().await;
                true
            }
            _ => false,
        }
    }

    /// What is known of an object; `None` if it is not there.
    pub(crate) async fn about(&self, key: &Path) -> Result<Option<ObjectMeta>> {
        match self.head(key).await {
            Ok(about) => Ok(Some(about)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All bytes of an object.
    pub(crate) async fn read(&self, key: &Path) -> Result<Bytes> {
        self.get(key).await?.bytes().await
    }

    /// Some bytes of an object, if it is still the one that has this tag.
    pub(crate) async fn read_range(
        &self,
        key: &Path,
        range: Range<u64>,
        tag: Option<String>,
    ) -> Result<Bytes> {
        let range = Some(GetRange::Bounded(range));
        let options = GetOptions { range, if_match: tag, ..GetOptions::default() };
        self.get_opts(key, options).await?.bytes().await
    }

    /// Writes a new object with one request, and never over one that is there.
    ///
    /// If the answer is lost, the write is sent again; an object of that name with the same bytes is
    /// then the one that the lost answer was about.
    ///
    /// # Errors
    /// `AlreadyExists` if there is an object of that name with other bytes.
    pub(crate) async fn put_new(&self, key: &Path, bytes: Bytes) -> Result<()> {
        let mut lost = 0;
        loop {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let payload = PutPayload::from_bytes(bytes.clone());
            let Err(error) = self.put_opts(key, payload, options).await else { return Ok(()) };
            let exists = kind_of(&error) == ErrorKind::AlreadyExists;
            if exists && self.holds(key, &bytes).await? {
                return Ok(());
            }
            // S3 says of two writes at once that both conflict, too: then there may be no object yet.
            let may_pass = is_lost(&error) || (exists && self.about(key).await?.is_none());
            if !may_pass || lost == MOST_LOST {
                return Err(error);
            }
            lost += 1;
        }
    }

    async fn holds(&self, key: &Path, bytes: &Bytes) -> Result<bool> {
        match self.about(key).await? {
            Some(about) if usize::try_from(about.size) == Ok(bytes.len()) => {
                Ok(self.read(key).await? == *bytes)
            }
            _ => Ok(false),
        }
    }

    /// Gives an object the time of now.
    pub(crate) async fn renew(&self, key: &Path) -> Result<()> {
        self.copy(key, key).await
    }

    /// Removes objects, and gives what became of each.
    pub(crate) async fn remove(&self, keys: Vec<Path>) -> Vec<Result<()>> {
        let mut outcomes = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(REMOVED_AT_ONCE) {
            let mut removed = self.remove_chunk(chunk).await;
            if self.renews(removed.iter().find_map(|outcome| outcome.as_ref().err())).await {
                removed = self.remove_chunk(chunk).await;
            }
            outcomes.extend(removed);
        }
        outcomes
    }

    /// One request; if it fails as a whole, each of its objects has failed.
    async fn remove_chunk(&self, keys: &[Path]) -> Vec<Result<()>> {
        if self.is_read_only {
            return keys.iter().map(|_| self.check_writes()).collect();
        }
        let asked = futures::stream::iter(keys.to_vec()).map(Ok).boxed();
        let mut answers = self.store.delete_stream(asked);
        let mut outcomes = Vec::with_capacity(keys.len());
        while let Some(answer) = answers.next().await {
            outcomes.push(match answer {
                Err(object_store::Error::NotFound { .. }) | Ok(_) => Ok(()),
                Err(error) => Err(error),
            });
        }
        let text = match outcomes.last() {
            Some(Err(error)) if outcomes.len() < keys.len() => error.to_string(),
            _ => "it was not answered for".to_string(),
        };
        outcomes.resize_with(keys.len(), || {
            Err(object_store::Error::Generic { store: "S3", source: text.clone().into() })
        });
        outcomes
    }

    /// All objects below a prefix.
    pub(crate) fn list_below(&self, prefix: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(Some(prefix))
    }

    pub(super) async fn begin_upload(&self, key: &Path) -> Result<MultipartId> {
        self.check_writes()?;
        let begun = self.uploads.create_multipart(key).await;
        match self.renews(begun.as_ref().err()).await {
            true => self.uploads.create_multipart(key).await,
            false => begun,
        }
    }

    pub(super) async fn put_part(
        &self,
        key: &Path,
        id: &MultipartId,
        number: usize,
        bytes: Bytes,
    ) -> Result<PartId> {
        let payload = PutPayload::from_bytes(bytes);
        let sent = self.uploads.put_part(key, id, number, payload.clone()).await;
        match self.renews(sent.as_ref().err()).await {
            true => self.uploads.put_part(key, id, number, payload).await,
            false => sent,
        }
    }

    /// Makes an object of the parts. If the answer is lost, an object of the whole size is the one
    /// that was asked for: no other upload has its name.
    pub(super) async fn complete_upload(
        &self,
        key: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
        size_bytes: u64,
    ) -> Result<()> {
        let mut done = self.uploads.complete_multipart(key, id, parts.clone()).await;
        if self.renews(done.as_ref().err()).await {
            done = self.uploads.complete_multipart(key, id, parts).await;
        }
        let Err(error) = done else { return Ok(()) };
        match self.about(key).await {
            Ok(Some(about)) if about.size == size_bytes => Ok(()),
            _ => Err(error),
        }
    }

    /// Gives an upload up, and with it the parts that were sent.
    pub(super) async fn abort_upload(&self, key: &Path, id: &MultipartId) -> Result<()> {
        let aborted = self.uploads.abort_multipart(key, id).await;
        match self.renews(aborted.as_ref().err()).await {
            true => self.uploads.abort_multipart(key, id).await,
            false => aborted,
        }
    }
}

/// Waits between the attempts grow, and are drawn by lot so that many writers do not come back at once.
fn retries(settings: &S3Settings) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: settings.most_retries,
        ..RetryConfig::default()
    }
}

/// When an object was written, in milliseconds. A listing may tell it more finely than a look at the
/// object, which tells whole seconds.
pub(crate) fn whole_seconds_ms(about: &ObjectMeta) -> i64 {
    about.last_modified.timestamp().saturating_mul(1_000)
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("store", &self.store.to_string()).finish_non_exhaustive()
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.store.get_opts(location, options.clone()).await;
        match self.renews(got.as_ref().err()).await {
            true => self.store.get_opts(location, options).await,
            false => got,
        }
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.check_writes()?;
        let put = self.store.put_opts(location, payload.clone(), options.clone()).await;
        match self.renews(put.as_ref().err()).await {
            true => self.store.put_opts(location, payload, options).await,
            false => put,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check_writes()?;
        self.store.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.check_writes() {
            Ok(()) => self.store.delete_stream(locations),
            Err(refused) => futures::stream::iter([Err(refused)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check_writes()?;
        let copied = self.store.copy_opts(from, to, options.clone()).await;
        match self.renews(copied.as_ref().err()).await {
            true => self.store.copy_opts(from, to, options).await,
            false => copied,
        }
    }
}
