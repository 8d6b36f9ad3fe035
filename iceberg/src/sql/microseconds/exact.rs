//! Nanoseconds beside coarser timestamps, compared without loss and without overflow.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr_fn::{cast, when};
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};

use super::kinds::{is_coarser, is_nanoseconds, without_nanoseconds};

/// `left operator right`, if one is of nanoseconds and the other coarser; both are compared as
/// microseconds, the nanoseconds taken up or down as the operator needs it. A constant stays one, so
/// that files and row groups are left out by it.
pub(super) fn compared(
    left: (&Expr, &DataType),
    operator: Operator,
    right: (&Expr, &DataType),
) -> Result<Option<Expr>> {
    let (coarser, operator, (nanos, kind)) = match () {
        () if is_coarser(left.1) && is_nanoseconds(right.1) => (left.0, Some(operator), right),
        () if is_nanoseconds(left.1) && is_coarser(right.1) => (right.0, operator.swap(), left),
        () => return Ok(None),
    };
    let Some(operator) = operator else { return Ok(None) };
    let value = Nanos::of(nanos, kind)?;
    let coarser = coarser.clone();
    Ok(Some(match operator {
        Operator::Eq => value.is(coarser),
        Operator::NotEq => !value.is(coarser),
        Operator::Lt | Operator::GtEq => binary_expr(coarser, operator, value.ceiling),
        Operator::LtEq | Operator::Gt => binary_expr(coarser, operator, value.floor),
        _ => return Ok(None),
    }))
}

/// Nanoseconds as microseconds.
struct Nanos {
    /// The last microsecond that is not after it.
    floor: Expr,
    /// The first that is not before it.
    ceiling: Expr,
    /// Whether they are the same.
    whole: Expr,
}

impl Nanos {
    fn of(nanos: &Expr, kind: &DataType) -> Result<Self> {
        // Arrow cuts towards 1970: down after it, up before it.
        let cut = cast(nanos.clone(), without_nanoseconds(kind));
        let back = cast(cut.clone(), kind.clone());
        let one = lit(ScalarValue::DurationMicrosecond(Some(1)));
        let step = |operator| binary_expr(cut.clone(), operator, one.clone());
        let mut down = when(back.clone().gt(nanos.clone()), step(Operator::Minus));
        let mut up = when(back.clone().lt(nanos.clone()), step(Operator::Plus));
        Ok(Self {
            floor: down.otherwise(cut.clone())?,
            ceiling: up.otherwise(cut.clone())?,
            whole: back.eq(nanos.clone()),
        })
    }

    /// Whether a coarser timestamp is the same moment; NULL if either is.
    fn is(self, coarser: Expr) -> Expr {
        coarser.clone().eq(self.floor).and(self.whole.or(coarser.is_null()))
    }
}
