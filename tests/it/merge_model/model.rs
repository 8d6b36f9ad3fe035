//! What a statement is to do, in the plainest way: every target row beside every source row.

use std::cmp::Ordering;

use super::condition::{Condition, Expr, Scope};
use super::statement::{Action, Clause, Limit, Statement};
use super::value::{Cell, Row};

/// What a statement is to leave and to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) rows: Vec<Row>,
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    /// Rows that a clause took and that stay as they are.
    pub(super) same: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Done(Effect),
    /// A row would be changed by several source rows (M1).
    Cardinality,
    /// The statement leaves it open which rows it takes.
    Open,
}

/// What `statement` is to do to a table that holds `table`.
pub(super) fn expected(statement: &Statement, table: &[Row]) -> Expected {
    match statement {
        Statement::Merge { source, on, matched, not_matched, by_source } => {
            let mut run = Run { table, effect: Effect::default() };
            let mut taken = vec![false; source.rows.len()];
            for target in table {
                let scope = |source| Scope { target, source, table };
                let partners: Vec<usize> = (0..source.rows.len())
                    .filter(|at| on.holds(scope(&source.rows[*at])) == Some(true))
                    .collect();
                partners.iter().for_each(|at| taken[*at] = true);
                let mut claims = partners
                    .iter()
                    .filter_map(|at| Some((applies(matched, scope(&source.rows[*at]))?, *at)));
                let first = claims.next();
                if claims.next().is_some() {
                    return Expected::Cardinality;
                }
                match first {
                    Some((clause, at)) => run.change(&clause.action, target, &source.rows[at]),
                    None if partners.is_empty() => match applies(by_source, scope(&[])) {
                        Some(clause) => run.change(&clause.action, target, &[]),
                        None => run.effect.rows.push(target.clone()),
                    },
                    None => run.effect.rows.push(target.clone()),
                }
            }
            for (row, _) in source.rows.iter().zip(&taken).filter(|(_, taken)| !**taken) {
                let scope = Scope { target: &[], source: row, table };
                if let Some(clause) = applies(not_matched, scope) {
                    run.insert(&clause.action, row);
                }
            }
            Expected::Done(run.effect)
        }
        Statement::Change { action, other, filter, limit } => {
            let nothing = vec![Row::new()];
            let others = other.as_ref().map_or(&nothing, |other| &other.rows);
            change(action, others, filter.as_ref(), limit.as_ref(), table)
        }
    }
}

fn change(
    action: &Action,
    others: &[Row],
    filter: Option<&Condition>,
    limit: Option<&Limit>,
    table: &[Row],
) -> Expected {
    let mut pairs = Vec::new();
    for (at, target) in table.iter().enumerate() {
        for source in others {
            let scope = Scope { target, source, table };
            if filter.is_none_or(|filter| filter.holds(scope) == Some(true)) {
                pairs.push((at, source));
            }
        }
    }
    if let Some(limit) = limit {
        pairs.sort_by(|left, right| limit.compare(&table[left.0], &table[right.0]));
        if limit.rows > 0 && limit.rows < pairs.len() {
            let (last, next) = (&table[pairs[limit.rows - 1].0], &table[pairs[limit.rows].0]);
            if limit.compare(last, next) == Ordering::Equal && last != next {
                return Expected::Open;
            }
        }
        pairs.truncate(limit.rows);
    }
    let mut run = Run { table, effect: Effect::default() };
    for (at, target) in table.iter().enumerate() {
        let mut own = pairs.iter().filter(|pair| pair.0 == at);
        match (own.next(), own.next()) {
            (None, _) => run.effect.rows.push(target.clone()),
            (Some((_, source)), None) => run.change(action, target, source),
            (Some(_), Some(_)) => return Expected::Cardinality,
        }
    }
    Expected::Done(run.effect)
}

/// The first clause of a list whose condition holds.
fn applies<'a>(list: &'a [Clause], scope: Scope<'_>) -> Option<&'a Clause> {
    list.iter().find(|clause| {
        clause.condition.as_ref().is_none_or(|condition| condition.holds(scope) == Some(true))
    })
}

struct Run<'a> {
    table: &'a [Row],
    effect: Effect,
}

impl Run<'_> {
    fn change(&mut self, action: &Action, target: &Row, source: &[Cell]) {
        let mut new = target.clone();
        match action {
            Action::Delete => {
                self.effect.deleted += 1;
                return;
            }
            Action::SetAll => new = source.to_vec(),
            Action::Set(values) => self.set(&mut new, values, target, source),
            Action::Insert(..) | Action::InsertAll => panic!("a row that is there is inserted"),
        }
        match new == *target {
            true => self.effect.same += 1,
            false => self.effect.updated += 1,
        }
        self.effect.rows.push(new);
    }

    fn set(&self, new: &mut Row, values: &[(usize, Expr)], target: &[Cell], source: &[Cell]) {
        for (at, value) in values {
            new[*at] = value.value(Scope { target, source, table: self.table });
        }
    }

    fn insert(&mut self, action: &Action, source: &Row) {
        let mut new: Row = vec![Cell::Null; source.len()];
        match action {
            Action::InsertAll => new.clone_from(source),
            Action::Insert(columns, values) => {
                let columns: Vec<usize> = match columns.is_empty() {
                    true => (0..source.len()).collect(),
                    false => columns.clone(),
                };
                let values: Vec<_> = columns.into_iter().zip(values.iter().cloned()).collect();
                self.set(&mut new, &values, &[], source);
            }
            _ => panic!("a row that is not there is changed"),
        }
        self.effect.inserted += 1;
        self.effect.rows.push(new);
    }
}

impl Limit {
    fn compare(&self, left: &Row, right: &Row) -> Ordering {
        let orders = self.order.iter().map(|(at, descends, nulls_first)| {
            let nulls = if *nulls_first { Ordering::Less } else { Ordering::Greater };
            match (&left[*at], &right[*at]) {
                (Cell::Null, Cell::Null) => Ordering::Equal,
                (Cell::Null, _) => nulls,
                (_, Cell::Null) => nulls.reverse(),
                (left, right) => {
                    let order = left.compare(right).unwrap();
                    if *descends { order.reverse() } else { order }
                }
            }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    }
}
