//! `INSERT INTO t REPLACE WHERE condition query`: the rows that the condition takes go and those of
//! the query come, in one commit. The parser gives it as a `DELETE` (`sql/replace_where.rs`).

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{
    Expr as AstExpr, ObjectName, Query, TableFactor, TableWithJoins, UnaryOperator,
};

use super::find::NAMESPACE;
use super::insert::placed;
use super::planning::Planning;
use super::query::{Parts, number, relation, table};
use super::target::Target;
use crate::sql::{REPLACEMENT, from_datafusion};
use crate::{Error, ErrorKind, Result};

/// Where the rows are among the tables of the statement's own queries.
const ROWS: &str = "replacement";

/// The rows that come.
#[derive(Debug, Clone)]
pub(super) struct Replacement {
    /// The columns that are given, as written; all, in order, if none are named.
    columns: Vec<ObjectName>,
    query: Query,
}

impl Replacement {
    /// Takes the replacement out of what a `DELETE` uses.
    pub(super) fn take(using: &mut Vec<TableWithJoins>) -> Option<Self> {
        let [TableWithJoins { relation: TableFactor::Derived { subquery, alias, .. }, .. }] =
            using.as_slice()
        else {
            return None;
        };
        let alias = alias.as_ref().filter(|alias| alias.name.value == REPLACEMENT)?;
        let columns = alias.columns.iter().map(|column| column.name.clone().into()).collect();
        let read = Self { columns, query: subquery.as_ref().clone() };
        using.clear();
        Some(read)
    }

    /// The rows as the target's, kept so that they are the ones that were checked.
    ///
    /// # Errors
    /// `InvalidData` if a row does not meet the condition: the same statement again would not replace
    /// it. As [`super::session::LakeSession::change`].
    pub(super) async fn rows(
        &self,
        planning: &mut Planning<'_>,
        target: &Target,
        condition: &AstExpr,
    ) -> Result<LogicalPlan> {
        let plan = planning.plan(self.query.clone()).await?;
        let kept = planning.keep(placed(plan, target, &self.columns)?).await?;
        let names: Vec<String> =
            target.columns.fields().iter().map(|field| field.name().clone()).collect();
        planning.set_kept(ROWS, &names, &kept, false)?;
        let met = AstExpr::IsTrue(Box::new(AstExpr::Nested(Box::new(condition.clone()))));
        let outside = Parts {
            items: vec![(number(1), "one".to_string())],
            from: vec![relation(table(NAMESPACE, ROWS, &target.alias))],
            condition: Some(AstExpr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(met) }),
            ..Parts::default()
        };
        let outside = planning.plan(outside.query()).await?;
        let counted = LogicalPlanBuilder::from(outside)
            .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let counted = planning.collect(counted).await?;
        let outside_rows: i64 = counted
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0))
            .sum();
        if outside_rows > 0 {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!(
                    "{outside_rows} of {} rows do not meet the condition of REPLACE WHERE; select \
                     only rows that do, or widen the condition",
                    kept.rows()
                ),
            )
            .with_context("table", &target.name));
        }
        planning.kept(ROWS)
    }
}
