//! Where values meet in one expression: comparisons, lists, `CASE` and functions.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{
    Between, BinaryExpr, Case, Cast, InList, InSubquery, ScalarFunction, SetComparison, TryCast,
};
use datafusion::logical_expr::expr_fn::cast;
use datafusion::logical_expr::expr_schema::cast_subquery;
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, Subquery};

use super::exact::compared;
use super::kinds::{
    has_nanoseconds, is_coarser, is_nanoseconds, is_text_or_date, meeting, without_nanoseconds,
};
use super::{calendar, functions};

/// The expression with its own operands settled; what is in them was settled before. An expression
/// that has no type is left for DataFusion to refuse.
pub(super) fn settled(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Cast(Cast { expr, field }) => match cast_kind(&expr, field.data_type(), schema) {
            Some((inner, kind)) => Transformed::yes(Expr::Cast(Cast::new(Box::new(inner), kind))),
            None => Transformed::no(Expr::Cast(Cast { expr, field })),
        },
        Expr::TryCast(TryCast { expr, field }) => {
            match cast_kind(&expr, field.data_type(), schema) {
                Some((inner, kind)) => {
                    Transformed::yes(Expr::TryCast(TryCast::new(Box::new(inner), kind)))
                }
                None => Transformed::no(Expr::TryCast(TryCast { expr, field })),
            }
        }
        Expr::BinaryExpr(binary) => binary_expr(binary, schema)?,
        Expr::Between(between) => between_expr(between, schema)?,
        Expr::InList(within) => in_list(within, schema)?,
        Expr::InSubquery(InSubquery { mut expr, mut subquery, negated }) => {
            let changed = with_subquery(&mut expr, &mut subquery, schema)?;
            let within = Expr::InSubquery(InSubquery { expr, subquery, negated });
            Transformed::new_transformed(within, changed)
        }
        Expr::SetComparison(mut comparison) => {
            let SetComparison { expr, subquery, .. } = &mut comparison;
            let changed = with_subquery(expr, subquery, schema)?;
            Transformed::new_transformed(Expr::SetComparison(comparison), changed)
        }
        Expr::Case(case) => case_expr(case, schema)?,
        Expr::ScalarFunction(function) => scalar_function(function, schema)?,
        other => Transformed::no(other),
    })
}

/// What is cast, and to what, if it is not as written: nanoseconds come from `AT TIME ZONE` alone, and
/// whole numbers count seconds.
fn cast_kind(expr: &Expr, to: &DataType, schema: &DFSchema) -> Option<(Expr, DataType)> {
    let DataType::Timestamp(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond), zone) = to
    else {
        return None;
    };
    let from = expr.get_type(schema).ok()?;
    if from.is_integer() {
        let seconds = DataType::Timestamp(TimeUnit::Second, zone.clone());
        let whole = cast(expr.clone(), DataType::Int64);
        return Some((cast(whole, seconds), without_nanoseconds(to)));
    }
    (*unit == TimeUnit::Nanosecond).then(|| (expr.clone(), without_nanoseconds(to)))
}

