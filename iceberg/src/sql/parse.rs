//! Text to exactly one statement.

use std::collections::VecDeque;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Query, Statement as Ast};
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Tokenizer;
use northstar_catalog::{Error, ErrorKind, Result};

use super::define::{self, Definition};
use super::dialect::NorthstarDialect;
use super::from_datafusion;
use super::replace_where;
use super::rewrite::{Rewritten, rewrite};

/// A statement, and how many version clauses its text has at the least.
pub(crate) struct Parsed {
    pub(crate) statement: Statement,
    pub(super) clauses: usize,
}

impl Parsed {
    /// A query that has this many version clauses at the least.
    pub(super) fn of_query(query: Query, clauses: usize) -> Self {
        let statement = Statement::Statement(Box::new(Ast::Query(Box::new(query))));
        Self { statement, clauses }
    }

    /// A query that stands in this statement, with all of its version clauses.
    pub(crate) fn with_query(&self, query: Query) -> Self {
        Self::of_query(query, self.clauses)
    }
}

/// The definition that the text is, if it is one, and how many version clauses it has at the least.
///
/// # Errors
/// `InvalidInput` if it cannot be read; `Unsupported` for a part that is not honoured.
pub(super) fn definition(sql: &str, recursion_limit: usize) -> Result<Option<(Definition, usize)>> {
    let Rewritten { tokens, clauses } = tokens(sql)?;
    let read = define::read(&tokens, recursion_limit);
    Ok(read.map_err(|error| explained(error, clauses))?.map(|read| (read, clauses)))
}

fn tokens(sql: &str) -> Result<Rewritten> {
    let tokens = Tokenizer::new(&NorthstarDialect, sql)
        .tokenize_with_location()
        .map_err(|error| from_datafusion(ParserError::from(error).into()))?;
    replace_where::check_free(&tokens)?;
    Ok(rewrite(replace_where::rewrite(tokens)))
}

/// Parses one statement; nesting is limited to `recursion_limit` levels.
///
/// # Errors
/// `InvalidInput` if the text is not exactly one statement.
pub(super) fn parse(sql: &str, recursion_limit: usize) -> Result<Parsed> {
    let Rewritten { tokens, clauses } = tokens(sql)?;
    let mut statements = DFParserBuilder::new(tokens)
        .with_dialect(&NorthstarDialect)
        .with_recursion_limit(recursion_limit)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| explained(from_datafusion(error), clauses))?;
    let statement = only(&mut statements)?;
    Ok(Parsed { statement, clauses })
}

fn only(statements: &mut VecDeque<Statement>) -> Result<Statement> {
    match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(Error::new(ErrorKind::InvalidInput, "there is no statement to run")),
        (Some(_), rest) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("one statement at a time; there are {}", rest + 1),
        )),
    }
}

/// A version clause in a wrong place confuses the parser about what follows; say where it belongs.
fn explained(error: Error, clauses: usize) -> Error {
    if clauses == 0 {
        return error;
    }
    Error::new(
        error.kind(),
        format!(
            "{}; a version clause stands right after a table's name and before its alias: \
             `t VERSION AS OF 5`, `t VERSION AS OF 'tag'` or \
             `t TIMESTAMP AS OF '2024-05-01 00:00:00+00:00'`",
            error.message()
        ),
    )
}
