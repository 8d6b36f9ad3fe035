//! Compaction, done: each round reads the first groups of a fresh plan, writes them and commits.
//!
//! Rounds keep what a failure costs small, and take in what other writers do meanwhile. The last round
//! finds nothing to do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use iceberg::spec::{DataFile, Operation};
use roaring::RoaringTreemap;

use super::compaction::{CompactOptions, CompactionPlan, EARLIER_SPECS, FileGroup, check};
use crate::commit::{Backoff, CommitRequest, FileChange, Outcome, Validation};
use crate::merge::{LakeSession, WriteExec, WriteTask, described};
use crate::observer::Event;
use crate::scan::{IcebergTable, Inventory};
use crate::sql::from_datafusion;
use crate::table::WriteProperties;
use crate::write::Written;
use crate::{LakeTable, Result, TableName};

/// A commit takes groups of so many bytes, and at least one.
const COMMIT_BYTES: u64 = 16 << 30;

/// Rounds beyond those that the first plan needs: for what other writers add meanwhile, and for the
/// small files that groups leave.
const MORE_ROUNDS: usize = 8;

/// What compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Data files that were read and are no longer part of the table.
    pub files_rewritten: u64,
    /// Their bytes.
    pub bytes_rewritten: u64,
    /// Files of position deletes that are no longer part of the table.
    pub delete_files_removed: u64,
    /// Rows that they had taken.
    pub deleted_rows: u64,
    /// Data files that were written.
    pub files_added: u64,
    /// Their bytes.
    pub bytes_added: u64,
    /// The snapshots that were made, oldest first.
    pub snapshots: Vec<i64>,
}

/// Compacts a table.
///
/// Files of a snapshot stay for as long as the snapshot does, so time travel answers as before (C1).
/// Other writers may commit meanwhile: what they add is not in the way, and what they change of files
/// that are being compacted has these planned anew.
///
/// # Errors
/// As [`CompactionPlan::read`]; `Conflict` if other writers keep coming first; `CommitUnknown` if a
/// reply was lost for good; storage errors. Rounds that were committed before stay so.
pub async fn compact(
    session: &LakeSession,
    name: &TableName,
    options: &CompactOptions,
) -> Result<CompactReport> {
    let mut table = session.lake.open_table(name, &session.access).await?;
    table.check_writable()?;
    let properties = WriteProperties::read(table.metadata().properties())?;
    let mut backoff = Backoff::new(&properties, session.lake.ids.as_ref());
    let mut report = CompactReport::default();
    // Partitions whose files came out no fewer: to write them again would change nothing.
    let mut settled: HashSet<String> = HashSet::new();
    let mut most_rounds = None;
    loop {
        check(&table, options)?;
        let inventory = provider(&table)?.inventory().await?;
        let mut plan = CompactionPlan::of(&inventory, table.metadata(), options)?;
        plan.groups.retain(|group| !settled.contains(&group.partition));
        let most = *most_rounds.get_or_insert(plan.groups.len() + MORE_ROUNDS);
        if plan.is_empty() || report.snapshots.len() >= most {
            return Ok(report);
        }
        let plan = plan.first(COMMIT_BYTES, &inventory);
        let round = Round { session, table: &table, plan: &plan, inventory: &inventory };
        let (outcome, added) = Box::pin(round.run()).await?;
        if matches!(outcome, Outcome::Conflicted { .. }) {
            session.lake.observer.event(&Event::Retried { attempts: backoff.failures() + 1 });
            if !backoff.wait().await {
                return outcome.settled().map(|_| report);
            }
        } else if let Some((snapshot_id, _)) = outcome.settled()? {
            report.add(&plan, &added, snapshot_id);
            settled.extend(added.no_better());
        }
        table = session.lake.reload(&table).await?;
    }
}

impl CompactReport {
    fn add(&mut self, plan: &CompactionPlan, added: &Added, snapshot_id: i64) {
        self.files_rewritten += plan.files();
        self.bytes_rewritten += plan.bytes();
        self.delete_files_removed += plan.deletes.len() as u64;
        self.deleted_rows += plan.groups.iter().map(|group| group.deleted_rows).sum::<u64>();
        self.files_added += added.files;
        self.bytes_added += added.bytes;
        self.snapshots.push(snapshot_id);
    }
}

/// What a round wrote.
#[derive(Debug, Default)]
struct Added {
    files: u64,
    bytes: u64,
    /// Files before and after, by the partition of their groups, where they were merely small.
    of: HashMap<String, (u64, u64)>,
}

