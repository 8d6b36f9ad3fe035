//! `CREATE TABLE … AS SELECT`: the table is there with all its rows, or not at all.

use std::collections::HashMap;

use datafusion::common::Column;
use datafusion::logical_expr::expr_fn::cast;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::assign::conform;
use super::insert::planned;
use super::report::ChangeReport;
use super::rounds::counted;
use super::session::LakeSession;
use crate::commit::{CommitRequest, FileChange};
use crate::sql::{Parsed, from_datafusion};
use crate::table::evolve::check_definition;
use crate::table::schema::{arrow_type, iceberg_type};
use crate::table::{ColumnDefinition, TableDefinition};
use crate::{Error, ErrorKind, Result, TableName};

/// Makes a table of a query's rows. Its columns become the definition's.
///
/// # Errors
/// As a query; `AlreadyExists`; `InvalidInput` and `Unsupported` for columns that a table cannot
/// have; storage errors. There is no table then, but after `CommitUnknown`, when there may be.
pub(super) async fn create_as(
    session: &LakeSession,
    name: &TableName,
    definition: &mut TableDefinition,
    query: Parsed,
) -> Result<ChangeReport> {
    let (mut planning, query) = planned(session, query, HashMap::new()).await?;
    let plan = planning.plan(query).await?;
    planning.check_versions()?;
    let (plan, columns) = named(plan)?;
    definition.columns = columns;
    check_definition(definition)?;
    let lake = &session.lake;
    let draft = lake.draft_table(name, definition)?;
    let request = CommitRequest {
        commit_id: lake.ids.uuid().to_string(),
        run: session.run.clone(),
        summary: Default::default(),
        expect: None,
    };
    let written = planning.write(plan, &draft, &request.commit_id).await?;
    let mut report = ChangeReport::new("CREATE TABLE AS");
    report.source_rows = written.rows;
    report.inserted_rows = written.rows;
    report.files_added = written.files.len() as u64;
    let change = FileChange { added: written.files.clone(), ..FileChange::default() };
    let request = counted(&request, &report);
    match lake.create_filled(&draft, &change, &request, &session.access).await {
        Ok(snapshot_id) => {
            report.snapshot_id = snapshot_id;
            Ok(report)
        }
        Err(error) => {
            // After a lost reply the files may be the table's.
            if error.kind() != ErrorKind::CommitUnknown {
                written.discard();
            }
            Err(error)
        }
    }
}

/// The rows with columns that a table can have, and these columns, all optional.
fn named(plan: LogicalPlan) -> Result<(LogicalPlan, Vec<ColumnDefinition>)> {
    let (mut values, mut columns) = (Vec::new(), Vec::new());
    for (qualifier, field) in plan.schema().iter() {
        let name = field.name();
        if field.data_type().is_null() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("column `{name}` is NULL and has no type; write CAST(NULL AS type)"),
            ));
        }
        let kind = iceberg_type(field.data_type())
            .and_then(|kind| arrow_type(&kind))
            .map_err(|error| error.with_context("column", name))?;
        let value = Expr::Column(Column::from((qualifier, field)));
        let value = match field.data_type() == &kind {
            true => value,
            false if kind.is_nested() => conform(value, &kind),
            false => cast(value, kind.clone()),
        };
        values.push(value.alias(name));
        columns.push(ColumnDefinition::new(name, kind));
    }
    let plan = LogicalPlanBuilder::from(plan)
        .project(values)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    Ok((plan, columns))
}
