//! Rows from outside that a statement is given as a table: they are put aside on disk as they come,
//! so that memory does not grow with them.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use uuid::Uuid;

use super::keep::{Kept, create, properties};
use super::scratch::Scratch;
use crate::{Error, ErrorKind, Result};

/// A table that a statement is given beside those of the lake.
pub type Given = Arc<dyn TableProvider>;

/// Takes rows and puts them aside.
#[derive(Debug)]
pub struct AsideWriter {
    scratch: Scratch,
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<BufWriter<File>>,
    rows: u64,
}

impl AsideWriter {
    /// Puts rows with these columns aside in a folder of its own below `parent`, which is made if it
    /// is not there. `id` was used for no other.
    ///
    /// # Errors
    /// As the file system says; `Unsupported` for a column that Parquet does not have.
    pub fn create(parent: &Path, id: Uuid, schema: SchemaRef) -> Result<Self> {
        let scratch = Scratch::create(parent, id)?;
        let path = scratch.path().join("rows.parquet");
        let file = create(&path).map_err(|error| failed_io(error, &path))?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(&schema)));
        let writer = writer.map_err(|error| {
            Error::new(ErrorKind::Unsupported, "the rows cannot be put aside").with_source(error)
        })?;
        Ok(Self { scratch, path, schema, writer, rows: 0 })
    }

    /// The columns of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Puts rows aside. Blocking.
    ///
    /// # Errors
    /// `StorageFull` and what else the file system says; `Internal` for rows with other columns.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).map_err(|error| failed(error, &self.path))?;
        self.rows += u64::try_from(rows.num_rows()).unwrap_or(0);
        Ok(())
    }

    /// The rows as a table.
    ///
    /// # Errors
    /// As [`AsideWriter::write`].
    pub fn finish(mut self) -> Result<Aside> {
        self.writer.finish().map_err(|error| failed(error, &self.path))?;
        let bytes = u64::try_from(self.writer.bytes_written()).unwrap_or(0);
        let kept = Kept::of_file(self.schema, &self.path, self.rows, bytes);
        Ok(Aside { kept, _scratch: self.scratch })
    }
}

/// Rows that were put aside; they go when this is dropped.
#[derive(Debug)]
pub struct Aside {
    kept: Kept,
    _scratch: Scratch,
}

impl Aside {
    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.kept.rows()
    }

    /// The rows as a table, for as long as they are there.
    pub fn table(&self) -> Arc<dyn TableProvider> {
        Arc::new(self.kept.clone())
    }
}

fn failed_io(error: std::io::Error, path: &Path) -> Error {
    Error::io(error, "put rows aside on disk", path.display())
}

fn failed(error: ParquetError, path: &Path) -> Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(cause) => failed_io(*cause, path),
            Err(cause) => {
                Error::new(ErrorKind::Storage, "cannot put rows aside on disk").with_source(cause)
            }
        },
        other => Error::new(ErrorKind::Internal, "rows cannot be put aside").with_source(other),
    }
}
