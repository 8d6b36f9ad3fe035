//! Which files of its target a statement can leave out because of the rows that it is joined with.
//!
//! The optimizer has said which columns are compared for equality with which values. Those of the kept
//! source are looked at, all of them, before the target is scanned: a file that no key falls into is
//! never opened, whatever engine runs the query.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality, ScalarValue};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::expr_rewriter::unnormalize_cols;
use datafusion::logical_expr::{
    Expr, ExprSchemable, Join, LogicalPlan, LogicalPlanBuilder, col, lit,
};
use datafusion::physical_plan::{collect, execute_stream};
use futures::TryStreamExt;

use super::keep::Kept;
use crate::Result;
use crate::scan::{Doubtful, FILE_COLUMN, IcebergTable, KeyColumn};
use crate::sql::from_datafusion;

/// Keys are looked at in portions of so many rows or bytes: each costs a look at all files.
const PORTION_ROWS: usize = 64 << 10;
const PORTION_BYTES: usize = 8 << 20;

/// A plan whose scans of the target read no file that the kept rows rule out.
#[derive(Debug)]
pub(super) struct Narrowed {
    /// The plan, optimized.
    pub(super) plan: LogicalPlan,
    /// Its scans of the target.
    pub(super) scans: Vec<TargetScan>,
}

/// A scan of the target with row addresses.
#[derive(Debug)]
pub(super) struct TargetScan {
    /// The target, narrowed.
    pub(super) table: IcebergTable,
    /// The conditions on its columns alone.
    pub(super) filters: Vec<Expr>,
    /// Whether it is joined with keys by a column of its own.
    pub(super) is_keyed: bool,
    /// The columns that keys are looked for in, before any file is opened.
    pub(super) keys: Vec<String>,
    /// Whether it is there for the rows that match no key.
    pub(super) is_unmatched: bool,
    /// Whether its own conditions can leave a file out.
    pub(super) is_filtered: bool,
}

/// Optimizes a plan and narrows its scans of the target.
///
/// # Errors
/// As a scan; those of evaluating keys.
pub(super) async fn narrowed(plan: &LogicalPlan, state: &SessionState) -> Result<Narrowed> {
    let plan = state.optimize(plan).map_err(from_datafusion)?;
    let mut found = Vec::new();
    find(&plan, &[], false, &mut found);
    let mut scans = Vec::new();
    for Found { mut table, columns, filters, joins, is_unmatched } in found {
        let (mut keys, mut is_keyed) = (Vec::new(), false);
        for join in &joins {
            let names = join.pairs.iter().filter_map(|(at, key)| Some((columns.get(*at)?, *key)));
            let compared = compared(&table, join, names.collect())?;
            is_keyed |= !compared.is_empty();
            let (narrower, known) = narrower(table, join, compared, state).await?;
            table = narrower;
            keys.extend(known);
        }
        let is_filtered = table.can_prune_by(state, &filters)?;
        scans.push(TargetScan { table, filters, is_keyed, keys, is_filtered, is_unmatched });
    }
    let mut tables = scans.iter().map(|scan: &TargetScan| scan.table.clone());
    let plan = plan
        .transform_down(|node| {
            let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
            if target(&scan.source).is_none() {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            }
            if let Some(table) = tables.next() {
                scan.source = provider_as_source(Arc::new(table));
            }
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        })
        .map_err(from_datafusion)?
        .data;
    Ok(Narrowed { plan, scans })
}

/// A join that leaves rows of the target out for which there is no key.
#[derive(Debug, Clone)]
struct Keyed<'a> {
    /// Columns by their place in the node at hand, with the keys that they are compared with.
    pairs: Vec<(usize, &'a Expr)>,
    keys: &'a LogicalPlan,
    null_safe: bool,
}

/// A scan of the target, its conditions, and the joins above it.
struct Found<'a> {
    table: IcebergTable,
    /// The names of the columns that it gives.
    columns: Vec<String>,
    filters: Vec<Expr>,
    joins: Vec<Keyed<'a>>,
    is_unmatched: bool,
}

