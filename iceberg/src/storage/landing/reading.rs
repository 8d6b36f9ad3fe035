//! A file from front to back, a Parquet file by ranges, a small file as text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use prost::bytes::Bytes;

use super::super::input::{self, Input};
use super::super::stores;
use super::blocks::Blocks;
use super::state::of_object;
use super::{Spot, not_there};
use crate::{Error, ErrorKind, Result};

/// A file that is read from front to back. What goes wrong with an object is an [`Error`] inside the
/// `io::Error`, which [`Error::io`] takes out again.
#[derive(Debug)]
pub enum Source {
    /// A local file.
    Local(File),
    /// An object.
    Bucket(Box<Blocks>),
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.read(to),
            Self::Bucket(blocks) => blocks.read(to).map_err(io::Error::other),
        }
    }
}

/// Opens a file. An object is read as it was when it was opened: once it is replaced, reading fails with
/// `InvalidData`. Blocking, as reading is.
///
/// # Errors
/// As the file system or S3 says.
pub fn open(path: &Path) -> Result<Source> {
    let object = match Spot::of(path)? {
        Spot::Local(local) => {
            let opened = File::open(&local);
            return opened
                .map(Source::Local)
                .map_err(|error| Error::io(error, "open", path.display()));
        }
        Spot::Bucket(object) => object,
    };
    let asked = object.clone();
    let state = stores::wait(async move { of_object(&asked).await })??;
    let state = state.ok_or_else(|| not_there("open the file", path))?;
    Ok(Source::Bucket(Box::new(Blocks::new(object, &state))))
}

/// A Parquet file that is read by ranges. Of what goes wrong with an object Parquet's and Arrow's errors
/// keep the text alone, so that it is kept beside them.
#[derive(Debug)]
pub struct ParquetSource {
    input: Input,
    failed: Failed,
}

type Failed = Arc<Mutex<Option<Error>>>;

impl ParquetSource {
    fn new(input: Input) -> Self {
        Self { input, failed: Failed::default() }
    }

    /// What went wrong with S3, if that is why reading failed.
    pub fn failure(&self) -> Option<Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A second handle on the same file, which shares what went wrong.
    ///
    /// # Errors
    /// As the file system says.
    pub fn try_clone(&self) -> Result<Self> {
        let input =
            self.input.try_clone().map_err(|error| Error::io(error, "open", "a Parquet file"))?;
        Ok(Self { input, failed: Arc::clone(&self.failed) })
    }
}

fn note(failed: &Failed, error: Error) -> String {
    let text = error.to_string();
    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    text
}

impl Length for ParquetSource {
    fn len(&self) -> u64 {
        Length::len(&self.input)
    }
}

impl ChunkReader for ParquetSource {
    type T = Noted;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(Noted { reading: self.input.get_read(start)?, failed: Arc::clone(&self.failed) })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.input.get_bytes(start, length).map_err(|error| match error {
            ParquetError::External(source) => match source.downcast::<Error>() {
                Ok(own) => ParquetError::General(note(&self.failed, *own)),
                Err(source) => ParquetError::External(source),
            },
            error => error,
        })
    }
}

/// Reads a Parquet file from a place on.
#[derive(Debug)]
pub struct Noted {
    reading: input::Reading,
    failed: Failed,
}

impl Read for Noted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.reading.read(to).map_err(|error| match error.downcast::<Error>() {
            Ok(own) => io::Error::other(note(&self.failed, own)),
            Err(error) => error,
        })
    }
}

/// Opens a Parquet file. Blocking, as reading is.
///
/// # Errors
/// As the file system or S3 says.
pub fn open_parquet(path: &Path) -> Result<ParquetSource> {
    match Spot::of(path)? {
        Spot::Local(local) => File::open(&local)
            .map(|file| ParquetSource::new(Input::Local(file)))
            .map_err(|error| Error::io(error, "open", path.display())),
        Spot::Bucket(object) => input::open_as_it_is(&object.location()).map(ParquetSource::new),
    }
}

/// The text of a small file; `doing` is what errors say could not be done. Blocking.
///
/// # Errors
/// `InvalidData` if it is not UTF-8; else as the file system or S3 says.
pub fn read_text(path: &Path, doing: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let failed = |error| Error::io(error, doing, path.display());
    match Spot::of(path)? {
        Spot::Local(local) => bytes = std::fs::read(local).map_err(failed)?,
        Spot::Bucket(_) => drop(open(path)?.read_to_end(&mut bytes).map_err(failed)?),
    }
    String::from_utf8(bytes).map_err(|_| {
        Error::new(ErrorKind::InvalidData, "the file is not UTF-8")
            .with_context("path", path.display())
    })
}
