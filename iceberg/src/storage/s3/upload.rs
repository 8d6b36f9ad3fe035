//! One new object, written from front to back: with one request if it is small, in parts if not.
//!
//! At most three parts are in memory: one that fills up and two on their way. An upload that fails or
//! is dropped is given up, so that neither an object nor parts of one stay behind.

use std::io;
use std::mem;
use std::sync::Arc;

use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{MultipartId, Result};
use prost::bytes::Bytes;
use tokio::task::JoinSet;

use super::super::place::Object;
use super::super::stores;
use super::bucket::Bucket;
use super::failed;

/// The size of a part: S3 takes 10,000 of at least 5 MiB.
const PART_BYTES: usize = 8 << 20;

/// Parts on their way at once.
const CONCURRENT_PARTS: usize = 2;

/// A new object under way.
#[derive(Debug)]
pub struct Upload {
    bucket: Arc<Bucket>,
    object: Object,
    buffer: Vec<u8>,
    part_bytes: usize,
    /// What was sent so far; `None` while no part was.
    parts: Option<Parts>,
    is_done: bool,
}

#[derive(Debug)]
struct Parts {
    id: MultipartId,
    sending: JoinSet<Result<(usize, PartId)>>,
    sent: Vec<(usize, PartId)>,
    begun: usize,
    bytes: u64,
}

impl Upload {
    pub(crate) fn new(bucket: Arc<Bucket>, object: Object) -> Self {
        Self {
            bucket,
            object,
            buffer: Vec::new(),
            part_bytes: PART_BYTES,
            parts: None,
            is_done: false,
        }
    }

    /// The same with parts of another size.
    #[cfg(test)]
    pub(crate) fn with_part_bytes(mut self, part_bytes: usize) -> Self {
        self.part_bytes = part_bytes;
        self
    }

    /// Takes bytes; waits while two parts are on their way.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.part_bytes - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == self.part_bytes {
            self.send_part().map_err(io::Error::other)?;
        }
        Ok(count)
    }

    /// Sends what is left and makes the object. The outer error is that of waiting.
    pub(crate) fn finish(&mut self) -> crate::Result<Result<()>> {
        if self.is_done {
            return Ok(Ok(()));
        }
        let rest = Bytes::from(mem::take(&mut self.buffer));
        let (bucket, key) = (Arc::clone(&self.bucket), self.object.key.clone());
        let Some(mut parts) = self.parts.take() else {
            let put = stores::wait(async move { bucket.put_new(&key, rest).await })?;
            self.is_done = put.is_ok();
            return Ok(put);
        };
        let (done, parts) = stores::wait(async move {
            let done = parts.complete(&bucket, &key, rest).await;
            (done, parts)
        })?;
        self.is_done = done.is_ok();
        self.parts = Some(parts);
        Ok(done)
    }

    fn send_part(&mut self) -> crate::Result<()> {
        let bytes =
            Bytes::from(mem::replace(&mut self.buffer, Vec::with_capacity(self.part_bytes)));
        let (bucket, key) = (Arc::clone(&self.bucket), self.object.key.clone());
        let parts = self.parts.take();
        let (sent, parts) = stores::wait(async move {
            let mut parts = match parts {
                Some(parts) => parts,
                None => match Parts::begin(&bucket, &key).await {
                    Ok(parts) => parts,
                    Err(error) => return (Err(error), None),
                },
            };
            let sent = parts.send(&bucket, &key, bytes).await;
            (sent, Some(parts))
        })?;
        self.parts = parts;
        sent.map_err(|error| failed(error, "write a file", self.object.location()))
    }
}

impl Parts {
    async fn begin(bucket: &Bucket, key: &Path) -> Result<Self> {
        let id = bucket.begin_upload(key).await?;
        Ok(Self { id, sending: JoinSet::new(), sent: Vec::new(), begun: 0, bytes: 0 })
    }

    /// Sends a part once fewer than two are on their way.
    async fn send(&mut self, bucket: &Arc<Bucket>, key: &Path, bytes: Bytes) -> Result<()> {
        while self.sending.len() >= CONCURRENT_PARTS {
            self.wait_for_one().await?;
        }
        self.bytes += u64::try_from(bytes.len()).unwrap_or(0);
        let (bucket, key, id, number) =
            (Arc::clone(bucket), key.clone(), self.id.clone(), self.begun);
        self.begun += 1;
        self.sending.spawn(async move {
            let part = bucket.put_part(&key, &id, number, bytes).await?;
            Ok((number, part))
        });
        Ok(())
    }

    async fn wait_for_one(&mut self) -> Result<()> {
        match self.sending.join_next().await {
            Some(Ok(sent)) => self.sent.push(sent?),
            Some(Err(source)) => return Err(object_store::Error::JoinError { source }),
            None => {}
        }
        Ok(())
    }

    async fn complete(&mut self, bucket: &Arc<Bucket>, key: &Path, rest: Bytes) -> Result<()> {
        if !rest.is_empty() {
            self.send(bucket, key, rest).await?;
        }
        while !self.sending.is_empty() {
            self.wait_for_one().await?;
        }
        self.sent.sort_by_key(|(number, _)| *number);
        let parts = self.sent.iter().map(|(_, part)| part.clone()).collect();
        bucket.complete_upload(key, &self.id, parts, self.bytes).await
    }
}

/// Parts that were sent would be paid for until somebody removes them.
impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut parts) = self.parts.take().filter(|_| !self.is_done) else { return };
        let (bucket, key) = (Arc::clone(&self.bucket), self.object.key.clone());
        let aborted = stores::wait(async move {
            // A part that arrives after the end of its upload would stay.
            parts.sending.shutdown().await;
            bucket.abort_upload(&key, &parts.id).await
        });
        if let Ok(Err(error)) = aborted {
            let location = self.object.location();
            tracing::warn!(%location, %error, "parts of an upload could not be removed");
        }
    }
}
