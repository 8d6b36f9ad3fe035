//! Finds every version clause of a statement, evaluates it, and puts a number in its place.
//!
//! The number is what the planner consumes: DataFusion plans a table factor that carries one
//! through [`super::planner`], or not at all, and then the number is left over.

use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::execution::SessionState;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    Expr, FromTable, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query,
    Statement as Ast, TableFactor, TableVersion, Value, VisitMut, VisitorMut,
};
use northstar_catalog::{Error, ErrorKind, Result};

use super::from_datafusion;
use super::moment::timestamp_ms;
use super::rewrite::VERSION_FUNCTION;
use crate::travel::AsOf;

/// A version clause and the table it stands after.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    /// The name as written.
    pub(super) table: TableReference,
    pub(super) as_of: AsOf,
}

/// Evaluates all version clauses of `statement`; the clause of the table factor that then carries
/// the number `n` is the `n`th.
///
/// # Errors
/// `InvalidInput` if a clause is not a constant, or stands after something that has no versions.
pub(super) fn number(statement: &mut Statement, state: &SessionState) -> Result<Vec<Clause>> {
    let mut finder = Finder { state, scopes: Vec::new(), clauses: Vec::new() };
    match visit(statement, &mut finder) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(finder.clauses),
    }
}

/// The statement without the tables that have a version: what is left is read as of now.
pub(super) fn unversioned(statement: &Statement) -> Statement {
    struct Remover;
    impl VisitorMut for Remover {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if has_version(factor) {
                let nothing = Expr::value(Value::Null);
                *factor = TableFactor::TableFunction { expr: nothing, alias: None };
            }
            ControlFlow::Continue(())
        }
    }
    let mut rest = statement.clone();
    // The remover never breaks off.
    match visit(&mut rest, &mut Remover) {
        ControlFlow::Continue(()) | ControlFlow::Break(()) => rest,
    }
}

/// The number that [`number`] put in the place of a clause.
pub(super) fn numbered(version: &TableVersion) -> Option<usize> {
    let TableVersion::VersionAsOf(Expr::Value(value)) = version else {
        return None;
    };
    match &value.value {
        Value::Placeholder(text) => text.strip_prefix(MARK)?.parse().ok(),
        _ => None,
    }
}

/// What a number in the place of a clause starts with; the parser makes no such placeholder.
const MARK: &str = "version ";

fn visit<V: VisitorMut>(statement: &mut Statement, visitor: &mut V) -> ControlFlow<V::Break> {
    match statement {
        Statement::Statement(ast) => ast.visit(visitor),
        Statement::Explain(explain) => visit(&mut explain.statement, visitor),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(visitor),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    }
}

/// The `WITH` names of one query.
struct Scope {
    names: Vec<(String, *const Query)>,
    recursive: bool,
    /// How many of them can be used at the place that is being visited.
    visible: usize,
}

struct Finder<'a> {
    state: &'a SessionState,
    scopes: Vec<Scope>,
    clauses: Vec<Clause>,
}

