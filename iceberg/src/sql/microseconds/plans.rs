//! The nodes of a plan.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::{NamePreserver, coerce_plan_expr_for_schema};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Expr, ExprSchemable, Join, LogicalPlan, RecursiveQuery, Subquery, Union, Values, lit,
};

use super::kinds::{has_nanoseconds, is_text_or_date, meeting};
use super::meet::settled;

/// A statement's plan with its timestamps in microseconds.
///
/// # Errors
/// For a part of it that DataFusion finds wrong.
pub(in crate::sql) fn in_microseconds(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(node).data()
}

/// One node; those below it, and the queries within it, were settled before.
fn node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        let columns = scan.source.schema();
        schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &columns)?);
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| settled(with_outer(expr, &schema)?, &schema))?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?
    .map_data(|plan| match plan {
        LogicalPlan::Join(join) => keys(join),
        LogicalPlan::Union(union) => alike(union),
        LogicalPlan::Values(values) => Ok(retyped(values)),
        LogicalPlan::RecursiveQuery(query) => recursive(query),
        other => Ok(other),
    })?
    .map_data(LogicalPlan::recompute_schema)
}

/// A query within an expression has the types of the columns that it takes from outside written in it.
/// Where these were nanoseconds and are so no longer, it is settled once more.
fn with_outer(expr: Expr, outer: &DFSchema) -> Result<Expr> {
    Ok(match expr {
        Expr::ScalarSubquery(subquery) => Expr::ScalarSubquery(within(subquery, outer)?),
        Expr::Exists(mut exists) => {
            exists.subquery = within(exists.subquery, outer)?;
            Expr::Exists(exists)
        }
        Expr::InSubquery(mut in_query) => {
            in_query.subquery = within(in_query.subquery, outer)?;
            Expr::InSubquery(in_query)
        }
        Expr::SetComparison(mut comparison) => {
            comparison.subquery = within(comparison.subquery, outer)?;
            Expr::SetComparison(comparison)
        }
        other => other,
    })
}

fn within(mut subquery: Subquery, outer: &DFSchema) -> Result<Subquery> {
    let retype = |expr: Expr| match expr {
        Expr::OuterReferenceColumn(field, column) if has_nanoseconds(field.data_type()) => {
            Ok(match outer.qualified_field_from_column(&column).map(|(_, now)| now) {
                Ok(now) if now.data_type() != field.data_type() => {
                    Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(now), column))
                }
                _ => Transformed::no(Expr::OuterReferenceColumn(field, column)),
            })
        }
        other => Ok(Transformed::no(other)),
    };
    let plan = subquery.subquery.as_ref().clone().transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(retype)?.update_data(|expr| name.restore(expr)))
        })
    })?;
    if plan.transformed {
        subquery.subquery = Arc::new(in_microseconds(plan.data)?);
        let columns = subquery.outer_ref_columns.into_iter();
        subquery.outer_ref_columns =
            columns.map(|column| column.transform_up(retype).data()).collect::<Result<_>>()?;
    }
    Ok(subquery)
}

/// The keys of a join are compared, and have no expression that does it.
fn keys(mut join: Join) -> Result<LogicalPlan> {
    let (left, right) = (Arc::clone(&join.left), Arc::clone(&join.right));
    for (a, b) in &mut join.on {
        let kinds = (a.get_type(left.schema()), b.get_type(right.schema()));
        let (Ok(of_a), Ok(of_b)) = kinds else { continue };
        let Some(to) = meeting(&[of_a.clone(), of_b.clone()]) else { continue };
        if is_text_or_date(&of_a) {
            *a = a.clone().cast_to(&to, left.schema())?;
        }
        if is_text_or_date(&of_b) {
            *b = b.clone().cast_to(&to, right.schema())?;
        }
    }
    Ok(LogicalPlan::Join(join))
}

