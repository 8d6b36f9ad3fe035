//! Small manifests become few, ordered by partition; data files are not touched.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use iceberg::spec::{ManifestContentType, ManifestFile, Operation};

use super::reading::manifest_list;
use crate::access::Access;
use crate::commit::{Backoff, CommitRequest, FileChange, Outcome, RunContext, Validation, is_dead};
use crate::table::WriteProperties;
use crate::table::properties::{DEFAULT_MANIFEST_BYTES, MANIFEST_BYTES};
use crate::{Error, ErrorKind, Lake, LakeTable, Result, TableName};

/// How often the result is looked at again: manifests that are put together share their headers, so
/// they may need still fewer.
const MOST_ROUNDS: usize = 4;

/// What rewriting manifests would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestPlan {
    /// Manifests of the current snapshot.
    pub manifests: u64,
    /// The paths of those that are written anew.
    pub rewritten: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// About how many come in their place.
    pub into: u64,
}

/// What rewriting manifests did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestReport {
    /// Manifests before.
    pub before: u64,
    /// Manifests now.
    pub after: u64,
    /// Their bytes before.
    pub bytes_before: u64,
    /// Their bytes now.
    pub bytes_after: u64,
    /// The snapshots that were made, oldest first.
    pub snapshots: Vec<i64>,
}

impl ManifestPlan {
    /// Plans on the current snapshot; reads its manifest list alone.
    ///
    /// # Errors
    /// `Damaged` for a list that cannot be read; `InvalidInput` for a target size that is no number.
    pub async fn read(lake: &Lake, table: &LakeTable) -> Result<Self> {
        Ok(Self::of(&current(lake, table).await?, target_bytes(table)?))
    }

    /// Manifests below half of the target are small. They are rewritten if more than two are for
    /// each that they need, and those that tell of removed files alone always.
    fn of(manifests: &[ManifestFile], target_bytes: u64) -> Self {
        let mut plan = Self { manifests: manifests.len() as u64, ..Self::default() };
        let mut kinds: BTreeMap<(i32, bool), Vec<&ManifestFile>> = BTreeMap::new();
        for file in manifests {
            let deletes = file.content == ManifestContentType::Deletes;
            kinds.entry((file.partition_spec_id, deletes)).or_default().push(file);
        }
        for files in kinds.into_values() {
            let (dead, alive): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| is_dead(f));
            plan.take(&dead);
            let small: Vec<_> = alive.into_iter().filter(|f| bytes(f) < target_bytes / 2).collect();
            let needed = small.iter().map(|file| bytes(file)).sum::<u64>().div_ceil(target_bytes);
            if small.len() as u64 > 2 * needed {
                plan.take(&small);
                plan.into += needed;
            }
        }
        plan
    }

    fn take(&mut self, files: &[&ManifestFile]) {
        self.rewritten.extend(files.iter().map(|file| file.manifest_path.clone()));
        self.bytes += files.iter().map(|file| bytes(file)).sum::<u64>();
    }
}

/// Rewrites the manifests of a table's current snapshot as [`ManifestPlan`] says.
///
/// # Errors
/// As [`ManifestPlan::read`]; `Conflict` if other writers keep coming first; `CommitUnknown` if a
/// reply was lost for good; storage errors.
pub async fn rewrite_manifests(
    lake: &Lake,
    access: &Access,
    run: &RunContext,
    name: &TableName,
) -> Result<ManifestReport> {
    let mut table = lake.open_table(name, access).await?;
    table.check_writable()?;
    let properties = WriteProperties::read(table.metadata().properties())?;
    let mut backoff = Backoff::new(&properties, lake.ids.as_ref());
    let manifests = current(lake, &table).await?;
    let mut report = ManifestReport {
        before: manifests.len() as u64,
        bytes_before: manifests.iter().map(bytes).sum(),
        ..ManifestReport::default()
    };
    loop {
        let manifests = current(lake, &table).await?;
        report.after = manifests.len() as u64;
        report.bytes_after = manifests.iter().map(bytes).sum();
        let plan = ManifestPlan::of(&manifests, target_bytes(&table)?);
        if plan.rewritten.is_empty() || report.snapshots.len() >= MOST_ROUNDS {
            return Ok(report);
        }
        let change = FileChange {
            regrouped: plan.rewritten.iter().cloned().collect::<HashSet<_>>(),
            operation: Some(Operation::Replace),
            ..FileChange::default()
        };
        let request = CommitRequest {
            commit_id: lake.ids.uuid().to_string(),
            run: run.clone(),
            summary: [("manifests-replaced".to_string(), plan.rewritten.len().to_string())].into(),
            expect: None,
        };
        let outcome = lake.commit(&table, &change, &request, &StillListed).await?;
        if matches!(outcome, Outcome::Conflicted { .. }) {
            if !backoff.wait().await {
                return outcome.settled().map(|_| report);
            }
        } else if let Some((snapshot_id, _)) = outcome.settled()? {
            report.snapshots.push(snapshot_id);
        }
        table = lake.reload(&table).await?;
    }
}

/// Lets every commit pass: whether the manifests are still listed is looked at when they are written.
struct StillListed;

#[async_trait]
impl Validation for StillListed {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(None)
    }
}

/// The manifests of the current snapshot.
async fn current(lake: &Lake, table: &LakeTable) -> Result<Vec<ManifestFile>> {
    match table.metadata().current_snapshot() {
        Some(snapshot) => manifest_list(lake, table, snapshot).await,
        None => Ok(Vec::new()),
    }
}

fn target_bytes(table: &LakeTable) -> Result<u64> {
    let Some(text) = table.metadata().properties().get(MANIFEST_BYTES) else {
        return Ok(DEFAULT_MANIFEST_BYTES);
    };
    text.parse().ok().filter(|bytes| *bytes > 0).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("property {MANIFEST_BYTES} is `{text}`, which is no size in bytes"),
        )
    })
}

fn bytes(file: &ManifestFile) -> u64 {
    u64::try_from(file.manifest_length).unwrap_or(0)
}
