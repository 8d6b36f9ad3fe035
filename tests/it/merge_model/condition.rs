//! Expressions and conditions: as SQL, and what they come to, with three truth values.

use std::cmp::Ordering;
use std::fmt::Write;

use super::value::{Cell, Kind, Row};

/// Which row of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Target,
    Source,
}

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Cell(Cell),
    Column(Side, usize),
    /// A number plus a constant.
    Sum(Box<Expr>, i64),
    /// A text and a constant behind it.
    Joined(Box<Expr>, String),
    Case(Box<Condition>, Box<Expr>, Box<Expr>),
    /// The largest number that a column of the target has.
    Largest(usize),
}

#[derive(Debug, Clone)]
pub(super) enum Condition {
    Constant(Option<bool>),
    Compare(&'static str, Expr, Expr),
    IsNull(Expr),
    Same(Expr, Expr),
    In(Expr, Vec<Cell>, bool),
    Not(Box<Condition>),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    /// `expr [NOT] IN (SELECT column FROM target WHERE number > least)`.
    InTable {
        expr: Expr,
        column: usize,
        number: usize,
        least: i64,
        negated: bool,
    },
    /// `[NOT] EXISTS (SELECT 1 FROM target AS u WHERE u.column = expr)`.
    Exists {
        expr: Expr,
        column: usize,
        negated: bool,
    },
}

/// What names mean in SQL.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) columns: &'a [(String, Kind)],
    /// The target's full name.
    pub(super) table: &'a str,
    /// What the statement calls the target.
    pub(super) target: &'a str,
}

impl Names<'_> {
    pub(super) fn column(&self, at: usize) -> String {
        format!("\"{}\"", self.columns[at].0.replace('"', "\"\""))
    }
}

/// What columns come to: a pair of rows, and all of the target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) target: &'a [Cell],
    pub(super) source: &'a [Cell],
    pub(super) table: &'a [Row],
}

impl Expr {
    pub(super) fn sql(&self, names: &Names<'_>) -> String {
        match self {
            Self::Cell(cell) => cell.sql(),
            Self::Column(Side::Target, at) => format!("{}.{}", names.target, names.column(*at)),
            Self::Column(Side::Source, at) => format!("s.{}", names.column(*at)),
            Self::Sum(expr, more) => format!("{} + {more}", expr.sql(names)),
            Self::Joined(expr, more) => {
                format!("{} || {}", expr.sql(names), Cell::Text(more.clone()).sql())
            }
            Self::Case(condition, then, otherwise) => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                condition.sql(names),
                then.sql(names),
                otherwise.sql(names)
            ),
            Self::Largest(at) => {
                format!("(SELECT max(u.{}) FROM {} AS u)", names.column(*at), names.table)
            }
        }
    }

    pub(super) fn value(&self, scope: Scope<'_>) -> Cell {
        match self {
            Self::Cell(cell) => cell.clone(),
            Self::Column(Side::Target, at) => scope.target[*at].clone(),
            Self::Column(Side::Source, at) => scope.source[*at].clone(),
            Self::Sum(expr, more) => match expr.value(scope) {
                Cell::Int(value) => Cell::Int(value + more),
                _ => Cell::Null,
            },
            Self::Joined(expr, more) => match expr.value(scope) {
                Cell::Text(text) => Cell::Text(text + more),
                _ => Cell::Null,
            },
            Self::Case(condition, then, otherwise) => match condition.holds(scope) {
                Some(true) => then.value(scope),
                _ => otherwise.value(scope),
            },
            Self::Largest(at) => {
                let values = scope.table.iter().map(|row| row[*at].clone());
                values.filter(|value| *value != Cell::Null).max().unwrap_or(Cell::Null)
            }
        }
    }
}

impl Condition {
    pub(super) fn sql(&self, names: &Names<'_>) -> String {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match self {
            Self::Constant(None) => "NULL".to_string(),
            Self::Constant(Some(value)) => value.to_string(),
            Self::Compare(operator, left, right) => {
                format!("{} {operator} {}", left.sql(names), right.sql(names))
            }
            Self::IsNull(expr) => format!("{} IS NULL", expr.sql(names)),
            // In parentheses, since the parser takes what follows for a part of the right side.
            Self::Same(left, right) => {
                format!("({} IS NOT DISTINCT FROM {})", left.sql(names), right.sql(names))
            }
            Self::In(expr, list, negated) => {
                let mut text = format!("{} {}IN (", expr.sql(names), not(negated));
                for (at, cell) in list.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(text, "{comma}{}", cell.sql()).unwrap();
                }
                text + ")"
            }
            Self::Not(inner) => format!("NOT ({})", inner.sql(names)),
            Self::Both(left, right) => format!("({} AND {})", left.sql(names), right.sql(names)),
            Self::Either(left, right) => format!("({} OR {})", left.sql(names), right.sql(names)),
            Self::InTable { expr, column, number, least, negated } => format!(
                "{} {}IN (SELECT u.{} FROM {} AS u WHERE u.{} > {least})",
                expr.sql(names),
                not(negated),
                names.column(*column),
                names.table,
                names.column(*number),
            ),
            Self::Exists { expr, column, negated } => format!(
                "{}EXISTS (SELECT 1 FROM {} AS u WHERE u.{} = {})",
                not(negated),
                names.table,
                names.column(*column),
                expr.sql(names),
            ),
        }
    }

    /// Whether the condition holds; `None` where SQL does not know.
    pub(super) fn holds(&self, scope: Scope<'_>) -> Option<bool> {
        match self {
            Self::Constant(value) => *value,
            Self::Compare(operator, left, right) => {
                let order = left.value(scope).compare(&right.value(scope))?;
                Some(match *operator {
                    "=" => order == Ordering::Equal,
                    "<>" => order != Ordering::Equal,
                    "<" => order == Ordering::Less,
                    "<=" => order != Ordering::Greater,
                    ">" => order == Ordering::Greater,
                    other => panic!("no operator {other}"),
                })
            }
            Self::IsNull(expr) => Some(expr.value(scope) == Cell::Null),
            Self::Same(left, right) => Some(left.value(scope).is_same(&right.value(scope))),
            Self::In(expr, list, negated) => member(&expr.value(scope), list, *negated),
            Self::Not(inner) => inner.holds(scope).map(|held| !held),
            Self::Both(left, right) => match (left.holds(scope), right.holds(scope)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Either(left, right) => match (left.holds(scope), right.holds(scope)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::InTable { expr, column, number, least, negated } => {
                let of = |row: &Row| row[*number].compare(&Cell::Int(*least));
                let rows = scope.table.iter().filter(|row| of(row) == Some(Ordering::Greater));
                let list: Vec<Cell> = rows.map(|row| row[*column].clone()).collect();
                member(&expr.value(scope), &list, *negated)
            }
            Self::Exists { expr, column, negated } => {
                let value = expr.value(scope);
                let same = |row: &Row| row[*column].compare(&value) == Some(Ordering::Equal);
                Some(scope.table.iter().any(same) != *negated)
            }
        }
    }
}

/// Whether a value is in a list, or is not: unknown as soon as a NULL could be what is looked for.
fn member(value: &Cell, list: &[Cell], negated: bool) -> Option<bool> {
    if list.iter().any(|cell| value.compare(cell) == Some(Ordering::Equal)) {
        return Some(!negated);
    }
    let unknown = !list.is_empty() && (*value == Cell::Null || list.contains(&Cell::Null));
    if unknown { None } else { Some(negated) }
}
