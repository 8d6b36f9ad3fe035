//! How a file is opened: with its constants, and so that every error names it.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::datasource::listing::PartitionedFile;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::StreamExt;
use futures::stream::BoxStream;
use parquet::errors::ParquetError;

use arrow::datatypes::SchemaRef;

use super::slice::FileSlice;
use super::statistics::constant_statistics;
use crate::{Error, ErrorKind};

/// The Parquet reader's morsels, with files named in errors.
#[derive(Debug)]
pub(super) struct IcebergMorselizer {
    /// The Parquet reader's.
    pub inner: Box<dyn Morselizer>,
    /// The table's own columns.
    pub columns: SchemaRef,
}

impl Morselizer for IcebergMorselizer {
    fn plan_file(&self, mut file: PartitionedFile) -> DFResult<Box<dyn MorselPlanner>> {
        let Some(slice) = file.extension::<Arc<FileSlice>>().map(Arc::clone) else {
            return self.inner.plan_file(file);
        };
        // Executors have no statistics, and planners none of very many files.
        if file.statistics.is_none() && !slice.constants.is_empty() {
            let statistics = constant_statistics(&self.columns, &slice);
            file = file.with_statistics(Arc::new(statistics));
        }
        let inner = self.inner.plan_file(file).map_err(|error| named(error, &slice))?;
        Ok(Box::new(Named { inner, slice }))
    }
}

/// Something of the Parquet reader's, and the file that it is about.
#[derive(Debug)]
struct Named<T> {
    inner: T,
    slice: Arc<FileSlice>,
}

impl<T> Named<T> {
    fn of(inner: T, slice: &Arc<FileSlice>) -> Box<Self> {
        Box::new(Self { inner, slice: Arc::clone(slice) })
    }
}

impl MorselPlanner for Named<Box<dyn MorselPlanner>> {
    fn plan(self: Box<Self>) -> DFResult<Option<MorselPlan>> {
        let slice = self.slice;
        let Some(mut plan) = self.inner.plan().map_err(|error| named(error, &slice))? else {
            return Ok(None);
        };
        let morsels = plan.take_morsels().into_iter();
        let planners = plan.take_ready_planners().into_iter();
        let mut renamed = MorselPlan::new()
            .with_morsels(
                morsels.map(|inner| Named::of(inner, &slice) as Box<dyn Morsel>).collect(),
            )
            .with_planners(
                planners.map(|inner| Named::of(inner, &slice) as Box<dyn MorselPlanner>).collect(),
            );
        if let Some(pending) = plan.take_pending_planner() {
            renamed.set_pending_planner(async move {
                match pending.await {
                    Ok(inner) => Ok(Named::of(inner, &slice) as Box<dyn MorselPlanner>),
                    Err(error) => Err(named(error, &slice)),
                }
            });
        }
        Ok(Some(renamed))
    }
}

impl Morsel for Named<Box<dyn Morsel>> {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, DFResult<RecordBatch>> {
        let slice = self.slice;
        let batches = self.inner.into_stream();
        batches.map(move |batch| batch.map_err(|error| named(error, &slice))).boxed()
    }
}

/// An error of reading a file, as ours and with its name; errors that are not about the file stay as
/// they are.
fn named(error: DataFusionError, slice: &FileSlice) -> DataFusionError {
    let error = match error {
        DataFusionError::External(source) => match source.downcast::<Error>() {
            Ok(error) if error.context("file").is_some() => *error,
            Ok(error) => error.with_context("file", &slice.path),
            Err(source) => return DataFusionError::External(source),
        },
        DataFusionError::Context(note, inner) => {
            return DataFusionError::Context(note, Box::new(named(*inner, slice)));
        }
        error => match kind(&error) {
            Some(kind) => Error::new(kind, "cannot read a data file")
                .with_context("file", &slice.path)
                .with_source(error),
            None => return error,
        },
    };
    DataFusionError::External(Box::new(error))
}

/// The kind of an error that is about a stored file; `None` for any other.
fn kind(error: &DataFusionError) -> Option<ErrorKind> {
    let mut parquet = false;
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(store) = error.downcast_ref::<object_store::Error>() {
            return Some(match store {
                object_store::Error::NotFound { .. } => ErrorKind::NotFound,
                object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
                // A local file that is shorter than its manifest says.
                object_store::Error::Generic { store: "LocalFileSystem", .. } => ErrorKind::Damaged,
                _ => ErrorKind::Storage,
            });
        }
        parquet |= error.is::<ParquetError>()
            || error.is::<Box<ParquetError>>()
            || matches!(error.downcast_ref::<ArrowError>(), Some(ArrowError::ParquetError(_)))
            || matches!(
                error.downcast_ref::<DataFusionError>(),
                Some(DataFusionError::ParquetError(_))
            );
        cause = error.source();
    }
    parquet.then_some(ErrorKind::Damaged)
}
