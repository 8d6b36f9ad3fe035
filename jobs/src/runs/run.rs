//! A run, and its attempts.

use northstar_iceberg::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::bookmark::BookmarkMode;
use super::owner::{Tags, json, tags, tags_text};
use super::state::State;
use super::store::broken;
use super::work::Work;

/// A run: what is to be done, once or, if it fails, several times.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: i64,
    /// The id that users know it by.
    pub(crate) name: String,
    pub(crate) owner: i64,
    /// Counts the runs of its owner, from 1.
    pub(crate) number: i64,
    /// The run that it is to make good.
    pub(crate) previous: Option<String>,
    pub(crate) actor: String,
    /// What was asked for, in the words of the service.
    pub(crate) request: Value,
    pub(crate) work: Work,
    pub(crate) bookmark: BookmarkMode,
    pub(crate) max_attempts: i64,
    pub(crate) timeout_ms: Option<i64>,
    pub(crate) tags: Tags,
    pub(crate) created_ms: i64,
}

/// A run that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewRun {
    pub(crate) name: String,
    pub(crate) owner: i64,
    pub(crate) previous: Option<String>,
    pub(crate) actor: String,
    pub(crate) client_token: Option<String>,
    pub(crate) request: Value,
    pub(crate) work: Work,
    pub(crate) bookmark: BookmarkMode,
    pub(crate) max_attempts: i64,
    pub(crate) timeout_ms: Option<i64>,
    /// How long it may wait for its owner to have fewer runs.
    pub(crate) queue_ms: Option<i64>,
    pub(crate) tags: Tags,
}

/// One try at a run.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) run: i64,
    /// From 1.
    pub(crate) attempt: i64,
    pub(crate) state: State,
    /// What is to be said of the state.
    pub(crate) detail: String,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    /// When its owner had room for it.
    pub(crate) admitted_ms: Option<i64>,
    pub(crate) started_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    /// Why it was told to end.
    pub(crate) stop: Option<String>,
    /// How long it may take to end.
    pub(crate) grace_ms: i64,
    pub(crate) process: Option<i64>,
    pub(crate) process_started: Option<i64>,
    pub(crate) exit_code: Option<i64>,
}

const RUN: &str = "runs.id, runs.name, runs.owner, runs.number, runs.previous, runs.actor, \
                   runs.request, runs.work, runs.bookmark, runs.max_attempts, runs.timeout_ms, \
                   runs.tags, runs.created_ms";
const RUN_COLUMNS: usize = 13;
const ATTEMPT: &str = "attempts.run, attempts.attempt, attempts.state, attempts.detail, \
                       attempts.created_ms, attempts.updated_ms, attempts.admitted_ms, \
                       attempts.started_ms, attempts.ended_ms, attempts.stop, attempts.grace_ms, \
                       attempts.process, attempts.process_started, attempts.exit_code";

impl Run {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let work = serde_json::from_value(json(row, 7)?).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                7,
                rusqlite::types::Type::Text,
                Box::new(error),
            )
        })?;
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            owner: row.get(2)?,
            number: row.get(3)?,
            previous: row.get(4)?,
            actor: row.get(5)?,
            request: json(row, 6)?,
            work,
            bookmark: row.get(8)?,
            max_attempts: row.get(9)?,
            timeout_ms: row.get(10)?,
            tags: tags(row, 11)?,
            created_ms: row.get(12)?,
        })
    }

    /// Keeps a new run and its first attempt, so that it is there before anything is started for it;
    /// its id.
    pub(crate) fn insert(tx: &Connection, new: &NewRun, now_ms: i64) -> Result<i64> {
        let work = serde_json::json!(new.work).to_string();
        let inserted = || -> rusqlite::Result<i64> {
            tx.execute(
                "UPDATE owners SET runs = runs + 1, active_ms = ?2 WHERE id = ?1",
                params![new.owner, now_ms],
            )?;
            tx.execute(
                "INSERT INTO runs (name, owner, number, previous, actor, client_token, request, \
                 work, bookmark, max_attempts, timeout_ms, queue_ms, tags, created_ms) \
                 VALUES (?1, ?2, (SELECT runs FROM owners WHERE id = ?2), ?3, ?4, ?5, ?6, ?7, ?8, \
                 ?9, ?10, ?11, ?12, ?13)",
                params![
                    new.name,
                    new.owner,
                    new.previous,
                    new.actor,
                    new.client_token,
                    new.request.to_string(),
                    work,
                    new.bookmark,
                    new.max_attempts,
                    new.timeout_ms,
                    new.queue_ms,
                    tags_text(&new.tags),
                    now_ms,
                ],
            )?;
            Ok(tx.last_insert_rowid())
        };
        let run = inserted().map_err(broken)?;
        Attempt::insert(tx, run, 1, now_ms)?;
        Ok(run)
    }

    /// The run of an owner that users know by that name.
    pub(crate) fn named(tx: &Connection, owner: i64, name: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {RUN} FROM runs WHERE owner = ?1 AND name = ?2");
        tx.query_row(&sql, params![owner, name], Self::read).optional().map_err(broken)
    }

    /// The run of an owner that was started under a client's token.
    pub(crate) fn of_token(tx: &Connection, owner: i64, token: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {RUN} FROM runs WHERE owner = ?1 AND client_token = ?2");
        tx.query_row(&sql, params![owner, token], Self::read).optional().map_err(broken)
    }

    /// The run with that id.
    pub(super) fn with_id(tx: &Connection, id: i64) -> Result<Self> {
        let sql = format!("SELECT {RUN} FROM runs WHERE id = ?1");
        tx.query_row(&sql, [id], Self::read).map_err(broken)
    }

    /// Replaces its tags.
    pub(crate) fn retag(&self, tx: &Connection, tags: &Tags) -> Result<()> {
        tx.execute("UPDATE runs SET tags = ?2 WHERE id = ?1", params![self.id, tags_text(tags)])
            .map(drop)
            .map_err(broken)
    }
}

