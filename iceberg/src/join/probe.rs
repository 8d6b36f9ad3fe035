//! Joins a right side with a left side that is on disk.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{JoinType, Result as DFResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{EmptyRecordBatchStream, ExecutionPlan, PhysicalExpr};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::Sender;

use super::buckets::{Bucket, Buckets, Dividing};
use super::handed::HandedOverExec;

/// How many batches may wait for who reads the join.
const AHEAD: usize = 1;

/// Rows are divided at most so many times.
const MOST_LEVELS: usize = 4;

type Out = Sender<DFResult<RecordBatch>>;

/// What a join's buckets are joined with.
#[derive(Debug, Clone)]
pub(super) struct Joining {
    /// The join that is done bucket by bucket.
    pub(super) join: Arc<HashJoinExec>,
    /// A left bucket of at most so many bytes is joined in memory.
    pub(super) bucket_bytes: usize,
    /// Into how many buckets rows are divided at a time. Each is an open file.
    pub(super) buckets: usize,
    pub(super) context: Arc<TaskContext>,
}

impl Joining {
    pub(super) fn left_keys(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.join.on().iter().map(|(left, _)| Arc::clone(left)).collect()
    }

    fn right_keys(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.join.on().iter().map(|(_, right)| Arc::clone(right)).collect()
    }

    /// The join of a left side with some right rows.
    pub(super) fn probe(
        self,
        left: Arc<Buckets>,
        right: SendableRecordBatchStream,
    ) -> SendableRecordBatchStream {
        let schema = self.join.schema();
        let mut builder = RecordBatchReceiverStream::builder(schema, AHEAD);
        let out = builder.tx();
        builder.spawn(async move { self.run(&left, right, 0, &out).await });
        builder.build()
    }

    async fn run(
        &self,
        left: &Buckets,
        mut right: SendableRecordBatchStream,
        level: usize,
        out: &Out,
    ) -> DFResult<()> {
        let mut dividing = Dividing::new(self, right.schema(), self.right_keys(), level, false)?;
        // Right rows that match nothing are joined with nothing at once, and not put on disk.
        let (alone, joined_alone) = match emits_right(*self.join.join_type()) {
            true => {
                let builder = RecordBatchReceiverStream::builder(right.schema(), AHEAD);
                let alone = builder.tx();
                let rows = builder.build();
                let nothing = Arc::new(EmptyExec::new(self.join.left().schema()));
                (Some(alone), Some(self.hash(nothing, once(rows))?))
            }
            false => (None, None),
        };
        let divide = async move {
            while let Some(batch) = right.next().await {
                let rest = dividing.push(&batch?, left.keys.as_ref())?;
                if let (Some(rest), Some(alone)) = (rest, &alone)
                    && alone.send(Ok(rest)).await.is_err()
                {
                    break;
                }
            }
            dividing.finish()
        };
        let pass = async move {
            match joined_alone {
                Some(rows) => forward(rows, out).await,
                None => Ok(()),
            }
        };
        let (right, ()) = futures::try_join!(divide, pass)?;
        for (at, (l, r)) in left.buckets.iter().zip(&right.buckets).enumerate() {
            if out.is_closed() {
                break;
            }
            tracing::trace!(level, at, left = l.bytes, right = r.bytes, "joining a bucket");
            self.bucket((left, l), (&right, r), level, out).await?;
        }
        Ok(())
    }

    /// Joins a bucket of both sides.
    fn bucket<'a>(
        &'a self,
        (left, l): (&'a Buckets, &'a Bucket),
        (right, r): (&'a Buckets, &'a Bucket),
        level: usize,
        out: &'a Out,
    ) -> BoxFuture<'a, DFResult<()>> {
        async move {
            let kind = *self.join.join_type();
            if (l.rows == 0 || (r.rows == 0 && !emits_left(kind)))
                && (r.rows == 0 || (l.rows == 0 && !emits_right(kind)))
            {
                return Ok(());
            }
            let swapped = l.bytes > self.bucket_bytes && r.bytes <= self.bucket_bytes;
            if l.bytes > self.bucket_bytes && !swapped && level < MOST_LEVELS {
                let level = level + 1;
                let schema = self.join.left().schema();
                let mut dividing = Dividing::new(self, schema, self.left_keys(), level, true)?;
                let mut rows = left.read(l)?;
                while let Some(batch) = rows.next().await {
                    dividing.push(&batch?, None)?;
                }
                let divided = dividing.finish()?;
                if !divided.is_one() {
                    return self.run(&divided, right.read(r)?, level, out).await;
                }
            }
            let (build, probe) = (once(left.read(l)?), once(right.read(r)?));
            let joined = match swapped || (l.bytes > self.bucket_bytes && r.bytes < l.bytes) {
                true => self
                    .template(build, probe)?
                    .swap_inputs(PartitionMode::CollectLeft)?
                    .execute(0, Arc::clone(&self.context))?,
                false => self.hash(build, probe)?,
            };
            forward(joined, out).await
        }
        .boxed()
    }

    /// The same join of other sides, in one partition.
    fn template(
        &self,
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
    ) -> DFResult<HashJoinExec> {
        self.join
            .builder()
            .reset_state()
            .with_partition_mode(PartitionMode::CollectLeft)
            .with_new_children(vec![left, right])?
            .build()
    }

    fn hash(
        &self,
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
    ) -> DFResult<SendableRecordBatchStream> {
        self.template(left, right)?.execute(0, Arc::clone(&self.context))
    }
}

/// Whether a join gives left rows that match nothing, or gives each left row once.
pub(super) fn emits_left(kind: JoinType) -> bool {
    use JoinType::{Full, Left, LeftAnti, LeftMark, LeftSemi};
    matches!(kind, Left | Full | LeftSemi | LeftAnti | LeftMark)
}

/// Whether a join gives right rows that match nothing.
fn emits_right(kind: JoinType) -> bool {
    use JoinType::{Full, Right, RightAnti, RightMark};
    matches!(kind, Right | Full | RightAnti | RightMark)
}

/// Passes rows on for as long as somebody reads.
async fn forward(mut rows: SendableRecordBatchStream, out: &Out) -> DFResult<()> {
    while let Some(batch) = rows.next().await {
        if out.send(Ok(batch?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// No rows.
pub(super) fn nothing(schema: SchemaRef) -> SendableRecordBatchStream {
    Box::pin(EmptyRecordBatchStream::new(schema))
}

fn once(rows: SendableRecordBatchStream) -> Arc<dyn ExecutionPlan> {
    Arc::new(HandedOverExec::once(rows))
}