impl Added {
    fn add(&mut self, group: &FileGroup, written: &Written) {
        let files = written.files.len() as u64;
        self.files += files;
        self.bytes += written.files.iter().map(DataFile::file_size_in_bytes).sum::<u64>();
        // Files of earlier specs are none of these afterwards, however many they are.
        if group.worn_files == 0 && group.unsorted_files == 0 && group.partition != EARLIER_SPECS {
            let (before, after) = self.of.entry(group.partition.clone()).or_default();
            *before += group.files.len() as u64;
            *after += files;
        }
    }

    /// The partitions whose small files came out no fewer.
    fn no_better(self) -> impl Iterator<Item = String> {
        let settled = self.of.into_iter().filter(|(_, (before, after))| after >= before);
        settled.map(|(partition, _)| partition)
    }
}

/// One round: some groups, one commit.
struct Round<'a> {
    session: &'a LakeSession,
    table: &'a LakeTable,
    plan: &'a CompactionPlan,
    inventory: &'a Inventory,
}

impl Round<'_> {
    async fn run(&self) -> Result<(Outcome, Added)> {
        let commit_id = self.session.lake.ids.uuid().to_string();
        let mut written = Written::default();
        let mut added = Added::default();
        for group in &self.plan.groups {
            let paths = group.files.iter().cloned().collect();
            match self.rewrite(paths, &commit_id).await {
                Ok(more) => {
                    added.add(group, &more);
                    written.files.extend(more.files);
                }
                Err(error) => {
                    written.discard();
                    return Err(error);
                }
            }
        }
        Ok((self.commit(written, commit_id).await?, added))
    }

    /// Writes the live rows of some files anew.
    async fn rewrite(&self, paths: HashSet<String>, commit_id: &str) -> Result<Written> {
        let source = provider_as_source(Arc::new(provider(self.table)?.with_only(paths)));
        let rows = LogicalPlanBuilder::scan("t", source, None)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let state = self.session.sql.context().state();
        let rows = state.create_physical_plan(&rows).await.map_err(from_datafusion)?;
        let rows: Arc<dyn ExecutionPlan> = match rows.output_partitioning().partition_count() {
            0 | 1 => rows,
            _ => Arc::new(CoalescePartitionsExec::new(rows)),
        };
        let lake = &self.session.lake;
        let task = WriteTask {
            metadata: self.table.inner().metadata_ref(),
            commit_id: commit_id.to_string(),
            options: self.session.options.write.clone(),
            ids: Arc::clone(&lake.ids),
            observer: Arc::clone(&lake.observer),
        };
        let write = Arc::new(WriteExec::new(rows, task));
        let told = self.session.engine.collect(write, state.task_ctx()).await?;
        described(self.table.metadata(), &told)
    }

    async fn commit(&self, written: Written, commit_id: String) -> Result<Outcome> {
        let files: HashSet<String> =
            self.plan.groups.iter().flat_map(|group| group.files.iter().cloned()).collect();
        let before = deleted(self.inventory, &files);
        let deletes = self.plan.deletes.iter().map(|(path, _)| path.clone());
        let change = FileChange {
            added: written.files.clone(),
            removed: files.iter().cloned().chain(deletes).collect(),
            operation: Some(Operation::Replace),
            ..FileChange::default()
        };
        let request = CommitRequest {
            commit_id,
            run: self.session.run.clone(),
            summary: [].into(),
            expect: None,
        };
        let validation = Untouched { files, before };
        let outcome = self.session.lake.commit(self.table, &change, &request, &validation).await;
        if !matches!(outcome, Ok(Outcome::Committed { .. } | Outcome::Unknown(_))) {
            written.discard();
        }
        outcome
    }
}

/// Holds a rewrite to files of which no row was deleted since they were read.
struct Untouched {
    files: HashSet<String>,
    before: HashMap<String, RoaringTreemap>,
}

#[async_trait]
impl Validation for Untouched {
    async fn conflict(&self, head: &LakeTable) -> Result<Option<String>> {
        let now = provider(head)?.with_only(self.files.clone()).inventory().await?;
        let same = deleted(&now, &self.files) == self.before;
        Ok((!same).then(|| "files that are being compacted were changed".to_string()))
    }
}

/// The deleted rows of some files that are alive.
fn deleted(inventory: &Inventory, files: &HashSet<String>) -> HashMap<String, RoaringTreemap> {
    let wanted = inventory.data.iter().filter(|file| files.contains(file.data().file_path()));
    wanted.map(|file| (file.data().file_path().to_owned(), file.deleted.clone())).collect()
}

fn provider(table: &LakeTable) -> Result<IcebergTable> {
    IcebergTable::try_new(table.inner().clone(), None)
}
