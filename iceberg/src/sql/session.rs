//! A SQL session: a statement's way from text to plan.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use northstar_catalog::{Error, ErrorKind, Result};

use super::catalog::StatementCatalogs;
use super::options::{SqlOptions, config};
use super::parse::{Parsed, parse};
use super::planner::VersionPlanner;
use super::{TableSource, clause, from_datafusion, lookup, statement};

/// Runs queries over the tables of a [`TableSource`].
///
/// Every table that a statement reads without a version clause is settled to one snapshot before
/// the statement is planned, so a self join reads one snapshot.
#[derive(Clone)]
pub struct SqlSession {
    context: SessionContext,
    source: Arc<dyn TableSource>,
}

impl std::fmt::Debug for SqlSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlSession").field("source", &self.source).finish_non_exhaustive()
    }
}

/// A statement's plan, and the state to run it with.
pub(super) struct Planned {
    pub(super) state: SessionState,
    pub(super) plan: LogicalPlan,
}

impl SqlSession {
    /// A session over `source`.
    ///
    /// # Errors
    /// If the spill directory cannot be used.
    pub fn new(options: SqlOptions, source: Arc<dyn TableSource>) -> Result<Self> {
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(bytes) = options.memory_bytes {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        }
        if let Some(dir) = &options.spill_dir {
            runtime = runtime.with_temp_file_path(dir);
        }
        let runtime = runtime.build_arc().map_err(from_datafusion)?;
        // The planner is there for statements that do not come through `query`: without it a
        // version clause that another dialect parses would be dropped.
        let state = SessionStateBuilder::new()
            .with_config(config(&options))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_relation_planners(vec![Arc::new(VersionPlanner::new(Vec::new()))])
            .build();
        Ok(Self { context: SessionContext::new_with_state(state), source })
    }

    /// DataFusion's context, to register functions or run plans with. It knows no tables: they are
    /// looked up for one statement at a time, by [`SqlSession::query`].
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Plans one reading statement, or sets a session option. Nothing is read before the result
    /// is collected or streamed; map what that returns with [`from_datafusion`].
    ///
    /// # Errors
    /// `InvalidInput` for mistakes in the statement, `Unsupported` for a statement that does not
    /// read or a version clause that cannot be honoured, and what the source returns.
    pub async fn query(&self, sql: &str) -> Result<DataFrame> {
        let limit = self.context.state().config_options().sql_parser.recursion_limit.get();
        let parsed = parse(sql, limit)?;
        statement::check(&parsed.statement)?;
        let Planned { state, plan } = Box::pin(self.plan(parsed)).await?;
        if let LogicalPlan::Statement(_) = &plan {
            // SET and RESET, as nothing else passes the check, change the session itself.
            return self.context.execute_logical_plan(plan).await.map_err(from_datafusion);
        }
        statement::check_plan(&plan)?;
        Ok(DataFrame::new(state, plan))
    }

    /// Plans any statement, with every version clause honoured.
    pub(super) async fn plan(&self, parsed: Parsed) -> Result<Planned> {
        let Parsed { mut statement, clauses: at_least } = parsed;
        let source = self.source.as_ref();
        let mut base = self.context.state();
        base.mark_start_execution();
        let clauses = clause::number(&mut statement, &base)?;
        if clauses.len() < at_least {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a version clause stands where no table is; it belongs right after a table's name",
            ));
        }
        let planner =
            Arc::new(VersionPlanner::new(lookup::versions(source, &base, clauses).await?));
        let present = lookup::present(source, &base, &statement).await?;
        let catalogs = StatementCatalogs::new(present.tables, present.listed, &self.source);
        let relation_planner = Arc::clone(&planner);
        let state = SessionStateBuilder::new_from_existing(base)
            .with_catalog_list(Arc::new(catalogs))
            .with_relation_planners(vec![relation_planner])
            .build();
        match state.statement_to_plan(statement).await {
            Ok(plan) => {
                planner.check_all_used()?;
                Ok(Planned { state, plan })
            }
            Err(error) => Err(present.missing.explain(from_datafusion(error))),
        }
    }
}
