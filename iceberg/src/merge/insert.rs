//! `INSERT INTO`, `INSERT OVERWRITE` and `TRUNCATE TABLE`: what is written does not depend on single
//! rows of the target.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, SetExpr, Statement as Ast};

use super::assign::assign;
use super::conflict::times_read;
use super::insert_statement::InsertStatement;
use super::planning::Planning;
use super::replace::{Appended, Part, Unchanged};
use super::report::ChangeReport;
use super::rounds::{Destination, Round, counted, finish};
use super::run::{provider, table_name};
use super::scratch::Scratch;
use super::session::LakeSession;
use super::target::Target;

use crate::commit::{FileChange, Outcome};
use crate::sql::{Parsed, from_datafusion};
use crate::write::Written;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, TableName};

/// An `INSERT` under way.
struct Insert<'a> {
    lake: &'a Lake,
    name: TableName,
    columns: Vec<ObjectName>,
    query: Query,
    overwrite: bool,
    /// Whether the query reads the table that it fills.
    reads_target: bool,
    planning: Planning<'a>,
}

/// Runs an `INSERT`. `given` are tables that its query may read beside those of the lake.
///
/// # Errors
/// As [`LakeSession::change`].
pub(super) async fn insert(
    session: &LakeSession,
    parsed: &Parsed,
    statement: InsertStatement,
    mut given: HashMap<TableName, Arc<dyn TableProvider>>,
    to: Destination<'_>,
) -> Result<ChangeReport> {
    let InsertStatement { target, columns, query, overwrite } = statement;
    let name = table_name(session, &target)?;
    let base = session.lake.open_table(&name, &session.access).await?;
    let base = base.with_manifests(Arc::clone(&session.manifests));
    base.check_writable()?;
    let default = session.sql.default_namespace();
    let reads_target = times_read(&query, &name, &default) > 0;
    if reads_target {
        given.insert(name.clone(), Arc::new(provider(&base, to.branch)?));
    }
    let (planning, query) = planned(session, parsed.with_query(query), given).await?;
    let verb = if overwrite { "INSERT OVERWRITE" } else { "INSERT" };
    let lake = &session.lake;
    let insert = Insert { lake, name, columns, query, overwrite, reads_target, planning };
    Box::pin(finish(session, base, to, ChangeReport::new(verb), insert)).await
}

/// What plans and runs a query, and the query with its version clauses numbered.
pub(super) async fn planned(
    session: &LakeSession,
    parsed: Parsed,
    given: HashMap<TableName, Arc<dyn TableProvider>>,
) -> Result<(Planning<'_>, Query)> {
    let prepared = session.sql.prepare(parsed, given).await?;
    let query = match &prepared.statement {
        Statement::Statement(ast) => match ast.as_ref() {
            Ast::Query(query) => query.as_ref().clone(),
            _ => return Err(no_query()),
        },
        _ => return Err(no_query()),
    };
    if matches!(*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_)) {
        return Err(no_query());
    }
    let scratch = Scratch::create(&session.options.scratch_folder, session.lake.ids.uuid())?;
    Ok((Planning::new(session, prepared, scratch), query))
}

fn no_query() -> Error {
    Error::new(ErrorKind::InvalidInput, "rows come from SELECT or VALUES, and this is neither")
}

#[async_trait]
impl Round for Insert<'_> {
    async fn round(
        &mut self,
        base: &LakeTable,
        to: Destination<'_>,
        report: &mut ChangeReport,
    ) -> Result<Outcome> {
        let table = provider(base, to.branch)?;
        let target = Target {
            name: self.name.clone(),
            alias: self.name.table().to_string(),
            columns: Arc::clone(table.columns()),
        };
        if self.reads_target {
            self.planning.set_table(&self.name, table);
        }
        let plan = self.planning.plan(self.query.clone()).await?;
        self.planning.check_versions()?;
        let plan = placed(plan, &target, &self.columns)?;
        let written = self.planning.write(plan, base, &to.request.commit_id).await?;
        report.source_rows = written.rows;
        report.inserted_rows = written.rows;
        report.files_added = written.files.len() as u64;
        let outcome = self.commit(base, to, report, &written).await;
        if !matches!(outcome, Ok(Outcome::Committed { .. } | Outcome::Unknown(_))) {
            written.discard();
        }
        outcome
    }
}

