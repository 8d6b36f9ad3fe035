//! Conditions of one table: as SQL, and what they come to, with three truth values.

use std::cmp::Ordering;

use super::model::{Column, Row};
use crate::merge_model::value::Cell;

#[derive(Debug, Clone)]
pub(super) enum Filter {
    Compare(i32, &'static str, Cell),
    In(i32, Vec<Cell>),
    IsNull(i32),
    Prefix(i32, String),
    Not(Box<Filter>),
    Both(Box<Filter>, Box<Filter>),
    Either(Box<Filter>, Box<Filter>),
}

/// What a column is called; one that is gone has no name.
pub(super) fn name(id: i32, columns: &[Column]) -> &str {
    columns.iter().find(|column| column.id == id).map_or("gone", |column| &column.name)
}

impl Filter {
    pub(super) fn sql(&self, columns: &[Column]) -> String {
        let name = |id: &i32| name(*id, columns);
        match self {
            Self::Compare(id, operator, cell) => format!("{} {operator} {}", name(id), cell.sql()),
            Self::In(id, cells) => {
                let cells: Vec<String> = cells.iter().map(Cell::sql).collect();
                format!("{} IN ({})", name(id), cells.join(", "))
            }
            Self::IsNull(id) => format!("{} IS NULL", name(id)),
            Self::Prefix(id, text) => {
                let text = text.replace('\'', "''");
                format!("{} LIKE '{text}%'", name(id))
            }
            Self::Not(inner) => format!("NOT ({})", inner.sql(columns)),
            Self::Both(left, right) => {
                format!("({} AND {})", left.sql(columns), right.sql(columns))
            }
            Self::Either(left, right) => {
                format!("({} OR {})", left.sql(columns), right.sql(columns))
            }
        }
    }

    /// Whether a row fits; `None` where SQL does not know.
    pub(super) fn holds(&self, row: &Row) -> Option<bool> {
        let cell = |id: &i32| row.get(id).unwrap_or(&Cell::Null);
        match self {
            Self::Compare(id, operator, with) => {
                let order = cell(id).compare(with)?;
                Some(match *operator {
                    "=" => order == Ordering::Equal,
                    "<>" => order != Ordering::Equal,
                    "<" => order == Ordering::Less,
                    "<=" => order != Ordering::Greater,
                    ">" => order == Ordering::Greater,
                    ">=" => order != Ordering::Less,
                    other => panic!("no operator {other}"),
                })
            }
            Self::In(id, list) => {
                let value = cell(id);
                if list.iter().any(|cell| value.compare(cell) == Some(Ordering::Equal)) {
                    return Some(true);
                }
                (*value != Cell::Null && !list.contains(&Cell::Null)).then_some(false)
            }
            Self::IsNull(id) => Some(*cell(id) == Cell::Null),
            Self::Prefix(id, prefix) => match cell(id) {
                Cell::Text(text) => Some(text.starts_with(prefix)),
                _ => None,
            },
            Self::Not(inner) => inner.holds(row).map(|held| !held),
            Self::Both(left, right) => match (left.holds(row), right.holds(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Either(left, right) => match (left.holds(row), right.holds(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }

    pub(super) fn takes(&self, row: &Row) -> bool {
        self.holds(row) == Some(true)
    }
}