/// Finds the scans of the target in a plan, in the order of `transform_down`.
///
/// `is_unmatched` says that what is found is for the rows that a join has no match for.
fn find<'a>(
    plan: &'a LogicalPlan,
    joins: &[Keyed<'a>],
    is_unmatched: bool,
    found: &mut Vec<Found<'a>>,
) {
    match plan {
        LogicalPlan::TableScan(scan) => {
            if let Some(table) = target(&scan.source) {
                // A column that is not NULL is nothing to choose files by.
                let conditions = scan.filters.iter().filter(|e| !matches!(e, Expr::IsNotNull(_)));
                let filters = unnormalize_cols(conditions.cloned());
                let fields = scan.projected_schema.fields().iter();
                let columns = fields.map(|field| field.name().clone()).collect();
                let joins = joins.to_vec();
                found.push(Found { table, columns, filters, joins, is_unmatched });
            }
        }
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Filter(_) => {
            plan.inputs().into_iter().for_each(|input| find(input, joins, is_unmatched, found));
        }
        LogicalPlan::Projection(projection) => {
            let input = projection.input.as_ref();
            let place = |at: usize| match projection.expr.get(at)?.clone().unalias() {
                Expr::Column(column) => input.schema().maybe_index_of_column(&column),
                _ => None,
            };
            find(input, &moved(joins, place), is_unmatched, found);
        }
        LogicalPlan::Join(join) => {
            let wide = join.left.schema().fields().len();
            let (mut left, mut right) = (Vec::new(), Vec::new());
            match join.join_type {
                JoinType::Inner => {
                    left = moved(joins, |at| (at < wide).then_some(at));
                    right = moved(joins, |at| at.checked_sub(wide));
                }
                JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                    left = moved(joins, |at| (at < wide).then_some(at));
                }
                JoinType::Right => right = moved(joins, |at| at.checked_sub(wide)),
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                    let columns = join.right.schema().fields().len();
                    right = moved(joins, |at| (at < columns).then_some(at));
                }
                JoinType::Full => {}
            }
            if matches!(join.join_type, JoinType::Inner | JoinType::Right | JoinType::LeftSemi) {
                left.extend(keyed(join, false));
            }
            if matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::RightSemi) {
                right.extend(keyed(join, true));
            }
            let kind = join.join_type;
            let lefts = matches!(kind, JoinType::LeftAnti | JoinType::LeftMark);
            find(&join.left, &left, is_unmatched || lefts, found);
            let rights = matches!(kind, JoinType::RightAnti | JoinType::RightMark);
            find(&join.right, &right, is_unmatched || rights, found);
        }
        other => other.inputs().into_iter().for_each(|input| find(input, &[], is_unmatched, found)),
    }
}

/// Joins as an input of a node sees them; `place` says where its columns are there.
fn moved<'a>(joins: &[Keyed<'a>], place: impl Fn(usize) -> Option<usize>) -> Vec<Keyed<'a>> {
    let move_one = |join: &Keyed<'a>| {
        let pairs = join.pairs.iter().filter_map(|(at, key)| Some((place(*at)?, *key)));
        let pairs: Vec<_> = pairs.collect();
        (!pairs.is_empty()).then(|| Keyed { pairs, ..join.clone() })
    };
    joins.iter().filter_map(move_one).collect()
}

/// What a join compares columns of one side with, if the other is nothing but kept rows.
fn keyed(join: &Join, of_right: bool) -> Option<Keyed<'_>> {
    let (side, keys) = match of_right {
        true => (&join.right, &join.left),
        false => (&join.left, &join.right),
    };
    if !is_kept(keys) {
        return None;
    }
    let pairs = join.on.iter().filter_map(|(left, right)| {
        let (column, key) = if of_right { (right, left) } else { (left, right) };
        // One cast, to the type that both are compared in: two could lose a part of the value.
        let column = match column {
            Expr::Cast(cast) => cast.expr.as_ref(),
            other => other,
        };
        let Expr::Column(column) = column else { return None };
        Some((side.schema().maybe_index_of_column(column)?, key))
    });
    let pairs: Vec<_> = pairs.collect();
    let null_safe = join.null_equality == NullEquality::NullEqualsNull;
    (!pairs.is_empty()).then_some(Keyed { pairs, keys, null_safe })
}