/// The columns of a union have one type.
fn alike(union: Union) -> Result<LogicalPlan> {
    let Union { inputs, schema } = union;
    let width = schema.fields().len();
    if inputs.iter().any(|input| input.schema().fields().len() != width) {
        return Ok(LogicalPlan::Union(Union { inputs, schema }));
    }
    let kinds = |at: usize| -> Vec<DataType> {
        inputs.iter().map(|input| input.schema().field(at).data_type().clone()).collect()
    };
    let meetings: Vec<Option<DataType>> = (0..width).map(|at| meeting(&kinds(at))).collect();
    let mut settled = Vec::with_capacity(inputs.len());
    for input in &inputs {
        let wanted =
            |at: usize, kind: &DataType| meetings[at].clone().filter(|_| is_text_or_date(kind));
        let changes = input
            .schema()
            .fields()
            .iter()
            .enumerate()
            .any(|(at, field)| wanted(at, field.data_type()).is_some());
        settled.push(match changes {
            true => {
                let columns = with_kinds(input.schema(), wanted)?;
                let plan = coerce_plan_expr_for_schema(input.as_ref().clone(), &columns)?;
                Arc::new(plan)
            }
            false => Arc::clone(input),
        });
    }
    let kept = with_kinds(&schema, |at, kind| {
        let given = kinds(at);
        // What was nanoseconds because of what met is so no longer.
        let unfounded = has_nanoseconds(kind) && !given.iter().any(has_nanoseconds);
        let timestamp = given.iter().find(|kind| matches!(kind, DataType::Timestamp(..)));
        meetings[at].clone().or_else(|| timestamp.filter(|_| unfounded).cloned())
    })?;
    Ok(LogicalPlan::Union(Union { inputs: settled, schema: Arc::new(kept) }))
}

/// The rows that a recursive query has so far are a table within it, whose types were settled before:
/// both its terms keep to them.
fn recursive(mut query: RecursiveQuery) -> Result<LogicalPlan> {
    let mut columns = None;
    query.recursive_term.apply_with_subqueries(|plan| {
        if let LogicalPlan::TableScan(scan) = plan
            && scan.table_name.table() == query.name
        {
            columns = Some(DFSchema::try_from(scan.source.schema().as_ref().clone())?);
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let Some(columns) = columns else { return Ok(LogicalPlan::RecursiveQuery(query)) };
    for term in [&mut query.static_term, &mut query.recursive_term] {
        if term.schema().fields().len() == columns.fields().len() {
            *term = Arc::new(coerce_plan_expr_for_schema(term.as_ref().clone(), &columns)?);
        }
    }
    Ok(LogicalPlan::RecursiveQuery(query))
}

/// Rows that are written down: their casts were settled, and the types of the columns are what they
/// give.
fn retyped(values: Values) -> LogicalPlan {
    let Values { schema, mut values } = values;
    let none = DFSchema::empty();
    let mut kinds = vec![None; schema.fields().len()];
    for (at, field) in schema.fields().iter().enumerate() {
        let given = values.iter().filter_map(|row| row.get(at)).filter(|value| !is_null(value));
        let given = given.map(|value| value.get_type(&none).ok()).collect::<Option<Vec<_>>>();
        kinds[at] = given.and_then(|given| {
            let first = given.first().filter(|first| given.iter().all(|kind| kind == *first))?;
            let changed = has_nanoseconds(field.data_type()) && first != field.data_type();
            changed.then(|| first.clone())
        });
    }
    for (value, kind) in values.iter_mut().flat_map(|row| row.iter_mut().zip(&kinds)) {
        if let Some(null) = kind.as_ref().and_then(|kind| ScalarValue::try_new_null(kind).ok())
            && is_null(value)
        {
            *value = lit(null);
        }
    }
    let retyped = with_kinds(&schema, |at, _| kinds[at].clone());
    LogicalPlan::Values(Values { schema: retyped.map_or(schema, Arc::new), values })
}

fn is_null(value: &Expr) -> bool {
    matches!(value, Expr::Literal(value, _) if value.is_null())
}

/// The schema with other types for the columns that `wanted` has one for.
fn with_kinds(
    schema: &DFSchema,
    wanted: impl Fn(usize, &DataType) -> Option<DataType>,
) -> Result<DFSchema> {
    let fields = schema.iter().enumerate().map(|(at, (qualifier, field))| {
        let kind = wanted(at, field.data_type());
        let field = match kind {
            Some(kind) => Arc::new(field.as_ref().clone().with_data_type(kind)),
            None => Arc::clone(field),
        };
        (qualifier.cloned(), field)
    });
    DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())
}
