//! Floating-point zeros: 0.0 and -0.0 are one number, in comparisons as in `IN` lists.
//!
//! DataFusion looks for the bits of a list's values, unless it takes a short list of a bare column for
//! several `=`. So whether `x IN (0.0)` holds for -0.0 would depend on the length of the list and on
//! the column's type, and a DELETE would leave rows that it names. Comparisons with constants are put
//! together by their bits, too: `x = 0.0 AND x <> -0.0` would become `x = 0.0`.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, lit};
use datafusion::optimizer::AnalyzerRule;

/// Puts the other zero into each list that has one of them, and compares with 0.0 alone. Types are settled before; the optimizer,
/// which merges lists by their bits, comes after.
#[derive(Debug)]
pub(super) struct BothZeros;

impl AnalyzerRule for BothZeros {
    fn name(&self) -> &'static str {
        "both_zeros"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| Ok(with_both(expr)))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        })
        .data()
    }
}

fn with_both(expr: Expr) -> Transformed<Expr> {
    let mut within = match expr {
        Expr::InList(within) => within,
        Expr::BinaryExpr(compared) => return with_one(compared),
        other => return Transformed::no(other),
    };
    let zeros: Vec<Expr> = within.list.iter().filter_map(other_zero).collect();
    let changed = !zeros.is_empty();
    within.list.extend(zeros);
    Transformed::new_transformed(Expr::InList(within), changed)
}

/// A comparison with -0.0 as one with 0.0.
fn with_one(mut compared: BinaryExpr) -> Transformed<Expr> {
    let mut changed = false;
    if compares(compared.op) {
        for side in [&mut compared.left, &mut compared.right] {
            if let Some(zero) = negative_zero(side) {
                **side = zero;
                changed = true;
            }
        }
    }
    Transformed::new_transformed(Expr::BinaryExpr(compared), changed)
}

fn compares(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// 0.0 for -0.0.
fn negative_zero(expr: &Expr) -> Option<Expr> {
    match constant(expr)? {
        ScalarValue::Float32(Some(zero)) if zero == 0.0 && zero.is_sign_negative() => {
            Some(lit(0.0_f32))
        }
        ScalarValue::Float64(Some(zero)) if zero == 0.0 && zero.is_sign_negative() => {
            Some(lit(0.0_f64))
        }
        _ => None,
    }
}

/// For a zero, the one of the other sign.
fn other_zero(expr: &Expr) -> Option<Expr> {
    match constant(expr)? {
        ScalarValue::Float32(Some(zero)) if zero == 0.0 => Some(lit(-zero)),
        ScalarValue::Float64(Some(zero)) if zero == 0.0 => Some(lit(-zero)),
        _ => None,
    }
}

/// The value of what is written as a number, or as a cast of one.
fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Negative(value) => constant(value)?.arithmetic_negate().ok(),
        Expr::Cast(cast) => constant(&cast.expr)?.cast_to(cast.field.data_type()).ok(),
        _ => None,
    }
}
