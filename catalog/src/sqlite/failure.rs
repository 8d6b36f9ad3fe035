//! What an error of SQLite means to a caller, and whether it leaves open what was changed.

use std::path::Path;

use rusqlite::ffi;
use rusqlite::{Error as SqliteError, ErrorCode};

use crate::{Error, ErrorKind};

/// The error for a call that changes nothing, or whose statement never ran.
pub(super) fn failure(source: SqliteError, doing: &str, path: &Path) -> Error {
    let (kind, what) = meaning(&source, path);
    Error::new(kind, format!("cannot {doing}: {what}"))
        .with_context("file", path.display())
        .with_source(source)
}

/// The error for a statement that changes something and ran: `CommitUnknown` if it may have.
pub(super) fn write_failure(source: SqliteError, doing: &str, path: &Path) -> Error {
    let open = may_have_changed(&source);
    let cause = failure(source, doing, path);
    if !open {
        return cause;
    }
    Error::new(
        ErrorKind::CommitUnknown,
        "the catalog failed in the middle of a change, which may have taken effect; read the \
         catalog again to see",
    )
    .with_source(cause)
}

/// Whether the statement that failed may have been committed.
///
/// The errors listed are raised before anything is written, or undo all of the statement. A full
/// disk is one of them: SQLite reports it when a write comes short, and a commit whose last
/// record is cut has no valid checksum. A failed sync is an I/O error, and open.
///
/// Source: <https://www.sqlite.org/rescode.html>
fn may_have_changed(error: &SqliteError) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::CannotOpen
                | ErrorCode::DiskFull
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::SchemaChanged
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
        )
    )
}

/// The kind of an error, and what is wrong and to be done about it.
fn meaning(error: &SqliteError, path: &Path) -> (ErrorKind, &'static str) {
    const BUSY: &str = "another process holds the catalog file; wait until it has finished or stop \
                        it, then try again";
    const FULL: &str = "the disk is full; free some space and try again";
    const GONE: &str = "the catalog file is gone; put it back, or open another";
    const DAMAGED: &str = "the catalog file is damaged; restore a backup of it, or make a new one \
                           and register the tables again";
    const LAYOUT: &str = "the file does not hold an Iceberg catalog; name another file";
    match error.sqlite_extended_error_code() {
        Some(ffi::SQLITE_READONLY_DBMOVED) => return (ErrorKind::NotFound, GONE),
        // Making the file of shared memory longer fails for want of space alone.
        Some(ffi::SQLITE_IOERR_SHMSIZE) => return (ErrorKind::StorageFull, FULL),
        _ => {}
    }
    let Some(code) = error.sqlite_error_code() else {
        // The binding's own errors: a value of another type than the column's, or no UTF-8.
        return (ErrorKind::Damaged, DAMAGED);
    };
    match code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => (ErrorKind::Unavailable, BUSY),
        ErrorCode::DiskFull => (ErrorKind::StorageFull, FULL),
        ErrorCode::CannotOpen if matches!(path.try_exists(), Ok(false)) => {
            (ErrorKind::NotFound, GONE)
        }
        ErrorCode::ReadOnly
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::AuthorizationForStatementDenied => (
            ErrorKind::PermissionDenied,
            "this user may not read or write the catalog file or its folder; allow it with chmod",
        ),
        ErrorCode::NotADatabase => (
            ErrorKind::Damaged,
            "the file is not an SQLite database; name another file, or restore a backup of it",
        ),
        ErrorCode::DatabaseCorrupt => (ErrorKind::Damaged, DAMAGED),
        // Our statements are constant: what does not compile does so for the file's layout.
        ErrorCode::Unknown => (ErrorKind::Damaged, LAYOUT),
        ErrorCode::ConstraintViolation => (ErrorKind::AlreadyExists, "the name is taken"),
        ErrorCode::SystemIoFailure => {
            (ErrorKind::Storage, "reading or writing the file failed; check the disk")
        }
        _ => (ErrorKind::Storage, "the database failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> SqliteError {
        SqliteError::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn each_code_has_its_kind_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (here, gone) = (folder.path(), folder.path().join("gone"));
        for (code, path, kind) in [
            (ffi::SQLITE_BUSY, here, ErrorKind::Unavailable),
            (ffi::SQLITE_BUSY_RECOVERY, here, ErrorKind::Unavailable),
            (ffi::SQLITE_LOCKED, here, ErrorKind::Unavailable),
            (ffi::SQLITE_PROTOCOL, here, ErrorKind::Unavailable),
            (ffi::SQLITE_FULL, here, ErrorKind::StorageFull),
            (ffi::SQLITE_IOERR_SHMSIZE, here, ErrorKind::StorageFull),
            (ffi::SQLITE_READONLY, here, ErrorKind::PermissionDenied),
            (ffi::SQLITE_READONLY_DBMOVED, here, ErrorKind::NotFound),
            (ffi::SQLITE_PERM, here, ErrorKind::PermissionDenied),
            (ffi::SQLITE_CANTOPEN, here, ErrorKind::PermissionDenied),
            (ffi::SQLITE_CANTOPEN, &gone, ErrorKind::NotFound),
            (ffi::SQLITE_NOTADB, here, ErrorKind::Damaged),
            (ffi::SQLITE_CORRUPT, here, ErrorKind::Damaged),
            (ffi::SQLITE_ERROR, here, ErrorKind::Damaged),
            (ffi::SQLITE_IOERR, here, ErrorKind::Storage),
            (ffi::SQLITE_NOMEM, here, ErrorKind::Storage),
        ] {
            let error = failure(sqlite(code), "read the catalog", path);
            assert_eq!(error.kind(), kind, "{code}: {error}");
            assert_eq!(error.context("file"), Some(path.display().to_string().as_str()));
        }
    }

    #[test]
    fn only_an_error_that_may_come_after_the_commit_leaves_it_open() {
        let folder = tempfile::tempdir().unwrap();
        for code in
            [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_NOMEM, ffi::SQLITE_ERROR]
        {
            let error = write_failure(sqlite(code), "move the pointer", folder.path());
            assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{code}");
            assert!(error.to_string().contains("cannot move the pointer"), "{error}");
        }
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_READONLY, ffi::SQLITE_CORRUPT]
        {
            let error = write_failure(sqlite(code), "move the pointer", folder.path());
            assert_ne!(error.kind(), ErrorKind::CommitUnknown, "{code}");
        }
    }
}
