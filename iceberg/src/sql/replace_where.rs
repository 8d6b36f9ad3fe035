//! `INSERT INTO t [(columns)] REPLACE WHERE condition query`, which the parser does not know, as a
//! statement that it knows and that reads the same tables:
//!
//! ```text
//! DELETE FROM t USING ( query ) AS northstar_replacement [(columns)] WHERE condition
//! ```
//!
//! The condition ends where the query begins: at the first `SELECT`, `VALUES` or `WITH` outside of
//! parentheses.

use std::ops::Range;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace, Word};

use crate::{Error, ErrorKind, Result};

/// What the rows of the query are called.
pub(crate) const REPLACEMENT: &str = "northstar_replacement";

/// Refuses the name above where a user writes it: a `DELETE` would be taken for a replacement.
///
/// # Errors
/// `InvalidInput`.
pub(super) fn check_free(tokens: &[TokenWithSpan]) -> Result<()> {
    let taken = tokens.iter().any(|token| {
        matches!(&token.token, Token::Word(word) if word.value.eq_ignore_ascii_case(REPLACEMENT))
    });
    match taken {
        true => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("`{REPLACEMENT}` is a name of northstar's own; use another"),
        )),
        false => Ok(()),
    }
}

/// The tokens in the form above; as they are if they are another statement.
pub(super) fn rewrite(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let Some(Parts { target, columns, condition, query }) = Parts::read(&tokens) else {
        return tokens;
    };
    let end = tokens.iter().rposition(|token| {
        !matches!(token.token, Token::Whitespace(_) | Token::SemiColon | Token::EOF)
    });
    let end = end.map_or(tokens.len(), |last| last + 1);
    let span = tokens[0].span;
    let own = |token: Token| vec![TokenWithSpan::new(token, span)];
    let given = |range: Range<usize>| tokens[range].to_vec();
    let parts = [
        own(word("DELETE", Keyword::DELETE)),
        own(word("FROM", Keyword::FROM)),
        given(target),
        own(word("USING", Keyword::USING)),
        own(Token::LParen),
        given(query..end),
        own(Token::RParen),
        own(word("AS", Keyword::AS)),
        own(word(REPLACEMENT, Keyword::NoKeyword)),
        given(columns),
        own(word("WHERE", Keyword::WHERE)),
        given(condition),
        given(end..tokens.len()),
    ];
    let space = own(Token::Whitespace(Whitespace::Space));
    parts.join(space.as_slice())
}

/// Where the parts of the statement are among its tokens.
struct Parts {
    target: Range<usize>,
    columns: Range<usize>,
    condition: Range<usize>,
    query: usize,
}

impl Parts {
    fn read(tokens: &[TokenWithSpan]) -> Option<Self> {
        let words: Vec<usize> = (0..tokens.len())
            .filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_)))
            .collect();
        let token = |at: usize| words.get(at).map(|position| &tokens[*position].token);
        let is = |at: usize, name: &str| {
            matches!(token(at), Some(Token::Word(word))
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(name))
        };
        let place = |at: usize| words.get(at).copied();
        if !is(0, "INSERT") || !is(1, "INTO") {
            return None;
        }
        let name = if is(2, "TABLE") { 3 } else { 2 };
        let mut at = name;
        while matches!(token(at), Some(Token::Word(_))) {
            at += 1;
            if token(at) != Some(&Token::Period) {
                break;
            }
            at += 1;
        }
        let columns = at;
        if token(at) == Some(&Token::LParen) {
            while token(at)? != &Token::RParen {
                at += 1;
            }
            at += 1;
        }
        if !is(at, "REPLACE") || !is(at + 1, "WHERE") {
            return None;
        }
        let condition = at + 2;
        let mut depth = 0_usize;
        let query = (condition..words.len()).find(|at| {
            match token(*at) {
                Some(Token::LParen) => depth += 1,
                Some(Token::RParen) => depth = depth.saturating_sub(1),
                _ => {}
            }
            // `TIMESTAMP WITH TIME ZONE '…'` is a value.
            let with = is(*at, "WITH") && !is(*at + 1, "TIME");
            depth == 0 && (with || is(*at, "SELECT") || is(*at, "VALUES"))
        })?;
        (query > condition).then_some(())?;
        Some(Self {
            target: place(name)?..place(columns)?,
            columns: place(columns)?..place(condition - 2)?,
            condition: place(condition)?..place(query)?,
            query: place(query)?,
        })
    }
}

fn word(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style: None, keyword })
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::super::dialect::NorthstarDialect;
    use super::*;

    fn rewritten(sql: &str) -> String {
        let tokens = Tokenizer::new(&NorthstarDialect, sql).tokenize_with_location().unwrap();
        let text: String =
            rewrite(tokens).into_iter().map(|token| token.token.to_string()).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_condition_ends_where_the_query_begins() {
        for (sql, want) in [
            (
                "INSERT INTO ns.t REPLACE WHERE day = '2024-01-02' SELECT * FROM s",
                "DELETE FROM ns.t USING ( SELECT * FROM s ) AS northstar_replacement \
                 WHERE day = '2024-01-02'",
            ),
            (
                "insert into table t (a, \"b\") replace where x IN (SELECT x FROM y) \
                 WITH z AS (SELECT 1) SELECT * FROM z;",
                "DELETE FROM t USING ( WITH z AS (SELECT 1) SELECT * FROM z ) \
                 AS northstar_replacement (a, \"b\") WHERE x IN (SELECT x FROM y) ;",
            ),
            (
                "INSERT INTO t REPLACE WHERE at < TIMESTAMP WITH TIME ZONE '2024-01-02' VALUES (1)",
                "DELETE FROM t USING ( VALUES (1) ) AS northstar_replacement \
                 WHERE at < TIMESTAMP WITH TIME ZONE '2024-01-02'",
            ),
        ] {
            assert_eq!(rewritten(sql), want);
        }
    }

    #[test]
    fn other_statements_are_left_alone() {
        for sql in [
            "INSERT INTO t SELECT 'REPLACE WHERE'",
            "INSERT INTO t (a) VALUES (1)",
            "INSERT INTO t REPLACE WHERE x = 1",
            "INSERT INTO t REPLACE WHERE SELECT 1",
            "INSERT OVERWRITE t REPLACE WHERE x = 1 SELECT 1",
            "SELECT replace FROM t",
            "",
        ] {
            assert_eq!(rewritten(sql), sql);
        }
    }
}
