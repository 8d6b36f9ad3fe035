//! A SQL session: a statement's way from text to plan.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, Statement as Ast};
use northstar_catalog::{Error, ErrorKind, Result, TableName};

use super::catalog::StatementCatalogs;
use super::define::Definition;
use super::lookup::Missing;
use super::microseconds::{self, SqlTypes, in_microseconds};
use super::options::{SqlOptions, config};
use super::parse::{Parsed, definition, parse};
use super::planner::VersionPlanner;
use super::relation::Relation;
use super::zeros::BothZeros;
use super::{TableSource, clause, from_datafusion, lookup, statement};
use crate::storage::StoreRegistry;
use crate::table::schema::without_ids;

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
        let mut runtime =
            RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(StoreRegistry::default()));
        if let Some(bytes) = options.memory_bytes {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        }
        if let Some(dir) = &options.spill_dir {
            runtime = runtime.with_temp_file_path(dir);
        }
        let runtime = runtime.build_arc().map_err(from_datafusion)?;
        Ok(Self::with_state(
            SessionStateBuilder::new()
                .with_config(config(&options))
                .with_runtime_env(runtime)
                .with_default_features(),
            source,
        ))
    }

    /// A session that plans with the settings and rules of `state`, such as a cluster's.
    pub fn with_state(state: SessionStateBuilder, source: Arc<dyn TableSource>) -> Self {
        // The planner is there for statements that do not come through `query`: without it a
        // version clause that another dialect parses would be dropped.
        let planner = Arc::new(VersionPlanner::new(Vec::new()));
        let state = state
            .with_relation_planners(vec![planner])
            .with_analyzer_rule(Arc::new(BothZeros))
            .build();
        let context = SessionContext::new_with_state(state);
        microseconds::register(&context);
        Self { context, source }
    }

    /// DataFusion's context, to register functions or run plans with. It knows no tables: they are
    /// looked up for one statement at a time, by [`SqlSession::query`].
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The namespace of tables that are written without one; empty if there is none.
    pub(crate) fn default_namespace(&self) -> String {
        self.context.state().config_options().catalog.default_schema.clone()
    }

    /// One statement, not yet planned.
    ///
    /// # Errors
    /// `InvalidInput` if the text is not exactly one statement.
    pub(crate) fn parse(&self, sql: &str) -> Result<Parsed> {
        let limit = self.context.state().config_options().sql_parser.recursion_limit.get();
        parse(sql, limit)
    }

    /// The definition that the text is, if it is one, and its query with the version clauses in it.
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be read; `Unsupported` for a part that is not honoured.
    pub(crate) fn definition(&self, sql: &str) -> Result<Option<(Definition, Option<Parsed>)>> {
        let limit = self.context.state().config_options().sql_parser.recursion_limit.get();
        let Some((mut definition, clauses)) = definition(sql, limit)? else { return Ok(None) };
        let query = match &mut definition {
            Definition::CreateTable(create) => create.query.take(),
            _ => None,
        };
        if query.is_none() && clauses > 0 {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a definition is of the table as it is now; leave the version clause out",
            ));
        }
        Ok(Some((definition, query.map(|query| Parsed::of_query(*query, clauses)))))
    }

    /// Plans one reading statement, or sets a session option. Nothing is read before the result
    /// is collected or streamed; map what that returns with [`from_datafusion`].
    ///
    /// # Errors
    /// `InvalidInput` for mistakes in the statement, `Unsupported` for a statement that does not
    /// read or a version clause that cannot be honoured, and what the source returns.
    pub async fn query(&self, sql: &str) -> Result<DataFrame> {
        self.query_with(sql, HashMap::new()).await
    }

    /// The same, where the statement may read tables that are `given` beside those of the source.
    ///
    /// # Errors
    /// As [`SqlSession::query`].
    pub async fn query_with(
        &self,
        sql: &str,
        given: HashMap<TableName, Arc<dyn TableProvider>>,
    ) -> Result<DataFrame> {
        let parsed = self.parse(sql)?;
        statement::check(&parsed.statement)?;
        let Planned { state, plan } = Box::pin(self.plan(parsed, given)).await?;
        if let LogicalPlan::Statement(_) = &plan {
            // SET and RESET, as nothing else passes the check, change the session itself.
            return self.context.execute_logical_plan(plan).await.map_err(from_datafusion);
        }
        statement::check_plan(&plan)?;
        Ok(DataFrame::new(state, described(plan)))
    }

    /// Plans any statement, with every version clause honoured.
    pub(super) async fn plan(
        &self,
        parsed: Parsed,
        given: HashMap<TableName, Arc<dyn TableProvider>>,
    ) -> Result<Planned> {
        let mut prepared = self.prepare(parsed, given).await?;
        let statement = prepared.statement.clone();
        let state = prepared.state();
        match state.statement_to_plan(statement).await.and_then(in_microseconds) {
            Ok(plan) => {
                prepared.planner.check_all_used()?;
                Ok(Planned { state, plan })
            }
            Err(error) => Err(prepared.missing.explain(from_datafusion(error))),
        }
    }

    /// Settles the version of each table that a statement reads. The tables that are `given` are
    /// not asked for.
    pub(crate) async fn prepare(
        &self,
        parsed: Parsed,
        given: HashMap<TableName, Arc<dyn TableProvider>>,
    ) -> Result<Prepared> {
        let Parsed { mut statement, clauses: at_least } = parsed;
        let source = self.source.as_ref();
        let mut base = SqlTypes::installed(self.context.state());
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
        let lookup::Present { tables, listed, missing } =
            lookup::present(source, &base, &statement, given).await?;
        let source = Arc::clone(&self.source);
        Ok(Prepared { statement, base, planner, tables, listed, missing, source })
    }
}

