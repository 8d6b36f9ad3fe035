//! The rows that are written: those of touched files as they will be, and the new ones.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{Column, JoinType};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::counts::Found;
use super::find::{ACT_UPDATE, PAIR_ACT, PAIR_FILE, PAIR_POS, PAIRS, new_value, union};
use super::planning::Planning;
use super::target::Target;
use crate::Result;
use crate::scan::{FILE_COLUMN, IcebergTable, POS_COLUMN, Positions, RowChoice};
use crate::sql::from_datafusion;

/// The plan of all rows that are to be written, with the target's columns; `None` if there are none:
/// the rows that stay as they are in files that are written anew, those that get new values, and the
/// new ones.
pub(super) fn rewritten(
    planning: &Planning<'_>,
    target: &Target,
    table: &IcebergTable,
    found: &Found,
    staying: Staying<'_>,
    inserts: Option<LogicalPlan>,
) -> Result<Option<LogicalPlan>> {
    let mut plans = Vec::new();
    if !staying.files.is_empty() {
        plans.push(staying.plan(target, table)?);
    }
    if found.updated_rows > 0 {
        plans.push(updated(planning, target, table, found)?);
    }
    plans.extend(inserts);
    let mut plans = plans.into_iter();
    let first = plans.next();
    plans.try_fold(first, |all, next| all.map(|all| union(all, next)).transpose())
}

/// The rows that stay as they are in files that are written anew.
pub(super) struct Staying<'a> {
    pub(super) files: &'a HashSet<String>,
    /// The others, by position, and those that were copied: they are not even decoded.
    pub(super) left_out: Arc<Positions>,
}

impl Staying<'_> {
    fn plan(self, target: &Target, table: &IcebergTable) -> Result<LogicalPlan> {
        let table = table.clone().with_only(self.files.clone());
        let table = table.with_rows(RowChoice::Without(self.left_out));
        let columns = target.columns.fields().iter();
        LogicalPlanBuilder::scan("t", provider_as_source(Arc::new(table)), None)
            .and_then(|plan| plan.project(columns.map(|field| of_table(field.name()))))
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)
    }
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
