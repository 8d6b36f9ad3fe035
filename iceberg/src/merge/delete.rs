//! The node that writes position deletes and tells which files they are in (merge-on-read).
//!
//! Like the one that writes rows, it commits nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::StreamExt;
use iceberg::spec::TableMetadataRef;
use roaring::RoaringTreemap;

use super::write::{described_files, described_schema};
use crate::ids::Ids;
use crate::storage;
use crate::write::{DeletesOf, write_position_deletes};
use crate::{Error, ErrorKind, Result};

/// What is deleted from: all that a task needs to know of the table and of the commit.
#[derive(Debug, Clone)]
pub struct DeleteTask {
    /// The table's metadata.
    pub metadata: TableMetadataRef,
    /// Becomes part of the files' names.
    pub commit_id: String,
    /// The data files that rows may be deleted from, with the rows that are deleted already.
    pub files: Arc<Vec<DeletesOf>>,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
}

/// Takes addresses of rows (path, position) in any order, and writes one delete file for each data
/// file that some are of, with the rows that were deleted before. Gives what a `WriteExec` gives.
#[derive(Debug)]
pub struct DeleteExec {
    input: Arc<dyn ExecutionPlan>,
    task: DeleteTask,
    properties: Arc<PlanProperties>,
}

impl DeleteExec {
    /// Deletes the rows at the addresses that `input` gives.
    pub fn new(input: Arc<dyn ExecutionPlan>, task: DeleteTask) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(described_schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, task, properties: Arc::new(properties) }
    }

    /// What is deleted from.
    pub fn task(&self) -> &DeleteTask {
        &self.task
    }
}

impl DisplayAs for DeleteExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeleteExec: commit={}, files={}", self.task.commit_id, self.task.files.len())
    }
}

impl ExecutionPlan for DeleteExec {
    fn name(&self) -> &'static str {
        "DeleteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// One task, so that each data file gets one delete file.
    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.task.clone()))),
            _ => internal_err!("DeleteExec has one child"),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DFResult<TreeNodeRecursion>,
    ) -> DFResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DFResult<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let work = delete(rows, self.task.clone());
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), futures::stream::once(work))))
    }
}

/// The positions of each file are kept as a bitmap, which is small however many there are.
async fn delete(mut rows: SendableRecordBatchStream, task: DeleteTask) -> DFResult<RecordBatch> {
    let external = |error: Error| DataFusionError::External(Box::new(error));
    let mut deleted: HashMap<String, RoaringTreemap> = HashMap::new();
    while let Some(batch) = rows.next().await {
        add(&batch?, &mut deleted).map_err(external)?;
    }
    let writing = SpawnedTask::spawn_blocking(move || write(&task, deleted));
    let broken_off = |error| {
        external(Error::new(ErrorKind::Internal, "writing deletes broke off").with_source(error))
    };
    writing.join().await.map_err(broken_off)?.map_err(external)
}

fn add(batch: &RecordBatch, deleted: &mut HashMap<String, RoaringTreemap>) -> Result<()> {
    let defect = || Error::new(ErrorKind::Internal, "rows to be deleted have no address");
    let paths = arrow::compute::cast(batch.column(0), &DataType::Utf8)
        .map_err(|error| defect().with_source(error))?;
    let paths = paths.as_string_opt::<i32>().ok_or_else(defect)?;
    let positions = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(defect)?;
    let mut row = 0;
    while row < batch.num_rows() {
        if paths.is_null(row) || positions.is_null(row) {
            return Err(defect());
        }
        let path = paths.value(row);
        let run = (row..batch.num_rows()).take_while(|at| paths.value(*at) == path).count();
        if !deleted.contains_key(path) {
            deleted.insert(path.to_string(), RoaringTreemap::new());
        }
        let of_file = deleted.get_mut(path).ok_or_else(defect)?;
        of_file.extend(positions.values()[row..row + run].iter().map(|at| at.cast_unsigned()));
        row += run;
    }
    Ok(())
}

fn write(task: &DeleteTask, mut deleted: HashMap<String, RoaringTreemap>) -> Result<RecordBatch> {
    let mut files = Vec::new();
    let outcome = task.files.iter().try_for_each(|before| {
        let Some(positions) = deleted.remove(&before.data_file) else { return Ok(()) };
        let all = DeletesOf { positions: positions | &before.positions, ..before.clone() };
        let ids = task.ids.as_ref();
        let file = write_position_deletes(&task.metadata, &task.commit_id, ids, &all)?;
        files.push((before.spec_id, file));
        Ok(())
    });
    let outcome = outcome.and_then(|()| match deleted.is_empty() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Internal, "a row is deleted from an unknown file")),
    });
    let paths = files.iter().map(|(_, file)| file.file_path().to_string()).collect::<Vec<_>>();
    let rows = outcome.and_then(|()| described_files(&task.metadata, files));
    if rows.is_err() {
        storage::discard(&paths);
    }
    rows
}
