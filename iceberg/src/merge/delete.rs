//! The node that writes position deletes and tells which files they are in (merge-on-read).
//!
//! Like the one that writes rows, it commits nothing.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use iceberg::spec::TableMetadataRef;

use super::write::{described_files, described_schema};
use crate::ids::Ids;
use crate::storage;
use crate::write::{DeletesOf, write_position_deletes};
use crate::{Error, ErrorKind, Result};

/// What is deleted: all that a task needs to know of the table and of the commit.
#[derive(Debug, Clone)]
pub struct DeleteTask {
    /// The table's metadata.
    pub metadata: TableMetadataRef,
    /// Becomes part of the files' names.
    pub commit_id: String,
    /// The data files that rows are deleted from, with all rows that are deleted then.
    pub files: Arc<Vec<DeletesOf>>,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
}

/// Writes one delete file for each data file. Gives what a `WriteExec` gives.
#[derive(Debug)]
pub struct DeleteExec {
    task: DeleteTask,
    properties: Arc<PlanProperties>,
}

impl DeleteExec {
    /// Deletes what the task says.
    pub fn new(task: DeleteTask) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(described_schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { task, properties: Arc::new(properties) }
    }

    /// What is deleted.
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
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => internal_err!("DeleteExec has no child"),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DFResult<TreeNodeRecursion>,
    ) -> DFResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> DFResult<SendableRecordBatchStream> {
        let work = delete(self.task.clone());
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), futures::stream::once(work))))
    }
}

async fn delete(task: DeleteTask) -> DFResult<RecordBatch> {
    let external = |error: Error| DataFusionError::External(Box::new(error));
    let writing = SpawnedTask::spawn_blocking(move || write(&task));
    let broken_off = |error| {
        external(Error::new(ErrorKind::Internal, "writing deletes broke off").with_source(error))
    };
    writing.join().await.map_err(broken_off)?.map_err(external)
}

fn write(task: &DeleteTask) -> Result<RecordBatch> {
    let mut files = Vec::new();
    let outcome = task.files.iter().try_for_each(|deletes| {
        let ids = task.ids.as_ref();
        let file = write_position_deletes(&task.metadata, &task.commit_id, ids, deletes)?;
        files.push((deletes.spec_id, file));
        Ok(())
    });
    let paths = files.iter().map(|(_, file)| file.file_path().to_string()).collect::<Vec<_>>();
    let rows = outcome.and_then(|()| described_files(&task.metadata, files));
    if rows.is_err() {
        storage::discard(&paths);
    }
    rows
}
