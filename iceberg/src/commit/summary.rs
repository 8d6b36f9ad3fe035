//! What a snapshot's summary says: who committed what and why, counts, totals, watermarks.
//!
//! Source: <https://iceberg.apache.org/spec/#optional-snapshot-summary-fields>

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{
    DataFile, PartitionSpecRef, SchemaRef, SnapshotSummaryCollector, Summary, TableMetadata,
};

use super::change::FileChange;
use crate::{Error, ErrorKind, Result};

/// The id that makes a commit a no-op when it is repeated.
pub const COMMIT_ID: &str = "northstar.commit-id";
/// The name of the job.
pub const JOB: &str = "northstar.job";
/// The id of the job's run.
pub const RUN_ID: &str = "northstar.run-id";
/// Who ran it.
pub const ACTOR: &str = "northstar.actor";
/// Why.
pub const REASON: &str = "northstar.reason";
/// The program's version.
pub const VERSION: &str = "northstar.version";

/// No property or summary value is longer than this, in bytes (design §1).
pub const MAX_VALUE_BYTES: usize = 4_096;

/// Whether later snapshots inherit what one says under a key: watermarks and sequences, which must
/// outlive the snapshot that set them. What tells of one commit alone is not inherited.
pub fn is_inherited(key: &str) -> bool {
    key.starts_with("northstar.")
        && ![COMMIT_ID, JOB, RUN_ID, ACTOR, REASON, VERSION].contains(&key)
        && !["-rows", "-files", ".files"].iter().any(|count| key.ends_with(count))
}

/// The run that commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunContext {
    /// The name of the job.
    pub job: String,
    /// The id of this run.
    pub run_id: String,
    /// Who runs it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What a commit is to be known by, and what must still hold when it is made.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    /// Made from what is committed (the batch), never from the attempt.
    pub commit_id: String,
    /// The run that commits.
    pub run: RunContext,
    /// Further summary entries, such as a watermark. They stand in the snapshot that carries the
    /// rows, so they move with it (W3).
    pub summary: BTreeMap<String, String>,
    /// A summary entry that must still have the value that was read, in the nearest ancestor of the
    /// head that has it, or the commit is `Conflicted`.
    pub expect: Option<(String, Option<String>)>,
}

impl CommitRequest {
    /// The summary entries of this request.
    ///
    /// # Errors
    /// `InvalidInput` for a value that is too long.
    pub(crate) fn entries(&self) -> Result<BTreeMap<String, String>> {
        let mut entries = self.summary.clone();
        for (key, value) in [
            (COMMIT_ID, self.commit_id.as_str()),
            (JOB, &self.run.job),
            (RUN_ID, &self.run.run_id),
            (ACTOR, &self.run.actor),
            (REASON, &self.run.reason),
            (VERSION, env!("CARGO_PKG_VERSION")),
        ] {
            entries.insert(key.to_string(), value.to_string());
        }
        match entries.iter().find(|(_, value)| value.len() > MAX_VALUE_BYTES) {
            None => Ok(entries),
            Some((key, _)) => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("the commit's {key} is longer than {MAX_VALUE_BYTES} bytes; shorten it"),
            )),
        }
    }
}

/// The counts of added and removed files, and the running totals of the table. Each removed file
/// comes with the partition spec and the schema of its manifest: its partition values are of the types
/// that columns had then.
pub(crate) fn counts(
    change: &FileChange,
    removed: &[(DataFile, PartitionSpecRef, SchemaRef)],
    metadata: &TableMetadata,
    parent: Option<&Summary>,
) -> HashMap<String, String> {
    let (schema, spec) = (metadata.current_schema(), metadata.default_partition_spec());
    let mut collector = SnapshotSummaryCollector::default();
    for file in &change.added {
        collector.add_file(file, SchemaRef::clone(schema), PartitionSpecRef::clone(spec));
    }
    for delete in &change.added_deletes {
        let spec = metadata.partition_spec_by_id(delete.spec_id).unwrap_or(spec);
        collector.add_file(&delete.file, SchemaRef::clone(schema), PartitionSpecRef::clone(spec));
    }
    for (file, spec, schema) in removed {
        collector.remove_file(file, SchemaRef::clone(schema), PartitionSpecRef::clone(spec));
    }
    let mut entries = collector.build();
    for (total, added, removed) in [
        ("total-data-files", "added-data-files", "deleted-data-files"),
        ("total-delete-files", "added-delete-files", "removed-delete-files"),
        ("total-records", "added-records", "deleted-records"),
        ("total-files-size", "added-files-size", "removed-files-size"),
        ("total-position-deletes", "added-position-deletes", "removed-position-deletes"),
        ("total-equality-deletes", "added-equality-deletes", "removed-equality-deletes"),
    ] {
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
        // A parent without this total was written by another engine; a guess would be wrong for
        // ever, so the total stays out.
        let before = match parent {
            Some(summary) => number(summary.additional_properties.get(total)),
            None => Some(0),
        };
        if let Some(before) = before {
            let now = before + number(entries.get(added)).unwrap_or(0)
                - number(entries.get(removed)).unwrap_or(0);
            entries.insert(total.to_string(), now.to_string());
        }
    }
    entries
}
