//! Which rows a statement takes, and what becomes of each: one row per pair of a target row and a
//! source row that match.
//!
//! A pair is first selected with SQL, so that names mean what they mean everywhere, and then settled:
//! new values get the columns' types and are held against the old ones. A row whose values would
//! all stay as they are is not changed.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr_fn::{cast, when};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, is_true, lit,
};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr as AstExpr, Query, TableWithJoins, Value,
};

use super::assign::assign;
use super::keep::ROW_COLUMN;
use super::query::{Parts, case, column, derived, none_of, null, number, relation, table};
use super::scope::{binary, scope};
use super::statement::{Action, Clause, RowStatement, has_subquery};
use super::target::{Assigned, Source, Target};
use crate::scan::{FILE_COLUMN, POS_COLUMN};
use crate::sql::from_datafusion;
use crate::{Error, ErrorKind, Result};

/// Where the tables of a statement's own queries are.
pub(super) const NAMESPACE: &str = "northstar_statement";
/// The target, with row addresses.
pub(super) const TARGET: &str = "target";
/// The kept source.
pub(super) const SOURCE: &str = "source";
/// The kept pairs.
pub(super) const PAIRS: &str = "pairs";

/// The address of a pair's target row.
pub(super) const PAIR_FILE: &str = "__northstar_file";
pub(super) const PAIR_POS: &str = "__northstar_pos";
/// The number of its source row; NULL where there is none.
pub(super) const PAIR_SOURCE_ROW: &str = "__northstar_source_row";
/// What becomes of the target row: one of the numbers below.
pub(super) const PAIR_ACT: &str = "__northstar_act";

/// No clause applies.
pub(super) const ACT_NONE: i32 = 0;
/// A clause updates the row to what it is.
pub(super) const ACT_SAME: i32 = 1;
pub(super) const ACT_UPDATE: i32 = 2;
pub(super) const ACT_DELETE: i32 = 3;

/// The number of the clause that applies, while a pair is not settled.
const CLAUSE: &str = "__northstar_clause";

/// The new value of the target's column at a place, in pairs.
pub(super) fn new_value(column: usize) -> String {
    format!("__northstar_new_{column}")
}

fn old_value(column: usize) -> String {
    format!("__northstar_old_{column}")
}

pub(super) fn value(assigned: usize) -> String {
    format!("__northstar_value_{assigned}")
}

/// What is needed to select and settle the pairs of one list of clauses.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    pub(super) statement: &'a RowStatement,
    pub(super) target: &'a Target,
    pub(super) source: Option<&'a Source>,
    pub(super) list: &'a [Clause],
    pub(super) assigned: Vec<Assigned>,
    /// Whether the list is that of rows without a source row.
    pub(super) by_source: bool,
    /// The columns that any list updates: all pairs have values for them.
    pub(super) updated: &'a BTreeSet<usize>,
}

