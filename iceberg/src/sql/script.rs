//! A script: several statements, with parameters that can be nothing but values.
//!
//! `:name` and `${name}` stand for a text, which is put in as a literal; whatever it holds, it ends
//! where the literal ends. The text is cut and filled token by token, by the tokenizer that reads the
//! statements afterwards, and the outcome is compared with what was meant.

use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use northstar_catalog::{Error, ErrorKind, Result};

use super::dialect::NorthstarDialect;
use super::from_datafusion;

/// What a parameter stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// A text. For a number write `CAST(:name AS BIGINT)`.
    Text(String),
    /// NULL.
    Null,
}

impl Parameter {
    fn token(&self) -> Token {
        match self {
            Self::Text(text) => Token::SingleQuotedString(text.clone()),
            Self::Null => Token::make_word("NULL", None),
        }
    }

    /// The literal, apart from what stands beside it.
    fn literal(&self) -> String {
        match self {
            Self::Text(text) => format!(" '{}' ", text.replace('\'', "''")),
            Self::Null => " NULL ".to_string(),
        }
    }
}

/// The statements of a script, in order, each parameter replaced by what `value` gives for its name.
///
/// # Errors
/// `InvalidInput`, naming the line, for a parameter without a value and for one inside quotes, where
/// it would be taken for text; for text that cannot be read.
pub fn statements(script: &str, value: impl Fn(&str) -> Option<Parameter>) -> Result<Vec<String>> {
    let tokens = tokenize(script)?;
    let offsets = offsets(script, &tokens);
    let mut statements = Vec::new();
    let (mut text, mut meant) = (String::new(), Vec::new());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.token == Token::SemiColon {
            finish(&mut statements, std::mem::take(&mut text), &std::mem::take(&mut meant))?;
            at += 1;
            continue;
        }
        unquoted(token)?;
        match parameter(&tokens, at) {
            Some((name, length)) => {
                let parameter = value(name).ok_or_else(|| unknown(name, token))?;
                text.push_str(&parameter.literal());
                meant.push(parameter.token());
                at += length;
            }
            None => {
                let end = offsets.get(at + 1).copied().unwrap_or(script.len());
                text.push_str(&script[offsets[at]..end]);
                if !matches!(token.token, Token::Whitespace(_)) {
                    meant.push(token.token.clone());
                }
                at += 1;
            }
        }
    }
    finish(&mut statements, text, &meant)?;
    Ok(statements)
}

/// Keeps a statement, unless it is blank, once it is sure that it reads as it was meant.
fn finish(statements: &mut Vec<String>, text: String, meant: &[Token]) -> Result<()> {
    if meant.is_empty() {
        return Ok(());
    }
    let read = tokenize(&text)?;
    let mut read = read.iter().map(|token| &token.token);
    let mut meant = meant.iter();
    let is_same = loop {
        match (read.find(|token| !matches!(token, Token::Whitespace(_))), meant.next()) {
            (None, None) => break true,
            (Some(read), Some(meant)) if read == meant => {}
            _ => break false,
        }
    };
    if !is_same {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a value of a parameter cannot be written as a literal; pass another value",
        ));
    }
    statements.push(text.trim().to_string());
    Ok(())
}

/// The name of the parameter that begins at a token, and of how many tokens it is.
fn parameter(tokens: &[TokenWithSpan], at: usize) -> Option<(&str, usize)> {
    let word = |at: usize| match &tokens.get(at)?.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.as_str()),
        _ => None,
    };
    match &tokens.get(at)?.token {
        Token::Colon if begins(tokens, at) => Some((word(at + 1)?, 2)),
        Token::Placeholder(sign) if sign == "$" && tokens.get(at + 1)?.token == Token::LBrace => {
            let name = word(at + 2)?;
            (tokens.get(at + 3)?.token == Token::RBrace).then_some((name, 4))
        }
        _ => None,
    }
}

/// Whether a value may begin at a token: in `a[1:n]` and `a:n` the colon means something else.
fn begins(tokens: &[TokenWithSpan], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| &tokens[before].token);
    !matches!(
        before,
        Some(
            Token::Word(_)
                | Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::RParen
                | Token::RBracket
                | Token::RBrace
                | Token::Placeholder(_)
        )
    )
}

