//! A plan as it runs within a memory limit.

use std::sync::Arc;

use datafusion::common::Result as DFResult;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;

use super::spilling::SpillingJoinExec;

/// A partition of a query over wide rows has so much memory, or there is only one.
const WIDE_PARTITION_BYTES: usize = 256 << 20;

/// The plan, with hash joins that put on disk what is too large and filters that put together no more
/// rows than the scans below give, and the context to run it in. Both stay as they are if the memory
/// has no limit.
pub(crate) fn bounded(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> DFResult<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
    let MemoryLimit::Finite(bytes) = context.memory_pool().memory_limit() else {
        return Ok((plan, context));
    };
    let joins = count_joins(plan.as_ref());
    // DataFusion's join takes about twice what its left side takes, and joins may stand at once.
    let left_bytes = bytes / (2 * (joins + 1));
    let most_rows = scanned_rows(plan.as_ref());
    let plan = plan
        .transform_up(|node| {
            if let (Some(filter), Some(rows)) = (node.downcast_ref::<FilterExec>(), most_rows)
                && rows < filter.batch_size()
            {
                // It goes by what it was planned with, and not by the context.
                return Ok(Transformed::yes(Arc::new(filter.with_batch_size(rows)?)));
            }
            let Some(join) = node.downcast_ref::<HashJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            Ok(match SpillingJoinExec::around(join, left_bytes)? {
                Some(spilling) => Transformed::yes(Arc::new(spilling)),
                None => Transformed::no(node),
            })
        })
        .data()?;
    let context = match most_rows {
        Some(rows) if rows < context.session_config().batch_size() => {
            Arc::new(with_batch_rows(&context, rows))
        }
        _ => context,
    };
    Ok((plan, context))
}

/// The state to plan a query with whose rows are wide, if they need fewer partitions than it has:
/// each has row groups and batches of its own in memory.
pub(crate) fn fewer_partitions(
    plan: &dyn ExecutionPlan,
    state: &SessionState,
) -> Option<SessionState> {
    let MemoryLimit::Finite(bytes) = state.runtime_env().memory_pool.memory_limit() else {
        return None;
    };
    scanned_rows(plan)?;
    let partitions = (bytes / WIDE_PARTITION_BYTES).max(1);
    if partitions >= state.config().target_partitions() {
        return None;
    }
    let config = state.config().clone().with_target_partitions(partitions);
    Some(SessionStateBuilder::new_from_existing(state.clone()).with_config(config).build())
}

fn count_joins(plan: &dyn ExecutionPlan) -> usize {
    let below: usize = plan.children().iter().map(|child| count_joins(child.as_ref())).sum();
    below + usize::from(plan.downcast_ref::<HashJoinExec>().is_some())
}

/// The fewest rows that a scan of the plan puts into a batch, where one says how many.
fn scanned_rows(plan: &dyn ExecutionPlan) -> Option<usize> {
    let own = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>())
        .and_then(|config| config.batch_size);
    let below = plan.children().into_iter().filter_map(|child| scanned_rows(child.as_ref()));
    below.chain(own).min()
}

fn with_batch_rows(context: &TaskContext, rows: usize) -> TaskContext {
    TaskContext::new(
        context.task_id(),
        context.session_id(),
        context.session_config().clone().with_batch_size(rows),
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    )
}