impl Finding<'_> {
    /// The query that selects the pairs.
    pub(super) fn select(&self) -> Parts {
        let alias = &self.target.alias;
        let mut from = vec![relation(table(NAMESPACE, TARGET, alias))];
        let mut source_row = null();
        let mut condition = self.statement.condition.clone();
        if let Some(source) = self.source {
            let source_table = relation(table(NAMESPACE, SOURCE, &source.alias));
            if self.by_source {
                let unmatched = none_of(self.match_of(source_table, condition));
                condition = Some(match scope(self.list) {
                    Some(scope) => binary(unmatched, BinaryOperator::And, scope),
                    None => unmatched,
                });
            } else {
                from.push(source_table);
                source_row = column(&source.alias, ROW_COLUMN);
            }
        }
        from.extend(self.statement.others.iter().cloned());

        let conditions: Vec<AstExpr> =
            self.list.iter().map(|clause| clause.condition.clone().unwrap_or_else(yes)).collect();
        let numbered = conditions.iter().cloned().enumerate();
        let clause = case(
            numbered.map(|(at, condition)| (condition, number(at))).collect(),
            number(self.list.len()),
        );
        let mut items = vec![
            (column(alias, FILE_COLUMN), PAIR_FILE.to_string()),
            (column(alias, POS_COLUMN), PAIR_POS.to_string()),
            (source_row, PAIR_SOURCE_ROW.to_string()),
            (clause, CLAUSE.to_string()),
        ];
        for at in self.updated {
            let name = self.target.columns.field(*at).name();
            items.push((column(alias, name), old_value(*at)));
        }
        for (at, assigned) in self.assigned.iter().enumerate() {
            items.push((guarded(&conditions, assigned), value(at)));
        }
        Parts {
            with: self.statement.with.clone(),
            items,
            from,
            condition,
            order_by: self.statement.order_by.clone(),
            limit: self.statement.limit.clone(),
        }
    }

    /// The query that gives a row if the target's row has a match in the source.
    ///
    /// A subquery in `ON` that asks for the target's columns cannot be planned within another that
    /// asks for them. Then all matches are looked for, and this row's address among them.
    fn match_of(&self, source: TableWithJoins, on: Option<AstExpr>) -> Query {
        if !on.as_ref().is_some_and(has_subquery) {
            return exists(source, on);
        }
        let alias = &self.target.alias;
        let address = [(FILE_COLUMN, PAIR_FILE), (POS_COLUMN, PAIR_POS)];
        let matches = Parts {
            items: address
                .iter()
                .map(|(name, pair)| (column(alias, name), (*pair).to_string()))
                .collect(),
            from: vec![relation(table(NAMESPACE, TARGET, alias)), source],
            condition: on,
            ..Parts::default()
        };
        let [file, pos] = address.map(|(name, pair)| AstExpr::BinaryOp {
            left: Box::new(column(PAIRS, pair)),
            op: BinaryOperator::Eq,
            right: Box::new(column(alias, name)),
        });
        let same = AstExpr::BinaryOp {
            left: Box::new(file),
            op: BinaryOperator::And,
            right: Box::new(pos),
        };
        exists(relation(derived(matches.query(), PAIRS)), Some(same))
    }

    /// The pairs of the plan of [`Finding::select`]: address, source row, act, and the new value of
    /// each column that is updated anywhere.
    pub(super) fn settle(&self, selected: LogicalPlan) -> Result<LogicalPlan> {
        check_stable(&selected, self.statement.verb)?;
        let mut values = Vec::new();
        let mut changed = lit(false);
        for at in self.updated {
            let field = self.target.columns.field(*at);
            let old = named(&old_value(*at));
            let mut new = old.clone();
            for (place, assigned) in self.assigned.iter().enumerate() {
                if assigned.column == *at {
                    let name = value(place);
                    let given = selected.schema().field_with_unqualified_name(&name);
                    let given = given.map_err(from_datafusion)?.data_type().clone();
                    let typed = assign(named(&name), &given, field.data_type(), field.name())?;
                    let applies = named(CLAUSE).eq(clause_number(assigned.clause));
                    new = when(applies, typed).otherwise(new).map_err(from_datafusion)?;
                }
            }
            changed = changed.or(differs(&new, old, field.data_type()));
            values.push(new.alias(new_value(*at)));
        }
        let acts = self.list.iter().enumerate();
        let mut act = lit(ACT_NONE);
        for (at, clause) in acts {
            let taken = match &clause.action {
                Action::Delete => lit(ACT_DELETE),
                _ => when(is_true(changed.clone()), lit(ACT_UPDATE))
                    .otherwise(lit(ACT_SAME))
                    .map_err(from_datafusion)?,
            };
            let applies = named(CLAUSE).eq(clause_number(at));
            act = when(applies, taken).otherwise(act).map_err(from_datafusion)?;
        }
        let row = cast(named(PAIR_SOURCE_ROW), DataType::Int64).alias(PAIR_SOURCE_ROW);
        let kept = [named(PAIR_FILE), named(PAIR_POS), row, act.alias(PAIR_ACT)];
        LogicalPlanBuilder::from(selected)
            .project(kept.into_iter().chain(values))
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)
    }
}