/// Whether a plan reads kept rows or literal ones alone, and gives the same each time: then it costs
/// little to look at its rows before.
fn is_kept(plan: &LogicalPlan) -> bool {
    let mut kept = true;
    let all = plan.apply(|node| {
        kept &= match node {
            LogicalPlan::TableScan(scan) => source_as_provider(&scan.source)
                .is_ok_and(|table| (table.as_ref() as &dyn std::any::Any).is::<Kept>()),
            LogicalPlan::Extension(_) => false,
            _ => node.expressions().iter().all(|expr| !expr.is_volatile()),
        };
        Ok(if kept { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    all.is_ok() && kept
}

/// The target, if a scan is of it.
fn target(source: &Arc<dyn datafusion::logical_expr::TableSource>) -> Option<IcebergTable> {
    let table = source_as_provider(source).ok()?;
    let table = (table.as_ref() as &dyn std::any::Any).downcast_ref::<IcebergTable>()?.clone();
    let schema = datafusion::catalog::TableProvider::schema(&table);
    schema.field_with_name(FILE_COLUMN).is_ok().then_some(table)
}

/// The columns that are compared with keys: as they are, or cast in a way that bounds survive.
fn compared<'a>(
    table: &IcebergTable,
    join: &Keyed<'_>,
    pairs: Vec<(&String, &'a Expr)>,
) -> Result<Vec<(KeyColumn, &'a Expr)>> {
    let mut compared = Vec::new();
    for (name, value) in pairs {
        let compared_as = value.get_type(join.keys.schema()).map_err(from_datafusion)?;
        let key = KeyColumn { name: name.clone(), compared_as };
        let column = table.columns().field_with_name(name);
        let as_it_is = column.is_ok_and(|field| *field.data_type() == key.compared_as);
        if as_it_is || can_rule_out(table, &key) {
            compared.push((key, value));
        }
    }
    Ok(compared)
}

fn can_rule_out(table: &IcebergTable, key: &KeyColumn) -> bool {
    table
        .columns()
        .field_with_name(&key.name)
        .is_ok_and(|field| KeyColumn::can_rule_out(field.data_type(), &key.compared_as))
}

/// The table with the files alone that may hold one of a join's keys, and the columns that these are
/// compared with.
async fn narrower(
    table: IcebergTable,
    join: &Keyed<'_>,
    compared: Vec<(KeyColumn, &Expr)>,
    state: &SessionState,
) -> Result<(IcebergTable, Vec<String>)> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (key, value) in compared {
        if can_rule_out(&table, &key) {
            values.push(value.clone().alias(format!("k{}", keys.len())));
            keys.push(key);
        }
    }
    let names: Vec<String> = keys.iter().map(|key| key.name.clone()).collect();
    if keys.is_empty() {
        return Ok((table, names));
    }
    let values = LogicalPlanBuilder::from(join.keys.clone())
        .project(values)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let span = match join.null_safe {
        true => Vec::new(),
        false => span(&table, &keys, &values, state).await?,
    };
    let mut candidates = table.candidates(state, &keys, &span, join.null_safe).await?;
    if candidates.all_found() {
        return Ok((table.with_among(Arc::new(candidates.among())), names));
    }
    each_portion(&values, state, |keys| candidates.look_at(keys).map(|()| !candidates.all_found()))
        .await?;
    if let Some(mut doubtful) = Doubtful::of(&candidates) {
        let again = |keys: &[ArrayRef]| doubtful.look_at(&candidates, keys).map(|()| true);
        each_portion(&values, state, again).await?;
        table.ask_blooms(doubtful, &mut candidates).await;
    }
    Ok((table.with_among(Arc::new(candidates.among())), names))
}

/// The least and the greatest key as conditions, for whole manifests.
async fn span(
    table: &IcebergTable,
    keys: &[KeyColumn],
    values: &LogicalPlan,
    state: &SessionState,
) -> Result<Vec<Expr>> {
    let mut ends = Vec::new();
    let mut spanned = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let same = table
            .columns()
            .field_with_name(&key.name)
            .is_ok_and(|field| *field.data_type() == key.compared_as);
        if same && !matches!(key.compared_as, DataType::FixedSizeBinary(_)) {
            let value = || col(format!("k{at}"));
            ends.extend([min(value()), max(value())]);
            spanned.push(key);
        }
    }
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let plan = LogicalPlanBuilder::from(values.clone())
        .aggregate(Vec::<Expr>::new(), ends)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let plan = state.create_physical_plan(&plan).await.map_err(from_datafusion)?;
    let rows = collect(plan, state.task_ctx()).await.map_err(from_datafusion)?;
    let Some(row) = rows.iter().find(|batch| batch.num_rows() > 0) else { return Ok(Vec::new()) };
    let end = |at: usize| ScalarValue::try_from_array(row.column(at), 0).map_err(from_datafusion);
    let mut span = Vec::new();
    for (at, key) in spanned.into_iter().enumerate() {
        let (least, greatest) = (end(2 * at)?, end(2 * at + 1)?);
        if !least.is_null() && !greatest.is_null() {
            let column = || Expr::Column(datafusion::common::Column::new_unqualified(&key.name));
            span.extend([column().gt_eq(lit(least)), column().lt_eq(lit(greatest))]);
        }
    }
    Ok(span)
}

/// Shows all keys to `look`, in portions, until it says that no more are needed.
async fn each_portion(
    values: &LogicalPlan,
    state: &SessionState,
    mut look: impl FnMut(&[ArrayRef]) -> Result<bool>,
) -> Result<()> {
    let plan = state.create_physical_plan(values).await.map_err(from_datafusion)?;
    let mut stream = execute_stream(plan, state.task_ctx()).map_err(from_datafusion)?;
    let mut portion = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    while let Some(batch) = stream.try_next().await.map_err(from_datafusion)? {
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        portion.push(batch);
        if rows >= PORTION_ROWS || bytes >= PORTION_BYTES {
            if !look(&together(&portion)?)? {
                return Ok(());
            }
            portion.clear();
            (rows, bytes) = (0, 0);
        }
    }
    look(&together(&portion)?).map(drop)
}

/// The columns of batches, one behind the other.
fn together(batches: &[RecordBatch]) -> Result<Vec<ArrayRef>> {
    let columns = batches.first().map_or(0, RecordBatch::num_columns);
    let column = |at: usize| {
        let parts: Vec<_> = batches.iter().map(|batch| batch.column(at).as_ref()).collect();
        concat(&parts).map_err(|error| from_datafusion(error.into()))
    };
    (0..columns).map(column).collect()
}