/// Makes those that are texts or dates microseconds if any is a timestamp; whether something changed.
pub(super) fn unify<'a>(
    values: impl IntoIterator<Item = &'a mut Expr>,
    schema: &DFSchema,
) -> Result<bool> {
    let values: Vec<&mut Expr> = values.into_iter().collect();
    let kinds = values.iter().map(|value| value.get_type(schema)).collect::<Result<Vec<_>>>();
    let Ok(kinds) = kinds else { return Ok(false) };
    let Some(to) = meeting(&kinds) else { return Ok(false) };
    for (value, kind) in values.into_iter().zip(&kinds) {
        if is_text_or_date(kind) {
            *value = value.clone().cast_to(&to, schema)?;
        }
    }
    Ok(true)
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn binary_expr(mut binary: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let kinds = (binary.left.get_type(schema), binary.right.get_type(schema));
    let (Ok(left), Ok(right)) = kinds else {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    };
    if is_comparison(binary.op) {
        let sides = ((binary.left.as_ref(), &left), (binary.right.as_ref(), &right));
        if let Some(comparison) = compared(sides.0, binary.op, sides.1)? {
            return Ok(Transformed::yes(comparison));
        }
        let lengths =
            (calendar::elapsed(&binary.left, &right), calendar::elapsed(&binary.right, &left));
        let mut changed = true;
        match lengths {
            (Some(length), _) => *binary.left = length,
            (_, Some(length)) => *binary.right = length,
            _ => changed = unify([binary.left.as_mut(), binary.right.as_mut()], schema)?,
        }
        return Ok(Transformed::new_transformed(Expr::BinaryExpr(binary), changed));
    }
    // A text beside `-` is an interval; a date is a date.
    let with_date = [(&left, &right), (&right, &left)]
        .iter()
        .any(|(day, time)| **day == DataType::Date32 && is_coarser(time));
    let mut changed = false;
    if binary.op == Operator::Minus && with_date {
        changed = unify([binary.left.as_mut(), binary.right.as_mut()], schema)?;
    }
    if let Some(made) = calendar::with_time_of_day(&binary, &left, &right) {
        return Ok(Transformed::yes(made));
    }
    Ok(Transformed::new_transformed(Expr::BinaryExpr(binary), changed))
}

fn between_expr(mut between: Between, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Between { expr, negated, low, high } = &mut between;
    let lengths = matches!(expr.get_type(schema), Ok(DataType::Duration(_)));
    if lengths || mixed([expr.as_ref(), low, high], schema) {
        let within = settled(expr.as_ref().clone().gt_eq(low.as_ref().clone()), schema)?.data;
        let not_after = settled(expr.as_ref().clone().lt_eq(high.as_ref().clone()), schema)?.data;
        let both = within.and(not_after);
        return Ok(Transformed::yes(if *negated { !both } else { both }));
    }
    let changed = unify([expr.as_mut(), low.as_mut(), high.as_mut()], schema)?;
    Ok(Transformed::new_transformed(Expr::Between(between), changed))
}

fn in_list(mut within: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let InList { expr, list, negated } = &mut within;
    if mixed(std::iter::once(expr.as_ref()).chain(list.iter()), schema) {
        let equal = list.iter().map(|value| {
            settled(expr.as_ref().clone().eq(value.clone()), schema).map(|equal| equal.data)
        });
        if let Some(any) = disjunction(equal.collect::<Result<Vec<_>>>()?) {
            return Ok(Transformed::yes(if *negated { !any } else { any }));
        }
    }
    let changed = unify(std::iter::once(expr.as_mut()).chain(list.iter_mut()), schema)?;
    Ok(Transformed::new_transformed(Expr::InList(within), changed))
}

/// Whether there are nanoseconds and coarser timestamps among the values.
fn mixed<'a>(values: impl IntoIterator<Item = &'a Expr>, schema: &DFSchema) -> bool {
    let kinds: Vec<DataType> =
        values.into_iter().filter_map(|value| value.get_type(schema).ok()).collect();
    kinds.iter().any(is_nanoseconds) && kinds.iter().any(is_coarser)
}

/// Settles a value and the one column of a query that it is compared with.
fn with_subquery(value: &mut Expr, subquery: &mut Subquery, schema: &DFSchema) -> Result<bool> {
    let Ok(kind) = value.get_type(schema) else { return Ok(false) };
    let columns = subquery.subquery.schema();
    if columns.fields().len() != 1 {
        return Ok(false);
    }
    let given = columns.field(0).data_type().clone();
    let Some(to) = meeting(&[kind.clone(), given.clone()]) else { return Ok(false) };
    if is_text_or_date(&kind) {
        *value = value.clone().cast_to(&to, schema)?;
    }
    if is_text_or_date(&given) {
        *subquery = cast_subquery(subquery.clone(), &to)?;
    }
    Ok(true)
}

fn case_expr(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Case { expr, when_then_expr, else_expr } = &mut case;
    let mut changed = false;
    if let Some(expr) = expr {
        let whens = when_then_expr.iter_mut().map(|(when, _)| when.as_mut());
        changed |= unify(std::iter::once(expr.as_mut()).chain(whens), schema)?;
    }
    let thens = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
    changed |= unify(thens.chain(else_expr.as_deref_mut()), schema)?;
    Ok(Transformed::new_transformed(Expr::Case(case), changed))
}

fn scalar_function(mut function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = function.func.name().to_string();
    let mut changed = false;
    if let Some(from) = functions::alike_from(&name) {
        changed |= unify(function.args.iter_mut().skip(from), schema)?;
    }
    if let Some(time) = functions::time_argument(&name)
        && let Some(value) = function.args.get_mut(time)
        && let Ok(kind) = value.get_type(schema)
        && functions::is_read_as_time(&name, &kind)
    {
        *value = value.clone().cast_to(&super::kinds::micros(None), schema)?;
        changed = true;
    }
    let kinds = function.args.iter().map(|value| value.get_type(schema));
    let kinds = kinds.collect::<Result<Vec<DataType>>>();
    let in_all_years = kinds.as_ref().ok().and_then(|kinds| match name.as_str() {
        "date_trunc" => calendar::truncated(&function, kinds),
        "date_bin" => calendar::binned(&function, kinds),
        _ => None,
    });
    if let Some(made) = in_all_years {
        return Ok(Transformed::yes(made));
    }
    let made = Expr::ScalarFunction(function);
    let (Ok(kinds), Ok(kind)) = (kinds, made.get_type(schema)) else {
        return Ok(Transformed::new_transformed(made, changed));
    };
    let to = without_nanoseconds(&kind);
    if to == kind || functions::gives_nanoseconds(&name) || kinds.iter().any(has_nanoseconds) {
        return Ok(Transformed::new_transformed(made, changed));
    }
    Ok(Transformed::yes(functions::in_microseconds(made, &kinds, &to)))
}