/// The rows of both plans, which have the same columns.
pub(super) fn union(first: LogicalPlan, second: LogicalPlan) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(first)
        .union(second)
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// The query that selects the source rows that match nothing, with the values of what is inserted.
pub(super) fn select_inserts(
    statement: &RowStatement,
    source: &Source,
    list: &[Clause],
    assigned: &[Assigned],
) -> Parts {
    let conditions: Vec<AstExpr> =
        list.iter().map(|clause| clause.condition.clone().unwrap_or_else(yes)).collect();
    let numbered = conditions.iter().cloned().enumerate();
    let clause =
        case(numbered.map(|(at, condition)| (condition, number(at))).collect(), number(list.len()));
    let mut items = vec![(clause, CLAUSE.to_string())];
    for (at, one) in assigned.iter().enumerate() {
        items.push((guarded(&conditions, one), value(at)));
    }
    let matched = AstExpr::BinaryOp {
        left: Box::new(column(PAIRS, PAIR_SOURCE_ROW)),
        op: BinaryOperator::Eq,
        right: Box::new(column(&source.alias, ROW_COLUMN)),
    };
    let pairs = relation(table(NAMESPACE, PAIRS, PAIRS));
    Parts {
        with: statement.with.clone(),
        items,
        from: vec![relation(table(NAMESPACE, SOURCE, &source.alias))],
        condition: Some(none_of(exists(pairs, Some(matched)))),
        ..Parts::default()
    }
}

/// The rows to be inserted, with the target's columns, of the plan of [`select_inserts`].
pub(super) fn settle_inserts(
    selected: LogicalPlan,
    target: &Target,
    clauses: usize,
    assigned: &[Assigned],
) -> Result<LogicalPlan> {
    check_stable(&selected, "MERGE")?;
    let mut columns = Vec::new();
    for (at, field) in target.columns.fields().iter().enumerate() {
        let nothing = ScalarValue::try_from(field.data_type()).map_err(from_datafusion)?;
        let mut inserted = lit(nothing);
        for (place, one) in assigned.iter().enumerate().filter(|(_, one)| one.column == at) {
            let name = value(place);
            let given = selected.schema().field_with_unqualified_name(&name);
            let given = given.map_err(from_datafusion)?.data_type().clone();
            let typed = assign(named(&name), &given, field.data_type(), field.name())?;
            let applies = named(CLAUSE).eq(clause_number(one.clause));
            inserted = when(applies, typed).otherwise(inserted).map_err(from_datafusion)?;
        }
        columns.push(inserted.alias(field.name()));
    }
    LogicalPlanBuilder::from(selected)
        .filter(named(CLAUSE).lt(clause_number(clauses)))
        .and_then(|plan| plan.project(columns))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

/// `SELECT 1 FROM table WHERE condition`.
fn exists(table: TableWithJoins, condition: Option<AstExpr>) -> Query {
    let items = vec![(number(1), "one".to_string())];
    Parts { items, from: vec![table], condition, ..Parts::default() }.query()
}

fn yes() -> AstExpr {
    AstExpr::value(Value::Boolean(true))
}

/// A value that is evaluated only for pairs that its clause takes: `WHEN MATCHED AND s.n <> 0 THEN
/// UPDATE SET x = 1 / s.n` must not fail for others.
fn guarded(conditions: &[AstExpr], assigned: &Assigned) -> AstExpr {
    let own = &conditions[assigned.clause];
    if assigned.clause == 0 && *own == yes() {
        return assigned.value.clone();
    }
    let earlier = conditions[..assigned.clause].iter().map(|earlier| (earlier.clone(), null()));
    case(earlier.chain([(own.clone(), assigned.value.clone())]).collect(), null())
}

pub(super) fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn clause_number(number: usize) -> Expr {
    lit(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Whether a column would get another value than it has. To SQL, 0.0 and -0.0 are equal; what is
/// set is kept to the bit (M2), so here they differ, and only their reciprocals tell them apart.
/// Within structs, lists and maps numbers are compared by their bits anyway.
fn differs(new: &Expr, old: Expr, kind: &DataType) -> Expr {
    let other = binary_expr(new.clone(), Operator::IsDistinctFrom, old.clone());
    if !kind.is_floating() {
        return other;
    }
    let zero = is_true(new.clone().eq(lit(0.0)));
    let signs = binary_expr(lit(1.0) / new.clone(), Operator::IsDistinctFrom, lit(1.0) / old);
    other.or(zero.and(signs))
}

/// Conditions are evaluated for the choice of a clause and for its values, which must agree.
fn check_stable(selected: &LogicalPlan, verb: &str) -> Result<()> {
    let LogicalPlan::Projection(projection) = selected else { return Ok(()) };
    let volatile = projection.expr.iter().any(|expr| match expr {
        Expr::Alias(alias) => alias.name == CLAUSE && alias.expr.is_volatile(),
        _ => false,
    });
    if !volatile {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "a WHEN condition of {verb} calls a function that gives another value each time; make \
             it a column of the source"
        ),
    ))
}
