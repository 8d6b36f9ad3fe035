//! Chunks put aside on disk: each one file, in which the sorted rows of a partition stand together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::chunk::SortedChunk;
use crate::ids::Ids;
use crate::{Error, ErrorKind, Result};

/// A file that is removed with its last use.
#[derive(Debug)]
struct TemporaryFile(PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a spill file could not be removed");
        }
    }
}

/// One chunk on disk.
#[derive(Debug)]
pub(crate) struct Spill {
    file: TemporaryFile,
    /// Offset and length of each partition's rows, as an Arrow IPC stream.
    segments: BTreeMap<usize, (u64, u64)>,
    bytes: u64,
}

impl Spill {
    /// Writes a chunk into a new file in `folder`, readable by its owner alone.
    pub(crate) fn write(chunk: &SortedChunk, folder: &Path, ids: &dyn Ids) -> Result<Self> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        let path = folder.join(format!("{}.spill", ids.uuid()));
        let failed = |error| Error::io(error, "put rows aside on disk", path.display());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let opened =
            File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let file = TemporaryFile(path.clone());
        let mut writer = BufWriter::with_capacity(1 << 20, opened);
        let mut segments = BTreeMap::new();
        let mut start = 0;
        for partition in chunk.partitions() {
            let mut stream = StreamWriter::try_new(&mut writer, &chunk.schema())
                .map_err(|error| ipc(error, &path))?;
            for batch in chunk.rows(partition) {
                stream.write(&batch?).map_err(|error| ipc(error, &path))?;
            }
            stream.finish().map_err(|error| ipc(error, &path))?;
            drop(stream);
            let end = writer.stream_position().map_err(failed)?;
            segments.insert(partition, (start, end - start));
            start = end;
        }
        writer.flush().map_err(failed)?;
        Ok(Self { file, segments, bytes: start })
    }

    /// How large the file is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The partitions that have rows here.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = usize> {
        self.segments.keys().copied()
    }

    /// The rows of a partition, in order; `None` if it has none.
    pub(crate) fn rows(
        &self,
        partition: usize,
    ) -> Result<Option<impl Iterator<Item = Result<RecordBatch>> + Send + use<>>> {
        let Some((start, length)) = self.segments.get(&partition).copied() else { return Ok(None) };
        let path = self.file.0.clone();
        let failed = |error| Error::io(error, "read rows put aside on disk", path.display());
        let mut file = File::open(&path).map_err(failed)?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let limited = BufReader::with_capacity(64 << 10, file.take(length));
        let reader = StreamReader::try_new(limited, None).map_err(|error| ipc(error, &path))?;
        Ok(Some(reader.map(move |batch| batch.map_err(|error| ipc(error, &path)))))
    }
}

fn ipc(error: arrow::error::ArrowError, path: &Path) -> Error {
    match error {
        arrow::error::ArrowError::IoError(_, io) => {
            Error::io(io, "put rows aside on disk", path.display())
        }
        other => Error::new(ErrorKind::Storage, "rows put aside on disk cannot be read back")
            .with_context("path", path.display())
            .with_source(other),
    }
}
