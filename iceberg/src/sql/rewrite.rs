//! Brings every spelling of a version clause to one that the parser knows, token by token.
//!
//! | written | handed to the parser |
//! | --- | --- |
//! | `[FOR] VERSION AS OF 5`, `FOR SYSTEM_VERSION AS OF 5` | `VERSION AS OF 5` |
//! | `[FOR] VERSION AS OF 'tag'`, `FOR SYSTEM_VERSION AS OF 'tag'` | `TIMESTAMP AS OF northstar_version('tag')` |
//! | `[FOR] TIMESTAMP AS OF …` | `TIMESTAMP AS OF …` |
//! | `FOR SYSTEM_TIME AS OF …` | as it stands |
//! | `UPDATE SET *` | `UPDATE SET northstar_all_columns = northstar_all_columns` |
//! | `INSERT *` | `INSERT ROW` |
//!
//! Only unquoted words are looked at: string literals, quoted identifiers and comments are other
//! tokens. Each pattern that is changed has no other meaning in SQL: after `version AS of`, an
//! alias in a select list, no literal can follow, and after `FOR` neither word can stand.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// The function whose one argument is a version in quotes; see the module's table.
pub(super) const VERSION_FUNCTION: &str = "northstar_version";

/// What `*` in `UPDATE SET *` becomes, on both sides of an assignment.
pub(crate) const ALL_COLUMNS: &str = "northstar_all_columns";

/// Tokens for the parser, and how many clauses among them can be nothing else.
pub(super) struct Rewritten {
    pub(super) tokens: Vec<TokenWithSpan>,
    /// At least so many version clauses must come out of the parser.
    pub(super) clauses: usize,
}

/// Rewrites the version clauses among `tokens`.
pub(super) fn rewrite(tokens: Vec<TokenWithSpan>) -> Rewritten {
    let mut rewriter = Rewriter::new(&tokens);
    for at in 0..rewriter.words.len() {
        rewriter.version(at);
        rewriter.timestamp(at);
        rewriter.free_word(at);
        rewriter.all_columns(at);
    }
    let Rewriter { mut edits, clauses, .. } = rewriter;
    let mut rewritten = Vec::with_capacity(tokens.len() + edits.len() * 3);
    for (position, token) in tokens.into_iter().enumerate() {
        match edits.remove(&position) {
            None => rewritten.push(token),
            Some(new) => {
                let span = token.span;
                rewritten.extend(new.into_iter().map(|token| TokenWithSpan::new(token, span)));
            }
        }
    }
    Rewritten { tokens: rewritten, clauses }
}

struct Rewriter<'a> {
    tokens: &'a [TokenWithSpan],
    /// Positions of all tokens that are not white space or comments.
    words: Vec<usize>,
    /// What to put in the place of the token at a position.
    edits: BTreeMap<usize, Vec<Token>>,
    clauses: usize,
}

