//! The queries of a comparison: what there is more of on one side, and how it pairs.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Column, Result as DFResult};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::functions_nested::expr_fn::array_repeat;
use datafusion::functions_window::expr_fn::{lag, lead, row_number};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, SortExpr, lit, when,
};

use super::bits::{from_bits, to_bits};
use crate::scan::IcebergTable;

/// The column that says what became of a row: `insert`, `delete`, `update_before` (a row that went)
/// or `update_after` (the one that came in its place).
pub const CHANGE_COLUMN: &str = "_change";

// The queries call the table's columns c0, c1 …, so that none of these is one of them.
const WEIGHT: &str = "weight";
const TIMES: &str = "times";
const SIDE: &str = "side";
const RANK: &str = "rank";
const NEXT: &str = "next";
const LAST: &str = "last";

/// The queries over the rows of two sides.
pub(super) struct Plan {
    pub(super) columns: SchemaRef,
    /// The places of the key's columns.
    pub(super) key: Vec<usize>,
    /// Every row that is not on both sides, with [`CHANGE_COLUMN`].
    changes: LogicalPlan,
}

impl Plan {
    pub(super) fn new(
        before: IcebergTable,
        after: IcebergTable,
        key: Vec<usize>,
    ) -> DFResult<Self> {
        let columns = Arc::clone(before.columns());
        let all: Vec<Expr> = (0..columns.fields().len()).map(column).collect();
        let rows = LogicalPlanBuilder::from(side("before", before, -1)?)
            .union(side("after", after, 1)?)?;
        let rows = surplus(rows, &all)?;
        let times = |weight: Expr| array_repeat(lit(1_i64), weight).alias(TIMES);
        let gone = rows
            .clone()
            .filter(named(WEIGHT).lt(lit(0_i64)))?
            .project(
                all.iter()
                    .cloned()
                    .chain([lit(-1_i64).alias(SIDE), times(lit(0_i64) - named(WEIGHT))]),
            )?
            .build()?;
        let rows = rows
            .filter(named(WEIGHT).gt(lit(0_i64)))?
            .project(all.iter().cloned().chain([lit(1_i64).alias(SIDE), times(named(WEIGHT))]))?
            .union(gone)?
            .unnest_column(Column::new_unqualified(TIMES))?;
        let changes = if key.is_empty() { unpaired(rows) } else { paired(rows, &key, &all) }?;
        Ok(Self { columns, key, changes })
    }

    /// How many rows there are of each change.
    pub(super) fn counts(&self) -> DFResult<LogicalPlan> {
        LogicalPlanBuilder::from(self.changes.clone())
            .aggregate([named(CHANGE_COLUMN)], [count(lit(1_i64)).alias(TIMES)])?
            .build()
    }

    /// The rows, those of one key together, what went before what came.
    pub(super) fn rows(&self) -> DFResult<LogicalPlan> {
        let fields = self.columns.fields();
        let value = |at: usize| from_bits(column(at), fields[at].data_type());
        let mut order: Vec<SortExpr> =
            self.key.iter().map(|at| value(*at).sort(true, false)).collect();
        if !self.key.is_empty() {
            order.push(named(RANK).sort(true, false));
            order.push(named(SIDE).sort(true, false));
        }
        let rest = (0..fields.len()).filter(|at| !self.key.contains(at));
        order.extend(rest.map(|at| value(at).sort(true, false)));
        order.push(named(SIDE).sort(true, false));
        let values = fields.iter().enumerate().map(|(at, field)| value(at).alias(field.name()));
        LogicalPlanBuilder::from(self.changes.clone())
            .sort(order)?
            .project(std::iter::once(named(CHANGE_COLUMN)).chain(values))?
            .build()
    }
}

/// The rows of one side, each with the same weight.
fn side(name: &str, table: IcebergTable, weight: i64) -> DFResult<LogicalPlan> {
    let columns = Arc::clone(table.columns());
    let values = columns.fields().iter().enumerate().map(|(at, field)| {
        let value = Expr::Column(Column::new(Some(name), field.name()));
        to_bits(value, field.data_type()).alias(place(at))
    });
    LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?
        .project(values.chain([lit(weight).alias(WEIGHT)]))?
        .build()
}

/// Each row that is there more often on one side, with how much more often.
///
/// Rows are numbered first only because that has them sorted: an aggregation of sorted rows holds
/// one group at a time, while one that hashes them holds all, and does not spill them. What is
/// numbered must be asked for, or the numbering would be left out.
fn surplus(rows: LogicalPlanBuilder, all: &[Expr]) -> DFResult<LogicalPlanBuilder> {
    let number = row_number()
        .partition_by(all.to_vec())
        .order_by(vec![named(WEIGHT).sort(true, false)])
        .build()?
        .alias(RANK);
    let sums = [sum(named(WEIGHT)).alias(WEIGHT), max(named(RANK)).alias(RANK)];
    rows.window([number])?
        .aggregate(all.to_vec(), sums)?
        .filter(named(WEIGHT).not_eq(lit(0_i64)).and(named(RANK).gt(lit(0_u64))))
}

/// Rows that came and rows that went.
fn unpaired(rows: LogicalPlanBuilder) -> DFResult<LogicalPlan> {
    let change = when(named(SIDE).lt(lit(0_i64)), lit("delete")).otherwise(lit("insert"))?;
    with_change(rows, change)
}

/// The same, where the nth row that went and the nth that came with one key are an update. A key
/// that has a NULL identifies nothing.
fn paired(rows: LogicalPlanBuilder, key: &[usize], all: &[Expr]) -> DFResult<LogicalPlan> {
    let key: Vec<Expr> = key.iter().map(|at| column(*at)).collect();
    let and = |mut exprs: Vec<Expr>, expr| {
        exprs.push(expr);
        exprs
    };
    let by_value: Vec<SortExpr> = all.iter().map(|expr| expr.clone().sort(true, false)).collect();
    let rank = row_number()
        .partition_by(and(key.clone(), named(SIDE)))
        .order_by(by_value)
        .build()?
        .alias(RANK);
    let neighbour = |function: Expr, name: &str| -> DFResult<Expr> {
        let within = function.partition_by(and(key.clone(), named(RANK)));
        Ok(within.order_by(vec![named(SIDE).sort(true, false)]).build()?.alias(name))
    };
    let next = neighbour(lead(named(SIDE), Some(1), None), NEXT)?;
    let last = neighbour(lag(named(SIDE), Some(1), None), LAST)?;
    let rows = rows.window([rank])?.window([next, last])?;
    let known = key.into_iter().map(Expr::is_not_null).reduce(Expr::and).unwrap_or(lit(true));
    let change = when(known.clone().and(named(NEXT).is_not_null()), lit("update_before"))
        .when(known.and(named(LAST).is_not_null()), lit("update_after"))
        .when(named(SIDE).lt(lit(0_i64)), lit("delete"))
        .otherwise(lit("insert"))?;
    with_change(rows, change)
}

/// All columns, and the change.
fn with_change(rows: LogicalPlanBuilder, change: Expr) -> DFResult<LogicalPlan> {
    let columns = rows.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
    rows.project(columns.into_iter().chain([change.alias(CHANGE_COLUMN)]))?.build()
}

fn place(at: usize) -> String {
    format!("c{at}")
}

fn column(at: usize) -> Expr {
    named(&place(at))
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
