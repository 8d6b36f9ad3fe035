//! How a file is opened: with its constants, and so that every error names it.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::datasource::listing::PartitionedFile;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::errors::ParquetError;

use super::readers::{LiveRows, Readers, Way};
use super::slice::FileSlice;
use super::statistics::constant_statistics;
use crate::storage::s3::{kind_of, kind_of_text};
use crate::{Error, ErrorKind};

/// The Parquet reader's morsels, with files named in errors.
#[derive(Debug)]
pub(super) struct IcebergMorselizer {
    /// The Parquet reader's.
    pub readers: Readers,
    /// Where the files stand.
    pub store: Arc<dyn ObjectStore>,
    /// The table's own columns.
    pub columns: SchemaRef,
}

impl Morselizer for IcebergMorselizer {
    fn plan_file(&self, mut file: PartitionedFile) -> DFResult<Box<dyn MorselPlanner>> {
        let Some(slice) = file.extension::<Arc<FileSlice>>().map(Arc::clone) else {
            return self.readers.usual().plan_file(file);
        };
        let (reader, way) = self.readers.choose(&slice);
        let live = match way {
            Way::Numbered => {
                // The reader must not skip what is left out here.
                file.extensions = Default::default();
                Some(LiveRows::of(&slice).map_err(external)?)
            }
            Way::Usual | Way::Whole => None,
        };
        // Executors have no statistics, and planners none of very many files.
        if file.statistics.is_none() && !slice.constants.is_empty() {
            let statistics = constant_statistics(&self.columns, &slice);
            file = file.with_statistics(Arc::new(statistics));
        }
        let location = file.path().clone();
        let opened = Opened { slice, live, store: Arc::clone(&self.store), location };
        let inner = reader.plan_file(file).map_err(|error| opened.named(error))?;
        Ok(Box::new(Named { inner, file: Arc::new(opened) }))
    }
}

/// Something of the Parquet reader's, and the file that it is about.
#[derive(Debug)]
struct Named<T> {
    inner: T,
    file: Arc<Opened>,
}

impl<T> Named<T> {
    fn of(inner: T, file: &Arc<Opened>) -> Box<Self> {
        Box::new(Self { inner, file: Arc::clone(file) })
    }
}

impl MorselPlanner for Named<Box<dyn MorselPlanner>> {
    fn plan(self: Box<Self>) -> DFResult<Option<MorselPlan>> {
        let file = self.file;
        let Some(mut plan) = self.inner.plan().map_err(|error| file.named(error))? else {
            return Ok(None);
        };
        let morsels = plan.take_morsels().into_iter();
        let planners = plan.take_ready_planners().into_iter();
        let mut renamed = MorselPlan::new()
            .with_morsels(morsels.map(|inner| Named::of(inner, &file) as Box<dyn Morsel>).collect())
            .with_planners(
                planners.map(|inner| Named::of(inner, &file) as Box<dyn MorselPlanner>).collect(),
            );
        if let Some(pending) = plan.take_pending_planner() {
            renamed.set_pending_planner(async move {
                match pending.await {
                    Ok(inner) => Ok(Named::of(inner, &file) as Box<dyn MorselPlanner>),
                    Err(error) => Err(file.unreadable(error).await),
                }
            });
        }
        Ok(Some(renamed))
    }
}

impl Morsel for Named<Box<dyn Morsel>> {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, DFResult<RecordBatch>> {
        let file = self.file;
        let batches = self.inner.into_stream();
        batches
            .map(move |batch| {
                let batch = batch.and_then(|batch| match &file.live {
                    Some(live) => live.only(&batch),
                    None => Ok(batch),
                });
                batch.map_err(|error| file.named(error))
            })
            .boxed()
    }
}

/// A file that is being read.
#[derive(Debug)]
struct Opened {
    slice: Arc<FileSlice>,
    /// The rows that are left of those that are read, if deleted ones are read.
    live: Option<LiveRows>,
    store: Arc<dyn ObjectStore>,
    location: Path,
}

impl Opened {
    /// The error of opening the file. The reader keeps only the text of what the store said, so the
    /// store is asked again for one byte.
    async fn unreadable(&self, error: DataFusionError) -> DataFusionError {
        match self.store.get_range(&self.location, 0..1).await {
            Ok(_) => self.named(error),
            Err(cause) => external(
                Error::new(store_kind(&cause), "cannot read a data file")
                    .with_context("file", &self.slice.path)
                    .with_source(cause),
            ),
        }
    }

    /// An error of reading the file, as ours and with its name; errors that are not about the file
    /// stay as they are.
    fn named(&self, error: DataFusionError) -> DataFusionError {
        let path = &self.slice.path;
        match error {
            DataFusionError::External(source) => match source.downcast::<Error>() {
                Ok(error) if error.context("file").is_some() => external(*error),
                Ok(error) => external(error.with_context("file", path)),
                Err(source) => DataFusionError::External(source),
            },
            DataFusionError::Context(note, inner) => {
                DataFusionError::Context(note, Box::new(self.named(*inner)))
            }
            error => match kind(&error) {
                Some(kind) => external(
                    Error::new(kind, "cannot read a data file")
                        .with_context("file", path)
                        .with_source(error),
                ),
                None => error,
            },
        }
    }
}

pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The kind of an error that is about a stored file; `None` for any other.
fn kind(error: &DataFusionError) -> Option<ErrorKind> {
    let mut parquet = false;
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(store) = error.downcast_ref::<object_store::Error>() {
            return Some(store_kind(store));
        }
        parquet |= error.is::<ParquetError>()
            || matches!(error.downcast_ref::<ArrowError>(), Some(ArrowError::ParquetError(_)))
            || matches!(
                error.downcast_ref::<DataFusionError>(),
                Some(DataFusionError::ParquetError(_))
            );
        cause = error.source();
    }
    let text = || kind_of_text(&error.to_string());
    parquet.then(|| text().unwrap_or(ErrorKind::Damaged))
}

fn store_kind(error: &object_store::Error) -> ErrorKind {
    match error {
        // The table is there, its file is not.
        object_store::Error::NotFound { .. } => ErrorKind::Damaged,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
        // A local file that is shorter than its manifest says.
        object_store::Error::Generic { store: "LocalFileSystem", .. } => ErrorKind::Damaged,
        error => kind_of(error),
    }
}
