//! Bookmarks: what a job's runs committed and read last, in versions that can be gone back to.

use northstar_iceberg::Result;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use super::store::broken;

/// Whether a run is given its job's bookmark, and moves it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BookmarkMode {
    /// Given, and moved on if the run succeeds.
    Enable,
    /// Given, and left where it is.
    Pause,
    /// Neither.
    Disable,
}

impl BookmarkMode {
    /// The mode that Glue's argument `--job-bookmark-option` names.
    pub(crate) fn of_option(option: &str) -> Option<Self> {
        [Self::Enable, Self::Pause, Self::Disable].into_iter().find(|mode| mode.option() == option)
    }

    fn option(self) -> &'static str {
        match self {
            Self::Enable => "job-bookmark-enable",
            Self::Pause => "job-bookmark-pause",
            Self::Disable => "job-bookmark-disable",
        }
    }
}

impl ToSql for BookmarkMode {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.option().into())
    }
}

impl FromSql for BookmarkMode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::of_option(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// A bookmark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bookmark {
    /// Rises with each change of the bookmark.
    pub(crate) version: i64,
    /// The number of the run that moved it, 0 if none did.
    pub(crate) number: i64,
    /// Which attempt of it, from 0 as Glue counts.
    pub(crate) attempt: i64,
    /// The name of that run's attempt.
    pub(crate) run: Option<String>,
    /// The same, of the bookmark before.
    pub(crate) previous: Option<String>,
    /// Tables and their watermarks, as JSON.
    pub(crate) bookmark: String,
}

impl Bookmark {
    /// The bookmark of a job, or as a run of it left it.
    pub(crate) fn read(tx: &Connection, owner: i64, run: Option<&str>) -> Result<Option<Self>> {
        tx.query_row(
            "SELECT version, number, attempt, run, previous, bookmark FROM bookmarks \
             WHERE owner = ?1 AND (?2 IS NULL OR run = ?2) ORDER BY version DESC LIMIT 1",
            params![owner, run],
            |row| {
                Ok(Self {
                    version: row.get(0)?,
                    number: row.get(1)?,
                    attempt: row.get(2)?,
                    run: row.get(3)?,
                    previous: row.get(4)?,
                    bookmark: row.get(5)?,
                })
            },
        )
        .optional()
        .map_err(broken)
    }

    /// Makes this the bookmark of a job, as a version of its own; what is kept.
    pub(crate) fn keep(mut self, tx: &Connection, owner: i64) -> Result<Self> {
        let before = Self::read(tx, owner, None)?.unwrap_or_default();
        self.version = before.version + 1;
        self.previous = before.run;
        tx.execute(
            "INSERT INTO bookmarks (owner, version, number, attempt, run, previous, bookmark) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                owner,
                self.version,
                self.number,
                self.attempt,
                self.run,
                self.previous,
                self.bookmark
            ],
        )
        .map_err(broken)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_named_as_glue_names_them() {
        for mode in [BookmarkMode::Enable, BookmarkMode::Pause, BookmarkMode::Disable] {
            assert_eq!(BookmarkMode::of_option(mode.option()), Some(mode));
        }
        assert_eq!(BookmarkMode::of_option("on"), None);
    }
}
