//! The sorted runs of one partition, merged into one.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::chunk::GATHER_ROWS;
use crate::{Error, ErrorKind, Result};

/// A run: batches in sort order.
pub(crate) type Run = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Hands the rows of all runs to `write`, in sort order; one run after the other if there is no
/// order. Equal rows come in the order of their runs.
pub(crate) fn merge(
    schema: &SchemaRef,
    runs: Vec<Run>,
    sort: &[usize],
    mut write: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let order = LexOrdering::new(sort.iter().map(|column| {
        let name = schema.field(*column).name();
        let options = SortOptions { descending: false, nulls_first: true };
        PhysicalSortExpr::new(Arc::new(Column::new(name, *column)), options)
    }));
    let order = match order {
        Some(order) if runs.len() > 1 => order,
        _ => return runs.into_iter().flatten().try_for_each(|batch| write(&batch?)),
    };
    let streams = runs.into_iter().map(|run| stream(schema, run)).collect();
    // The runs are read through small buffers, whose number is bounded by the caller.
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let mut merged = StreamingMergeBuilder::new()
        .with_streams(streams)
        .with_schema(Arc::clone(schema))
        .with_expressions(&order)
        .with_batch_size(GATHER_ROWS)
        .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0))
        .with_reservation(MemoryConsumer::new("merge of sorted runs").register(&pool))
        .with_round_robin_tie_breaker(false)
        .build()
        .map_err(unwrapped)?;
    while let Some(batch) = futures::executor::block_on(merged.next()) {
        write(&batch.map_err(unwrapped)?)?;
    }
    Ok(())
}

fn stream(schema: &SchemaRef, run: Run) -> SendableRecordBatchStream {
    let batches =
        run.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error))));
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), futures::stream::iter(batches)))
}

fn unwrapped(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => {
                Error::new(ErrorKind::Internal, "sorted rows cannot be merged").with_source(other)
            }
        },
        other => Error::new(ErrorKind::Internal, "sorted rows cannot be merged").with_source(other),
    }
}
