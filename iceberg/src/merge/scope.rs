//! A `MERGE` reads the whole of its target only if it is told to.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr as AstExpr};

use super::narrow::TargetScan;
use super::statement::{Clause, RowStatement, has_subquery};
use crate::scan::IcebergTable;
use crate::{Error, ErrorKind, Result, TableName};

/// What the clauses of rows without a source row agree on: a row that no clause takes need not be
/// found, and a file without one that a clause might take need not be read. `None` if there is a
/// clause that may take any row.
pub(super) fn scope(clauses: &[Clause]) -> Option<AstExpr> {
    let mut scopes = clauses.iter().map(|clause| own_scope(clause.condition.as_ref()?));
    let first = scopes.next()??;
    scopes.try_fold(first, |all, one| Some(binary(all, BinaryOperator::Or, one?)))
}

/// The parts of a condition, joined by `AND`, that ask no other query.
fn own_scope(condition: &AstExpr) -> Option<AstExpr> {
    match condition {
        AstExpr::Nested(inner) => own_scope(inner),
        AstExpr::BinaryOp { left, op: BinaryOperator::And, right } => {
            match (own_scope(left), own_scope(right)) {
                (Some(left), Some(right)) => Some(binary(left, BinaryOperator::And, right)),
                (one, other) => one.or(other),
            }
        }
        other => (!has_subquery(other)).then(|| other.clone()),
    }
}

pub(super) fn binary(left: AstExpr, op: BinaryOperator, right: AstExpr) -> AstExpr {
    let nested = |expr| Box::new(AstExpr::Nested(Box::new(expr)));
    AstExpr::BinaryOp { left: nested(left), op, right: nested(right) }
}

/// Checks that each scan of the target can leave files out. A table without files has nothing to be
/// left out.
///
/// # Errors
/// `InvalidInput`, saying what to write; those of reading manifests.
pub(super) async fn check(
    statement: &RowStatement,
    name: &TableName,
    table: &IcebergTable,
    scans: &[TargetScan],
) -> Result<()> {
    let Some(all) = scans.iter().find(|scan| !scan.is_keyed && !scan.is_filtered) else {
        return Ok(());
    };
    if statement.verb != "MERGE" || table.live_rows().await?.is_empty() {
        return Ok(());
    }
    let by_source = "WHEN NOT MATCHED BY SOURCE asks for every row of the table; give each such \
                     clause a scope that leaves files out: WHEN NOT MATCHED BY SOURCE AND \
                     t.facility_id = 7 AND … THEN …";
    let on = "ON leaves no file of the table out; compare a column of the table itself with a value \
              of the source (ON t.id = s.id, a CAST on the side of the source), or add a condition \
              on columns of the table alone (AND t.day >= DATE '2024-05-01')";
    let reason = match all.is_unmatched {
        true => by_source.to_string(),
        false if statement.not_matched_by_source.is_empty() => on.to_string(),
        false => format!("{on}; and {by_source}"),
    };
    let word = "if the whole table is meant, say so: --whole-table";
    Err(Error::new(ErrorKind::InvalidInput, format!("{reason}; {word}"))
        .with_context("table", name))
}
