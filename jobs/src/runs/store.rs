//! The file in which runs are kept: SQLite, each change of state one transaction.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use northstar_iceberg::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

/// How long a call waits for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Who owns runs (jobs of Glue, applications of EMR Serverless), runs, their attempts, and what
/// runs committed last. Documents are JSON; times are milliseconds since 1970-01-01 UTC.
const CREATE: &str = "
CREATE TABLE IF NOT EXISTS owners (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    state TEXT NOT NULL,
    most_runs INTEGER,
    version INTEGER NOT NULL DEFAULT 0,
    runs INTEGER NOT NULL DEFAULT 0,
    client_token TEXT,
    request TEXT,
    tags TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    active_ms INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS owners_name ON owners (service, name) WHERE is_deleted = 0;
CREATE UNIQUE INDEX IF NOT EXISTS owners_token ON owners (service, client_token)
    WHERE client_token IS NOT NULL;
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    owner INTEGER NOT NULL REFERENCES owners (id),
    number INTEGER NOT NULL,
    previous TEXT,
    actor TEXT NOT NULL,
    client_token TEXT,
    request TEXT NOT NULL,
    work TEXT NOT NULL,
    bookmark TEXT NOT NULL,
    max_attempts INTEGER NOT NULL,
    timeout_ms INTEGER,
    queue_ms INTEGER,
    tags TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS runs_token ON runs (owner, client_token)
    WHERE client_token IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_owner ON runs (owner, id);
CREATE TABLE IF NOT EXISTS attempts (
    run INTEGER NOT NULL REFERENCES runs (id),
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    admitted_ms INTEGER,
    started_ms INTEGER,
    ended_ms INTEGER,
    stop TEXT,
    grace_ms INTEGER,
    process INTEGER,
    process_started INTEGER,
    exit_code INTEGER,
    watermarks TEXT,
    PRIMARY KEY (run, attempt)
);
CREATE INDEX IF NOT EXISTS attempts_under_way ON attempts (run) WHERE ended_ms IS NULL;
CREATE TABLE IF NOT EXISTS bookmarks (
    owner INTEGER NOT NULL REFERENCES owners (id),
    version INTEGER NOT NULL,
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    run TEXT,
    previous TEXT,
    bookmark TEXT NOT NULL,
    PRIMARY KEY (owner, version)
);";

/// The opened file. One server alone has it.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Held as long as the store is open.
    _lock: File,
}

impl Store {
    /// Opens `runs.db` in a folder, and makes it, with mode 0600, if it is not there.
    ///
    /// # Errors
    /// `Unavailable` if another server has it; `Damaged`; storage errors.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let lock = locked(&folder.join("runs.lock"))?;
        let path = folder.join("runs.db");
        private(&path)?;
        let failed = |error| failure(error, "open the store of runs", &path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
            .map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        connection.execute_batch(CREATE).map_err(failed)?;
        Ok(Self { path, connection: Mutex::new(connection), _lock: lock })
    }

    /// Runs `work` in one transaction, which takes the file for writing at once if it is told to.
    /// Nothing has changed if it fails, or refuses by an inner error.
    ///
    /// # Errors
    /// `CommitUnknown` if the change may have taken effect; those of `work`.
    pub(super) fn transaction<T, E>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<std::result::Result<T, E>>,
    ) -> Result<std::result::Result<T, E>> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = connection.transaction_with_behavior(behavior);
        let transaction = begun.map_err(|error| failure(error, "change runs", &self.path))?;
        let done = work(&transaction)?;
        if done.is_ok() {
            transaction.commit().map_err(|error| {
                let cause = failure(error, "keep a change of runs", &self.path);
                match cause.kind() {
                    ErrorKind::Unavailable | ErrorKind::StorageFull => cause,
                    _ => Error::new(
                        ErrorKind::CommitUnknown,
                        "a change of runs may have taken effect; read it again to see",
                    )
                    .with_source(cause),
                }
            })?;
        }
        Ok(done)
    }
}

/// An error of SQLite: its kind, and what to do about it.
fn failure(error: rusqlite::Error, doing: &str, path: &Path) -> Error {
    let (kind, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (ErrorKind::Unavailable, "another process holds the file; try again")
        }
        Some(ErrorCode::DiskFull) => (ErrorKind::StorageFull, "the disk is full; free some space"),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            (ErrorKind::PermissionDenied, "allow this user to write the file and its folder")
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) | None => {
            (ErrorKind::Damaged, "the file is damaged; restore a backup of it, or move it away")
        }
        Some(_) => (ErrorKind::Storage, "the database failed; check the disk"),
    };
    Error::new(kind, format!("cannot {doing}: {advice}"))
        .with_context("file", path.display())
        .with_source(error)
}

/// An error of a statement inside a transaction.
pub(super) fn broken(error: rusqlite::Error) -> Error {
    failure(error, "read or change runs", Path::new("runs.db"))
}

/// Makes a file that only its owner may read, if there is none.
fn private(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io(error, "make the store of runs", path.display()))
        }
        _ => Ok(()),
    }
}

/// How often, and how far apart, the lock is tried before another server is taken to have it.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The lock of the one server that has the folder.
fn locked(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::io(error, "make the lock of runs", path.display()))?;
    let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    let mut taken = rustix::fs::flock(&file, lock);
    // A server that ends, and a process that it is just starting, have it for a moment longer.
    for _ in 0..LOCK_TRIES {
        if taken.is_ok() {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        taken = rustix::fs::flock(&file, lock);
    }
    taken.map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            "another server runs the jobs of this folder; stop it first, or name another folder",
        )
        .with_context("file", path.display())
        .with_source(error)
    })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_server_has_the_folder_and_no_one_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        for name in ["runs.db", "runs.lock"] {
            let mode = folder.path().join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        drop(store);
        Store::open(folder.path()).unwrap();
    }

    #[test]
    fn a_refusal_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let insert = "INSERT INTO owners (service, name, document, state, tags, created_ms, \
                      modified_ms, active_ms) VALUES ('glue', 'j', '{}', '', '{}', 0, 0, 0)";
        let count = || {
            let counted = store.transaction::<i64, ()>(TransactionBehavior::Deferred, |tx| {
                Ok(Ok(tx.query_row("SELECT count(*) FROM owners", [], |row| row.get(0)).unwrap()))
            });
            counted.unwrap().unwrap()
        };
        let refused = store.transaction::<(), &str>(TransactionBehavior::Immediate, |tx| {
            tx.execute(insert, []).map_err(broken)?;
            Ok(Err("no"))
        });
        assert_eq!((refused.unwrap(), count()), (Err("no"), 0));
        let done = store.transaction::<(), ()>(TransactionBehavior::Immediate, |tx| {
            tx.execute(insert, []).map_err(broken)?;
            Ok(Ok(()))
        });
        assert_eq!((done.unwrap(), count()), (Ok(()), 1));
    }

    #[test]
    fn a_file_that_is_no_store_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("runs.db"), "a text of some length, no database")
            .unwrap();
        assert_eq!(Store::open(folder.path()).unwrap_err().kind(), ErrorKind::Damaged);
    }
}
