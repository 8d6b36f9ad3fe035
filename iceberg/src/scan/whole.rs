//! Small files, each read in one piece.
//!
//! The Parquet reader asks for a footer and then for columns. Of a small file both together are one
//! request, which on S3 is half of what the file costs.

use std::ops::Range;
use std::sync::Arc;

use datafusion::common::Result as DFResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use prost::bytes::Bytes;

use super::reads::FileReads;

/// Where whole files are read from.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The file system of this machine. A small file is read in place: to hand that to another thread
    /// costs more than to read it.
    Local(Arc<LocalFileSystem>, Option<Arc<FileReads>>),
    /// Any other store, which counts by itself.
    Store(Arc<dyn ObjectStore>),
}

/// Makes readers that read files whole.
#[derive(Debug)]
pub(super) struct WholeFiles {
    pub(super) place: Place,
}

impl ParquetFileReaderFactory for WholeFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _footer_bytes: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> DFResult<Box<dyn AsyncFileReader + Send>> {
        let location = file.object_meta.location;
        Ok(Box::new(WholeFile {
            metrics: ParquetFileMetrics::new(partition, location.as_ref(), metrics),
            location,
            size_bytes: file.object_meta.size,
            place: self.place.clone(),
            bytes: None,
        }))
    }
}

struct WholeFile {
    location: Path,
    size_bytes: u64,
    place: Place,
    metrics: ParquetFileMetrics,
    bytes: Option<Bytes>,
}

impl WholeFile {
    async fn bytes(&mut self) -> Result<Bytes> {
        if let Some(bytes) = &self.bytes {
            return Ok(bytes.clone());
        }
        let bytes = match &self.place {
            Place::Local(store, reads) => {
                let path = store.path_to_filesystem(&self.location).map_err(external)?;
                let bytes = Bytes::from(std::fs::read(path).map_err(external)?);
                if let Some(reads) = reads {
                    reads.add(&self.location, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                }
                bytes
            }
            Place::Store(store) => {
                store.get_range(&self.location, 0..self.size_bytes).await.map_err(external)?
            }
        };
        self.metrics.bytes_scanned.add(bytes.len());
        Ok(self.bytes.insert(bytes).clone())
    }
}

impl AsyncFileReader for WholeFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let bytes = self.bytes().await?;
            let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
            let (from, to) = (at(range.start), at(range.end));
            if from > to || to > bytes.len() {
                return Err(ParquetError::EOF(format!("the file has only {} bytes", bytes.len())));
            }
            Ok(bytes.slice(from..to))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let policy =
                options.map_or(PageIndexPolicy::Skip, ArrowReaderOptions::column_index_policy);
            let bytes = self.bytes().await?;
            let reader = ParquetMetaDataReader::new().with_page_index_policy(policy);
            Ok(Arc::new(reader.parse_and_finish(&bytes)?))
        }
        .boxed()
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> ParquetError {
    ParquetError::External(Box::new(error))
}
