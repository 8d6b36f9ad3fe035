use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use datafusion::common::JoinType;
use datafusion::datasource::MemTable;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_expr::expressions::col as physical_col;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, col};

use super::bounded;
use super::spilling::SpillingJoinExec;

const ALL: [JoinType; 10] = [
    JoinType::Inner,
    JoinType::Left,
    JoinType::Right,
    JoinType::Full,
    JoinType::LeftSemi,
    JoinType::RightSemi,
    JoinType::LeftAnti,
    JoinType::RightAnti,
    JoinType::LeftMark,
    JoinType::RightMark,
];

/// Keys from `keys`, NULL for each 17th row, and a number and a text for each row.
fn rows(prefix: &str, count: i64, key: impl Fn(i64) -> i64) -> Vec<Vec<RecordBatch>> {
    let batch = |from: i64, to: i64| {
        let keys: Int64Array = (from..to).map(|n| (n % 17 != 0).then(|| key(n))).collect();
        let texts = StringArray::from_iter_values((from..to).map(|n| format!("{prefix} {n:>40}")));
        let columns: [(String, ArrayRef); 3] = [
            (format!("{prefix}k"), Arc::new(keys)),
            (format!("{prefix}n"), Arc::new(Int64Array::from_iter_values(from..to))),
            (format!("{prefix}t"), Arc::new(texts)),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns.iter().map(|(name, values)| (name.as_str(), Arc::clone(values), true)),
        )
        .unwrap()
    };
    let half = count / 2;
    let parts = [(0, half), (half, count)];
    parts
        .iter()
        .map(|(from, to)| {
            (*from..*to).step_by(100).map(|at| batch(at, (at + 100).min(*to))).collect()
        })
        .collect()
}

fn context(memory: Option<usize>, collect_left: bool) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(2).with_batch_size(128);
    let optimizer = &mut config.options_mut().optimizer;
    let threshold = if collect_left { usize::MAX } else { 0 };
    optimizer.hash_join_single_partition_threshold = threshold;
    optimizer.hash_join_single_partition_threshold_rows = threshold;
    // The sides stay as they are written.
    optimizer.join_reordering = false;
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = memory {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    }
    SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap())
}

struct Sides {
    left: Vec<Vec<RecordBatch>>,
    right: Vec<Vec<RecordBatch>>,
}

impl Sides {
    fn join(&self, context: &SessionContext, kind: JoinType, filtered: bool) -> DataFrame {
        for (name, rows) in [("l", &self.left), ("r", &self.right)] {
            let table = MemTable::try_new(rows[0][0].schema(), rows.clone()).unwrap();
            context.register_table(name, Arc::new(table)).unwrap();
        }
        let frame = |name: &str| futures::executor::block_on(context.table(name)).unwrap();
        let filter = filtered.then(|| (col("ln") + col("rn")).gt(datafusion::prelude::lit(900)));
        frame("l").join(frame("r"), kind, &["lk"], &["rk"], filter).unwrap()
    }
}

/// Whether each join of the plan that was looked at went to disk.
fn on_disk(plan: &Arc<dyn ExecutionPlan>) -> Vec<bool> {
    let own = plan.downcast_ref::<SpillingJoinExec>().map(SpillingJoinExec::is_on_disk);
    let below = plan.children().into_iter().flat_map(on_disk);
    own.into_iter().chain(below).collect()
}

async fn run(frame: DataFrame) -> (Vec<String>, Vec<bool>) {
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.unwrap();
    let (plan, context) = bounded(plan, context).unwrap();
    let batches = collect(Arc::clone(&plan), context).await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let mut rows: Vec<String> = text.lines().skip(3).map(str::to_string).collect();
    rows.sort_unstable();
    (rows, on_disk(&plan))
}

async fn check(sides: &Sides, memory: usize, kinds: &[JoinType], spills: bool) {
    for kind in kinds {
        for filtered in [false, true] {
            for collect_left in [false, true] {
                let free = context(None, collect_left);
                let tight = context(Some(memory), collect_left);
                let (expected, none) = run(sides.join(&free, *kind, filtered)).await;
                let (found, disk) = run(sides.join(&tight, *kind, filtered)).await;
                let case = format!("{kind} filtered={filtered} collect_left={collect_left}");
                assert!(none.is_empty(), "{case}: without a limit, DataFusion's join");
                assert_eq!(disk, [spills], "{case}");
                assert!(expected == found, "{case}: {} rows, {}", expected.len(), found.len());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m3_each_kind_of_join_gives_the_same_rows_from_disk() {
    // Even the keys alone are more than a join may keep.
    let sides =
        Sides { left: rows("l", 12_000, |n| n % 4_000), right: rows("r", 4_000, |n| n * 2) };
    check(&sides, 300_000, &ALL, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m3_each_kind_of_join_gives_the_same_rows_from_memory() {
    let sides = Sides { left: rows("l", 300, |n| n % 90), right: rows("r", 2_000, |n| n * 2) };
    check(&sides, 600_000, &ALL, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m3_many_rows_of_one_key_are_joined_from_the_side_that_has_few() {
    // All left rows have one key, which a few right rows have.
    let sides = Sides { left: rows("l", 6_000, |_| 7), right: rows("r", 40, |n| n % 20) };
    let kinds = [JoinType::Inner, JoinType::Right, JoinType::LeftAnti, JoinType::LeftSemi];
    check(&sides, 600_000, &kinds, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_of_one_key_on_both_sides_are_an_error() {
    let sides = Sides { left: rows("l", 20_000, |_| 7), right: rows("r", 20_000, |_| 7) };
    let context = context(Some(600_000), false);
    let frame = sides.join(&context, JoinType::Inner, false);
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.unwrap();
    let error = crate::engine::Engine::collect(&crate::engine::LocalEngine, plan, task).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("--memory"), "{error}");
}

#[tokio::test]
async fn a_filter_puts_together_no_more_wide_rows_than_the_scan_gives() {
    let schema = Arc::new(Schema::new(vec![Field::new("flag", DataType::Boolean, false)]));
    let source = Arc::new(ParquetSource::new(Arc::clone(&schema)));
    let scan = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
        .with_batch_size(Some(64))
        .build();
    let scan = DataSourceExec::from_data_source(scan);
    let filter =
        Arc::new(FilterExec::try_new(physical_col("flag", &schema).unwrap(), scan).unwrap());
    assert!(filter.batch_size() > 64);
    let context = context(Some(1 << 20), false).task_ctx();
    let (plan, context) = bounded(filter, context).unwrap();
    assert_eq!(plan.downcast_ref::<FilterExec>().unwrap().batch_size(), 64);
    assert_eq!(context.session_config().batch_size(), 64);
}
