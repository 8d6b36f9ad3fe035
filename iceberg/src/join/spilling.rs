//! The node around a hash join whose left side may be larger than the memory.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PhysicalExpr,
    PlanProperties,
};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt, TryStreamExt};

use super::buckets::{Buckets, Dividing};
use super::handed::HandedOverExec;
use super::probe::{Joining, emits_left, nothing};

/// The partitions of a join have at most about so many files open while they divide rows.
const OPEN_FILES: usize = 256;
const FEWEST_BUCKETS: usize = 8;
const MOST_BUCKETS: usize = 64;

/// A hash join that reads its left side into memory up to a limit, and beyond it puts both sides on
/// disk.
pub(super) struct SpillingJoinExec {
    join: Arc<HashJoinExec>,
    /// What the left side may take, all partitions together.
    left_bytes: usize,
    left: OnceLock<ReadingLeft>,
}

/// The left side, as it is read once for all partitions.
type ReadingLeft = Shared<BoxFuture<'static, Result<Left, Arc<DataFusionError>>>>;

/// The left side, read.
#[derive(Debug, Clone)]
enum Left {
    /// The join, with the left side handed over.
    InMemory(Arc<HashJoinExec>),
    /// The left side of each partition.
    OnDisk(Vec<Arc<Buckets>>),
}

impl SpillingJoinExec {
    /// The node around `join`, if it can be joined bucket by bucket: not if the order of its rows
    /// counts, or NULL in one row decides on others.
    pub(super) fn around(join: &HashJoinExec, left_bytes: usize) -> DFResult<Option<Self>> {
        let unfit = join.null_aware
            || join.fetch().is_some()
            || join.on().is_empty()
            || join.properties().output_ordering().is_some()
            || *join.partition_mode() == PartitionMode::Auto;
        let join = Arc::new(join.builder().build()?);
        Ok((!unfit).then(|| Self { join, left_bytes, left: OnceLock::new() }))
    }

    /// Whether the left side was too large for memory; false before it was read.
    #[cfg(test)]
    pub(super) fn is_on_disk(&self) -> bool {
        let read = self.left.get().and_then(Shared::peek);
        matches!(read, Some(Ok(Left::OnDisk(_))))
    }

    fn joining(&self, context: Arc<TaskContext>) -> Joining {
        // The partitions join at the same time.
        let partitions = self.properties().output_partitioning().partition_count().max(1);
        let bucket_bytes = self.left_bytes / partitions;
        let buckets = (OPEN_FILES / partitions).clamp(FEWEST_BUCKETS, MOST_BUCKETS);
        Joining { join: Arc::clone(&self.join), bucket_bytes, buckets, context }
    }
}

impl fmt::Debug for SpillingJoinExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut of = f.debug_struct("SpillingJoinExec");
        of.field("join", &self.join).field("left_bytes", &self.left_bytes).finish_non_exhaustive()
    }
}

impl DisplayAs for SpillingJoinExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpillingJoinExec: left_bytes={}, ", self.left_bytes)?;
        self.join.fmt_as(kind, f)
    }
}

