//! Scans there and back, through the bytes that executors get.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use iceberg::spec::{Literal, PrimitiveType, Transform};
use roaring::RoaringTreemap;

use super::NorthstarCodec;
use crate::scan::tests::fixture::{Fixture, properties, schema};
use crate::scan::tests::lived::lived;
use crate::scan::tests::session;
use crate::scan::{FileSlice, find_scan};

fn encode(plan: &Arc<dyn ExecutionPlan>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let codec = NorthstarCodec::default();
    let node = PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), &codec).unwrap();
    node.try_encode(&mut bytes).unwrap();
    bytes
}

fn decode(bytes: &[u8], context: &SessionContext) -> Arc<dyn ExecutionPlan> {
    let node = PhysicalPlanNode::try_decode(bytes).unwrap();
    node.try_into_physical_plan(&context.task_ctx(), &NorthstarCodec::default()).unwrap()
}

async fn shown(plan: Arc<dyn ExecutionPlan>, context: &SessionContext) -> String {
    let batches = collect(plan, context.task_ctx()).await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test]
async fn a_plan_gives_the_same_rows_after_the_journey() {
    let lived = lived().await;
    for late in [false, true] {
        let context = session(&lived.fixture, 4, late);
        for sql in [
            "SELECT count(*), sum(id), count(name), count(label), sum(amount) FROM t WHERE id >= 0",
            "SELECT label, id FROM t WHERE id IN (10001, 20000, 42042, 200001) ORDER BY id",
            "SELECT count(*), min(_pos), max(_pos), max(_file) FROM a WHERE _pos = id",
            "SELECT amount + 1 AS more, upper(label) FROM t WHERE label LIKE 'old-0424%' ORDER BY 1",
            "SELECT count(*) FROM (SELECT id FROM t LIMIT 89999)",
        ] {
            let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
            let travelled = decode(&encode(&plan), &context);
            // The scheduler reads plans and writes them again.
            let twice = decode(&encode(&travelled), &context);
            let here = shown(plan, &context).await;
            assert_eq!(here, shown(travelled, &context).await, "{sql}");
            assert_eq!(here, shown(twice, &context).await, "{sql}");
        }
    }
}

#[tokio::test]
async fn executors_keep_the_metrics_of_single_files() {
    let lived = lived().await;
    let context = session(&lived.fixture, 1, false);
    let plan = context.sql("SELECT id FROM t").await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    let travelled = decode(&encode(&plan), &context);
    for (plan, reported) in [(plan, true), (travelled, false)] {
        collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
        let (_, source) = find_scan(plan.as_ref()).unwrap();
        let metrics = source.metrics().clone_inner();
        assert_eq!(metrics.sum_by_name("bytes_scanned").is_some(), reported);
    }
}

#[tokio::test]
async fn partition_constants_travel_along() {
    let mut fixture = Fixture::new(
        schema(&[("id", PrimitiveType::Long), ("site", PrimitiveType::Long)]),
        &[("site", Transform::Identity)],
    );
    // The file says 5, the partition says 7: the partition's value counts.
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1])), Arc::new(Int64Array::from(vec![5]))];
    let file = fixture.write(columns, vec![Some(Literal::long(7))], properties());
    fixture.append(vec![file], vec![]).await;
    let context = session(&fixture, 1, true);
    let plan = context.sql("SELECT id, site FROM t WHERE site = 7").await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    let travelled = decode(&encode(&plan), &context);
    let here = shown(plan, &context).await;
    assert!(here.contains("| 1  | 7    |"), "{here}");
    assert_eq!(here, shown(travelled, &context).await);
}

#[tokio::test]
async fn a_file_costs_less_than_200_bytes() {
    let lived = lived().await;
    let context = session(&lived.fixture, 1, false);
    let plan = context.sql("SELECT id FROM t").await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    let (config, _) = find_scan(plan.as_ref()).unwrap();
    let (config, store) = (config.clone(), config.object_store_url.clone());
    let of = |count: u64| {
        let files = (0..count).map(|number| {
            let slice = FileSlice {
                path: format!(
                    "file:///lake/bronze/lab_result/data/facility_id=17/month=2024-01/\
                     0192f0c1-{number:08}-7c1e-9f00-5d1c2b3a4f5e-{number:08}.parquet"
                ),
                size_bytes: 128 << 20,
                rows: 1_000_000,
                deleted: RoaringTreemap::new(),
                constants: Vec::new(),
            };
            Arc::new(slice).partitioned_file(&store, Default::default()).unwrap()
        });
        let groups = vec![FileGroup::new(files.collect())];
        let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(groups).build();
        encode(&(DataSourceExec::from_data_source(config) as Arc<dyn ExecutionPlan>)).len()
    };
    let each = (of(2_000) - of(1_000)) / 1_000;
    assert!(each < 200, "{each} bytes per file");
}

#[tokio::test]
async fn what_is_not_ours_goes_to_the_inner_codec() {
    let lived = lived().await;
    let context = session(&lived.fixture, 1, false);
    let codec = NorthstarCodec::default();
    let node = PhysicalPlanNode::try_decode(&[]).unwrap();
    assert!(node.try_into_physical_plan(&context.task_ctx(), &codec).is_err(), "an empty plan");
    let scan = context.sql("SELECT id FROM t").await.unwrap().create_physical_plan().await.unwrap();
    // The default codec knows no Iceberg scan: were it written as a plain Parquet scan, deleted
    // rows would come back.
    let plain = datafusion_proto::physical_plan::DefaultPhysicalExtensionCodec {};
    assert!(PhysicalPlanNode::try_from_physical_plan(scan, &plain).is_err());
}
