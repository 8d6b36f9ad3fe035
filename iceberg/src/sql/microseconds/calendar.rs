//! `date_trunc`, `date_bin` and time that passed, in all years: DataFusion counts nanoseconds in them.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{BinaryExpr, ScalarFunction};
use datafusion::logical_expr::expr_fn::cast;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};

use super::kinds::micros;

const DAY_US: i64 = 86_400_000_000;
/// 400 years of the Gregorian calendar, which are whole weeks too: then it repeats itself.
const CYCLE_US: i64 = 146_097 * DAY_US;
/// 1800-01-01. The cycle from then on lies within what nanoseconds hold.
const WINDOW_US: i64 = -62_091 * DAY_US;

/// The call with its time, if that is in microseconds, brought to the years from 1800 to 2200 by whole
/// cycles, and its result brought back. Zones but UTC have rules that do not repeat.
pub(super) fn truncated(call: &ScalarFunction, kinds: &[DataType]) -> Option<Expr> {
    let ([granularity, time], [_, DataType::Timestamp(TimeUnit::Microsecond, zone)]) =
        (call.args.as_slice(), kinds)
    else {
        return None;
    };
    if zone.as_deref().is_some_and(|zone| !matches!(zone, "UTC" | "+00:00")) {
        return None;
    }
    let since = binary_expr(number(time), Operator::Minus, lit(WINDOW_US));
    let cycles = binary_expr(since.clone(), Operator::Minus, modulo(since, CYCLE_US));
    let cycles = duration(cycles);
    let near = binary_expr(time.clone(), Operator::Minus, cycles.clone());
    let cut = ScalarFunction::new_udf(Arc::clone(&call.func), vec![granularity.clone(), near]);
    Some(binary_expr(Expr::ScalarFunction(cut), Operator::Plus, cycles))
}

/// The first moment of the bin that a time in microseconds lies in, if bins have one length.
pub(super) fn binned(call: &ScalarFunction, kinds: &[DataType]) -> Option<Expr> {
    let (Some(stride), Some(time)) = (call.args.first(), call.args.get(1)) else { return None };
    let of_time = kinds.get(1)?;
    if !matches!(of_time, DataType::Timestamp(TimeUnit::Microsecond, _)) {
        return None;
    }
    let origin = match (call.args.get(2), kinds.get(2)) {
        (None, _) => lit(0_i64),
        (Some(origin), Some(kind)) if kind == of_time => number(origin),
        _ => return None,
    };
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(stride)), _) = stride else {
        return None;
    };
    if stride.months != 0 || stride.nanoseconds % 1000 != 0 {
        return None;
    }
    let days = i64::from(stride.days).checked_mul(DAY_US)?;
    let length = days.checked_add(stride.nanoseconds / 1000).filter(|length| *length > 0)?;
    let past = modulo(binary_expr(number(time), Operator::Minus, origin), length);
    Some(binary_expr(time.clone(), Operator::Minus, duration(past)))
}

/// An interval that is written down, without months, as the time that passed between two timestamps.
/// DataFusion compares the two by months, then days, then the rest: two days passed would be less than
/// `INTERVAL '1 day'`.
pub(super) fn elapsed(interval: &Expr, beside: &DataType) -> Option<Expr> {
    let (
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _),
        DataType::Duration(unit),
    ) = (interval, beside)
    else {
        return None;
    };
    if interval.months != 0 || *unit != TimeUnit::Microsecond || interval.nanoseconds % 1000 != 0 {
        return None;
    }
    let days = i64::from(interval.days).checked_mul(DAY_US)?;
    let micros = days.checked_add(interval.nanoseconds / 1000)?;
    Some(lit(ScalarValue::DurationMicrosecond(Some(micros))))
}

/// A date and a time of day, added or taken away, in either order. DataFusion makes nanoseconds of them.
pub(super) fn with_time_of_day(
    binary: &BinaryExpr,
    left: &DataType,
    right: &DataType,
) -> Option<Expr> {
    let is_time = |kind: &DataType| matches!(kind, DataType::Time32(_) | DataType::Time64(_));
    let (day, time) = match binary.op {
        Operator::Plus if is_time(left) && *right == DataType::Date32 => {
            (&binary.right, &binary.left)
        }
        Operator::Plus | Operator::Minus if *left == DataType::Date32 && is_time(right) => {
            (&binary.left, &binary.right)
        }
        _ => return None,
    };
    let time = cast(time.as_ref().clone(), DataType::Time64(TimeUnit::Microsecond));
    let midnight = cast(day.as_ref().clone(), micros(None));
    Some(binary_expr(midnight, binary.op, duration(number(&time))))
}

fn number(time: &Expr) -> Expr {
    cast(time.clone(), DataType::Int64)
}

fn duration(micros: Expr) -> Expr {
    cast(micros, DataType::Duration(TimeUnit::Microsecond))
}

/// The remainder from 0 on; that of `%` has the sign of the number.
fn modulo(number: Expr, by: i64) -> Expr {
    let rest = |number| binary_expr(number, Operator::Modulo, lit(by));
    rest(binary_expr(rest(number), Operator::Plus, lit(by)))
}
