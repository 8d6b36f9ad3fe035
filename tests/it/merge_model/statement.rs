//! Statements that change rows, and their text.

use std::fmt::Write;

use super::condition::{Condition, Expr, Names};
use super::value::{Kind, Row};

#[derive(Debug, Clone)]
pub(super) enum Action {
    Delete,
    Set(Vec<(usize, Expr)>),
    SetAll,
    /// Columns and their values; with no columns, all of them.
    Insert(Vec<usize>, Vec<Expr>),
    InsertAll,
}

#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub(super) condition: Option<Condition>,
    pub(super) action: Action,
}

/// How the rows of a source come to the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As literals in the statement.
    Values,
    /// As a table that is given along with it.
    Given,
    /// The target itself.
    Itself,
}

#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) form: Form,
    /// The order of the source's columns; they have the names of the target's.
    pub(super) order: Vec<usize>,
    /// Its rows, with values in the order of the target's columns.
    pub(super) rows: Vec<Row>,
}

/// `ORDER BY` all columns, and `LIMIT`.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    /// Columns in order; whether each descends, and whether NULL comes first.
    pub(super) order: Vec<(usize, bool, bool)>,
    pub(super) rows: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Statement {
    Merge {
        source: Source,
        on: Condition,
        matched: Vec<Clause>,
        not_matched: Vec<Clause>,
        by_source: Vec<Clause>,
    },
    /// `UPDATE` or `DELETE`, with the rows that it is joined with.
    Change {
        action: Action,
        other: Option<Source>,
        filter: Option<Condition>,
        limit: Option<Limit>,
    },
}

impl Statement {
    pub(super) fn sql(&self, names: &Names<'_>) -> String {
        match self {
            Self::Merge { source, on, matched, not_matched, by_source } => {
                let mut text = format!(
                    "MERGE INTO {} USING {} ON {}",
                    target(names),
                    source.sql(names),
                    on.sql(names)
                );
                for (list, kind) in [
                    (matched, "MATCHED"),
                    (by_source, "NOT MATCHED BY SOURCE"),
                    (
                        not_matched,
                        if on.sql(names).len() % 2 == 0 {
                            "NOT MATCHED"
                        } else {
                            "NOT MATCHED BY TARGET"
                        },
                    ),
                ] {
                    for clause in list {
                        write!(text, "\nWHEN {kind}").unwrap();
                        if let Some(condition) = &clause.condition {
                            write!(text, " AND {}", condition.sql(names)).unwrap();
                        }
                        write!(text, " THEN {}", clause.action.sql(names)).unwrap();
                    }
                }
                text
            }
            Self::Change { action, other, filter, limit } => {
                let mut text = match action {
                    Action::Delete => format!("DELETE FROM {}", target(names)),
                    _ => format!("UPDATE {} {}", target(names), &action.sql(names)[7..]),
                };
                if let Some(other) = other {
                    let word = if matches!(action, Action::Delete) { "USING" } else { "FROM" };
                    write!(text, " {word} {}", other.sql(names)).unwrap();
                }
                if let Some(filter) = filter {
                    write!(text, " WHERE {}", filter.sql(names)).unwrap();
                }
                if let Some(limit) = limit {
                    write!(text, "{}", limit.sql(names)).unwrap();
                }
                text
            }
        }
    }
}

fn target(names: &Names<'_>) -> String {
    if names.table.ends_with(&format!(".{}", names.target)) {
        return names.table.to_string();
    }
    format!("{} AS {}", names.table, names.target)
}

impl Action {
    fn sql(&self, names: &Names<'_>) -> String {
        let list = |values: &[Expr]| {
            values.iter().map(|value| value.sql(names)).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Delete => "DELETE".to_string(),
            Self::SetAll => "UPDATE SET *".to_string(),
            Self::InsertAll => "INSERT *".to_string(),
            Self::Set(values) => {
                let values: Vec<_> = values
                    .iter()
                    .map(|(at, value)| format!("{} = {}", names.column(*at), value.sql(names)))
                    .collect();
                format!("UPDATE SET {}", values.join(", "))
            }
            Self::Insert(columns, values) if columns.is_empty() => {
                format!("INSERT VALUES ({})", list(values))
            }
            Self::Insert(columns, values) => {
                let columns: Vec<_> = columns.iter().map(|at| names.column(*at)).collect();
                format!("INSERT ({}) VALUES ({})", columns.join(", "), list(values))
            }
        }
    }
}

impl Source {
    fn sql(&self, names: &Names<'_>) -> String {
        match self.form {
            Form::Itself => format!("{} AS s", names.table),
            Form::Given => "given.s AS s".to_string(),
            Form::Values => {
                let columns: Vec<_> = self.order.iter().map(|at| names.column(*at)).collect();
                let kinds: Vec<Kind> = self.order.iter().map(|at| names.columns[*at].1).collect();
                let nothing: Row = vec![super::value::Cell::Null; names.columns.len()];
                let rows = if self.rows.is_empty() { &vec![nothing] } else { &self.rows };
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| {
                        let cells = self.order.iter().zip(&kinds);
                        let cells: Vec<_> =
                            cells.map(|(at, kind)| row[*at].typed_sql(*kind)).collect();
                        format!("({})", cells.join(", "))
                    })
                    .collect();
                let values = format!("(VALUES {}) AS s({})", rows.join(", "), columns.join(", "));
                match self.rows.is_empty() {
                    true => format!("(SELECT * FROM {values} WHERE false) AS s"),
                    false => values,
                }
            }
        }
    }
}

impl Limit {
    fn sql(&self, names: &Names<'_>) -> String {
        let order: Vec<_> = self
            .order
            .iter()
            .map(|(at, descends, nulls_first)| {
                let direction = if *descends { "DESC" } else { "ASC" };
                let nulls = if *nulls_first { "FIRST" } else { "LAST" };
                format!("{}.{} {direction} NULLS {nulls}", names.target, names.column(*at))
            })
            .collect();
        format!(" ORDER BY {} LIMIT {}", order.join(", "), self.rows)
    }
}