impl<'a> Rewriter<'a> {
    fn new(tokens: &'a [TokenWithSpan]) -> Self {
        let words = (0..tokens.len())
            .filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_)))
            .collect();
        Self { tokens, words, edits: BTreeMap::new(), clauses: 0 }
    }

    fn token(&self, at: usize) -> Option<&'a Token> {
        self.words.get(at).map(|position| &self.tokens[*position].token)
    }

    fn is(&self, at: usize, name: &str) -> bool {
        matches!(self.token(at), Some(Token::Word(word))
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(name))
    }

    fn is_as_of(&self, at: usize) -> bool {
        self.is(at, "AS") && self.is(at + 1, "OF")
    }

    fn after_for(&self, at: usize) -> bool {
        at > 0 && self.is(at - 1, "FOR")
    }

    fn edit(&mut self, at: usize, tokens: Vec<Token>) {
        if let Some(position) = self.words.get(at) {
            self.edits.insert(*position, tokens);
        }
    }

    /// `[FOR] VERSION AS OF` or `FOR SYSTEM_VERSION AS OF`, with its operand.
    fn version(&mut self, at: usize) {
        let after_for = self.after_for(at);
        let named = self.is(at, "VERSION") || (after_for && self.is(at, "SYSTEM_VERSION"));
        if !named || !self.is_as_of(at + 1) {
            return;
        }
        match self.token(at + 3) {
            Some(Token::Number(..)) => self.edit(at, vec![word("VERSION", Keyword::VERSION)]),
            Some(text @ Token::SingleQuotedString(_)) => {
                self.edit(at, vec![word("TIMESTAMP", Keyword::TIMESTAMP)]);
                let function = word(VERSION_FUNCTION, Keyword::NoKeyword);
                let call = vec![function, Token::LParen, text.clone(), Token::RParen];
                self.edit(at + 3, call);
            }
            // With `FOR` this is a clause all the same, and the parser says what is wrong with it.
            _ if after_for => self.edit(at, vec![word("VERSION", Keyword::VERSION)]),
            _ => return,
        }
        if after_for {
            self.edit(at - 1, Vec::new());
        }
        self.clauses += 1;
    }

    /// `[FOR] TIMESTAMP AS OF` or `FOR SYSTEM_TIME AS OF`.
    fn timestamp(&mut self, at: usize) {
        if !self.is_as_of(at + 1) {
            return;
        }
        let after_for = self.after_for(at);
        if self.is(at, "TIMESTAMP") {
            if after_for {
                self.edit(at - 1, Vec::new());
            }
            let literal = matches!(self.token(at + 3), Some(Token::SingleQuotedString(_)));
            self.clauses += usize::from(after_for || literal);
        } else if after_for && self.is(at, "SYSTEM_TIME") {
            self.clauses += 1;
        }
    }

    /// `UPDATE SET *` and `INSERT *`, which have no other meaning.
    fn all_columns(&mut self, at: usize) {
        if self.token(at) != Some(&Token::Mul) || at == 0 {
            return;
        }
        if self.is(at - 1, "SET") && at > 1 && self.is(at - 2, "UPDATE") {
            let all = || word(ALL_COLUMNS, Keyword::NoKeyword);
            self.edit(at, vec![all(), Token::Eq, all()]);
        } else if self.is(at - 1, "INSERT") {
            self.edit(at, vec![word("ROW", Keyword::ROW)]);
        }
    }

    /// Lets tables, columns and aliases be called `changes`, `before` and `at`, which a dialect
    /// with versioned tables takes for clauses of Snowflake's.
    fn free_word(&mut self, at: usize) {
        let clause = ["CHANGES", "BEFORE", "AT"].iter().any(|name| self.is(at, name));
        let zone = self.is(at, "AT") && self.is(at + 1, "TIME");
        if !clause || zone || self.token(at + 1) == Some(&Token::LParen) {
            return;
        }
        if let Some(Token::Word(name)) = self.token(at) {
            self.edit(at, vec![word(&name.value, Keyword::NoKeyword)]);
        }
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

    fn rewritten(sql: &str) -> (String, usize) {
        let tokens = Tokenizer::new(&NorthstarDialect, sql).tokenize_with_location().unwrap();
        let Rewritten { tokens, clauses } = rewrite(tokens);
        (tokens.into_iter().map(|token| token.token.to_string()).collect(), clauses)
    }

    #[test]
    fn every_spelling_comes_to_one_that_the_parser_knows() {
        for (sql, want) in [
            ("t FOR VERSION AS OF 5", "t  VERSION AS OF 5"),
            ("t for system_version as of 5 x", "t  VERSION as of 5 x"),
            ("t VERSION AS OF 'a b'", "t TIMESTAMP AS OF northstar_version('a b')"),
            (
                "t FOR/* */VERSION AS OF -- c\n'b'",
                "t /* */TIMESTAMP AS OF -- c\nnorthstar_version('b')",
            ),
            ("t FOR TIMESTAMP AS OF now()", "t  TIMESTAMP AS OF now()"),
            ("t TIMESTAMP AS OF 'x'", "t TIMESTAMP AS OF 'x'"),
            ("t FOR SYSTEM_TIME AS OF 'x'", "t FOR SYSTEM_TIME AS OF 'x'"),
        ] {
            assert_eq!(rewritten(sql), (want.to_owned(), 1), "{sql}");
        }
    }

    #[test]
    fn literals_quoted_names_comments_and_aliases_are_left_alone() {
        for sql in [
            "SELECT 'FOR VERSION AS OF 5', \"FOR\" \"VERSION\" AS OF FROM t",
            "SELECT a -- FOR VERSION AS OF 5\n FROM t /* VERSION AS OF 'x' */",
            "SELECT version AS of, timestamp AS of FROM version AS of",
            "SELECT system_time AS of, system_version AS of FROM t",
            "SELECT $$VERSION AS OF 'x'$$, E'VERSION AS OF 5' FROM t",
            "SELECT at FROM changes before",
        ] {
            assert_eq!(rewritten(sql), (sql.to_owned(), 0), "{sql}");
        }
    }
}