impl Attempt {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read_from(row, 0)
    }

    fn read_from(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            run: row.get(first)?,
            attempt: row.get(first + 1)?,
            state: row.get(first + 2)?,
            detail: row.get(first + 3)?,
            created_ms: row.get(first + 4)?,
            updated_ms: row.get(first + 5)?,
            admitted_ms: row.get(first + 6)?,
            started_ms: row.get(first + 7)?,
            ended_ms: row.get(first + 8)?,
            stop: row.get(first + 9)?,
            grace_ms: row.get::<_, Option<i64>>(first + 10)?.unwrap_or_default(),
            process: row.get(first + 11)?,
            process_started: row.get(first + 12)?,
            exit_code: row.get(first + 13)?,
        })
    }

    /// Keeps a new attempt.
    pub(super) fn insert(tx: &Connection, run: i64, attempt: i64, now_ms: i64) -> Result<()> {
        tx.execute(
            "INSERT INTO attempts (run, attempt, state, detail, created_ms, updated_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
            params![run, attempt, State::Submitted, "it was asked for", now_ms],
        )
        .map(drop)
        .map_err(broken)
    }

    /// That attempt, if there is one.
    pub(crate) fn numbered(tx: &Connection, run: i64, attempt: i64) -> Result<Option<Self>> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE run = ?1 AND attempt = ?2");
        tx.query_row(&sql, [run, attempt], Self::read).optional().map_err(broken)
    }

    /// The attempts of a run, the first one first.
    pub(crate) fn all(tx: &Connection, run: i64) -> Result<Vec<Self>> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE run = ?1 ORDER BY attempt");
        rows(tx, &sql, [run], Self::read)
    }

    /// The attempts that are not over, of all runs, in the order in which runs were asked for.
    pub(super) fn under_way(tx: &Connection) -> Result<Vec<Self>> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE ended_ms IS NULL ORDER BY run");
        rows(tx, &sql, [], Self::read)
    }

    /// Runs of an owner with all their attempts: those before run `before`, the latest first, at most
    /// `most` attempts.
    pub(crate) fn latest(
        tx: &Connection,
        owner: i64,
        before: (i64, i64),
        most: i64,
    ) -> Result<Vec<(Run, Self)>> {
        let sql = format!(
            "SELECT {RUN}, {ATTEMPT} FROM runs JOIN attempts ON attempts.run = runs.id \
             WHERE runs.owner = ?1 AND (runs.id, attempts.attempt) < (?2, ?3) \
             ORDER BY runs.id DESC, attempts.attempt DESC LIMIT ?4"
        );
        rows(tx, &sql, params![owner, before.0, before.1, most], |row| {
            Ok((Run::read(row)?, Self::read_from(row, RUN_COLUMNS)?))
        })
    }

    /// Keeps what was changed of it.
    pub(super) fn update(&self, tx: &Connection) -> Result<()> {
        tx.execute(
            "UPDATE attempts SET state = ?3, detail = ?4, updated_ms = ?5, admitted_ms = ?6, \
             started_ms = ?7, ended_ms = ?8, stop = ?9, grace_ms = ?10, process = ?11, \
             process_started = ?12, exit_code = ?13 WHERE run = ?1 AND attempt = ?2",
            params![
                self.run,
                self.attempt,
                self.state,
                self.detail,
                self.updated_ms,
                self.admitted_ms,
                self.started_ms,
                self.ended_ms,
                self.stop,
                self.grace_ms,
                self.process,
                self.process_started,
                self.exit_code,
            ],
        )
        .map(drop)
        .map_err(broken)
    }

    /// Puts it in a state, with what is to be said of it.
    pub(super) fn enter(&mut self, state: State, detail: impl Into<String>, now_ms: i64) {
        (self.state, self.detail, self.updated_ms) = (state, detail.into(), now_ms);
        if state.is_over() {
            self.ended_ms = Some(now_ms);
        }
    }
}

/// The rows of a query.
pub(super) fn rows<T>(
    tx: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let rows = || tx.prepare(sql)?.query_map(values, read)?.collect();
    let rows: rusqlite::Result<Vec<T>> = rows();
    rows.map_err(broken)
}
