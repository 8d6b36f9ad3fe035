//! A Ballista scheduler and two executors in this process, on free local ports.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::BallistaPhysicalExtensionCodec;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_executor::new_standalone_executor_from_state;
use ballista_scheduler::standalone::new_standalone_scheduler_from_state;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::TryStreamExt;
use northstar_iceberg::Result;
use northstar_iceberg::codec::NorthstarCodec;
use northstar_iceberg::engine::Engine;
use northstar_iceberg::sql::from_datafusion;

/// A cluster, and how its drivers plan.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) state: SessionState,
    scheduler: SocketAddr,
}

impl Cluster {
    /// Starts a scheduler and two executors. `late` lets the Parquet reader filter rows.
    pub(crate) async fn start(late: bool) -> Self {
        let codec = NorthstarCodec::new(Arc::new(BallistaPhysicalExtensionCodec::default()));
        // Ballista's settings matter for planning too: some plans cannot be cut into stages.
        let config = SessionConfig::new_with_ballista()
            .with_ballista_physical_extension_codec(Arc::new(codec))
            .with_target_partitions(8)
            .set_bool("datafusion.execution.parquet.pushdown_filters", late)
            .set_usize("datafusion.optimizer.repartition_file_min_size", 1);
        let state = Self::builder(config).build();
        let scheduler = new_standalone_scheduler_from_state(&state).await.unwrap();
        for _ in 0..2 {
            let url = format!("http://localhost:{}", scheduler.port());
            let client = SchedulerGrpcClient::connect(url).await.unwrap();
            new_standalone_executor_from_state(client, 2, &state).await.unwrap();
        }
        Self { state, scheduler }
    }

    fn builder(config: SessionConfig) -> SessionStateBuilder {
        SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_optimizer_rules(ballista_core::optimizer::ballista_default_optimizer_rules())
    }

    /// A session of a driver, in which tables are in the catalog `lake`.
    pub(crate) fn driver(&self) -> SessionStateBuilder {
        let config = self.state.config().clone();
        let config = config
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(northstar_iceberg::sql::CATALOG, "");
        Self::builder(config)
    }

    /// Runs a plan on the cluster.
    pub(crate) async fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
    ) -> datafusion::error::Result<Vec<RecordBatch>> {
        let config = self.state.config();
        let stream = execute_physical_plan::<PhysicalPlanNode>(
            format!("http://localhost:{}", self.scheduler.port()),
            &config.ballista_config(),
            plan,
            config.ballista_physical_extension_codec().as_ref(),
            self.state.session_id().to_owned(),
            config.clone(),
        )
        .await?;
        stream.try_collect().await
    }
}

#[async_trait]
impl Engine for Cluster {
    async fn collect(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>> {
        self.run(plan).await.map_err(from_datafusion)
    }
}
