//! Which statements a session runs.
//!
//! Reading statements become a `DataFrame`. Statements that write are recognised twice: by their
//! first words, so that the answer does not depend on whether their tables exist, and in the
//! logical plan, which sees what is nested (`WITH … INSERT`, `SELECT … INTO`, `EXPLAIN`).
//! `MERGE`, `UPDATE`, `DELETE`, `INSERT`, `TRUNCATE` and definitions of tables do not come here: a session
//! that changes rows takes them before. What is left are their `EXPLAIN`, views and the like, and
//! sessions that only read.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, WriteOp};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Set, SetExpr, Statement as Ast};
use northstar_catalog::{Error, ErrorKind, Result};

use super::from_datafusion;

/// Lets reading statements and `SET`/`RESET` of session options pass.
///
/// # Errors
/// `Unsupported` for everything else, with what to use instead.
pub(super) fn check(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Statement(ast) => check_ast(ast),
        Statement::Explain(explain) => match explain.statement.as_ref() {
            Statement::Statement(ast) if is_set(ast) => Err(refusal("EXPLAIN SET")),
            inner => check(inner),
        },
        Statement::Reset(_) => Ok(()),
        Statement::CopyTo(_) => Err(refusal("COPY")),
        Statement::CreateExternalTable(_) => Err(refusal("CREATE")),
    }
}

fn check_ast(ast: &Ast) -> Result<()> {
    match ast {
        Ast::Query(query) => match query.body.as_ref() {
            SetExpr::Insert(ast) | SetExpr::Update(ast) | SetExpr::Delete(ast) => check_ast(ast),
            SetExpr::Merge(ast) => check_ast(ast),
            _ => Ok(()),
        },
        Ast::ExplainTable { .. }
        | Ast::ShowTables { .. }
        | Ast::ShowColumns { .. }
        | Ast::ShowVariable { .. }
        | Ast::ShowVariables { .. }
        | Ast::ShowFunctions { .. }
        | Ast::Set(Set::SingleAssignment { .. } | Set::SetTimeZone { .. }) => Ok(()),
        Ast::Explain { statement, .. } => check_ast(statement),
        other => {
            let text = other.to_string();
            Err(refusal(&text.split_whitespace().next().unwrap_or_default().to_uppercase()))
        }
    }
}

fn is_set(ast: &Ast) -> bool {
    matches!(ast, Ast::Set(_))
}

/// Lets plans pass that only read.
///
/// # Errors
/// `Unsupported` if any node of the plan, at any depth, would write or define something.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut refused = None;
    let visited = plan.apply_with_subqueries(|node| {
        refused = writing(node);
        Ok(match refused {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    });
    visited.map_err(from_datafusion)?;
    match refused {
        None => Ok(()),
        Some(what) => Err(refusal(what)),
    }
}

/// What a node does other than read.
fn writing(node: &LogicalPlan) -> Option<&'static str> {
    match node {
        LogicalPlan::Dml(dml) => Some(match &dml.op {
            WriteOp::Insert(_) => "INSERT",
            WriteOp::Update => "UPDATE",
            WriteOp::Delete => "DELETE",
            WriteOp::Truncate => "TRUNCATE",
            WriteOp::Ctas => "CREATE",
            _ => "MERGE",
        }),
        LogicalPlan::Copy(_) => Some("COPY"),
        LogicalPlan::Ddl(
            DdlStatement::DropTable(_)
            | DdlStatement::DropView(_)
            | DdlStatement::DropCatalogSchema(_)
            | DdlStatement::DropFunction(_),
        ) => Some("DROP"),
        LogicalPlan::Ddl(_) => Some("CREATE"),
        LogicalPlan::Statement(_) => Some("this statement"),
        _ => None,
    }
}

fn refusal(what: &str) -> Error {
    let instead = match what {
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "TRUNCATE" => {
            "run it by itself in `northstar sql` or `northstar shell`, without EXPLAIN"
        }
        "CREATE" | "DROP" | "ALTER" => {
            "CREATE, DROP and ALTER are of tables and schemas, by themselves in `northstar sql` or \
             `northstar shell`; name a subquery with `WITH` where a view is wanted"
        }
        "COPY" => "write a query's rows to a file with `northstar sql --output csv`",
        _ => "use SELECT, EXPLAIN, SHOW, DESCRIBE, or SET of a session option",
    };
    Error::new(ErrorKind::Unsupported, format!("{what} is not supported here: {instead}"))
}
