//! Rows that were read already, as a child of a join. The node says of them what the one said that they
//! came from, above all how they are partitioned: a join filters its other side by their keys only if it
//! knows which partition a key is in.

use std::fmt;
use std::sync::{Arc, Mutex};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as DFResult, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};

/// Partitions that are each read once.
pub(super) struct HandedOverExec {
    partitions: Vec<Mutex<Option<SendableRecordBatchStream>>>,
    properties: Arc<PlanProperties>,
}

impl HandedOverExec {
    /// The partitions of a plan with these properties.
    pub(super) fn new(
        partitions: Vec<SendableRecordBatchStream>,
        properties: Arc<PlanProperties>,
    ) -> Self {
        let partitions = partitions.into_iter().map(|rows| Mutex::new(Some(rows))).collect();
        Self { partitions, properties }
    }

    /// One partition of which nothing is known.
    pub(super) fn once(rows: SendableRecordBatchStream) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(rows.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self::new(vec![rows], Arc::new(properties))
    }
}

impl fmt::Debug for HandedOverExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut of = f.debug_struct("HandedOverExec");
        of.field("partitions", &self.partitions.len()).finish_non_exhaustive()
    }
}

impl DisplayAs for HandedOverExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandedOverExec: partitions={}", self.partitions.len())
    }
}

impl ExecutionPlan for HandedOverExec {
    fn name(&self) -> &'static str {
        "HandedOverExec"
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
            false => internal_err!("rows that are handed over have no child"),
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
        _: Arc<TaskContext>,
    ) -> DFResult<SendableRecordBatchStream> {
        let rows = self.partitions.get(partition);
        match rows.and_then(|rows| rows.lock().ok()?.take()) {
            Some(rows) => Ok(rows),
            None => internal_err!("rows of a join are read twice"),
        }
    }
}
