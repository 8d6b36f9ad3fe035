//! Chunks put aside on disk: each one file, in which the sorted rows of a partition stand together.
//!
//! A spill file has no name: it is unlinked as soon as it is open, so that the rows in it go with the
//! process, however that ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::chunk::SortedChunk;
use crate::ids::Ids;
use crate::{Error, ErrorKind, Result};

/// One chunk on disk.
#[derive(Debug)]
pub(crate) struct Spill {
    file: Arc<File>,
    /// The folder it is in, for messages.
    folder: PathBuf,
    /// Offset and length of each partition's rows, as an Arrow IPC stream.
    segments: BTreeMap<usize, (u64, u64)>,
    bytes: u64,
}

impl Spill {
    /// Writes a chunk into a new file in `folder`, readable by its owner alone.
    pub(crate) fn write(chunk: &Arc<SortedChunk>, folder: &Path, ids: &dyn Ids) -> Result<Self> {
        let failed = |error| Error::io(error, "put rows aside on disk", folder.display());
        let mut writer = BufWriter::with_capacity(1 << 20, unnamed(folder, ids).map_err(failed)?);
        let mut segments = BTreeMap::new();
        let mut start = 0;
        for partition in chunk.partitions() {
            let mut stream = StreamWriter::try_new(&mut writer, &chunk.schema())
                .map_err(|error| ipc(error, folder))?;
            for batch in chunk.rows(partition) {
                stream.write(&batch?).map_err(|error| ipc(error, folder))?;
            }
            stream.finish().map_err(|error| ipc(error, folder))?;
            drop(stream);
            let end = writer.stream_position().map_err(failed)?;
            segments.insert(partition, (start, end - start));
            start = end;
        }
        let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
        Ok(Self { file: Arc::new(file), folder: folder.to_path_buf(), segments, bytes: start })
    }

    /// How large the file is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The partitions that have rows here.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = usize> {
        self.segments.keys().copied()
    }

    /// Gives up the rows of a partition; whether any are left.
    pub(crate) fn forget(&mut self, partition: usize) -> bool {
        self.segments.remove(&partition);
        !self.segments.is_empty()
    }

    /// The rows of a partition, in order; `None` if it has none.
    pub(crate) fn rows(
        &self,
        partition: usize,
    ) -> Result<Option<impl Iterator<Item = Result<RecordBatch>> + Send + use<>>> {
        let Some((start, length)) = self.segments.get(&partition).copied() else { return Ok(None) };
        let segment = Segment { file: Arc::clone(&self.file), at: start, end: start + length };
        let folder = self.folder.clone();
        let reader = StreamReader::try_new(BufReader::with_capacity(64 << 10, segment), None)
            .map_err(|error| ipc(error, &folder))?;
        Ok(Some(reader.map(move |batch| batch.map_err(|error| ipc(error, &folder)))))
    }
}

/// Opens a new file for writing and reading, and takes its name away.
fn unnamed(folder: &Path, ids: &dyn Ids) -> std::io::Result<File> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(format!("{}.spill", ids.uuid()));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// A part of a file that several readers share.
#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Segment {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let count = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn ipc(error: arrow::error::ArrowError, folder: &Path) -> Error {
    match error {
        arrow::error::ArrowError::IoError(_, io) => {
            Error::io(io, "put rows aside on disk", folder.display())
        }
        other => Error::new(ErrorKind::Storage, "rows put aside on disk cannot be read back")
            .with_context("path", folder.display())
            .with_source(other),
    }
}