impl VisitorMut for Finder<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.enter_named(query, |scope, at| scope.visible = at + usize::from(scope.recursive));
        let (names, recursive) = match &query.with {
            None => (Vec::new(), false),
            Some(with) => {
                let named = with.cte_tables.iter();
                let named = named.map(|cte| {
                    (self.normal(&cte.alias.name), std::ptr::from_ref(cte.query.as_ref()))
                });
                (named.collect(), with.recursive)
            }
        };
        self.scopes.push(Scope { names, recursive, visible: 0 });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.scopes.pop();
        self.enter_named(query, |scope, at| scope.visible = at + 1);
        ControlFlow::Continue(())
    }

    /// What a statement writes to is the current table, whatever the clause after it says.
    fn pre_visit_statement(&mut self, statement: &mut Ast) -> ControlFlow<Error> {
        match targets(statement).into_iter().find(|factor| has_version(factor)) {
            Some(target) => ControlFlow::Break(invalid(format!(
                "`{target}` is written to, and only the current version of a table can be: the \
                 version clause belongs after a table that is read"
            ))),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match self.take(factor) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Finder<'_> {
    /// If `query` is the body of a `WITH` name of the query around it, says which.
    fn enter_named(&mut self, query: &Query, then: impl FnOnce(&mut Scope, usize)) {
        if let Some(scope) = self.scopes.last_mut() {
            let at = scope.names.iter().position(|(_, body)| std::ptr::eq(*body, query));
            if let Some(at) = at {
                then(scope, at);
            }
        }
    }

    fn normalizes(&self) -> bool {
        self.state.config_options().sql_parser.enable_ident_normalization
    }

    fn normal(&self, name: &Ident) -> String {
        match name.quote_style {
            None if self.normalizes() => name.value.to_ascii_lowercase(),
            _ => name.value.clone(),
        }
    }

    fn is_cte(&self, name: &str) -> bool {
        let visible = self.scopes.iter().flat_map(|scope| &scope.names[..scope.visible]);
        visible.into_iter().any(|(cte, _)| cte == name)
    }

    fn take(&mut self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table { name, version: Some(version), args, .. } = factor else {
            return Ok(());
        };
        if args.is_some() {
            return Err(invalid(format!("`{name}` is a function: it has no versions")));
        }
        let table = object_name_to_table_reference(name.clone(), self.normalizes())
            .map_err(from_datafusion)?;
        if table.schema().is_none() && self.is_cte(table.table()) {
            return Err(invalid(format!(
                "`{table}` is a name given by WITH: it has no versions; put the version clause \
                 after the table that its query reads"
            )));
        }
        if table.schema() == Some("information_schema") {
            return Err(invalid(format!("`{table}` describes the catalog: it has no versions")));
        }
        let as_of = self.evaluate(version)?;
        let mark = Value::Placeholder(format!("{MARK}{}", self.clauses.len()));
        *version = TableVersion::VersionAsOf(Expr::value(mark));
        self.clauses.push(Clause { table, as_of });
        Ok(())
    }

    fn evaluate(&self, version: &TableVersion) -> Result<AsOf> {
        match version {
            TableVersion::VersionAsOf(Expr::Value(value)) => match &value.value {
                Value::Number(text, _) => text.parse().map(AsOf::Snapshot).map_err(|_| {
                    invalid(format!(
                        "`{text}` is not a snapshot's id; `northstar snapshots TABLE` lists them"
                    ))
                }),
                other => Err(invalid(format!("`{other}` is not a snapshot's id"))),
            },
            TableVersion::VersionAsOf(other) => {
                Err(invalid(format!("`{other}` is not a snapshot's id")))
            }
            TableVersion::TimestampAsOf(expr) | TableVersion::ForSystemTimeAsOf(expr) => {
                match named_version(expr) {
                    Some(name) => Ok(AsOf::Ref(name.to_owned())),
                    None => timestamp_ms(expr, self.state).map(AsOf::Timestamp),
                }
            }
            TableVersion::Function(_) | TableVersion::Changes { .. } => Err(invalid(format!(
                "`{version}` is not supported: write `VERSION AS OF` or `TIMESTAMP AS OF`"
            ))),
        }
    }
}

/// The tables that a statement writes to.
fn targets(statement: &Ast) -> Vec<&TableFactor> {
    match statement {
        Ast::Update(update) => vec![&update.table.relation],
        Ast::Merge(merge) => vec![&merge.table],
        Ast::Delete(delete) => match &delete.from {
            FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables) => {
                tables.iter().map(|table| &table.relation).collect()
            }
        },
        _ => Vec::new(),
    }
}

fn has_version(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::Table { version: Some(_), .. })
}

/// The tag, branch or id that the rewritten form of `VERSION AS OF '…'` names.
fn named_version(expr: &Expr) -> Option<&str> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_slice()
    else {
        return None;
    };
    match &value.value {
        Value::SingleQuotedString(text) if name.to_string() == VERSION_FUNCTION => Some(text),
        _ => None,
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