impl Insert<'_> {
    async fn commit(
        &self,
        base: &LakeTable,
        to: Destination<'_>,
        report: &mut ChangeReport,
        written: &Written,
    ) -> Result<Outcome> {
        let added = written.files.clone();
        let Destination { request, branch } = to;
        if !self.overwrite && !self.reads_target {
            let change = FileChange { added, ..on(branch) };
            return self.lake.commit(base, &change, &counted(request, report), &Appended).await;
        }
        let mut removed = HashSet::new();
        if self.overwrite {
            let files = Part::of(base, branch, written).files(base).await?;
            report.deleted_rows = files.values().sum();
            report.files_rewritten = files.len() as u64;
            removed.extend(files.into_keys());
        }
        let part =
            if self.reads_target { Part::all(branch) } else { Part::of(base, branch, written) };
        let validation = Unchanged { files: part.files(base).await?, part };
        let change = FileChange { added, removed, ..on(branch) };
        self.lake.commit(base, &change, &counted(request, report), &validation).await
    }
}

/// A change of nothing, on a branch.
fn on(branch: &str) -> FileChange {
    FileChange { branch: Some(branch.to_string()), ..FileChange::default() }
}

/// The rows of a query as those of the target: by position, or in the columns that are named. A
/// column that is not given is NULL.
pub(super) fn placed(
    plan: LogicalPlan,
    target: &Target,
    names: &[ObjectName],
) -> Result<LogicalPlan> {
    let given: Vec<(Expr, arrow::datatypes::DataType)> = plan
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            (Expr::Column(Column::from((qualifier, field))), field.data_type().clone())
        })
        .collect();
    let places = target.places(names, given.len())?;
    let mut columns = Vec::new();
    for (at, field) in target.columns.fields().iter().enumerate() {
        let value = match places.iter().position(|place| *place == at) {
            Some(place) => {
                let (value, kind) = &given[place];
                assign(value.clone(), kind, field.data_type(), field.name())?
            }
            None => lit(ScalarValue::try_from(field.data_type()).map_err(from_datafusion)?),
        };
        columns.push(value.alias(field.name()));
    }
    LogicalPlanBuilder::from(plan)
        .project(columns)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// Takes all rows of a table away.
struct Truncate<'a> {
    lake: &'a Lake,
}

/// Runs a `TRUNCATE TABLE`.
///
/// # Errors
/// As [`LakeSession::change`].
pub(super) async fn truncate(
    session: &LakeSession,
    target: &ObjectName,
    to: Destination<'_>,
) -> Result<ChangeReport> {
    let name = table_name(session, target)?;
    let base = session.lake.open_table(&name, &session.access).await?;
    let base = base.with_manifests(Arc::clone(&session.manifests));
    base.check_writable()?;
    let truncate = Truncate { lake: &session.lake };
    Box::pin(finish(session, base, to, ChangeReport::new("TRUNCATE"), truncate)).await
}

#[async_trait]
impl Round for Truncate<'_> {
    async fn round(
        &mut self,
        base: &LakeTable,
        to: Destination<'_>,
        report: &mut ChangeReport,
    ) -> Result<Outcome> {
        let Destination { request, branch } = to;
        let removed = provider(base, branch)?.live_paths().await?;
        let part = Part::all(branch);
        let validation = Unchanged { files: part.files(base).await?, part };
        report.deleted_rows = validation.files.values().sum();
        report.files_rewritten = validation.files.len() as u64;
        let change = FileChange { removed, ..on(branch) };
        self.lake.commit(base, &change, &counted(request, report), &validation).await
    }
}
