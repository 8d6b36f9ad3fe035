//! Functions that have to do with timestamps.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr_fn::cast;

use super::kinds::{is_coarser, is_text, is_text_or_date};

/// The first of the arguments that have one type with the result or with each other.
pub(super) fn alike_from(function: &str) -> Option<usize> {
    match function {
        "coalesce" | "nullif" | "greatest" | "least" | "nvl" | "make_array" => Some(0),
        "nvl2" => Some(1),
        _ => None,
    }
}

/// The argument that DataFusion reads as nanoseconds if it is text.
pub(super) fn time_argument(function: &str) -> Option<usize> {
    matches!(function, "date_trunc" | "date_part" | "date_bin").then_some(1)
}

/// Whether an argument of this type is read as a timestamp there. Parts of dates are read from dates.
pub(super) fn is_read_as_time(function: &str, kind: &DataType) -> bool {
    if function == "date_part" { is_text(kind) } else { is_text_or_date(kind) }
}

/// Functions by which a statement asks for nanoseconds.
pub(super) fn gives_nanoseconds(function: &str) -> bool {
    matches!(function, "arrow_cast" | "arrow_try_cast" | "to_timestamp_nanos")
}

/// The call with microseconds as result. What is finer is cut off.
pub(super) fn in_microseconds(call: Expr, arguments: &[DataType], to: &DataType) -> Expr {
    // `to_timestamp` would fail beyond what nanoseconds hold.
    if let Expr::ScalarFunction(function) = &call
        && function.func.name() == "to_timestamp"
        && let ([value], [kind]) = (function.args.as_slice(), arguments)
        && let DataType::Timestamp(_, zone) = to
    {
        if kind.is_integer() {
            let seconds = DataType::Timestamp(TimeUnit::Second, zone.clone());
            return cast(cast(cast(value.clone(), DataType::Int64), seconds), to.clone());
        }
        if is_text_or_date(kind) || is_coarser(kind) {
            return cast(value.clone(), to.clone());
        }
    }
    cast(call, to.clone())
}
