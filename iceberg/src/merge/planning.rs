//! Plans and runs the queries of one statement.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::catalog::view::ViewTable;
use datafusion::common::Column;
use datafusion::datasource::physical_plan::{FileGroup, FileSource};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, Statement as Ast};
use futures::TryStreamExt;

use super::delete::{DeleteExec, DeleteTask};
use super::keep::{KeepExec, Kept, ROW_COLUMN, column_name};
use super::run::{OWN_TARGET, own};
use super::scratch::Scratch;
use super::session::LakeSession;
use super::write::{WriteExec, WriteTask, described, files_of};
use crate::commit::DeleteFile;
use crate::join::fewer_partitions;
use crate::scan::{FILE_COLUMN, FileSlice, IcebergTable, iceberg_scan};
use crate::sql::{Prepared, from_datafusion};
use crate::write::{DeletesOf, GroupCopier, Written};
use crate::{Error, ErrorKind, LakeTable, Result, TableName};

/// The tables of a statement, and what runs its queries.
pub(super) struct Planning<'a> {
    session: &'a LakeSession,
    prepared: Prepared,
    scratch: Scratch,
    kept: HashMap<String, LogicalPlan>,
    /// Files of the target that the last kept plan looked into, and all of them.
    considered: (u64, u64),
}

impl<'a> Planning<'a> {
    pub(super) fn new(session: &'a LakeSession, prepared: Prepared, scratch: Scratch) -> Self {
        Self { session, prepared, scratch, kept: HashMap::new(), considered: (0, 0) }
    }

    /// Makes `table` the target: under its name as any table, and for the statement's own queries
    /// with row addresses.
    pub(super) fn set_target(&mut self, name: &TableName, table: IcebergTable) -> Result<()> {
        let addressed = table.clone().with_row_address()?.decoding_late();
        self.prepared.set_table(name.clone(), Arc::new(table));
        self.prepared.set_table(own(OWN_TARGET)?, Arc::new(addressed));
        Ok(())
    }

    /// Makes `table` the one of that name.
    pub(super) fn set_table(&mut self, name: &TableName, table: IcebergTable) {
        self.prepared.set_table(name.clone(), Arc::new(table));
    }

    /// The target's files for the statement's own queries alone.
    pub(super) fn narrow_target(&mut self, table: IcebergTable) -> Result<()> {
        self.prepared.set_table(own(OWN_TARGET)?, Arc::new(table.with_row_address()?));
        Ok(())
    }

    /// Makes kept rows a table of the statement's own queries, with these columns, and the number
    /// of the row if asked for.
    pub(super) fn set_kept(
        &mut self,
        name: &str,
        columns: &[String],
        kept: &Kept,
        numbered: bool,
    ) -> Result<()> {
        let plan = kept_rows(columns, kept, numbered)?;
        self.kept.insert(name.to_string(), plan.clone());
        self.prepared.set_table(own(name)?, Arc::new(ViewTable::new(plan, None)));
        Ok(())
    }

