//! Where queries run: in this process, or on a cluster. Jobs do not know which.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect};

use crate::Result;
use crate::join::bounded;
use crate::sql::from_datafusion;

/// Runs plans.
///
/// A plan reads, or writes files and tells which; it never commits. A plan that is given up or run
/// twice leaves files that nothing refers to, and changes no table.
#[async_trait]
pub trait Engine: Debug + Send + Sync {
    /// All rows of a plan, in any order. `context` is that of the session that planned it.
    ///
    /// # Errors
    /// Those of the plan's nodes; `Unavailable` if the plan needs more memory than there is.
    async fn collect(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>>;

    /// Whether plans run in this process, so that what they read is counted here.
    fn is_local(&self) -> bool {
        false
    }
}

/// Runs plans in this process. Where the session's memory is limited, hash joins put on disk what is
/// too large for it.
#[derive(Debug, Default, Clone, Copy)]
pub struct LocalEngine;

#[async_trait]
impl Engine for LocalEngine {
    async fn collect(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>> {
        let (plan, context) = bounded(plan, context).map_err(from_datafusion)?;
        collect(plan, context).await.map_err(from_datafusion)
    }

    fn is_local(&self) -> bool {
        true
    }
}
