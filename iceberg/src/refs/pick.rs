//! Cherry-picking: the files that one snapshot appended, added to `main` by a commit of its own.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use iceberg::spec::{
    DataFile, DataFileBuilder, MAIN_BRANCH, Manifest, ManifestContentType, ManifestFile,
    ManifestStatus, Operation, SnapshotRef,
};

use super::rollback::ancestors;
use crate::commit::summary::{ACTOR, COMMIT_ID, JOB, REASON, RUN_ID, VERSION};
use crate::commit::{CommitRequest, FileChange, Outcome, RunContext, Validation};
use crate::lake::damaged;
use crate::scan::widened;
use crate::travel::{AsOf, resolve};
use crate::{Error, ErrorKind, Lake, LakeTable, Result, Retry};

/// The summary entry that holds the snapshot whose files were added.
///
/// Source: <https://iceberg.apache.org/spec/#optional-snapshot-summary-fields>
pub const SOURCE_SNAPSHOT_ID: &str = "source-snapshot-id";

/// What the summary says of one run; the commit that picks has its own.
const OF_A_RUN: [&str; 6] = [COMMIT_ID, JOB, RUN_ID, ACTOR, REASON, VERSION];

/// A snapshot that is picked.
struct Pick<'a> {
    lake: &'a Lake,
    source: SnapshotRef,
    /// What it appended.
    files: Vec<DataFile>,
    /// What it says of the table's state, such as its watermark, and what stood there before.
    moved: Vec<(String, Option<String>)>,
}

impl Lake {
    /// Adds what a snapshot appended to `main`, as a new snapshot with the commit id and the
    /// watermark of the first; its summary names the first as `source-snapshot-id`.
    ///
    /// `AlreadyCommitted` if the rows are part of `main`: by the snapshot itself, by an earlier pick
    /// of it, or by the same commit made again.
    ///
    /// # Errors
    /// `NotFound` for a snapshot that is not there; `Unsupported` for one that did more than append,
    /// and for files of another partition spec than the current; `Conflict` if a watermark that the
    /// snapshot moved has moved on `main` too, since it would go back (W3), and if its files are
    /// part of `main` already; what [`Lake::commit`] says.
    pub async fn cherry_pick(
        &self,
        table: &LakeTable,
        snapshot_id: i64,
        run: RunContext,
    ) -> Result<Outcome> {
        resolve(table.metadata(), &AsOf::Snapshot(snapshot_id))?;
        let Some(source) = table.metadata().snapshot_by_id(snapshot_id) else {
            return Ok(Outcome::Unchanged);
        };
        if let Some(snapshot_id) = picked(table, snapshot_id) {
            return Ok(Outcome::AlreadyCommitted { snapshot_id });
        }
        let said = &source.summary().additional_properties;
        let commit_id = match said.get(COMMIT_ID) {
            Some(id) => id.clone(),
            None => format!("cherry-pick-{snapshot_id}"),
        };
        if let Some(snapshot_id) = table.snapshot_of_commit(&commit_id) {
            return Ok(Outcome::AlreadyCommitted { snapshot_id });
        }
        let pick = Pick::read(self, table, source).await?;
        if let Some(reason) = pick.conflict(table).await? {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("the snapshot cannot be added to main: {reason}"),
            )
            .with_context("snapshot", snapshot_id)
            .with_retry(Retry::Never));
        }
        let mut summary: BTreeMap<String, String> =
            state(source).map(|(key, value)| (key.to_string(), value.to_string())).collect();
        summary.insert(SOURCE_SNAPSHOT_ID.to_string(), snapshot_id.to_string());
        let request = CommitRequest { commit_id, run, summary, expect: None };
        let change = FileChange { added: pick.files.clone(), ..FileChange::default() };
        self.commit(table, &change, &request, &pick).await
    }
}

