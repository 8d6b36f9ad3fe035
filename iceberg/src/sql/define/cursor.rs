//! A place among tokens, and what can be read there.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::super::dialect::NorthstarDialect;
use super::super::from_datafusion;
use crate::table::PartitionColumn;
use crate::{Error, ErrorKind, Result};

/// Reads tokens from left to right. Words are compared as SQL does: unquoted, in any case.
pub(super) struct Cursor<'a> {
    pub(super) parser: Parser<'a>,
}

impl Cursor<'_> {
    pub(super) fn new(tokens: Vec<TokenWithSpan>, recursion_limit: usize) -> Self {
        let parser = Parser::new(&NorthstarDialect)
            .with_recursion_limit(recursion_limit)
            .with_tokens_with_locations(tokens);
        Self { parser }
    }

    /// Whether these words come next.
    pub(super) fn sees(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, want)| {
            matches!(&self.parser.peek_nth_token_ref(at).token, Token::Word(word)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(want))
        })
    }

    /// Takes these words, if all of them come next.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let found = self.sees(words);
        if found {
            for _ in words {
                self.parser.advance_token();
            }
        }
        found
    }

    /// Takes one of several words.
    pub(super) fn take_one(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(&[word]))
    }

    /// Takes a token, if it comes next.
    pub(super) fn takes(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    /// Takes these words, which must come next.
    pub(super) fn expect(&mut self, words: &[&str]) -> Result<()> {
        match self.take(words) {
            true => Ok(()),
            false => Err(self.expected(&words.join(" "))),
        }
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> Result<()> {
        match self.takes(token) {
            true => Ok(()),
            false => Err(self.expected(&token.to_string())),
        }
    }

    /// The error for something else than was wanted here.
    pub(super) fn expected(&self, wanted: &str) -> Error {
        let found = &self.parser.peek_token_ref().token;
        let found = match found {
            Token::EOF => "the statement's end".to_string(),
            token => format!("`{token}`"),
        };
        Error::new(
            ErrorKind::InvalidInput,
            format!("cannot parse the statement: {wanted} is wanted where {found} stands"),
        )
    }

    /// The statement must be at its end.
    pub(super) fn end(&mut self) -> Result<()> {
        while self.takes(&Token::SemiColon) {}
        match self.parser.peek_token_ref().token {
            Token::EOF => Ok(()),
            _ => Err(self.expected("the statement's end")),
        }
    }

    /// An identifier: in lower case unless it is quoted.
    pub(super) fn name(&mut self) -> Result<String> {
        let ident = self.parser.parse_identifier().map_err(unparsed)?;
        Ok(normal(&ident))
    }

    /// The full name of a column or of a field within one: `address.city`.
    pub(super) fn full_name(&mut self) -> Result<String> {
        let mut name = self.name()?;
        while self.takes(&Token::Period) {
            name = format!("{name}.{}", self.name()?);
        }
        Ok(name)
    }

    /// A table's name.
    pub(super) fn table(&mut self) -> Result<ObjectName> {
        self.parser.parse_object_name(false).map_err(unparsed)
    }

    /// A text in single quotes.
    pub(super) fn text(&mut self) -> Result<String> {
        match &self.parser.peek_token_ref().token {
            Token::SingleQuotedString(text) => {
                let text = text.clone();
                self.parser.advance_token();
                Ok(text)
            }
            _ => Err(self.expected("a text in single quotes")),
        }
    }

    /// What stands in parentheses, with commas between.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect_token(&Token::LParen)?;
        let mut items = vec![item(self)?];
        while self.takes(&Token::Comma) {
            items.push(item(self)?);
        }
        self.expect_token(&Token::RParen)?;
        Ok(items)
    }

    /// `('key' = 'value', …)`.
    pub(super) fn properties(&mut self) -> Result<BTreeMap<String, String>> {
        let pairs = self.list(|cursor| {
            let key = cursor.text()?;
            cursor.expect_token(&Token::Eq)?;
            Ok((key, cursor.text()?))
        })?;
        let mut properties = BTreeMap::new();
        for (key, value) in pairs {
            if properties.contains_key(&key) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("property '{key}' is given twice"),
                ));
            }
            properties.insert(key, value);
        }
        Ok(properties)
    }

    /// `column`, `month(column)`, `bucket(16, column)`; numbers may stand behind the column.
    pub(super) fn partition_field(&mut self) -> Result<PartitionColumn> {
        let name = self.full_name()?;
        if !matches!(self.parser.peek_token_ref().token, Token::LParen) {
            return Ok(PartitionColumn {
                column: name,
                transform: iceberg::spec::Transform::Identity,
            });
        }
        let arguments = self.list(|cursor| match cursor.parser.peek_token_ref().token.clone() {
            Token::Number(number, _) => {
                cursor.parser.advance_token();
                Ok((true, number))
            }
            _ => Ok((false, cursor.full_name()?)),
        })?;
        let mut sorted = arguments.clone();
        sorted.sort_by_key(|(is_number, _)| !is_number);
        let texts: Vec<&str> = sorted.iter().map(|(_, text)| text.as_str()).collect();
        format!("{name}({})", texts.join(", ")).parse()
    }
}

/// An identifier as SQL reads it.
pub(super) fn normal(ident: &Ident) -> String {
    match ident.quote_style {
        None => ident.value.to_ascii_lowercase(),
        Some(_) => ident.value.clone(),
    }
}

/// The error of the parser underneath.
pub(super) fn unparsed(error: ParserError) -> Error {
    from_datafusion(error.into())
}

/// The error for a part that is not honoured.
pub(super) fn unsupported(what: &str, instead: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} is not supported; write instead: {instead}"))
}
