//! `MERGE`, `UPDATE` and `DELETE` in one form: a target, what it is joined with, and clauses.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, Merge, MergeAction, MergeClause,
    MergeClauseKind, MergeInsertKind, ObjectName, OrderByExpr, Query, SetExpr, Statement as Ast,
    TableAlias, TableFactor, TableWithJoins, Update, UpdateTableFromKind, Visit, Visitor, With,
};

use super::replacement::Replacement;
use crate::sql::ALL_COLUMNS;
use crate::{Error, ErrorKind, Result};

/// What a clause does with a row.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Delete,
    /// Columns, as written, and their new values.
    Update(Vec<(ObjectName, Expr)>),
    /// Every column of the target, from the source's column of that name.
    UpdateAll,
    /// Columns, as written (none are all), and their values.
    Insert(Vec<ObjectName>, Vec<Expr>),
    /// A row of the source's columns, by name.
    InsertAll,
}

/// A `WHEN` clause; `UPDATE` and `DELETE` come to one without a condition.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub(super) condition: Option<Expr>,
    pub(super) action: Action,
}

/// A statement that changes rows.
#[derive(Debug, Clone)]
pub(crate) struct RowStatement {
    /// `MERGE`, `UPDATE` or `DELETE`.
    pub(super) verb: &'static str,
    pub(super) with: Option<With>,
    pub(super) target: ObjectName,
    pub(super) alias: Option<Ident>,
    /// What a `MERGE` reads, once.
    pub(super) source: Option<TableFactor>,
    /// What `UPDATE … FROM` and `DELETE … USING` join the target with.
    pub(super) others: Vec<TableWithJoins>,
    /// What an `INSERT … REPLACE WHERE` puts in the place of the rows that it takes.
    pub(super) replacement: Option<Replacement>,
    /// `ON` or `WHERE`.
    pub(super) condition: Option<Expr>,
    pub(super) matched: Vec<Clause>,
    pub(super) not_matched: Vec<Clause>,
    pub(super) not_matched_by_source: Vec<Clause>,
    pub(super) order_by: Vec<OrderByExpr>,
    pub(super) limit: Option<Expr>,
}

impl RowStatement {
    /// The statement in this form; `None` for a statement that changes no rows.
    ///
    /// # Errors
    /// `Unsupported` for a part that is not honoured, saying what to write instead.
    pub(crate) fn read(statement: &Statement) -> Result<Option<Self>> {
        let Statement::Statement(ast) = statement else { return Ok(None) };
        let (ast, with) = match ast.as_ref() {
            Ast::Query(query) => match query.body.as_ref() {
                SetExpr::Update(ast) | SetExpr::Delete(ast) | SetExpr::Merge(ast) => {
                    (ast, query.with.clone())
                }
                _ => return Ok(None),
            },
            other => (other, None),
        };
        let mut read = match ast {
            Ast::Merge(merge) => Self::merge(merge)?,
            Ast::Update(update) => Self::update(update)?,
            Ast::Delete(delete) => Self::delete(delete)?,
            _ => return Ok(None),
        };
        read.with = with;
        read.check_clauses()?;
        Ok(Some(read))
    }

    fn new(verb: &'static str, target: &TableFactor) -> Result<Self> {
        let (target, alias) = named_table(verb, target)?;
        Ok(Self {
            verb,
            with: None,
            target,
            alias,
            source: None,
            others: Vec::new(),
            replacement: None,
            condition: None,
            matched: Vec::new(),
            not_matched: Vec::new(),
            not_matched_by_source: Vec::new(),
            order_by: Vec::new(),
            limit: None,
        })
    }

