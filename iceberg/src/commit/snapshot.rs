//! One attempt: the files of a new snapshot on top of a given head, not yet published.

use std::str::FromStr;

use iceberg::MetadataLocation;
use iceberg::spec::{ManifestFile, ManifestListWriter, Snapshot, Summary, TableMetadata};

use super::change::FileChange;
use super::manifests::Manifests;
use super::presence::{AddedFile, check_present, of_table};
use super::summary::{self, CommitRequest};
use crate::lake::written;
use crate::observer::Event;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, storage};

/// A clock that is further behind the table than this is wrong, in milliseconds (design decision 2).
const MOST_BEHIND_MS: i64 = 10 * 60 * 1_000;

/// The files of an attempt; dropped before [`Attempt::sent`], they are removed.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    pub(super) artifacts: Vec<String>,
}

/// What an attempt would publish.
pub(crate) struct Staged {
    /// The snapshot that is new; `None` if none is.
    pub(crate) snapshot_id: Option<i64>,
    pub(crate) metadata_location: String,
    pub(crate) metadata: TableMetadata,
    pub(crate) attempt: Attempt,
}

impl Attempt {
    /// An attempt that has written these.
    pub(super) fn of(artifacts: Vec<String>) -> Self {
        Self { artifacts }
    }

    /// The files, which are no longer removed: the catalog is asked to show them.
    pub(crate) fn sent(mut self) -> Vec<String> {
        std::mem::take(&mut self.artifacts)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        storage::discard(&self.artifacts);
    }
}

/// Writes the manifests, the manifest list and the metadata file of a snapshot that makes `change`
/// on top of `head`, and brings them and the added files to disk. The inner error is a reason why
/// this head cannot take the change.
pub(crate) async fn stage(
    lake: &Lake,
    head: &LakeTable,
    change: &FileChange,
    request: &CommitRequest,
) -> Result<std::result::Result<Staged, String>> {
    let metadata = head.metadata();
    let snapshot_id = lake.ids.positive_i64();
    let attempt_id = lake.ids.uuid();
    let folder = format!("{}/metadata", head.location());
    let parent = head.base_of(change.branch());
    let mut manifests = Manifests::new(lake, head, snapshot_id, format!("{folder}/{attempt_id}"));
    let carried = manifests.carry_over(parent, change).await?;
    if let Some(gone) = carried {
        return Ok(Err(gone));
    }
    manifests.add(&change.added).await?;
    manifests.add_deletes(&change.added_deletes).await?;
    let Manifests { list, mut attempt, removed, .. } = manifests;

    let list_location = format!("{folder}/snap-{snapshot_id}-0-{attempt_id}.avro");
    attempt.artifacts.push(list_location.clone());
    let parent_id = parent.map(|parent| parent.snapshot_id());
    write_list(lake, head, (snapshot_id, parent_id), &list_location, list).await?;
    lake.observer.event(&Event::ManifestsWritten);

    let totals = parent.map(|parent| parent.summary());
    let mut properties = summary::counts(change, &removed, metadata, totals);
    properties.extend(request.entries()?);
    let summary = Summary { operation: change.operation(), additional_properties: properties };
    let snapshot = snapshot(lake, head, (snapshot_id, parent_id), list_location, summary)?;
    let next = metadata
        .clone()
        .into_builder(Some(head.metadata_location().to_string()))
        .set_branch_snapshot(snapshot, change.branch())
        .and_then(|builder| builder.build())
        .map_err(|error| unfit(head, error))?
        .metadata;
    let deletes = change.added_deletes.iter().map(|delete| &delete.file);
    let added = change.added.iter().chain(deletes).map(AddedFile::new).collect();
    stage_metadata(lake, head, next, Some(snapshot_id), attempt, added).await.map(Ok)
}

/// Writes the metadata file that follows `head`'s, and brings it and the files that it is the first
/// to refer to to disk. The added files are looked at once more.
///
/// # Errors
/// As [`check_present`]; storage errors.
pub(crate) async fn stage_metadata(
    lake: &Lake,
    head: &LakeTable,
    next: TableMetadata,
    snapshot_id: Option<i64>,
    mut attempt: Attempt,
    added: Vec<AddedFile>,
) -> Result<Staged> {
    let next_location = MetadataLocation::from_str(head.metadata_location())
        .map_err(|error| unfit(head, error))?
        .with_next_version()
        .with_new_metadata(&next);
    let metadata_location = next_location.to_string();
    attempt.artifacts.push(metadata_location.clone());
    next.write_to(&lake.file_io(), &next_location)
        .await
        .map_err(|error| written("a metadata file", &metadata_location, error))?;

    lake.observer.event(&Event::Syncing);
    let mut durable = attempt.artifacts.clone();
    durable.extend(added.iter().map(|file| file.location().to_string()));
    let now_ms = next.last_updated_ms();
    let synced = move || {
        let synced = storage::make_durable(&durable);
        // Last, so that as little time as can be is left to whoever removes files; and what it says
        // of a file that is gone helps more.
        check_present(&added, now_ms)?;
        synced
    };
    let synced = tokio::task::spawn_blocking(synced).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "bringing files to disk was broken off").with_source(error)
    })?;
    synced.map_err(of_table(head))?;
    lake.observer.event(&Event::MetadataWritten);
    Ok(Staged { snapshot_id, metadata_location, metadata: next, attempt })
}

/// The error for metadata that Apache's builder does not take.
pub(crate) fn unfit(head: &LakeTable, error: iceberg::Error) -> Error {
    Error::new(ErrorKind::Internal, "the change does not fit the table's metadata")
        .with_context("table", head.name())
        .with_source(error)
}

async fn write_list(
    lake: &Lake,
    head: &LakeTable,
    (snapshot_id, parent_id): (i64, Option<i64>),
    location: &str,
    manifests: Vec<ManifestFile>,
) -> Result<()> {
    let metadata = head.metadata();
    let failed = |error| written("a manifest list", location, error);
    let output = lake.file_io().new_output(location).map_err(failed)?;
    let mut list = ManifestListWriter::v2(
        output.writer().await.map_err(failed)?,
        snapshot_id,
        parent_id,
        metadata.next_sequence_number(),
    );
    list.add_manifests(manifests.into_iter()).map_err(failed)?;
    list.close().await.map_err(failed)
}

fn snapshot(
    lake: &Lake,
    head: &LakeTable,
    (snapshot_id, parent_id): (i64, Option<i64>),
    manifest_list: String,
    summary: Summary,
) -> Result<Snapshot> {
    let metadata = head.metadata();
    let now_ms = next_ms(lake, head)?;
    Ok(Snapshot::builder()
        .with_snapshot_id(snapshot_id)
        .with_parent_snapshot_id(parent_id)
        .with_sequence_number(metadata.next_sequence_number())
        .with_schema_id(metadata.current_schema_id())
        .with_timestamp_ms(now_ms)
        .with_manifest_list(manifest_list)
        .with_summary(summary)
        .build())
}

/// The time of the next change of a table: now, or a millisecond after the last (design decision 2).
///
/// # Errors
/// `InvalidInput` if this machine's clock is far behind the table.
pub(crate) fn next_ms(lake: &Lake, head: &LakeTable) -> Result<i64> {
    let now_ms = lake.clock.now_ms();
    let last_ms = head.metadata().last_updated_ms();
    if last_ms - now_ms > MOST_BEHIND_MS {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "this machine's clock is {} minutes behind the table's last commit; set the clock",
                (last_ms - now_ms) / 60_000
            ),
        )
        .with_context("table", head.name()));
    }
    Ok(now_ms.max(last_ms + 1))
}