/// Refuses `'${name}'`, which would be compared as it stands.
fn unquoted(token: &TokenWithSpan) -> Result<()> {
    let text = match &token.token {
        Token::SingleQuotedString(text)
        | Token::DoubleQuotedString(text)
        | Token::NationalStringLiteral(text)
        | Token::EscapedStringLiteral(text) => text,
        Token::Word(word) if word.quote_style.is_some() => &word.value,
        _ => return Ok(()),
    };
    let is_named = |rest: &str| {
        rest.split_once('}').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    if text.split("${").skip(1).any(is_named) {
        return Err(placed("a parameter stands in quotes; write ${name} without them", token));
    }
    Ok(())
}

fn unknown(name: &str, token: &TokenWithSpan) -> Error {
    placed(format!("the parameter `{name}` has no value; pass it as an argument"), token)
}

fn placed(message: impl Into<String>, token: &TokenWithSpan) -> Error {
    Error::new(ErrorKind::InvalidInput, message).with_context("line", token.span.start.line)
}

fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    Tokenizer::new(&NorthstarDialect, text)
        .tokenize_with_location()
        .map_err(|error| from_datafusion(ParserError::from(error).into()))
}

/// Where each token begins, in bytes.
fn offsets(text: &str, tokens: &[TokenWithSpan]) -> Vec<usize> {
    let (mut line, mut column) = (1, 1);
    let mut characters = text.char_indices().peekable();
    let mut offsets = Vec::with_capacity(tokens.len());
    for token in tokens {
        let start = token.span.start;
        while (line, column) < (start.line, start.column) {
            match characters.next() {
                Some((_, '\n')) => (line, column) = (line + 1, 1),
                Some(_) => column += 1,
                None => break,
            }
        }
        offsets.push(characters.peek().map_or(text.len(), |(offset, _)| *offset));
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(script: &str) -> Result<Vec<String>> {
        statements(script, |name| match name {
            "day" => Some(Parameter::Text("2024-05-01".into())),
            "evil" => Some(Parameter::Text("'; DROP TABLE a.b; --".into())),
            "slash" => Some(Parameter::Text("\\' OR 1=1 --".into())),
            "none" => Some(Parameter::Null),
            _ => None,
        })
    }

    #[test]
    fn a_script_is_cut_at_semicolons_outside_of_texts_and_comments() {
        let script =
            "SELECT ';' -- not; here\n; /* nor; here */ DELETE FROM \"a;b\" ;\n ; \n-- end";
        let cut = filled(script).unwrap();
        assert_eq!(cut, ["SELECT ';' -- not; here", "/* nor; here */ DELETE FROM \"a;b\""]);
    }

    #[test]
    fn parameters_are_literals_in_both_spellings() {
        let cut = filled("SELECT :day, ${day}, CAST(:day AS DATE), a::int, :none").unwrap();
        let one = " '2024-05-01' ";
        assert_eq!(
            cut,
            [format!("SELECT {one}, {one}, CAST({one} AS DATE), a::int,  NULL").trim().to_string()]
        );
    }

    #[test]
    fn a_value_cannot_leave_its_literal() {
        let cut = filled("SELECT * FROM t WHERE a = :evil AND b = '${' || :evil || 'ü' ; SELECT 1");
        let cut = cut.unwrap();
        assert_eq!(cut.len(), 2, "{cut:?}");
        assert_eq!(cut[0].matches("'''; DROP TABLE a.b; --'").count(), 2, "{}", cut[0]);
        // Beside another literal, the two stay two.
        let beside = filled("SELECT :day'x'").unwrap();
        assert_eq!(beside, ["SELECT  '2024-05-01' 'x'"]);
        assert_eq!(filled("SELECT :slash").unwrap(), ["SELECT  '\\'' OR 1=1 --'"]);
    }

    #[test]
    fn what_only_looks_like_a_parameter_stays() {
        for script in ["SELECT a[1:2]", "SELECT ':day'", "SELECT 1 -- :other", "SELECT a:day"] {
            assert_eq!(filled(script).unwrap(), [script]);
        }
    }

    #[test]
    fn a_parameter_without_a_value_or_in_quotes_is_refused_by_line() {
        for script in ["SELECT 1;\nSELECT :other", "SELECT 1;\nSELECT '${day}'"] {
            let error = filled(script).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.context("line"), Some("2"), "{error}");
        }
        assert!(filled("SELECT 'open").is_err());
    }
}
