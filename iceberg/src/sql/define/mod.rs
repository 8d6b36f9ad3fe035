//! Statements that define: namespaces, tables, their columns, partitions and properties.
//!
//! They have a grammar of their own, over the parser's tokens. The generic one takes some fifty
//! clauses of other engines for `CREATE TABLE`, which would have to be refused one by one; here what
//! is not known is an error, and none is dropped silently.

mod alter;
mod create;
mod cursor;
mod statement;
mod types;

pub(crate) use statement::{AlterTable, CreateTable, Definition};

use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use self::cursor::Cursor;
use crate::Result;

/// The definition that the tokens are, if they are one.
///
/// # Errors
/// `InvalidInput` for one that cannot be read; `Unsupported` for a part that is not honoured, saying
/// what to write instead.
pub(super) fn read(tokens: &[TokenWithSpan], recursion_limit: usize) -> Result<Option<Definition>> {
    let mut cursor = Cursor::new(tokens.to_vec(), recursion_limit);
    let definition = if cursor.take(&["CREATE"]) {
        create::create(&mut cursor)?
    } else if cursor.take(&["DROP"]) {
        create::drop(&mut cursor)?
    } else if cursor.take(&["ALTER", "TABLE"]) {
        alter::alter(&mut cursor)?
    } else {
        return Ok(None);
    };
    if definition.is_some() {
        cursor.end()?;
    }
    Ok(definition)
}
