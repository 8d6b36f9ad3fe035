//! Who opens a table, and why: asked for at every opening, and recorded before it succeeds.
//!
//! Source: 45 CFR 164.312(b), audit controls.

use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use serde::Serialize;

use crate::{Error, ErrorKind, Result};

/// Who opens a table, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    actor: String,
    purpose: String,
}

impl Access {
    /// An access by `actor` (a person's or a service's login) for `purpose`.
    ///
    /// # Errors
    /// `InvalidInput` if either is blank.
    pub fn new(actor: impl Into<String>, purpose: impl Into<String>) -> Result<Self> {
        let (actor, purpose) = (actor.into(), purpose.into());
        if actor.trim().is_empty() || purpose.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "opening a table needs an actor and a purpose; neither may be blank",
            ));
        }
        Ok(Self { actor, purpose })
    }

    /// Who.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// What for.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }
}

/// One line of the access record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessRecord {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    /// Who.
    pub actor: String,
    /// What for.
    pub purpose: String,
    /// Which table, as `namespace.table`.
    pub table: String,
    /// `open`, `create`, `commit` (by a client of the catalog), `register`, `drop` or `rename`.
    pub action: String,
    /// The metadata file that was opened, if any.
    pub metadata_location: Option<String>,
}

/// Takes access records. An access that cannot be recorded does not happen.
#[async_trait]
pub trait AccessSink: Debug + Send + Sync {
    /// Records one access.
    ///
    /// # Errors
    /// Any failure to store the record; the caller then refuses the access.
    async fn record(&self, record: &AccessRecord) -> Result<()>;
}

/// Appends each record as one line of JSON to a file that only its owner may read.
#[derive(Debug)]
pub struct JsonLinesSink {
    path: PathBuf,
}

impl JsonLinesSink {
    /// A sink that appends to `path`, which is made at the first record.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl AccessSink for JsonLinesSink {
    async fn record(&self, record: &AccessRecord) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(|error| {
            Error::new(ErrorKind::Internal, "an access record cannot be written as JSON")
                .with_source(error)
        })?;
        line.push(b'\n');
        // One write of one line in append mode is not torn by other processes that do the same.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)
            .and_then(|mut file| file.write_all(&line))
            .map_err(|error| Error::io(error, "record an access", self.path.display()))
    }
}

/// Keeps records in memory, for tests.
#[derive(Debug, Default)]
pub struct MemorySink {
    records: Mutex<Vec<AccessRecord>>,
}

impl MemorySink {
    /// The records so far.
    pub fn records(&self) -> Vec<AccessRecord> {
        self.records.lock().map(|records| records.clone()).unwrap_or_default()
    }
}

#[async_trait]
impl AccessSink for MemorySink {
    async fn record(&self, record: &AccessRecord) -> Result<()> {
        if let Ok(mut records) = self.records.lock() {
            records.push(record.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_names_its_actor_and_purpose() {
        assert!(Access::new("dr", "care").is_ok());
        for (actor, purpose) in [("", "care"), ("dr", " ")] {
            assert_eq!(Access::new(actor, purpose).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }

    #[tokio::test]
    async fn records_are_lines_of_json_in_a_private_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.jsonl");
        let sink = JsonLinesSink::new(&path);
        let record = AccessRecord {
            time_ms: 1,
            actor: "dr".into(),
            purpose: "care".into(),
            table: "bronze.lab".into(),
            action: "open".into(),
            metadata_location: None,
        };
        sink.record(&record).await.unwrap();
        sink.record(&record).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.contains(r#""purpose":"care""#)));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn an_access_that_cannot_be_recorded_is_an_error() {
        let record = AccessRecord {
            time_ms: 1,
            actor: "dr".into(),
            purpose: "care".into(),
            table: "bronze.lab".into(),
            action: "open".into(),
            metadata_location: None,
        };
        let sink = JsonLinesSink::new("/no/such/folder/access.jsonl");
        assert!(sink.record(&record).await.is_err());
    }
}
