//! The moment that a `TIMESTAMP AS OF` names, in milliseconds since 1970-01-01 UTC.

use std::ops::ControlFlow;

use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::{FixedOffset, Utc};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr as Logical;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{
    DataType, Expr, ExprWithAlias, Value, Visit, Visitor, visit_expressions,
};
use northstar_catalog::{Error, ErrorKind, Result};

use super::from_datafusion;

/// Evaluates `expr`: a string literal with a zone, or an expression that folds to a constant
/// timestamp with a zone. Fractions of a millisecond are cut off, as snapshots have none.
///
/// # Errors
/// `InvalidInput` for anything else; a time without zone is shown with one.
pub(super) fn timestamp_ms(expr: &Expr, state: &SessionState) -> Result<i64> {
    if let Some(text) = literal(expr) {
        return parse(text);
    }
    reject_zoneless(expr)?;
    fold(expr, state)
}

/// The text of a string literal, typed (`TIMESTAMP '…'`), cast (`'…'::timestamptz`) or bare.
fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::TypedString(typed) if is_timestamp(&typed.data_type) => match &typed.value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Cast { expr, data_type, .. } if is_timestamp(data_type) => literal(expr),
        _ => None,
    }
}

fn is_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Datetime(_))
}

/// What a text says as a time.
enum Read {
    Ms(i64),
    /// A date or time without zone.
    Zoneless,
    No,
}

/// Reads RFC 3339 and what is near it. A text that means another moment when read in another zone
/// has none of its own.
fn read(text: &str) -> Read {
    let text = text.trim();
    let Some(east) = FixedOffset::east_opt(3600) else {
        return Read::No;
    };
    match (string_to_datetime(&Utc, text), string_to_datetime(&east, text)) {
        (Ok(utc), Ok(east)) if utc == east => Read::Ms(utc.timestamp_millis()),
        (Ok(_), Ok(_)) => Read::Zoneless,
        _ => Read::No,
    }
}

/// The moment that a text names, read as `TIMESTAMP AS OF` reads it; `None` if it is no time at all.
///
/// # Errors
/// `InvalidInput` for a time without zone.
pub(crate) fn moment_ms(text: &str) -> Option<Result<i64>> {
    match read(text) {
        Read::Ms(ms) => Some(Ok(ms)),
        Read::Zoneless => Some(Err(zoneless(text))),
        Read::No => None,
    }
}

fn parse(text: &str) -> Result<i64> {
    moment_ms(text).unwrap_or_else(|| {
        Err(invalid(format!(
            "`{text}` is not a timestamp; write it as '2024-05-01 00:00:00+00:00' or \
             '2024-05-01T00:00:00Z'"
        )))
    })
}

/// Refuses times without zone anywhere within an expression, as functions would quietly take them
/// for UTC; `'…' AT TIME ZONE '…'` gives them one.
fn reject_zoneless(expr: &Expr) -> Result<()> {
    struct Zoned(Vec<*const Expr>);
    impl Visitor for Zoned {
        type Break = Error;

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
            if let Expr::AtTimeZone { timestamp, .. } = expr {
                self.0.push(std::ptr::from_ref(timestamp.as_ref()));
            }
            if self.0.contains(&std::ptr::from_ref(expr)) {
                return ControlFlow::Continue(());
            }
            match literal(expr) {
                Some(text) if matches!(read(text), Read::Zoneless) => {
                    ControlFlow::Break(zoneless(text))
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let subquery = visit_expressions(expr, |expr| match expr {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if subquery.is_break() {
        return Err(invalid(format!("`{expr}` is not constant: a version cannot be a subquery")));
    }
    match expr.visit(&mut Zoned(Vec::new())) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Lets DataFusion evaluate the expression; `now()` is the start of the statement.
fn fold(expr: &Expr, state: &SessionState) -> Result<i64> {
    let not_constant = |error| {
        let cause = from_datafusion(error);
        invalid(format!("cannot evaluate the version `{expr}`: {}", cause.message()))
    };
    let schema = DFSchema::empty();
    let context = SimplifyContext::builder()
        .with_config_options(std::sync::Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplifier = ExprSimplifier::new(context);
    let folded = state
        .create_logical_expr_from_sql_expr(
            ExprWithAlias { expr: expr.clone(), alias: None },
            &schema,
        )
        .and_then(|logical| simplifier.coerce(logical, &schema))
        .and_then(|logical| simplifier.simplify(logical))
        .map_err(not_constant)?;
    let Logical::Literal(value, _) = folded else {
        return Err(invalid(format!("the version `{expr}` is not a constant")));
    };
    match value {
        ScalarValue::TimestampSecond(Some(time), Some(_)) => time
            .checked_mul(1000)
            .ok_or_else(|| invalid(format!("the version `{expr}` is out of range"))),
        ScalarValue::TimestampMillisecond(Some(time), Some(_)) => Ok(time),
        ScalarValue::TimestampMicrosecond(Some(time), Some(_)) => Ok(time.div_euclid(1000)),
        ScalarValue::TimestampNanosecond(Some(time), Some(_)) => Ok(time.div_euclid(1_000_000)),
        other => Err(invalid(format!(
            "the version `{expr}` is a {}, not a timestamp with a zone; write it as \
             '2024-05-01 00:00:00+00:00' or '2024-05-01T00:00:00Z'",
            other.data_type()
        ))),
    }
}

fn zoneless(text: &str) -> Error {
    let text = text.trim();
    let full = if text.len() == 10 { format!("{text} 00:00:00") } else { text.to_owned() };
    invalid(format!(
        "the timestamp '{text}' has no zone; write '{full}+00:00' or '{}Z' if it is UTC",
        full.replacen(' ', "T", 1)
    ))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
