//! Structs, lists and maps, as Spark (`STRUCT<a: INT>`, `ARRAY<INT>`, `MAP<STRING, INT>`), DuckDB
//! (`STRUCT(a INT)`, `INT[]`, `MAP(TEXT, INT)`) and Trino (`ROW(a INT)`) write them.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::cursor::{Cursor, unsupported};
use super::types::primitive;
use crate::table::from_arrow::FIELD_DOC;
use crate::table::schema::{LIST_ELEMENT, MAP_KEY, MAP_VALUE, map_entries};
use crate::{Error, ErrorKind, Result};

/// Types may stand in one another so deep.
const MOST_LEVELS: usize = 32;

/// The type that stands at the cursor, nested or not.
///
/// # Errors
/// `InvalidInput` for one that cannot be read; `Unsupported` for one that tables do not have.
pub(super) fn any(cursor: &mut Cursor<'_>) -> Result<DataType> {
    let read = one(cursor, 0)?;
    match read.closed {
        0 => Ok(read.kind),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            "cannot parse the statement: a type has more `>` than `<`",
        )),
    }
}

/// A type, and how many `>` beyond its own were taken with it: the tokenizer makes one token of `>>`.
struct Read {
    kind: DataType,
    closed: usize,
}

fn one(cursor: &mut Cursor<'_>, level: usize) -> Result<Read> {
    if level > MOST_LEVELS {
        return Err(unsupported(
            &format!("a type of more than {MOST_LEVELS} levels"),
            "tables of their own for the inner ones",
        ));
    }
    let opens = |cursor: &Cursor<'_>| {
        matches!(cursor.parser.peek_nth_token_ref(1).token, Token::Lt | Token::LParen)
    };
    let mut read = if ["STRUCT", "ROW"].iter().any(|word| cursor.sees(&[word])) && opens(cursor) {
        cursor.take_one(&["STRUCT", "ROW"]);
        structure(cursor, level)?
    } else if cursor.sees(&["ARRAY"]) && opens(cursor) {
        cursor.take(&["ARRAY"]);
        let (mut parts, closed) = parts(cursor, |cursor| element(cursor, level))?;
        match (parts.pop(), parts.is_empty()) {
            (Some((kind, required)), true) => Read { kind: list(kind, required), closed },
            _ => return Err(cursor.expected("one type in ARRAY<…>")),
        }
    } else if cursor.sees(&["MAP"]) && opens(cursor) {
        cursor.take(&["MAP"]);
        let (parts, closed) = parts(cursor, |cursor| element(cursor, level))?;
        match <[_; 2]>::try_from(parts) {
            Ok([(key, _), (value, required)]) => Read { kind: map(key, value, required), closed },
            Err(_) => return Err(cursor.expected("two types in MAP<…, …>")),
        }
    } else {
        Read { kind: primitive(cursor)?, closed: 0 }
    };
    while read.closed == 0 && cursor.takes(&Token::LBracket) {
        cursor.expect_token(&Token::RBracket)?;
        read.kind = list(read.kind, false);
    }
    Ok(read)
}

/// `name: type [NOT NULL] [COMMENT '…'], …` in `<>` or `()`, with or without the colons.
fn structure(cursor: &mut Cursor<'_>, level: usize) -> Result<Read> {
    let (fields, closed) = parts(cursor, |cursor| {
        let name = cursor.name()?;
        cursor.takes(&Token::Colon);
        let read = one(cursor, level + 1)?;
        let mut field = Field::new(&name, read.kind, true);
        let mut closed = read.closed;
        while closed == 0 {
            if cursor.take(&["NOT", "NULL"]) {
                field = field.with_nullable(false);
            } else if cursor.take(&["COMMENT"]) {
                let doc = HashMap::from([(FIELD_DOC.to_string(), cursor.text()?)]);
                field = field.with_metadata(doc);
            } else {
                break;
            }
            closed = 0;
        }
        Ok((field, closed))
    })?;
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|other| other.name() == field.name()) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("a struct has two fields `{}`", field.name()),
            ));
        }
    }
    Ok(Read { kind: DataType::Struct(fields.into()), closed })
}

/// `type [NOT NULL]`.
fn element(cursor: &mut Cursor<'_>, level: usize) -> Result<((DataType, bool), usize)> {
    let read = one(cursor, level + 1)?;
    let required = read.closed == 0 && cursor.take(&["NOT", "NULL"]);
    Ok(((read.kind, required), read.closed))
}

