//! The rows that are written: those of touched files as they will be, and the new ones.

use std::sync::Arc;

use datafusion::common::{Column, JoinType};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::counts::Found;
use super::find::{ACT_UPDATE, PAIR_ACT, PAIR_FILE, PAIR_POS, PAIRS, new_value, union};
use super::planning::Planning;
use super::target::Target;
use super::ways::Ways;
use crate::Result;
use crate::scan::{FILE_COLUMN, IcebergTable, POS_COLUMN, RowChoice};
use crate::sql::from_datafusion;

/// The plan of all rows that are to be written, with the target's columns; `None` if there are none:
/// the rows that stay as they are in files that are written anew, those that get new values, and the
/// new ones.
pub(super) fn rewritten(
    planning: &Planning<'_>,
    target: &Target,
    table: &IcebergTable,
    found: &Found,
    ways: &Ways,
    inserts: Option<LogicalPlan>,
) -> Result<Option<LogicalPlan>> {
    let mut plans = Vec::new();
    if !ways.rewritten.is_empty() {
        plans.push(staying(target, table, found, ways)?);
    }
    if found.updated_rows > 0 {
        plans.push(updated(planning, target, table, found)?);
    }
    plans.extend(inserts);
    let mut plans = plans.into_iter();
    let first = plans.next();
    plans.try_fold(first, |all, next| all.map(|all| union(all, next)).transpose())
}

/// The rows that stay as they are in files that are written anew. The others are left out by their
/// position, so that they are not even decoded.
fn staying(
    target: &Target,
    table: &IcebergTable,
    found: &Found,
    ways: &Ways,
) -> Result<LogicalPlan> {
    let changed = found.changed(&ways.rewritten);
    let table = table.clone().with_only(ways.rewritten.clone());
    let table = table.with_rows(RowChoice::Without(changed));
    let columns = target.columns.fields().iter();
    LogicalPlanBuilder::scan("t", provider_as_source(Arc::new(table)), None)
        .and_then(|plan| plan.project(columns.map(|field| of_table(field.name()))))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// The rows that get new values, with these. The pairs have them whole if the statement gives a value
/// to each column; else those rows are read once more for the others.
fn updated(
    planning: &Planning<'_>,
    target: &Target,
    table: &IcebergTable,
    found: &Found,
) -> Result<LogicalPlan> {
    let pairs = planning.kept(PAIRS)?;
    let is_given = |at: usize| pairs.schema().has_column_with_unqualified_name(&new_value(at));
    let changed = LogicalPlanBuilder::from(pairs.clone())
        .filter(unqualified(PAIR_ACT).eq(lit(ACT_UPDATE)))
        .and_then(|plan| plan.alias("changed"))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let columns = target.columns.fields().iter().enumerate();
    let values = columns.map(|(at, field)| match is_given(at) {
        true => unqualified(&new_value(at)).alias(field.name()),
        false => of_table(field.name()).alias(field.name()),
    });
    if (0..target.columns.fields().len()).all(is_given) {
        return LogicalPlanBuilder::from(changed)
            .project(values)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion);
    }
    let rows = found.updated();
    let table = table.clone().with_only(rows.keys().cloned().collect());
    let table = table.with_rows(RowChoice::Only(rows)).with_row_address()?;
    let address = |names: [&str; 2], qualifier: &str| {
        names.map(|name| Column::new(Some(qualifier), name)).to_vec()
    };
    let on = (address([FILE_COLUMN, POS_COLUMN], "t"), address([PAIR_FILE, PAIR_POS], "changed"));
    LogicalPlanBuilder::scan("t", provider_as_source(Arc::new(table)), None)
        .and_then(|plan| plan.join(changed, JoinType::Inner, on, None))
        .and_then(|plan| plan.project(values))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

fn of_table(name: &str) -> Expr {
    Expr::Column(Column::new(Some("t"), name))
}

fn unqualified(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