    /// The plan that reads what [`Planning::set_kept`] made a table.
    pub(super) fn kept(&self, name: &str) -> Result<LogicalPlan> {
        self.kept
            .get(name)
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "rows are read before they are kept"))
    }

    pub(super) async fn plan(&mut self, query: Query) -> Result<LogicalPlan> {
        self.prepared.plan(query).await
    }

    pub(super) fn check_versions(&self) -> Result<()> {
        self.prepared.check_versions()
    }

    /// The rows of a query of ours.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<RecordBatch>> {
        let defect = || Error::new(ErrorKind::Internal, "a query of a statement's own is wrong");
        let query = match self.session.sql.parse(sql)?.statement {
            Statement::Statement(ast) => match *ast {
                Ast::Query(query) => *query,
                _ => return Err(defect()),
            },
            _ => return Err(defect()),
        };
        let plan = self.plan(query).await?;
        self.collect(plan).await
    }

    /// The rows of a plan.
    pub(super) async fn collect(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>> {
        let (plan, state) = self.physical(&plan).await?;
        self.session.engine.collect(plan, state.task_ctx()).await
    }

    /// Reads columns of what [`Planning::set_kept`] made a table, here and batch by batch.
    pub(super) async fn read_kept(
        &self,
        name: &str,
        columns: &[&str],
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let named = columns.iter().map(|name| Expr::Column(Column::new_unqualified(*name)));
        let plan = LogicalPlanBuilder::from(self.kept(name)?)
            .project(named)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let (plan, state) = self.physical(&plan).await?;
        let mut batches = execute_stream(plan, state.task_ctx()).map_err(from_datafusion)?;
        while let Some(batch) = batches.try_next().await.map_err(from_datafusion)? {
            each(&batch)?;
        }
        Ok(())
    }

    /// A state that knows the tables as they are now.
    pub(super) fn state(&self) -> SessionState {
        self.prepared.state()
    }

    /// Runs a plan that is optimized already, and keeps its rows.
    pub(super) async fn keep_optimized(
        &mut self,
        optimized: &LogicalPlan,
        schema: &Schema,
    ) -> Result<Kept> {
        let state = self.prepared.state();
        let planner = Arc::clone(state.query_planner());
        let plan =
            planner.create_physical_plan(optimized, &state).await.map_err(from_datafusion)?;
        self.keep_physical(plan, &state, schema).await
    }

    /// Runs a plan once and keeps its rows.
    pub(super) async fn keep(&mut self, plan: LogicalPlan) -> Result<Kept> {
        let schema = Arc::clone(plan.schema().inner());
        let (plan, state) = self.physical(&plan).await?;
        self.keep_physical(plan, &state, &schema).await
    }

    async fn keep_physical(
        &mut self,
        plan: Arc<dyn ExecutionPlan>,
        state: &SessionState,
        schema: &Schema,
    ) -> Result<Kept> {
        self.considered = considered(plan.as_ref());
        let (folder, ids) = (self.scratch.path().to_path_buf(), &self.session.lake.ids);
        let keep = Arc::new(KeepExec::new(single(plan), folder, Arc::clone(ids)));
        let given = self.session.engine.collect(keep, state.task_ctx()).await?;
        Kept::read(schema, &given)
    }

    /// Writes the rows of a plan as data files of `table`.
    pub(super) async fn write(
        &self,
        plan: LogicalPlan,
        table: &LakeTable,
        commit_id: &str,
    ) -> Result<Written> {
        let (plan, state) = self.physical(&plan).await?;
        let task = WriteTask {
            metadata: table.inner().metadata_ref(),
            commit_id: commit_id.to_string(),
            options: self.session.options.write.clone(),
            ids: Arc::clone(&self.session.lake.ids),
            observer: Arc::clone(&self.session.lake.observer),
        };
        let write = Arc::new(WriteExec::new(single(plan), task));
        let given = self.session.engine.collect(write, state.task_ctx()).await?;
        described(table.metadata(), &given)
    }

    /// What copies row groups of a table.
    pub(super) fn copier(&self, table: &LakeTable, commit_id: &str) -> Result<GroupCopier> {
        let lake = &self.session.lake;
        let (ids, observer) = (Arc::clone(&lake.ids), Arc::clone(&lake.observer));
        GroupCopier::new(table.metadata(), commit_id, ids, observer)
    }

    /// Deletes rows of `files`; the files of deletes.
    pub(super) async fn delete(
        &self,
        table: &LakeTable,
        commit_id: &str,
        files: Vec<DeletesOf>,
    ) -> Result<Vec<DeleteFile>> {
        let task = DeleteTask {
            metadata: table.inner().metadata_ref(),
            commit_id: commit_id.to_string(),
            files: Arc::new(files),
            ids: Arc::clone(&self.session.lake.ids),
        };
        let delete = Arc::new(DeleteExec::new(task));
        let given = self.session.engine.collect(delete, self.state().task_ctx()).await?;
        let files = files_of(table.metadata(), &given)?;
        Ok(files.into_iter().map(|(spec_id, file)| DeleteFile { spec_id, file }).collect())
    }

    /// Files of the target that the pairs were looked for in, and all of them.
    pub(super) fn files_considered(&self) -> (u64, u64) {
        self.considered
    }

    async fn physical(&self, plan: &LogicalPlan) -> Result<(Arc<dyn ExecutionPlan>, SessionState)> {
        let state = self.prepared.state();
        let physical = state.create_physical_plan(plan).await.map_err(from_datafusion)?;
        let Some(state) = fewer_partitions(physical.as_ref(), &state) else {
            return Ok((physical, state));
        };
        let physical = state.create_physical_plan(plan).await.map_err(from_datafusion)?;
        Ok((physical, state))
    }
}

/// Kept rows under the names of what was kept.
pub(super) fn kept_rows(columns: &[String], kept: &Kept, numbered: bool) -> Result<LogicalPlan> {
    let named = columns.iter().enumerate().map(|(at, name)| {
        Expr::Column(Column::new_unqualified(column_name(at))).alias(name.as_str())
    });
    let number = numbered.then(|| Expr::Column(Column::new_unqualified(ROW_COLUMN)));
    LogicalPlanBuilder::scan("kept", provider_as_source(Arc::new(kept.clone())), None)
        .and_then(|plan| plan.project(named.chain(number)))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

fn single(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() > 1 {
        return Arc::new(CoalescePartitionsExec::new(plan));
    }
    plan
}

/// How many files are read with row addresses, and all files. A statement with several lists of
/// clauses scans its target once for each.
fn considered(plan: &dyn ExecutionPlan) -> (u64, u64) {
    fn visit<'a>(plan: &'a dyn ExecutionPlan, paths: &mut HashSet<&'a str>, all: &mut u64) {
        if let Some((config, source)) = iceberg_scan(plan) {
            let schema = FileSource::table_schema(source).table_schema();
            if schema.field_with_name(FILE_COLUMN).is_ok() {
                *all = (*all).max(source.pruning().files);
                let files = config.file_groups.iter().flat_map(FileGroup::iter);
                let slices = files.filter_map(|file| file.extension::<Arc<FileSlice>>());
                paths.extend(slices.map(|slice| slice.path.as_str()));
            }
        }
        plan.children().into_iter().for_each(|child| visit(child.as_ref(), paths, all));
    }
    let (mut paths, mut all) = (HashSet::new(), 0);
    visit(plan, &mut paths, &mut all);
    (paths.len() as u64, all)
}
