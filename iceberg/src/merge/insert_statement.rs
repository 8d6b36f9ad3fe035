//! `INSERT` and `TRUNCATE` as they are written; what is not honoured is refused.

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Insert, ObjectName, Query, SetExpr, Statement as Ast, TableObject, Truncate,
};

use super::statement::{refuse, unsupported};
use crate::{Error, ErrorKind, Result};

/// An `INSERT`.
#[derive(Debug, Clone)]
pub(super) struct InsertStatement {
    pub(super) target: ObjectName,
    /// The columns that are given, as written; all, in order, if none are named.
    pub(super) columns: Vec<ObjectName>,
    pub(super) query: Query,
    pub(super) overwrite: bool,
}

impl InsertStatement {
    /// The statement in this form; `None` for another one.
    ///
    /// # Errors
    /// `Unsupported` for a part that is not honoured, saying what to write instead.
    pub(super) fn read(statement: &Statement) -> Result<Option<Self>> {
        let Statement::Statement(ast) = statement else { return Ok(None) };
        let (insert, with) = match ast.as_ref() {
            Ast::Insert(insert) => (insert, None),
            Ast::Query(query) => match query.body.as_ref() {
                SetExpr::Insert(Ast::Insert(insert)) => (insert, query.with.clone()),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        check(insert)?;
        let TableObject::TableName(target) = &insert.table else {
            return Err(unsupported("INSERT", "a function or query as target", "a table's name"));
        };
        let Some(query) = &insert.source else {
            return Err(unsupported("INSERT", "DEFAULT VALUES", "VALUES (…) or SELECT"));
        };
        let mut query = query.as_ref().clone();
        if with.is_some() {
            if query.with.is_some() {
                return Err(unsupported("INSERT", "WITH in two places", "one WITH"));
            }
            query.with = with;
        }
        Ok(Some(Self {
            target: target.clone(),
            columns: insert.columns.clone(),
            query,
            overwrite: insert.overwrite,
        }))
    }
}

fn check(insert: &Insert) -> Result<()> {
    let verb = "INSERT";
    refuse(
        verb,
        &[
            (
                insert.partitioned.is_some(),
                "PARTITION (…)",
                "the partition's values as columns of the query; INSERT OVERWRITE replaces the \
                 partitions that its rows fall into",
            ),
            (
                insert.on.is_some() || insert.or.is_some() || insert.ignore || insert.replace_into,
                "a rule for rows that are there",
                "MERGE INTO … USING … ON …",
            ),
            (
                insert.returning.is_some() || insert.output.is_some(),
                "RETURNING",
                "a query of the rows afterwards",
            ),
            (
                insert.table_alias.is_some() || insert.insert_alias.is_some(),
                "an alias",
                "the table's name alone",
            ),
            (!insert.assignments.is_empty(), "SET", "(columns) VALUES (…)"),
            (!insert.after_columns.is_empty(), "columns after PARTITION", "(columns) first"),
            (
                insert.priority.is_some() || !insert.optimizer_hints.is_empty(),
                "a hint",
                "the statement without it",
            ),
            (
                insert.settings.is_some()
                    || insert.format_clause.is_some()
                    || insert.multi_table_insert_type.is_some()
                    || !insert.multi_table_into_clauses.is_empty(),
                "a clause of another engine",
                "INSERT INTO table [(columns)] SELECT … or VALUES …",
            ),
        ],
    )?;
    match insert.into || insert.overwrite {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::InvalidInput,
            "write INSERT INTO to add rows, or INSERT OVERWRITE to replace partitions",
        )),
    }
}

/// The table that a `TRUNCATE` is of; `None` for another statement.
///
/// # Errors
/// `Unsupported` for a part that is not honoured.
pub(super) fn truncated(statement: &Statement) -> Result<Option<ObjectName>> {
    let Statement::Statement(ast) = statement else { return Ok(None) };
    let Ast::Truncate(truncate) = ast.as_ref() else { return Ok(None) };
    let Truncate { table_names, partitions, if_exists, identity, cascade, on_cluster, .. } =
        truncate;
    refuse(
        "TRUNCATE",
        &[
            (partitions.is_some(), "PARTITION", "DELETE FROM … WHERE …"),
            (*if_exists, "IF EXISTS", "TRUNCATE TABLE of a table that is there"),
            (
                identity.is_some() || cascade.is_some() || on_cluster.is_some(),
                "an option",
                "TRUNCATE TABLE and the table's name",
            ),
        ],
    )?;
    match table_names.as_slice() {
        [only] if !only.only && !only.has_asterisk => Ok(Some(only.name.clone())),
        _ => Err(unsupported("TRUNCATE", "several tables", "one TRUNCATE TABLE for each")),
    }
}
