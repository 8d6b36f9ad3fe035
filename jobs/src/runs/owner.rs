//! What runs belong to: a job of Glue or an application of EMR Serverless.

use std::collections::BTreeMap;

use northstar_iceberg::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::store::broken;

/// The service that a run was started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// AWS Glue: owners are jobs.
    Glue,
    /// EMR Serverless: owners are applications.
    Emr,
}

impl Service {
    fn as_str(self) -> &'static str {
        match self {
            Self::Glue => "glue",
            Self::Emr => "emr",
        }
    }
}

/// Tags of an owner or a run.
pub(crate) type Tags = BTreeMap<String, String>;

/// A job or an application.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Owner {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// Its definition, as the service's API shows it.
    pub(crate) document: Value,
    /// Its state, in the words of the service.
    pub(crate) state: String,
    /// So many runs at once, if there is a bound.
    pub(crate) most_runs: Option<i64>,
    /// How often it was defined anew.
    pub(crate) version: i64,
    /// What was asked for under the client's token.
    pub(crate) request: Option<Value>,
    pub(crate) tags: Tags,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
    /// When it was last started, or a run of it ended.
    pub(crate) active_ms: i64,
}

/// A job or an application that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewOwner {
    pub(crate) service: Service,
    pub(crate) name: String,
    pub(crate) document: Value,
    pub(crate) state: &'static str,
    pub(crate) most_runs: Option<i64>,
    pub(crate) client_token: Option<String>,
    pub(crate) request: Option<Value>,
    pub(crate) tags: Tags,
}

const COLUMNS: &str = "id, name, document, state, most_runs, version, request, tags, created_ms, \
                       modified_ms, active_ms";

impl Owner {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let request: Option<String> = row.get(6)?;
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            document: json(row, 2)?,
            state: row.get(3)?,
            most_runs: row.get(4)?,
            version: row.get(5)?,
            request: request.and_then(|text| serde_json::from_str(&text).ok()),
            tags: tags(row, 7)?,
            created_ms: row.get(8)?,
            modified_ms: row.get(9)?,
            active_ms: row.get(10)?,
        })
    }

    /// The owner of that name.
    pub(crate) fn named(tx: &Connection, service: Service, name: &str) -> Result<Option<Self>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM owners WHERE service = ?1 AND name = ?2 AND is_deleted = 0"
        );
        tx.query_row(&sql, params![service.as_str(), name], Self::read).optional().map_err(broken)
    }

    /// The owner that was made under a client's token.
    pub(crate) fn of_token(tx: &Connection, service: Service, token: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM owners WHERE service = ?1 AND client_token = ?2");
        tx.query_row(&sql, params![service.as_str(), token], Self::read).optional().map_err(broken)
    }

    /// Owners after an id, in the order in which they were made.
    pub(crate) fn after(tx: &Connection, service: Service, id: i64) -> Result<Vec<Self>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM owners WHERE service = ?1 AND id > ?2 AND is_deleted = 0 \
             ORDER BY id"
        );
        let read =
            || tx.prepare(&sql)?.query_map(params![service.as_str(), id], Self::read)?.collect();
        let rows: rusqlite::Result<Vec<Self>> = read();
        rows.map_err(broken)
    }

    /// How many owners there are.
    pub(crate) fn count(tx: &Connection, service: Service) -> Result<i64> {
        let sql = "SELECT count(*) FROM owners WHERE service = ?1 AND is_deleted = 0";
        tx.query_row(sql, [service.as_str()], |row| row.get(0)).map_err(broken)
    }

    /// Keeps a new owner, and gives its id.
    pub(crate) fn insert(tx: &Connection, new: &NewOwner, now_ms: i64) -> Result<i64> {
        tx.execute(
            "INSERT INTO owners (service, name, document, state, most_runs, client_token, request, \
             tags, created_ms, modified_ms, active_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9)",
            params![
                new.service.as_str(),
                new.name,
                new.document.to_string(),
                new.state,
                new.most_runs,
                new.client_token,
                new.request.as_ref().map(Value::to_string),
                tags_text(&new.tags),
                now_ms,
            ],
        )
        .map_err(broken)?;
        Ok(tx.last_insert_rowid())
    }

    /// Keeps what was changed of an owner.
    pub(crate) fn update(&self, tx: &Connection) -> Result<()> {
        tx.execute(
            "UPDATE owners SET document = ?2, state = ?3, most_runs = ?4, version = ?5, tags = ?6, \
             modified_ms = ?7, active_ms = ?8 WHERE id = ?1",
            params![
                self.id,
                self.document.to_string(),
                self.state,
                self.most_runs,
                self.version,
                tags_text(&self.tags),
                self.modified_ms,
                self.active_ms,
            ],
        )
        .map(drop)
        .map_err(broken)
    }

    /// Lets the name go; runs that it has stay and end as they will. Its bookmarks go.
    pub(crate) fn delete(&self, tx: &Connection) -> Result<()> {
        tx.execute("UPDATE owners SET is_deleted = 1 WHERE id = ?1", [self.id])
            .and_then(|_| tx.execute("DELETE FROM bookmarks WHERE owner = ?1", [self.id]))
            .map(drop)
            .map_err(broken)
    }

    /// How many of its runs are not over.
    pub(crate) fn runs_under_way(&self, tx: &Connection) -> Result<i64> {
        tx.query_row(
            "SELECT count(*) FROM attempts JOIN runs ON runs.id = attempts.run \
             WHERE attempts.ended_ms IS NULL AND runs.owner = ?1",
            [self.id],
            |row| row.get(0),
        )
        .map_err(broken)
    }
}

/// A JSON document in a column.
pub(super) fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

/// Tags in a column.
pub(super) fn tags(row: &Row<'_>, column: usize) -> rusqlite::Result<Tags> {
    let value = json(row, column)?;
    Ok(value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string())))
        .collect())
}

/// Tags as they are stored.
pub(super) fn tags_text(tags: &Tags) -> String {
    serde_json::json!(tags).to_string()
}

/// The error for a row that must be there.
pub(super) fn gone(what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the store of runs lacks {what}; restore a backup"))
}