impl ExecutionPlan for SpillingJoinExec {
    fn name(&self) -> &'static str {
        "SpillingJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.join.children()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        if children.len() != 2 {
            return internal_err!("a join has two children");
        }
        let join = Arc::new(self.join.builder().with_new_children(children)?.build()?);
        Ok(Arc::new(Self { join, left_bytes: self.left_bytes, left: OnceLock::new() }))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DFResult<TreeNodeRecursion>,
    ) -> DFResult<TreeNodeRecursion> {
        self.join.apply_expressions(f)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.join.metrics()
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DFResult<SendableRecordBatchStream> {
        let joining = self.joining(Arc::clone(&context));
        let left_bytes = self.left_bytes;
        let left = self.left.get_or_init(|| {
            let read = read_left(joining.clone(), left_bytes);
            read.map(|left| left.map_err(Arc::new)).boxed().shared()
        });
        let left = left.clone();
        let rows = async move {
            match left.await.map_err(DataFusionError::Shared)? {
                Left::InMemory(join) => join.execute(partition, context),
                Left::OnDisk(sides) => on_disk(joining, &sides, partition),
            }
        };
        let rows = futures::stream::once(rows).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// One partition of a join whose left side is on disk. It gives what the join itself would give in
/// that partition.
fn on_disk(
    joining: Joining,
    sides: &[Arc<Buckets>],
    partition: usize,
) -> DFResult<SendableRecordBatchStream> {
    let join = Arc::clone(&joining.join);
    let (right, context) = (join.right(), Arc::clone(&joining.context));
    let (side, right) = match join.partition_mode() {
        PartitionMode::Partitioned => (sides.get(partition), right.execute(partition, context)?),
        // A left row matches right rows of any partition, and is given once.
        _ if emits_left(*join.join_type()) => {
            if partition > 0 {
                return Ok(nothing(join.schema()));
            }
            let right = CoalescePartitionsExec::new(Arc::clone(right));
            (sides.first(), right.execute(0, context)?)
        }
        _ => (sides.first(), right.execute(partition, context)?),
    };
    match side {
        Some(side) => Ok(joining.probe(Arc::clone(side), right)),
        None => internal_err!("a partition of a join has no left side"),
    }
}

/// What the partitions of a left side take together.
#[derive(Debug)]
struct Total {
    bytes: AtomicUsize,
    most_bytes: usize,
    exceeded: AtomicBool,
}

impl Total {
    fn exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Whether so many bytes more are within the limit.
    fn add(&self, bytes: usize) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        before + bytes <= self.most_bytes
    }

    fn exceed(&self) {
        self.exceeded.store(true, Ordering::Relaxed);
    }
}

/// The left rows of one partition.
enum Part {
    InMemory(Vec<RecordBatch>, MemoryReservation),
    OnDisk(Dividing),
}

async fn read_left(joining: Joining, most_bytes: usize) -> DFResult<Left> {
    let left = joining.join.left();
    let total = Arc::new(Total {
        bytes: AtomicUsize::new(0),
        most_bytes,
        exceeded: AtomicBool::new(false),
    });
    let mut tasks = Vec::new();
    for partition in 0..left.output_partitioning().partition_count() {
        let rows = left.execute(partition, Arc::clone(&joining.context))?;
        let (joining, total) = (joining.clone(), Arc::clone(&total));
        tasks.push(SpawnedTask::spawn(read_part(joining, rows, partition, total)));
    }
    let mut parts = Vec::with_capacity(tasks.len());
    for task in tasks {
        let part = task.join().await;
        parts.push(part.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
    }
    if !total.exceeded() {
        let schema = left.schema();
        let handed = parts.into_iter().filter_map(|part| match part {
            Part::InMemory(batches, held) => Some(handed_over(Arc::clone(&schema), batches, held)),
            Part::OnDisk(_) => None,
        });
        let handed = HandedOverExec::new(handed.collect(), Arc::clone(left.properties()));
        let children: Vec<Arc<dyn ExecutionPlan>> =
            vec![Arc::new(handed), Arc::clone(joining.join.right())];
        let join = joining.join.builder().with_new_children(children)?.build()?;
        return Ok(Left::InMemory(Arc::new(join)));
    }
    tracing::debug!(most_bytes, "the left side of a join goes to disk");
    let mut sides = Vec::with_capacity(parts.len());
    for part in parts {
        let dividing = match part {
            Part::OnDisk(dividing) => dividing,
            Part::InMemory(batches, _held) => divided(&joining, batches)?,
        };
        sides.push(Arc::new(dividing.finish()?));
    }
    Ok(Left::OnDisk(sides))
}

async fn read_part(
    joining: Joining,
    mut rows: SendableRecordBatchStream,
    partition: usize,
    total: Arc<Total>,
) -> DFResult<Part> {
    let held = MemoryConsumer::new(format!("SpillingJoinInput[{partition}]"))
        .with_can_spill(true)
        .register(joining.context.memory_pool());
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let bytes = get_record_batch_memory_size(&batch);
        batches.push(batch);
        if total.exceeded() || !total.add(bytes) || held.try_grow(bytes).is_err() {
            total.exceed();
            let mut dividing = divided(&joining, std::mem::take(&mut batches))?;
            held.free();
            while let Some(batch) = rows.next().await {
                dividing.push(&batch?, None)?;
            }
            return Ok(Part::OnDisk(dividing));
        }
    }
    Ok(Part::InMemory(batches, held))
}

fn divided(joining: &Joining, batches: Vec<RecordBatch>) -> DFResult<Dividing> {
    let schema = joining.join.left().schema();
    let mut dividing = Dividing::new(joining, schema, joining.left_keys(), 0, true)?;
    for batch in batches {
        dividing.push(&batch, None)?;
    }
    Ok(dividing)
}

/// Rows that are given away, with the memory that they held: who takes a batch accounts for it.
fn handed_over(
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    held: MemoryReservation,
) -> SendableRecordBatchStream {
    let rows = batches.into_iter().map(move |batch| {
        held.shrink(get_record_batch_memory_size(&batch).min(held.size()));
        Ok(batch)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(rows)))
}
