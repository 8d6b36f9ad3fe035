//! Who asked for what: one line of JSON for each request.
//!
//! A line names the actor, the action and the database, table, job or run that it was about: never
//! what a request or an answer holds beside them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use northstar_iceberg::{Error, ErrorKind, Result};
use serde::Serialize;

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    /// When it came, in milliseconds since 1970.
    pub(crate) time_ms: i64,
    pub(crate) request_id: &'a str,
    /// Where from: an address without a port.
    pub(crate) from: &'a str,
    /// Who; empty for a request that was not let in.
    pub(crate) actor: &'a str,
    pub(crate) service: &'a str,
    pub(crate) action: &'a str,
    /// What it was about, such as `bronze.lab_result`; empty if nothing in particular.
    pub(crate) resource: &'a str,
    pub(crate) status: u16,
    /// The error's name, if it ended in one.
    pub(crate) error: &'a str,
    pub(crate) duration_ms: i64,
    pub(crate) request_bytes: usize,
    pub(crate) answer_bytes: usize,
}

/// The file that the lines go to.
#[derive(Debug)]
pub(crate) struct RequestLog {
    path: PathBuf,
    /// A line is written to the file that was opened for it, before the file is taken.
    writing: Mutex<()>,
}

impl RequestLog {
    /// A log that appends to `path`. The file is opened anew for each line, so that it can be moved
    /// away at any time.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, writing: Mutex::new(()) }
    }

    /// Appends a line.
    ///
    /// # Errors
    /// As the file system says. The request is then answered with an error: what cannot be recorded
    /// is not told.
    pub(crate) fn write(&self, line: &Line<'_>) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|error| {
            Error::new(ErrorKind::Internal, "a line of the request log cannot be written")
                .with_source(error)
        })?;
        text.push(b'\n');
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // One write of one line in append mode is not torn by others.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)
            .and_then(|mut file| file.write_all(&text))
            .map_err(|error| Error::io(error, "record a request", self.path.display()))
    }

    /// Gives the lines so far to a file of another name; the next line begins a new log. Nothing happens if
    /// there are none.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn take(&self, into: &Path) -> Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = match self.path.try_exists() {
            Ok(true) => std::fs::rename(&self.path, into),
            found => found.map(|_| ()),
        };
        moved.map_err(|error| Error::io(error, "move the request log", self.path.display()))
    }
}

/// A name as it may be logged: letters, digits and few others; anything else is left out whole, for it
/// is no name.
pub(crate) fn name(text: &str) -> &str {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    if text.len() <= 255 && text.chars().all(legal) { text } else { "…" }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn line() -> Line<'static> {
        Line {
            time_ms: 1,
            request_id: "r",
            from: "127.0.0.1",
            actor: "airflow",
            service: "glue",
            action: "GetTable",
            resource: "bronze.lab",
            status: 200,
            error: "",
            duration_ms: 2,
            request_bytes: 3,
            answer_bytes: 4,
        }
    }

    #[test]
    fn each_request_is_a_line_in_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.jsonl");
        let log = RequestLog::new(path.clone());
        log.write(&line()).unwrap();
        log.write(&line()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(r#""actor":"airflow""#), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(RequestLog::new(folder.path().join("no/such")).write(&line()).is_err());
    }

    #[test]
    fn what_is_taken_is_whole_and_the_next_line_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let [path, taken] = ["requests.jsonl", "taken"].map(|name| folder.path().join(name));
        let log = RequestLog::new(path.clone());
        log.take(&taken).unwrap();
        assert!(!taken.try_exists().unwrap());
        log.write(&line()).unwrap();
        log.take(&taken).unwrap();
        log.write(&line()).unwrap();
        for file in [taken, path] {
            assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 1);
        }
        assert!(log.take(&folder.path().join("no/such")).is_err());
    }

    #[test]
    fn what_is_no_name_is_not_logged() {
        assert_eq!(name("lab_result"), "lab_result");
        for text in ["Jane Doe", "a\nb", "é", &"x".repeat(256)] {
            assert_eq!(name(text), "…");
        }
    }
}
