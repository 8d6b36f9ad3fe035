//! Statements that define: namespaces, tables, their columns, partitions and properties.
//!
//! They have a grammar of their own, over the parser's tokens. The generic one takes some fifty
//! clauses of other engines for `CREATE TABLE`, which would have to be refused one by one; here what
//! is not known is an error, and none is dropped silently.

mod alter;
mod create;
mod cursor;
mod nested;
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

#[cfg(test)]
mod tests {
    use super::super::parse::definition;

    const LEVELS: usize = 50;

    #[test]
    fn what_defines_is_told_from_what_does_not() {
        for sql in [
            "CREATE TABLE a.b (x INT)",
            "create table if not exists a.b (x int not null comment 'c', y string null);",
            "CREATE TABLE a.b PARTITIONED BY (x, bucket(x, 4)) AS SELECT 1 AS x",
            "CREATE DATABASE a",
            "/* c */ DROP SCHEMA IF EXISTS a RESTRICT",
            "ALTER TABLE a.b ADD x INT",
            "ALTER TABLE a.b ADD COLUMNS (x INT FIRST, y DECIMAL AFTER x)",
            "ALTER TABLE a.b CHANGE COLUMN x TYPE BIGINT",
            "ALTER TABLE a.b ALTER x SET DATA TYPE TIMESTAMP(6) WITH TIME ZONE",
            "ALTER TABLE lake.a.b DROP PARTITION FIELD truncate(4, x)",
            "ALTER TABLE a.b ADD COLUMN x.y STRING AFTER z, a.element.c INT",
            "ALTER TABLE a.b DROP COLUMN x.y",
            "ALTER TABLE a.b RENAME COLUMN x.y TO z",
            "ALTER TABLE a.b ALTER COLUMN x.y TYPE BIGINT",
            "ALTER TABLE a.b ADD PARTITION FIELD bucket(4, x.y)",
        ] {
            assert!(definition(sql, LEVELS).unwrap().is_some(), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "EXPLAIN CREATE TABLE a.b (x INT)",
            "CREATE VIEW v AS SELECT 1",
            "DROP VIEW v",
            "INSERT INTO a.b SELECT 1",
            "TRUNCATE TABLE a.b",
            "ALTER TABLE a.b CREATE BRANCH c",
            "ALTER TABLE a.b DROP TAG c",
            "\"CREATE\" TABLE a.b (x INT)",
            "",
        ] {
            assert!(definition(sql, LEVELS).unwrap().is_none(), "{sql}");
        }
    }

    #[test]
    fn nothing_is_dropped_silently() {
        for (sql, part) in [
            (
                "CREATE TABLE a.b (x INT) CLUSTER BY (x)",
                "the statement's end is wanted where `CLUSTER`",
            ),
            ("CREATE TABLE a.b (x INT) COMMENT 'a' COMMENT 'b'", "COMMENT is given twice"),
            ("CREATE TABLE a.b (x INT) WITH (k = 1)", "write instead: TBLPROPERTIES"),
            ("CREATE TABLE a.b (x INT CHECK (x > 0))", "is wanted where `CHECK` stands"),
            (
                "CREATE TABLE a.b (x INT) TBLPROPERTIES ('k' = 1)",
                "a text in single quotes is wanted",
            ),
            (
                "CREATE TABLE a.b (x INT) TBLPROPERTIES ('k'='1','k'='2')",
                "property 'k' is given twice",
            ),
            (
                "CREATE TABLE a.b (x INT) PARTITIONED BY (week(x))",
                "`week(x)` is not a partition field",
            ),
            ("CREATE TABLE a.b (x INT UNSIGNED)", "is not supported; write instead: BOOLEAN, INT"),
            ("CREATE TABLE a.b (x TIMESTAMP(9))", "write instead: timestamp, of microseconds"),
            (
                "CREATE TABLE a.b (x INT); DROP TABLE a.b",
                "the statement's end is wanted where `DROP`",
            ),
            ("DROP TABLE a.b, a.c", "one DROP TABLE for each"),
            ("DROP TABLE a.b PURGE", "PURGE is not supported"),
            (
                "ALTER TABLE a.b ALTER COLUMN x TYPE BIGINT USING y",
                "is wanted where `USING` stands",
            ),
            ("ALTER TABLE a.b ALTER COLUMN x SET DEFAULT 1", "format version 2 does not have"),
            ("ALTER TABLE a.b WRITE ORDERED BY x", "is wanted where `WRITE` stands"),
        ] {
            let error = definition(sql, LEVELS).unwrap_err();
            assert!(error.message().contains(part), "{sql}: {error}");
        }
    }
}