/// The plan; a description of a table shows types as people read them, without field ids.
fn described(plan: LogicalPlan) -> LogicalPlan {
    let LogicalPlan::DescribeTable(mut describe) = plan else { return plan };
    let fields = describe
        .schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_data_type(without_ids(field.data_type())));
    describe.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    LogicalPlan::DescribeTable(describe)
}

/// A statement whose tables are settled: it, and queries derived from it, can be planned.
pub(crate) struct Prepared {
    /// The statement, its version clauses numbered.
    pub(crate) statement: Statement,
    base: SessionState,
    planner: Arc<VersionPlanner>,
    tables: HashMap<Relation, Arc<dyn TableProvider>>,
    listed: BTreeMap<String, Vec<String>>,
    missing: Missing,
    source: Arc<dyn TableSource>,
}

impl Prepared {
    /// Puts a table in the place of the one of that name, or adds it.
    pub(crate) fn set_table(&mut self, name: TableName, provider: Arc<dyn TableProvider>) {
        self.tables.insert(name.into(), provider);
    }

    /// A state that knows the tables as they are now.
    pub(crate) fn state(&self) -> SessionState {
        let catalogs =
            StatementCatalogs::new(self.tables.clone(), self.listed.clone(), &self.source);
        let relation_planner = Arc::clone(&self.planner);
        SessionStateBuilder::new_from_existing(self.base.clone())
            .with_catalog_list(Arc::new(catalogs))
            .with_relation_planners(vec![relation_planner])
            .build()
    }

    /// Plans a query that is part of the statement, or derived from it.
    ///
    /// # Errors
    /// As [`SqlSession::query`].
    pub(crate) async fn plan(&mut self, query: Query) -> Result<LogicalPlan> {
        let statement = Statement::Statement(Box::new(Ast::Query(Box::new(query))));
        let plan = self.state().statement_to_plan(statement).await.and_then(in_microseconds);
        plan.map_err(|error| self.missing.explain(from_datafusion(error)))
    }

    /// Checks that each version clause was honoured, once the whole statement is planned.
    ///
    /// # Errors
    /// `InvalidInput` for a clause that is not.
    pub(crate) fn check_versions(&self) -> Result<()> {
        self.planner.check_all_used()
    }
}
