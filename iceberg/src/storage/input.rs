//! A stored file that is read by ranges, outside async code.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectMeta;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use prost::bytes::{Buf, Bytes};

use super::place::{Object, Place};
use super::s3::Bucket;
use super::{s3, stores};
use crate::{Error, ErrorKind, Result};

/// What is asked of S3 at once: most columns of a row group are smaller, and a page is far smaller.
const BLOCK_BYTES: u64 = 4 << 20;

/// So many blocks are kept; Parquet readers are at one place in each of a few columns.
const MOST_BLOCKS: usize = 8;

/// A file that can be read.
#[derive(Debug)]
pub(crate) enum Input {
    /// A local file.
    Local(File),
    /// An object.
    S3(Arc<ObjectReader>),
}

/// Opens a file for reading. Blocking: run it outside async code.
///
/// # Errors
/// As the file system or S3 says.
pub(crate) fn open(location: &str) -> Result<Input> {
    // A table's file never has other bytes, but another tag once it is copied onto itself.
    opened(location, |_| None)
}

/// Opens a file that others may replace: once they do, reading it fails with `InvalidData`. Blocking.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_as_it_is(location: &str) -> Result<Input> {
    opened(location, |about| about.e_tag.clone())
}

fn opened(location: &str, tag: impl FnOnce(&ObjectMeta) -> Option<String>) -> Result<Input> {
    let object = match Place::of(location)? {
        Place::Local(path) => {
            let file = File::open(&path);
            return file
                .map(Input::Local)
                .map_err(|error| Error::io(error, "open a file", location));
        }
        Place::S3(object) => object,
    };
    let bucket = stores::bucket(&object.bucket)?;
    let (asked, key) = (Arc::clone(&bucket), object.key.clone());
    let about = stores::wait(async move { asked.about(&key).await })?
        .map_err(|error| s3::failed(error, "open a file", location))?
        .ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "a file is not there").with_context("path", location)
        })?;
    Ok(Input::S3(Arc::new(ObjectReader {
        bucket,
        object,
        size_bytes: about.size,
        tag: tag(&about),
        blocks: Mutex::default(),
    })))
}

impl Input {
    /// A second handle on the same file.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Local(file) => file.try_clone().map(Self::Local),
            Self::S3(object) => Ok(Self::S3(Arc::clone(object))),
        }
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        match self {
            Self::Local(file) => Length::len(file),
            Self::S3(object) => object.size_bytes,
        }
    }
}

impl ChunkReader for Input {
    type T = Reading;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        match self {
            Self::Local(file) => Ok(Reading::Local(file.get_read(start)?)),
            Self::S3(object) => Ok(Reading::S3(Arc::clone(object), start)),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::Local(file) => file.get_bytes(start, length),
            Self::S3(object) => object.bytes(start, length).map_err(external),
        }
    }
}

/// An object that is read in blocks, of which the last few are kept.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    bucket: Arc<Bucket>,
    object: Object,
    size_bytes: u64,
    /// What alone is read, if another may come in its place.
    tag: Option<String>,
    /// By their number, the one that was used last at the end.
    blocks: Mutex<Vec<(u64, Bytes)>>,
}

impl ObjectReader {
    fn bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if end > self.size_bytes {
            let message = format!("a file has only {} bytes", self.size_bytes);
            return Err(Error::new(ErrorKind::Damaged, message)
                .with_context("file", self.object.location()));
        }
        let rest = self.rest_of_block(start)?;
        if rest.len() >= length {
            return Ok(rest.slice(..length));
        }
        self.range(start, end)
    }

    /// The bytes from a place to the end of its block; none at the end of the file.
    fn rest_of_block(&self, start: u64) -> Result<Bytes> {
        if start >= self.size_bytes {
            return Ok(Bytes::new());
        }
        let number = start / BLOCK_BYTES;
        let from = number * BLOCK_BYTES;
        let block = match self.kept(number) {
            Some(block) => block,
            None => {
                let block = self.range(from, (from + BLOCK_BYTES).min(self.size_bytes))?;
                self.keep(number, block.clone());
                block
            }
        };
        let skipped = usize::try_from(start - from).unwrap_or(usize::MAX);
        Ok(block.slice(skipped.min(block.len())..))
    }

    fn kept(&self, number: u64) -> Option<Bytes> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let at = blocks.iter().position(|(kept, _)| *kept == number)?;
        let block = blocks.remove(at);
        let bytes = block.1.clone();
        blocks.push(block);
        Some(bytes)
    }

    fn keep(&self, number: u64, block: Bytes) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= MOST_BLOCKS {
            blocks.remove(0);
        }
        blocks.push((number, block));
    }

    fn range(&self, from: u64, to: u64) -> Result<Bytes> {
        let (bucket, key) = (Arc::clone(&self.bucket), self.object.key.clone());
        let tag = self.tag.clone();
        let read = stores::wait(async move { bucket.read_range(&key, from..to, tag).await })?;
        read.map_err(|error| s3::unchanged(error, &self.object))
    }
}

/// Reads a file from a place on.
#[derive(Debug)]
pub(crate) enum Reading {
    /// A local file.
    Local(BufReader<File>),
    /// An object, and the place.
    S3(Arc<ObjectReader>, u64),
}

impl Read for Reading {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let (object, at) = match self {
            Self::Local(file) => return file.read(to),
            Self::S3(object, at) => (object, at),
        };
        let mut bytes = object.rest_of_block(*at).map_err(io::Error::other)?;
        let count = bytes.len().min(to.len());
        bytes.copy_to_slice(&mut to[..count]);
        *at += u64::try_from(count).unwrap_or(0);
        Ok(count)
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
