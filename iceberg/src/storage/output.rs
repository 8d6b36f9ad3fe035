//! A new file that is written from front to back, outside async code.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::place::Place;
use super::s3::Upload;
use super::{s3, stores};
use crate::{Error, Result};

/// A file under way. One that is dropped before it is flushed leaves nothing in a bucket; a local one
/// is left to [`super::discard`].
#[derive(Debug)]
pub enum Output {
    /// A local file.
    Local(BufWriter<File>),
    /// An object, which is there once [`flush`] has returned.
    S3(Box<Upload>),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.write(bytes),
            Self::S3(upload) => upload.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Local(file) => file.flush(),
            // An object has no bytes that could be seen before all are there.
            Self::S3(_) => Ok(()),
        }
    }
}

/// Opens a new file at a location for writing; its folders are made as needed.
///
/// # Errors
/// As the file system says; `AlreadyExists` if the file is there.
pub fn create(location: &str) -> Result<Output> {
    let path = match Place::of(location)? {
        Place::Local(path) => path,
        Place::S3(object) => {
            let bucket = stores::bucket(&object.bucket)?;
            return Ok(Output::S3(Box::new(Upload::new(bucket, object))));
        }
    };
    let failed = |error| Error::io(error, "create a file", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = File::create_new(&path).map_err(failed)?;
    Ok(Output::Local(BufWriter::with_capacity(1 << 20, file)))
}

/// Hands the last bytes of a file that [`create`] opened to the system. They reach the disk with
/// [`super::make_durable`]. An object is whole and durable when this returns.
///
/// # Errors
/// As the file system says; for an object, `AlreadyExists` if there is one of that name with other
/// bytes, and what S3 says.
pub fn flush(file: &mut Output, location: &str) -> Result<()> {
    match file {
        Output::Local(file) => {
            file.flush().map_err(|error| Error::io(error, "write a file", location))
        }
        Output::S3(upload) => {
            upload.finish()?.map_err(|error| s3::failed(error, "write a file", location))
        }
    }
}
