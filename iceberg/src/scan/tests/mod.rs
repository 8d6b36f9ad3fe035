//! Whole scans: SQL over tables that were written for it.

pub(crate) mod fixture;
pub(crate) mod lived;

mod equality;
mod evolution;
mod partitions;
mod random;
mod reading;
mod refused;
mod travel;
mod types;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};

pub(crate) use crate::table::schema::{arrow_schema, with_field_id};

use super::{IcebergTable, Pruning, find_scan};
use fixture::Fixture;

/// A session in which the table is `t`, and `a` with row addresses.
pub(crate) fn session(fixture: &Fixture, partitions: usize, late: bool) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .set_bool("datafusion.execution.parquet.pushdown_filters", late)
        .set_usize("datafusion.optimizer.repartition_file_min_size", 1);
    let context = SessionContext::new_with_config(config);
    let table = IcebergTable::try_new(fixture.table(), None).unwrap();
    context.register_table("t", Arc::new(table.clone())).unwrap();
    context.register_table("a", Arc::new(table.with_row_address().unwrap())).unwrap();
    context
}

async fn rows(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

/// The first row of a result, as numbers.
async fn one(context: &SessionContext, sql: &str) -> Vec<i64> {
    let batches = rows(context, sql).await;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).expect(sql);
    let number = |column: &ArrayRef| {
        let column = arrow::compute::cast(column, &DataType::Int64).unwrap();
        column.as_primitive::<Int64Type>().value(0)
    };
    batch.columns().iter().map(number).collect()
}

async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
}

/// How a query's files were chosen.
async fn pruning(context: &SessionContext, sql: &str) -> Pruning {
    let plan = plan(context, sql).await;
    *find_scan(plan.as_ref()).expect(sql).1.pruning()
}

/// Runs a query and gives `(pruned, matched)` of one of the Parquet reader's counters.
async fn counter(context: &SessionContext, sql: &str, name: &str) -> (usize, usize) {
    let plan = plan(context, sql).await;
    collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    let (_, source) = find_scan(plan.as_ref()).expect(sql);
    let metrics = datafusion::datasource::physical_plan::FileSource::metrics(source).clone_inner();
    let mut counted = (0, 0);
    for metric in metrics.iter() {
        use datafusion::physical_plan::metrics::MetricValue;
        if let MetricValue::PruningMetrics { name: found, pruning_metrics } = metric.value()
            && found == name
        {
            counted.0 += pruning_metrics.pruned();
            counted.1 += pruning_metrics.matched();
        }
    }
    counted
}