impl<'a> Pick<'a> {
    async fn read(lake: &'a Lake, table: &LakeTable, source: &SnapshotRef) -> Result<Pick<'a>> {
        let refuse = |message: String| {
            Err(Error::new(ErrorKind::Unsupported, message)
                .with_context("snapshot", source.snapshot_id()))
        };
        let operation = &source.summary().operation;
        if *operation != Operation::Append {
            return refuse(format!(
                "only appends can be cherry-picked, and this snapshot is of operation `{}`; set the \
                 branch forward, or run its statement on main",
                operation.as_str()
            ));
        }
        let spec_id = table.metadata().default_partition_spec_id();
        let mut files = Vec::new();
        for file in manifests(table, source).await? {
            if file.added_snapshot_id != source.snapshot_id() {
                continue;
            }
            let manifest = load(lake, table, &file).await?;
            let own = |status| status != ManifestStatus::Existing;
            for entry in manifest.entries().iter().filter(|entry| own(entry.status())) {
                let is_append = entry.status() == ManifestStatus::Added;
                if !is_append || file.content != ManifestContentType::Data {
                    return refuse("the snapshot does more than append rows".to_string());
                }
                if file.partition_spec_id != spec_id {
                    return refuse(
                        "the table is partitioned differently by now; load the rows again"
                            .to_string(),
                    );
                }
                files.push(as_of_now(table, entry.data_file())?);
            }
        }
        let before = |key: &str| {
            ancestors(table, source.parent_snapshot_id()).find_map(|id| {
                let summary = table.metadata().snapshot_by_id(id)?.summary();
                summary.additional_properties.get(key).cloned()
            })
        };
        let moved = state(source)
            // Counts of rows are told, not carried on.
            .filter(|(key, _)| !key.ends_with("-rows"))
            .map(|(key, value)| (key.to_string(), value, before(key)))
            .filter(|(_, value, before)| before.as_deref() != Some(value))
            .map(|(key, _, before)| (key, before))
            .collect();
        Ok(Pick { lake, source: SnapshotRef::clone(source), files, moved })
    }

    /// A file of the snapshot that `main` has too.
    async fn doubled(&self, head: &LakeTable) -> Result<Option<String>> {
        let Some(current) = head.metadata().current_snapshot() else { return Ok(None) };
        let paths: HashSet<&str> = self.files.iter().map(DataFile::file_path).collect();
        for file in manifests(head, current).await? {
            if file.content != ManifestContentType::Data {
                continue;
            }
            let manifest = load(self.lake, head, &file).await?;
            let mut alive = manifest.entries().iter().filter(|entry| entry.is_alive());
            if let Some(entry) = alive.find(|entry| paths.contains(entry.file_path())) {
                return Ok(Some(entry.file_path().to_string()));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Validation for Pick<'_> {
    async fn conflict(&self, head: &LakeTable) -> Result<Option<String>> {
        let id = self.source.snapshot_id();
        // Its files go with it, so they may not be added once it has expired.
        if head.metadata().snapshot_by_id(id).is_none() {
            return Ok(Some("it has expired".to_string()));
        }
        if picked(head, id).is_some() {
            return Ok(Some("its rows are part of main by now".to_string()));
        }
        for (key, before) in &self.moved {
            if head.inherited_summary(key) != before.as_deref() {
                return Ok(Some(format!("{key} has moved on main since; load the rows again")));
            }
        }
        let doubled = self.doubled(head).await?;
        Ok(doubled.map(|path| format!("its file {path} is part of main already")))
    }
}

/// The snapshot of `main` that holds the rows of `source`: itself, or one that it was picked into.
fn picked(table: &LakeTable, source: i64) -> Option<i64> {
    let text = source.to_string();
    let holds = |id: &i64| {
        let snapshot = table.metadata().snapshot_by_id(*id);
        let said = snapshot.map(|snapshot| &snapshot.summary().additional_properties);
        *id == source || said.and_then(|said| said.get(SOURCE_SNAPSHOT_ID)) == Some(&text)
    };
    ancestors(table, table.head_of(MAIN_BRANCH).map(|head| head.snapshot_id())).find(holds)
}

/// What a snapshot says of the table's state rather than of the run that made it.
fn state(snapshot: &SnapshotRef) -> impl Iterator<Item = (&str, &str)> {
    let said = snapshot.summary().additional_properties.iter();
    said.map(|(key, value)| (key.as_str(), value.as_str()))
        .filter(|(key, _)| key.starts_with("northstar.") && !OF_A_RUN.contains(key))
}

async fn manifests(table: &LakeTable, snapshot: &SnapshotRef) -> Result<Vec<ManifestFile>> {
    let list = table.inner().manifest_list_reader(snapshot).load().await;
    let list = list.map_err(|error| {
        damaged("a manifest list", snapshot.manifest_list(), table.name(), error)
    })?;
    Ok(list.consume_entries().into_iter().collect())
}

async fn load(lake: &Lake, table: &LakeTable, file: &ManifestFile) -> Result<Manifest> {
    file.load_manifest(&lake.file_io())
        .await
        .map_err(|error| damaged("a manifest", &file.manifest_path, table.name(), error))
}

/// The file with its partition in the types of now: those of a column that was widened since are
/// narrower, and a manifest takes no others.
fn as_of_now(table: &LakeTable, file: &DataFile) -> Result<DataFile> {
    let unfit = |error| {
        Error::new(ErrorKind::Damaged, "a picked file's partition cannot be told")
            .with_source(error)
            .with_context("file", file.file_path())
    };
    let metadata = table.metadata();
    let kinds = metadata.default_partition_spec().partition_type(metadata.current_schema());
    let partition = widened(file.partition(), &kinds.map_err(unfit)?);
    if partition == *file.partition() {
        return Ok(file.clone());
    }
    let mut now = DataFileBuilder::default();
    now.content(file.content_type())
        .file_path(file.file_path().to_string())
        .file_format(file.file_format())
        .partition(partition)
        .partition_spec_id(metadata.default_partition_spec_id())
        .record_count(file.record_count())
        .file_size_in_bytes(file.file_size_in_bytes())
        .column_sizes(file.column_sizes().clone())
        .value_counts(file.value_counts().clone())
        .null_value_counts(file.null_value_counts().clone())
        .nan_value_counts(file.nan_value_counts().clone())
        .lower_bounds(file.lower_bounds().clone())
        .upper_bounds(file.upper_bounds().clone())
        .key_metadata(file.key_metadata().map(<[u8]>::to_vec))
        .split_offsets(file.split_offsets().map(<[i64]>::to_vec));
    if let Some(order) = file.sort_order_id() {
        now.sort_order_id(order);
    }
    now.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "a picked file cannot be described").with_source(error)
    })
}
