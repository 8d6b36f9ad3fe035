//! The connection to a catalog's file: how it is made, set up, and made again.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Params, Row, Transaction, TransactionBehavior};

use super::failure::{failure, write_failure};
use super::schema::{self, Layout};
use crate::open::OpenMode;
use crate::{Error, ErrorKind, Result};

/// How long a call waits for another process that holds the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Held while a file is made or opened. A process loses its locks on a file when it closes any
/// descriptor of it, so none that made the file may be closed while SQLite has it open.
///
/// Source: <https://www.sqlite.org/howtocorrupt.html>, section 2.2
static OPENING: Mutex<()> = Mutex::new(());

/// A catalog's file, with the one connection that calls share.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    busy_timeout: Duration,
    live: Mutex<Live>,
}

impl Database {
    /// Opens the file, or makes it with mode 0600. `path` is absolute.
    pub(super) fn open(path: &Path, mode: OpenMode, busy_timeout: Duration) -> Result<Self> {
        let live = Live::connect(path, mode, OpenFlags::SQLITE_OPEN_READ_WRITE, busy_timeout)?;
        Ok(Self { path: path.to_owned(), busy_timeout, live: Mutex::new(live) })
    }

    /// Runs `work` on the connection; on a new one if the file was replaced since.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Live) -> Result<T>) -> Result<T> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection goes on with a file that was removed, and what it commits is lost.
        if FileId::of(&self.path)? != live.file {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
            *live = Live::connect(&self.path, OpenMode::Existing, flags, self.busy_timeout)?;
        }
        work(&live)
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) connection: Connection,
    pub(super) layout: Layout,
    path: PathBuf,
    file: FileId,
}

impl Live {
    fn connect(
        path: &Path,
        mode: OpenMode,
        flags: OpenFlags,
        busy_timeout: Duration,
    ) -> Result<Self> {
        let failed = |e| failure(e, "open the catalog", path);
        let (file, mut connection) = {
            let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
            if mode == OpenMode::Create {
                create_private(path)?;
            }
            // The mutex of the caller stands in for SQLite's own.
            let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            (FileId::of(path)?, Connection::open_with_flags(path, flags).map_err(failed)?)
        };
        connection.busy_timeout(busy_timeout).map_err(failed)?;
        use_wal(&connection).map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        let mut layout = schema::layout(&connection, path)?;
        if layout.is_none() && mode == OpenMode::Create {
            schema::create(&mut connection, path)?;
            layout = schema::layout(&connection, path)?;
        }
        let Some(layout) = layout else {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the file holds no Iceberg catalog; name another, or make one in it by loading \
                 into it or opening it to create",
            )
            .with_context("file", path.display()));
        };
        Ok(Self { connection, layout, path: path.to_owned(), file })
    }

    /// Runs one statement that changes something, in a transaction of its own; how many rows it
    /// changed.
    pub(super) fn write(&self, doing: &str, sql: &str, values: impl Params) -> Result<usize> {
        let mut statement =
            self.connection.prepare_cached(sql).map_err(|e| failure(e, doing, &self.path))?;
        statement.execute(values).map_err(|e| write_failure(e, doing, &self.path))
    }

    /// Runs several statements in one transaction, which holds the file for writing from its start.
    /// If `work` fails nothing has changed.
    pub(super) fn transaction<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let begun = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(|e| failure(e, doing, &self.path))?;
        let done = work(&transaction).map_err(|e| failure(e, doing, &self.path))?;
        transaction.commit().map_err(|e| write_failure(e, doing, &self.path))?;
        Ok(done)
    }

    /// The same, undone if `work` says so by `false`; whether it was done.
    pub(super) fn try_transaction(
        &self,
        doing: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<bool>,
    ) -> Result<bool> {
        let begun = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(|e| failure(e, doing, &self.path))?;
        if !work(&transaction).map_err(|e| failure(e, doing, &self.path))? {
            transaction.rollback().map_err(|e| failure(e, doing, &self.path))?;
            return Ok(false);
        }
        transaction.commit().map_err(|e| write_failure(e, doing, &self.path))?;
        Ok(true)
    }

    /// The rows of a query, each read by `read`.
    pub(super) fn read<T>(
        &self,
        doing: &str,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows = || self.connection.prepare_cached(sql)?.query_map(values, read)?.collect();
        let rows: rusqlite::Result<Vec<T>> = rows();
        rows.map_err(|e| failure(e, doing, &self.path))
    }
}

/// Which file a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Looks without opening: see [`OPENING`].
    fn of(path: &Path) -> Result<Self> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    "there is no catalog file; check the path, or make one by loading into it or \
                     opening it to create",
                )
                .with_context("file", path.display()));
            }
            Err(e) => return Err(Error::io(e, "look at the catalog file", path.display())),
        };
        if !found.is_file() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "this is not a file; name the file of the catalog",
            )
            .with_context("file", path.display()));
        }
        Ok(Self { device: found.dev(), inode: found.ino() })
    }
}

/// Makes an empty file that only its owner may read, if there is none. SQLite gives the mode of
/// this file to those that it puts beside it.
fn create_private(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(Error::io(
            e,
            "make the catalog file; its folder must be there and writable",
            path.display(),
        )),
    }
}

/// Puts the file in WAL mode, in which it then stays.
///
/// A file that cannot be changed now, for it is held or read-only, works as well in the mode that
/// it has; a later opening tries again.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    match connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())) {
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::ReadOnly | ErrorCode::CannotOpen)
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}