    fn merge(merge: &Merge) -> Result<Self> {
        let Merge { table, source, on, clauses, output, optimizer_hints, .. } = merge;
        refuse(
            "MERGE",
            &[
                (output.is_some(), "OUTPUT", "read the rows by time travel afterwards"),
                (!optimizer_hints.is_empty(), "a hint", "leave it out"),
            ],
        )?;
        let mut read = Self {
            source: Some(source.clone()),
            condition: Some(on.as_ref().clone()),
            ..Self::new("MERGE", table)?
        };
        for clause in clauses {
            let list = match clause.clause_kind {
                MergeClauseKind::Matched => &mut read.matched,
                MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                    &mut read.not_matched
                }
                MergeClauseKind::NotMatchedBySource => &mut read.not_matched_by_source,
            };
            list.push(merge_clause(clause)?);
        }
        if clauses.is_empty() {
            return Err(invalid("MERGE needs a WHEN clause".to_string()));
        }
        Ok(read)
    }

    fn update(update: &Update) -> Result<Self> {
        let Update { table, assignments, from, selection, returning, output, or, .. } = update;
        refuse(
            "UPDATE",
            &[
                (returning.is_some() || output.is_some(), "RETURNING", "read the rows afterwards"),
                (or.is_some(), "OR", "leave it out"),
                (
                    !table.joins.is_empty(),
                    "a join of the target",
                    "UPDATE t SET … FROM other WHERE …",
                ),
                (!update.optimizer_hints.is_empty(), "a hint", "leave it out"),
            ],
        )?;
        let others = match from {
            None => Vec::new(),
            Some(
                UpdateTableFromKind::BeforeSet(tables) | UpdateTableFromKind::AfterSet(tables),
            ) => tables.clone(),
        };
        let action = Action::Update(read_assignments(assignments)?);
        Ok(Self {
            others,
            condition: selection.clone(),
            matched: vec![Clause { condition: None, action }],
            order_by: update.order_by.clone(),
            limit: update.limit.clone(),
            ..Self::new("UPDATE", &table.relation)?
        })
    }

    fn delete(delete: &Delete) -> Result<Self> {
        let Delete { tables, from, using, selection, returning, output, .. } = delete;
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
        let [target] = from.as_slice() else {
            return Err(unsupported("DELETE", "several tables", "one DELETE for each"));
        };
        refuse(
            "DELETE",
            &[
                (returning.is_some() || output.is_some(), "RETURNING", "read the rows before"),
                (
                    !tables.is_empty() || !target.joins.is_empty(),
                    "a join of the target",
                    "DELETE FROM t USING other WHERE …",
                ),
                (!delete.optimizer_hints.is_empty(), "a hint", "leave it out"),
            ],
        )?;
        let mut others = using.clone().unwrap_or_default();
        let replacement = Replacement::take(&mut others);
        Ok(Self {
            others,
            replacement,
            condition: selection.clone(),
            matched: vec![Clause { condition: None, action: Action::Delete }],
            order_by: delete.order_by.clone(),
            limit: delete.limit.clone(),
            ..Self::new("DELETE", &target.relation)?
        })
    }

    /// All clauses, in the order in which their numbers count.
    pub(super) fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.matched.iter().chain(&self.not_matched).chain(&self.not_matched_by_source)
    }

    fn check_clauses(&self) -> Result<()> {
        for list in [&self.matched, &self.not_matched, &self.not_matched_by_source] {
            let unreachable = list.iter().rev().skip(1).any(|clause| clause.condition.is_none());
            if unreachable {
                return Err(invalid(
                    "a WHEN clause without a condition must be the last of its kind: those after it \
                     can never apply"
                        .to_string(),
                ));
            }
        }
        for clause in self.clauses() {
            let values: Vec<&Expr> = match &clause.action {
                Action::Update(values) => values.iter().map(|(_, value)| value).collect(),
                Action::Insert(_, values) => values.iter().collect(),
                _ => Vec::new(),
            };
            for expr in clause.condition.iter().chain(values) {
                if let Some(subquery) = rows_subquery(expr) {
                    return Err(unsupported(
                        self.verb,
                        &format!("`{subquery}` in a WHEN clause or an assignment"),
                        "a number: (SELECT count(*) FROM … WHERE …) > 0, here or as a column of the source",
                    ));
                }
            }
        }
        Ok(())
    }
}

fn merge_clause(clause: &MergeClause) -> Result<Clause> {
    let action = match &clause.action {
        MergeAction::Delete { .. } => Action::Delete,
        MergeAction::Update(update) => {
            let oracle = update.update_predicate.is_some() || update.delete_predicate.is_some();
            refuse("MERGE", &[(oracle, "WHERE in UPDATE", "WHEN MATCHED AND … THEN UPDATE")])?;
            match update.assignments.as_slice() {
                [only] if only.target.to_string() == ALL_COLUMNS => Action::UpdateAll,
                several => Action::Update(read_assignments(several)?),
            }
        }
        MergeAction::Insert(insert) => {
            let oracle = insert.insert_predicate.is_some();
            refuse("MERGE", &[(oracle, "WHERE in INSERT", "WHEN NOT MATCHED AND … THEN INSERT")])?;
            match &insert.kind {
                MergeInsertKind::Row if insert.columns.is_empty() => Action::InsertAll,
                MergeInsertKind::Row => {
                    return Err(unsupported("MERGE", "ROW with columns", "INSERT (…) VALUES (…)"));
                }
                MergeInsertKind::Values(values) => match values.rows.as_slice() {
                    [row] => Action::Insert(insert.columns.clone(), row.to_vec()),
                    _ => return Err(unsupported("MERGE", "several rows of VALUES", "one row")),
                },
            }
        }
    };
    Ok(Clause { condition: clause.predicate.clone(), action })
}

fn read_assignments(assignments: &[Assignment]) -> Result<Vec<(ObjectName, Expr)>> {
    assignments
        .iter()
        .map(|assignment| match &assignment.target {
            AssignmentTarget::ColumnName(name) => Ok((name.clone(), assignment.value.clone())),
            AssignmentTarget::Tuple(_) => Err(unsupported("SET", "(a, b) = …", "a = …, b = …")),
        })
        .collect()
}

fn named_table(verb: &str, factor: &TableFactor) -> Result<(ObjectName, Option<Ident>)> {
    match factor {
        TableFactor::Table { name, alias, args: None, sample: None, partitions, .. }
            if partitions.is_empty() =>
        {
            let alias = alias.as_ref().map(|TableAlias { name, .. }| name.clone());
            Ok((name.clone(), alias))
        }
        other => Err(invalid(format!("{verb} changes a table, and `{other}` is none"))),
    }
}

/// The first subquery in an expression that asks for rows rather than a value.
fn rows_subquery(expr: &Expr) -> Option<String> {
    struct Finder;
    impl Visitor for Finder {
        type Break = String;

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
            match expr {
                Expr::InSubquery { .. }
                | Expr::Exists { .. }
                | Expr::AnyOp { .. }
                | Expr::AllOp { .. } => ControlFlow::Break(expr.to_string()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match expr.visit(&mut Finder) {
        ControlFlow::Break(found) => Some(found),
        ControlFlow::Continue(()) => None,
    }
}

/// Whether an expression asks another query, for rows or for a value.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    expr.visit(&mut Finder).is_break()
}

/// Refuses what is there and would not be honoured: (whether it is, what it is, what to write).
pub(super) fn refuse(verb: &str, parts: &[(bool, &str, &str)]) -> Result<()> {
    match parts.iter().find(|(present, ..)| *present) {
        None => Ok(()),
        Some((_, what, instead)) => Err(unsupported(verb, what, instead)),
    }
}

pub(super) fn unsupported(verb: &str, what: &str, instead: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("{what} is not supported in {verb}; write instead: {instead}"),
    )
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
