//! `ALTER TABLE`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::create::column_of;
use super::cursor::{Cursor, unsupported};
use super::statement::{AlterTable, Definition};
use super::types::data_type;
use crate::Result;
use crate::table::evolve::{ColumnChange, FieldChange, Place, TableChange};

const OPERATIONS: &str = "ADD COLUMN, DROP COLUMN, RENAME COLUMN, ALTER COLUMN, ADD PARTITION FIELD, DROP \
                          PARTITION FIELD, REPLACE PARTITION FIELD, SET TBLPROPERTIES, UNSET \
                          TBLPROPERTIES or RENAME TO";

/// What stands after `ALTER TABLE`; `None` for what changes branches and tags.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Option<Definition>> {
    if cursor.sees(&["IF", "EXISTS"]) {
        return Err(unsupported("IF EXISTS", "ALTER TABLE of a table that is there"));
    }
    let name = cursor.table()?;
    if cursor.take(&["RENAME", "TO"]) {
        let to = cursor.table()?;
        return Ok(Some(Definition::AlterTable(AlterTable::Rename { name, to })));
    }
    let of_refs = ["CREATE", "REPLACE", "DROP"].iter().any(|verb| {
        cursor.sees(&[verb, "BRANCH"]) || cursor.sees(&[verb, "TAG"]) || cursor.sees(&[verb, "OR"])
    });
    if of_refs {
        return Ok(None);
    }
    let change = if cursor.take(&["ADD", "PARTITION", "FIELD"]) {
        let field = cursor.partition_field()?;
        fields(FieldChange::Add { field, name: alias(cursor)? })
    } else if cursor.take(&["DROP", "PARTITION", "FIELD"]) {
        fields(FieldChange::Drop(cursor.partition_field()?))
    } else if cursor.take(&["REPLACE", "PARTITION", "FIELD"]) {
        let from = cursor.partition_field()?;
        cursor.expect(&["WITH"])?;
        let to = cursor.partition_field()?;
        fields(FieldChange::Replace { from, to, name: alias(cursor)? })
    } else if cursor.take(&["SET", "TBLPROPERTIES"]) {
        TableChange::SetProperties(cursor.properties()?)
    } else if cursor.take(&["UNSET", "TBLPROPERTIES"]) {
        cursor.take(&["IF", "EXISTS"]);
        TableChange::UnsetProperties(cursor.list(Cursor::text)?)
    } else if cursor.take(&["ADD"]) {
        TableChange::Columns(added(cursor)?)
    } else if cursor.take(&["DROP"]) {
        TableChange::Columns(dropped(cursor)?)
    } else if cursor.take(&["RENAME"]) {
        cursor.take(&["COLUMN"]);
        let from = cursor.full_name()?;
        cursor.expect(&["TO"])?;
        TableChange::Columns(vec![ColumnChange::Rename { from, to: cursor.name()? }])
    } else if cursor.take_one(&["ALTER", "CHANGE"]) {
        cursor.take(&["COLUMN"]);
        TableChange::Columns(vec![altered(cursor)?])
    } else {
        return Err(cursor.expected(OPERATIONS));
    };
    if matches!(cursor.parser.peek_token_ref().token, Token::Comma) {
        return Err(unsupported("several changes of different kinds", "one ALTER TABLE for each"));
    }
    Ok(Some(Definition::AlterTable(AlterTable::Change { name, change })))
}

fn fields(change: FieldChange) -> TableChange {
    TableChange::PartitionFields(vec![change])
}

fn alias(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    cursor.take(&["AS"]).then(|| cursor.name()).transpose()
}

/// `[COLUMN[S]] [IF NOT EXISTS] name type … [FIRST | AFTER other]`, or several in parentheses.
fn added(cursor: &mut Cursor<'_>) -> Result<Vec<ColumnChange>> {
    cursor.take_one(&["COLUMNS", "COLUMN"]);
    let if_not_exists = cursor.take(&["IF", "NOT", "EXISTS"]);
    let one = |cursor: &mut Cursor<'_>| {
        let name = cursor.full_name()?;
        let column = column_of(cursor, name)?;
        Ok(ColumnChange::Add { column, place: place(cursor)?, if_not_exists })
    };
    match cursor.parser.peek_token_ref().token {
        Token::LParen => cursor.list(one),
        _ => several(cursor, one),
    }
}

/// `[COLUMN[S]] [IF EXISTS] name`, or several in parentheses.
fn dropped(cursor: &mut Cursor<'_>) -> Result<Vec<ColumnChange>> {
    cursor.take_one(&["COLUMNS", "COLUMN"]);
    let if_exists = cursor.take(&["IF", "EXISTS"]);
    let one =
        |cursor: &mut Cursor<'_>| Ok(ColumnChange::Drop { column: cursor.full_name()?, if_exists });
    match cursor.parser.peek_token_ref().token {
        Token::LParen => cursor.list(one),
        _ => several(cursor, one),
    }
}

fn several<T>(
    cursor: &mut Cursor<'_>,
    mut one: impl FnMut(&mut Cursor<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut all = vec![one(cursor)?];
    while cursor.takes(&Token::Comma) {
        all.push(one(cursor)?);
    }
    Ok(all)
}

fn place(cursor: &mut Cursor<'_>) -> Result<Option<Place>> {
    if cursor.take(&["FIRST"]) {
        return Ok(Some(Place::First));
    }
    match cursor.take(&["AFTER"]) {
        true => Ok(Some(Place::After(cursor.full_name()?))),
        false => Ok(None),
    }
}

/// What stands after `ALTER COLUMN`.
fn altered(cursor: &mut Cursor<'_>) -> Result<ColumnChange> {
    let column = cursor.full_name()?;
    if cursor.take(&["TYPE"]) || cursor.take(&["SET", "DATA", "TYPE"]) {
        return Ok(ColumnChange::Widen { column, to: data_type(cursor)? });
    }
    if cursor.take(&["DROP", "NOT", "NULL"]) {
        return Ok(ColumnChange::MakeOptional(column));
    }
    if cursor.take(&["COMMENT"]) {
        let comment = Some(cursor.text()?).filter(|text| !text.is_empty());
        return Ok(ColumnChange::Comment { column, comment });
    }
    if cursor.sees(&["SET", "NOT", "NULL"]) {
        return Err(unsupported(
            "making a column NOT NULL, as rows that are there may hold NULL in it,",
            "CREATE TABLE … with NOT NULL, and INSERT INTO … SELECT",
        ));
    }
    if cursor.sees(&["SET", "DEFAULT"]) || cursor.sees(&["DROP", "DEFAULT"]) {
        return Err(unsupported(
            "a default value, which format version 2 does not have,",
            "the value in each INSERT, or coalesce(…) in queries",
        ));
    }
    match place(cursor)? {
        Some(place) => Ok(ColumnChange::Move { column, place }),
        None => {
            Err(cursor.expected("TYPE type, DROP NOT NULL, COMMENT '…', FIRST or AFTER column"))
        }
    }
}
