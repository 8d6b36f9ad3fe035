//! The rows that are written: those of touched files as they will be, and the new ones.

use std::sync::Arc;

use datafusion::common::{Column, JoinType};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr_fn::when;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};

use super::counts::Found;
use super::find::{ACT_DELETE, ACT_UPDATE, PAIR_ACT, PAIR_FILE, PAIR_POS, PAIRS, new_value, union};
use super::planning::Planning;
use super::target::Target;
use crate::Result;
use crate::scan::{FILE_COLUMN, IcebergTable, POS_COLUMN};
use crate::sql::from_datafusion;
use crate::table::RowLevelMode;

/// The plan of all rows that are to be written, with the target's columns; `None` if there are
/// none. Merge-on-read writes the rows that change; copy-on-write all rows of their files that stay.
pub(super) fn rewritten(
    planning: &mut Planning<'_>,
    target: &Target,
    table: &IcebergTable,
    found: &Found,
    mode: RowLevelMode,
    inserts: Option<LogicalPlan>,
) -> Result<Option<LogicalPlan>> {
    let touched = found.touched();
    let nothing = match mode {
        RowLevelMode::CopyOnWrite => touched.is_empty(),
        RowLevelMode::MergeOnRead => found.updated_rows == 0,
    };
    let old = match nothing {
        true => None,
        false => {
            let table = table.clone().with_only(touched).with_row_address()?;
            Some(survivors(planning, target, table, mode)?)
        }
    };
    Ok(match (old, inserts) {
        (Some(old), Some(new)) => Some(union(old, new)?),
        (old, new) => old.or(new),
    })
}

/// The addresses of the rows that are deleted by position: those that go, and those that change.
pub(super) fn deleted(planning: &Planning<'_>) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(planning.kept(PAIRS)?)
        .filter(unqualified(PAIR_ACT).gt_eq(lit(ACT_UPDATE)))
        .and_then(|plan| plan.project([unqualified(PAIR_FILE), unqualified(PAIR_POS)]))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// The rows that are left of the touched files, or of them those that change, each column with its
/// new value.
fn survivors(
    planning: &mut Planning<'_>,
    target: &Target,
    table: IcebergTable,
    mode: RowLevelMode,
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
    let kind = match mode {
        RowLevelMode::CopyOnWrite => JoinType::Left,
        RowLevelMode::MergeOnRead => JoinType::Inner,
    };
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
