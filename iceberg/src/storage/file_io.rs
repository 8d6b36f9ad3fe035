//! Metadata and manifests, as Apache's `iceberg` reads and writes them.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, LocalFsStorage,
    OutputFile, Storage, StorageConfig, StorageFactory,
};
use object_store::ObjectStoreExt;
use prost::bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::place::{Object, Place};
use super::s3::Bucket;
use super::{s3, stores};
use crate::{Error, ErrorKind};

/// How Apache's `iceberg` reads and writes metadata and manifests: local files by itself, objects
/// through the client of their bucket.
pub fn file_io() -> FileIO {
    FileIOBuilder::new(Arc::new(AnyFilesFactory)).build()
}

/// The error of ours that is behind one of Apache's `iceberg`.
pub(crate) fn stored(error: &iceberg::Error) -> Option<&Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(ours) = inner.downcast_ref::<Error>() {
            return Some(ours);
        }
        cause = inner.source();
    }
    None
}

/// An error of ours that says what could not be done, if one of a bucket is behind Apache's.
pub(crate) fn of_bucket(error: &iceberg::Error, what: impl Into<String>) -> Option<Error> {
    let ours = stored(error)?;
    let error = Error::new(ours.kind(), what).with_retry(ours.retry());
    Some(error.with_source(ours.to_string()))
}

/// Makes [`AnyFiles`].
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct AnyFilesFactory;

#[typetag::serde(name = "NorthstarFilesFactory")]
impl StorageFactory for AnyFilesFactory {
    fn build(&self, _: &StorageConfig) -> iceberg::Result<Arc<dyn Storage>> {
        Ok(Arc::new(AnyFiles))
    }
}

/// Files, local or in a bucket by their location.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct AnyFiles;

/// A bucket and an object in it; `None` for a local file.
fn object(location: &str) -> iceberg::Result<Option<(Arc<Bucket>, Object)>> {
    match Place::of(location) {
        Ok(Place::S3(object)) => {
            let bucket = stores::bucket(&object.bucket).map_err(ours)?;
            Ok(Some((bucket, object)))
        }
        // What is no location at all fails as a path does.
        Ok(Place::Local(_)) | Err(_) => Ok(None),
    }
}

fn ours(error: Error) -> iceberg::Error {
    let kind = match error.kind() {
        ErrorKind::Unsupported => iceberg::ErrorKind::FeatureUnsupported,
        _ => iceberg::ErrorKind::Unexpected,
    };
    iceberg::Error::new(kind, error.message().to_string()).with_source(error)
}

fn failed<'a>(
    doing: &'a str,
    object: &'a Object,
) -> impl Fn(object_store::Error) -> iceberg::Error + 'a {
    move |error| ours(s3::failed(error, doing, object.location()))
}

#[async_trait]
#[typetag::serde(name = "NorthstarFiles")]
impl Storage for AnyFiles {
    async fn exists(&self, path: &str) -> iceberg::Result<bool> {
        let Some((bucket, object)) = object(path)? else {
            return LocalFsStorage.exists(path).await;
        };
        let about = bucket.about(&object.key).await.map_err(failed("look for a file", &object))?;
        Ok(about.is_some())
    }

    async fn metadata(&self, path: &str) -> iceberg::Result<FileMetadata> {
        let Some((bucket, object)) = object(path)? else {
            return LocalFsStorage.metadata(path).await;
        };
        let about = bucket.head(&object.key).await.map_err(failed("look at a file", &object))?;
        Ok(FileMetadata { size: about.size })
    }

    async fn read(&self, path: &str) -> iceberg::Result<Bytes> {
        match object(path)? {
            Some((bucket, object)) => {
                bucket.read(&object.key).await.map_err(failed("read a file", &object))
            }
            None => LocalFsStorage.read(path).await,
        }
    }

    async fn reader(&self, path: &str) -> iceberg::Result<Box<dyn FileRead>> {
        match object(path)? {
            Some((bucket, object)) => Ok(Box::new(ObjectRead { bucket, object })),
            None => LocalFsStorage.reader(path).await,
        }
    }

    async fn write(&self, path: &str, bytes: Bytes) -> iceberg::Result<()> {
        match object(path)? {
            Some((bucket, object)) => {
                bucket.put_new(&object.key, bytes).await.map_err(failed("write a file", &object))
            }
            None => LocalFsStorage.write(path, bytes).await,
        }
    }

    async fn writer(&self, path: &str) -> iceberg::Result<Box<dyn FileWrite>> {
        match object(path)? {
            Some((bucket, object)) => {
                Ok(Box::new(ObjectWrite { bucket, object, bytes: Vec::new() }))
            }
            None => LocalFsStorage.writer(path).await,
        }
    }

    async fn delete(&self, path: &str) -> iceberg::Result<()> {
        let Some((bucket, object)) = object(path)? else {
            return LocalFsStorage.delete(path).await;
        };
        let removed = bucket.remove(vec![object.key.clone()]).await;
        removed
            .into_iter()
            .try_for_each(|removed| removed.map_err(failed("remove a file", &object)))
    }

    async fn delete_prefix(&self, path: &str) -> iceberg::Result<()> {
        match object(path)? {
            Some(_) => Err(iceberg::Error::new(
                iceberg::ErrorKind::FeatureUnsupported,
                "objects are removed by name, never by prefix",
            )),
            None => LocalFsStorage.delete_prefix(path).await,
        }
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> iceberg::Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> iceberg::Result<InputFile> {
        match Place::of(path) {
            Ok(Place::S3(_)) => Ok(InputFile::new(Arc::new(*self), path.to_string())),
            _ => LocalFsStorage.new_input(path),
        }
    }

    fn new_output(&self, path: &str) -> iceberg::Result<OutputFile> {
        match Place::of(path) {
            Ok(Place::S3(_)) => Ok(OutputFile::new(Arc::new(*self), path.to_string())),
            _ => LocalFsStorage.new_output(path),
        }
    }
}

struct ObjectRead {
    bucket: Arc<Bucket>,
    object: Object,
}

#[async_trait]
impl FileRead for ObjectRead {
    async fn read(&self, range: Range<u64>) -> iceberg::Result<Bytes> {
        let read = self.bucket.get_range(&self.object.key, range).await;
        read.map_err(failed("read a file", &self.object))
    }
}

/// A metadata file or manifest under way. It is written with one request, which S3 takes or refuses as
/// a whole: such files are small.
struct ObjectWrite {
    bucket: Arc<Bucket>,
    object: Object,
    bytes: Vec<u8>,
}

#[async_trait]
impl FileWrite for ObjectWrite {
    async fn write(&mut self, bytes: Bytes) -> iceberg::Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> iceberg::Result<()> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let put = self.bucket.put_new(&self.object.key, bytes).await;
        put.map_err(failed("write a file", &self.object))
    }
}
