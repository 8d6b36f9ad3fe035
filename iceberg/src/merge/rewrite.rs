//! The rows that are written: those of touched files as they will be, and the new ones.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{Column, JoinType};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr_fn::when;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};

use super::find::{ACT_DELETE, ACT_UPDATE, PAIR_ACT, PAIR_FILE, PAIR_POS, PAIRS, new_value, union};
use super::planning::Planning;
use super::target::Target;
use super::ways::Ways;
use crate::Result;
use crate::scan::{FILE_COLUMN, IcebergTable, POS_COLUMN};
use crate::sql::from_datafusion;

/// The plan of all rows that are to be written, with the target's columns; `None` if there are
/// none: of files that are written anew the rows that stay, of those that rows are deleted from the
/// rows that change, and the new rows.
pub(super) fn rewritten(
    planning: &mut Planning<'_>,
    target: &Target,
    table: &IcebergTable,
    ways: &Ways,
    inserts: Option<LogicalPlan>,
) -> Result<Option<LogicalPlan>> {
    let files = |paths: &HashSet<String>| table.clone().with_only(paths.clone()).with_row_address();
    let mut plans = Vec::new();
    if !ways.rewritten.is_empty() {
        plans.push(survivors(planning, target, files(&ways.rewritten)?, JoinType::Left)?);
    }
    if ways.updated_elsewhere > 0 {
        plans.push(survivors(planning, target, files(&ways.deleted)?, JoinType::Inner)?);
    }
    plans.extend(inserts);
    let mut plans = plans.into_iter();
    let first = plans.next();
    plans.try_fold(first, |all, next| all.map(|all| union(all, next)).transpose())
}

/// The addresses of the rows that are deleted by position: those that go, and those that change.
pub(super) fn deleted(planning: &Planning<'_>, ways: &Ways) -> Result<LogicalPlan> {
    let mut condition = unqualified(PAIR_ACT).gt_eq(lit(ACT_UPDATE));
    if !ways.rewritten.is_empty() || !ways.dropped.is_empty() {
        let files = ways.deleted.iter().map(|path| lit(path.as_str())).collect();
        condition = condition.and(unqualified(PAIR_FILE).in_list(files, false));
    }
    LogicalPlanBuilder::from(planning.kept(PAIRS)?)
        .filter(condition)
        .and_then(|plan| plan.project([unqualified(PAIR_FILE), unqualified(PAIR_POS)]))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// The rows that are left of a table's files (a left join with the pairs), or of them those that change
/// (an inner join), each column with its new value.
fn survivors(
    planning: &mut Planning<'_>,
    target: &Target,
    table: IcebergTable,
    kind: JoinType,
) -> Result<LogicalPlan> {
    let pairs = planning.kept(PAIRS)?;
    let updated = |at: usize| pairs.schema().has_column_with_unqualified_name(&new_value(at));
    let changed = LogicalPlanBuilder::from(pairs.clone())
        .filter(unqualified(PAIR_ACT).gt_eq(lit(ACT_UPDATE)))
        .and_then(|plan| plan.alias("changed"))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let of_table = |name: &str| Expr::Column(Column::new(Some("t"), name));
    let address = |names: [&str; 2], qualifier: &str| {
        names.map(|name| Column::new(Some(qualifier), name)).to_vec()
    };
    let mut values = Vec::new();
    for (at, field) in target.columns.fields().iter().enumerate() {
        let old = of_table(field.name());
        let value = match updated(at) {
            true => when(unqualified(PAIR_ACT).eq(lit(ACT_UPDATE)), unqualified(&new_value(at)))
                .otherwise(old)
                .map_err(from_datafusion)?,
            false => old,
        };
        values.push(value.alias(field.name()));
    }
    let stays = col(PAIR_ACT).is_null().or(unqualified(PAIR_ACT).not_eq(lit(ACT_DELETE)));
    LogicalPlanBuilder::scan("t", provider_as_source(Arc::new(table)), None)
        .and_then(|plan| {
            let (left, right) = (
                address([FILE_COLUMN, POS_COLUMN], "t"),
                address([PAIR_FILE, PAIR_POS], "changed"),
            );
            plan.join(changed, kind, (left, right), None)
        })
        .and_then(|plan| plan.filter(stays))
        .and_then(|plan| plan.project(values))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

fn unqualified(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