/// What stands in `<>` or `()`, with commas between, and how many `>` were taken beyond the last.
fn parts<T>(
    cursor: &mut Cursor<'_>,
    part: impl Fn(&mut Cursor<'_>) -> Result<(T, usize)>,
) -> Result<(Vec<T>, usize)> {
    if matches!(cursor.parser.peek_token_ref().token, Token::LParen) {
        let parts = cursor.list(|cursor| match part(cursor)? {
            (part, 0) => Ok(part),
            _ => Err(cursor.expected("as many `<` as `>`")),
        })?;
        return Ok((parts, 0));
    }
    cursor.expect_token(&Token::Lt)?;
    let mut all = Vec::new();
    loop {
        let (one, closed) = part(cursor)?;
        all.push(one);
        if closed > 0 {
            return Ok((all, closed - 1));
        }
        if !cursor.takes(&Token::Comma) {
            let beyond = closing(cursor)?;
            return Ok((all, beyond));
        }
    }
}

/// Takes `>` or `>>`; how many more than one.
fn closing(cursor: &mut Cursor<'_>) -> Result<usize> {
    let TokenWithSpan { token, .. } = cursor.parser.peek_token_ref();
    let beyond = match token {
        Token::Gt => 0,
        Token::ShiftRight => 1,
        _ => return Err(cursor.expected("`,` or `>`")),
    };
    cursor.parser.advance_token();
    Ok(beyond)
}

/// A list of a type.
pub(super) fn list(element: DataType, required: bool) -> DataType {
    DataType::List(Field::new(LIST_ELEMENT, element, !required).into())
}

fn map(key: DataType, value: DataType, required: bool) -> DataType {
    let (key, value) = (Field::new(MAP_KEY, key, false), Field::new(MAP_VALUE, value, !required));
    DataType::Map(map_entries(key, value), false)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::super::super::dialect::NorthstarDialect;
    use super::*;
    use crate::table::from_arrow::arrow_text;

    fn read(text: &str) -> Result<String> {
        let tokens = Tokenizer::new(&NorthstarDialect, text).tokenize_with_location().unwrap();
        let mut cursor = Cursor::new(tokens, 50);
        let kind = any(&mut cursor)?;
        cursor.end()?;
        Ok(arrow_text(&kind))
    }

    #[test]
    fn nested_types_are_read_as_engines_write_them() {
        for (text, want) in [
            ("STRUCT<a: INT, b: STRING NOT NULL>", "struct<a: int, b: string not null>"),
            ("struct<a int, b string comment 'c'>", "struct<a: int, b: string>"),
            ("ROW(a INTEGER, b VARCHAR)", "struct<a: int, b: string>"),
            ("STRUCT(a INT[], b DECIMAL(9, 2))", "struct<a: list<int>, b: decimal(9, 2)>"),
            ("ARRAY<BIGINT>", "list<long>"),
            ("ARRAY(BIGINT)", "list<long>"),
            ("INT[]", "list<int>"),
            ("INT[][]", "list<list<int>>"),
            ("STRUCT(a INT)[]", "list<struct<a: int>>"),
            ("MAP<STRING, INT>", "map<string, int>"),
            ("MAP(VARCHAR, INT)", "map<string, int>"),
            ("ARRAY<ARRAY<ARRAY<INT>>>", "list<list<list<int>>>"),
            ("MAP<STRING, STRUCT<x: ARRAY<DATE>>>", "map<string, struct<x: list<date>>>"),
            (
                "STRUCT<a: MAP<INT, ARRAY<INT>>, b: TIMESTAMP WITH TIME ZONE>",
                "struct<a: map<int, list<int>>, b: timestamptz>",
            ),
            ("STRUCT<`Mixed`: INT, \"x\": INT>", "struct<Mixed: int, x: int>"),
        ] {
            assert_eq!(read(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_nested_type_is_refused_with_the_reason() {
        let deep = format!("{}INT{}", "ARRAY<".repeat(40), ">".repeat(40));
        for (text, part) in [
            ("ARRAY<INT", "`,` or `>` is wanted where the statement's end"),
            ("ARRAY<INT>>", "more `>` than `<`"),
            ("ARRAY<INT, INT>", "one type in ARRAY"),
            ("MAP<INT>", "two types in MAP"),
            ("STRUCT<a: INT, a: STRING>", "two fields `a`"),
            ("STRUCT<a: NOTHING>", "type NOTHING is not supported"),
            ("ARRAY", "Expected: <"),
            ("INT[3]", "a length"),
            (deep.as_str(), "more than 32 levels"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
