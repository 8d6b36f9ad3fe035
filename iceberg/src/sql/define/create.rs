//! `CREATE` and `DROP` of namespaces and tables.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::cursor::{Cursor, unparsed, unsupported};
use super::statement::{CreateTable, Definition};
use super::types::data_type;
use crate::table::{ColumnDefinition, PartitionColumn};
use crate::{Error, ErrorKind, Result};

const NAMESPACE: [&str; 3] = ["SCHEMA", "NAMESPACE", "DATABASE"];

/// The property that holds a table's comment.
const COMMENT: &str = "comment";
/// Told by Spark's users in `TBLPROPERTIES`, and kept in the metadata itself.
const FORMAT_VERSION: &str = "format-version";

/// What stands after `CREATE`; `None` for what is no namespace and no table.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Option<Definition>> {
    if cursor.sees(&["OR", "REPLACE", "TABLE"]) {
        return Err(unsupported(
            "CREATE OR REPLACE TABLE",
            "INSERT OVERWRITE for other rows, ALTER TABLE for other columns, or DROP TABLE first",
        ));
    }
    if cursor.take_one(&NAMESPACE) {
        let if_not_exists = cursor.take(&["IF", "NOT", "EXISTS"]);
        return Ok(Some(Definition::CreateNamespace { name: cursor.name()?, if_not_exists }));
    }
    if !cursor.take(&["TABLE"]) {
        return Ok(None);
    }
    let if_not_exists = cursor.take(&["IF", "NOT", "EXISTS"]);
    let name = cursor.table()?;
    let columns = match cursor.parser.peek_token_ref().token {
        Token::LParen => cursor.list(column)?,
        _ => Vec::new(),
    };
    let Clauses { partition, mut properties, comment } = Clauses::read(cursor)?;
    if let Some(comment) = comment {
        properties.insert(COMMENT.to_string(), comment);
    }
    if properties.remove(FORMAT_VERSION).is_some_and(|version| version != "2") {
        return Err(unsupported("another format version than 2", "'format-version' = '2'"));
    }
    let query = match cursor.take(&["AS"]) {
        true => Some(cursor.parser.parse_query().map_err(unparsed)?),
        false => None,
    };
    match (columns.is_empty(), &query) {
        (true, None) => Err(cursor.expected("(column type, …) or AS SELECT …")),
        (false, Some(_)) => Err(unsupported(
            "a list of columns with AS SELECT",
            "names and types in the query: SELECT CAST(… AS type) AS name",
        )),
        _ => Ok(Some(Definition::CreateTable(Box::new(CreateTable {
            name,
            if_not_exists,
            columns,
            partition,
            properties,
            query,
        })))),
    }
}

/// What stands after `DROP`; `None` for what is no namespace and no table.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Option<Definition>> {
    if cursor.take_one(&NAMESPACE) {
        let if_exists = cursor.take(&["IF", "EXISTS"]);
        let name = cursor.name()?;
        if cursor.take(&["CASCADE"]) {
            return Err(unsupported("CASCADE", "DROP TABLE for each of its tables first"));
        }
        cursor.take(&["RESTRICT"]);
        return Ok(Some(Definition::DropNamespace { name, if_exists }));
    }
    if !cursor.take(&["TABLE"]) {
        return Ok(None);
    }
    let if_exists = cursor.take(&["IF", "EXISTS"]);
    let name = cursor.table()?;
    if cursor.take(&["PURGE"]) {
        return Err(unsupported("PURGE", "DROP TABLE …; its files stay until they are removed"));
    }
    if matches!(cursor.parser.peek_token_ref().token, Token::Comma) {
        return Err(unsupported("DROP of several tables", "one DROP TABLE for each"));
    }
    Ok(Some(Definition::DropTable { name, if_exists }))
}

/// `name type [NOT NULL] [COMMENT '…']`.
fn column(cursor: &mut Cursor<'_>) -> Result<ColumnDefinition> {
    for (words, what, instead) in [
        (["PRIMARY", "KEY"], "PRIMARY KEY", "TBLPROPERTIES ('northstar.key' = 'column, …')"),
        (["FOREIGN", "KEY"], "FOREIGN KEY", "a query that looks for rows without a partner"),
    ] {
        if cursor.sees(&words) {
            return Err(unsupported(what, instead));
        }
    }
    let name = cursor.name()?;
    column_of(cursor, name)
}

/// What stands behind a column's name: `type [NOT NULL] [COMMENT '…']`.
pub(super) fn column_of(cursor: &mut Cursor<'_>, name: String) -> Result<ColumnDefinition> {
    let data_type = data_type(cursor).map_err(|error| error.with_context("column", &name))?;
    let mut column = ColumnDefinition::new(name, data_type);
    loop {
        if cursor.take(&["NOT", "NULL"]) {
            column.required = true;
        } else if cursor.take(&["COMMENT"]) {
            column.doc = Some(cursor.text()?);
        } else if cursor.sees(&["DEFAULT"]) || cursor.sees(&["GENERATED"]) {
            return Err(unsupported(
                "a default value, which format version 2 does not have",
                "the value in each INSERT, or coalesce(…) in queries",
            ));
        } else if cursor.sees(&["PRIMARY"]) || cursor.sees(&["UNIQUE"]) {
            return Err(unsupported(
                "a key of a column",
                "TBLPROPERTIES ('northstar.key' = 'column, …')",
            ));
        } else if !cursor.take(&["NULL"]) {
            return Ok(column);
        }
    }
}

/// The clauses behind the columns, in any order.
#[derive(Default)]
struct Clauses {
    partition: Vec<PartitionColumn>,
    properties: BTreeMap<String, String>,
    comment: Option<String>,
}

impl Clauses {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut clauses = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        loop {
            let clause = if cursor.take(&["USING"]) {
                let format = cursor.name()?;
                if format != "iceberg" {
                    return Err(unsupported(
                        &format!("USING {format}"),
                        "USING iceberg, or nothing",
                    ));
                }
                "USING"
            } else if cursor.take(&["PARTITIONED", "BY"]) {
                clauses.partition = cursor.list(Cursor::partition_field)?;
                "PARTITIONED BY"
            } else if cursor.take(&["TBLPROPERTIES"]) {
                clauses.properties = cursor.properties()?;
                "TBLPROPERTIES"
            } else if cursor.take(&["COMMENT"]) {
                clauses.comment = Some(cursor.text()?);
                "COMMENT"
            } else if cursor.sees(&["LOCATION"]) {
                return Err(unsupported("LOCATION", "nothing: tables stand below the warehouse"));
            } else if cursor.sees(&["WITH"]) || cursor.sees(&["OPTIONS"]) {
                return Err(unsupported("options", "TBLPROPERTIES ('key' = 'value', …)"));
            } else {
                return Ok(clauses);
            };
            if seen.contains(&clause) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("{clause} is given twice"),
                ));
            }
            seen.push(clause);
        }
    }
}
