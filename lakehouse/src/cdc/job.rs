//! The merge of a batch of change files into one table: one commit, whatever comes between.

use std::collections::BTreeMap;
use std::path::PathBuf;

use northstar_iceberg::access::Access;
use northstar_iceberg::commit::{CommitRequest, FileChange, RunContext, Validation};
use northstar_iceberg::merge::{Explanation, LakeSession, StatementCommit};
use northstar_iceberg::{Lake, LakeTable, TableName};

use super::files::{ChangeFile, Format};
use super::report::{MergeOutcome, MergeReport};
use super::stage::{Staged, Staging};
use super::target::Target;
use super::{columns, counts, files, parquet, statement};
use crate::bronze::load::batch_id;
use crate::bronze::read::has_records;
use crate::contract::{Deletes, TableContract};
use crate::sources::csv::{Column, ColumnType, CsvOptions, Inference};
use crate::{ErrorKind, Result};

/// The summary entry that holds the position of the last change in a table. It only rises.
pub const WATERMARK_SUMMARY: &str = "northstar.cdc.watermark";
/// The summary entry that says how many files a commit merged.
pub const FILES_SUMMARY: &str = "northstar.cdc.files";

/// How often a batch is planned anew because another writer came first.
const MOST_PLANS: u32 = 5;

/// A merge of change files into one table.
#[derive(Debug)]
pub struct MergeJob<'a> {
    /// Where tables are.
    pub lake: &'a Lake,
    /// What runs the statement, on the same lake.
    pub session: &'a LakeSession,
    /// The table; made if it is not there.
    pub table: TableName,
    /// What is said of it: key, version, deletes, types.
    pub contract: TableContract,
    /// The run, for commits.
    pub run: RunContext,
    /// Who merges, and why.
    pub access: Access,
    /// How CSV files are read.
    pub csv: CsvOptions,
    /// Where change rows are put aside while the merge runs.
    pub scratch_folder: PathBuf,
}

impl MergeJob<'_> {
    /// Merges the changes of all files, or of none.
    ///
    /// # Errors
    /// `NotFound` for a missing file; `InvalidData` for change rows that are none, naming file, line,
    /// column and reason of the first; `InvalidInput` for a contract without a key or one that is not
    /// the table's; `Conflict` if other writers keep coming first; `CommitUnknown` if a reply was
    /// lost for good, when running the same merge again is safe; storage errors.
    pub async fn run(&self, paths: &[PathBuf]) -> Result<MergeReport> {
        let files = tokio::task::block_in_place(|| files::open(paths))?;
        let mut created = false;
        let mut plans = 1;
        loop {
            match Box::pin(self.merge(&files, &mut created)).await {
                Err(error) if error.kind() == ErrorKind::Conflict && plans < MOST_PLANS => {
                    plans += 1
                }
                ended => {
                    return ended
                        .map(|report| MergeReport { created, ..report })
                        .map_err(|error| error.with_context("table", &self.table));
                }
            }
        }
    }

    async fn merge(&self, files: &[ChangeFile], created: &mut bool) -> Result<MergeReport> {
        let (table, target) = match self.opened().await? {
            Some(table) => {
                let target = Target::of_table(&table, &self.contract)?;
                if let Some(snapshot_id) = table.snapshot_of_commit(&id_of(&table, files)) {
                    let report = MergeReport::new(MergeOutcome::AlreadyMerged, files.len());
                    return Ok(MergeReport { snapshot_id: Some(snapshot_id), ..report });
                }
                (table, target)
            }
            None => match tokio::task::block_in_place(|| self.source_columns(files))? {
                None => return Ok(MergeReport::new(MergeOutcome::Empty, files.len())),
                Some(columns) => {
                    *created = true;
                    self.create(columns).await?
                }
            },
        };
        self.merge_into(&table, &target, files).await
    }

    async fn opened(&self) -> Result<Option<LakeTable>> {
        match self.lake.open_table(&self.table, &self.access).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Makes the table for these columns; another writer may have made it meanwhile.
    pub(super) async fn create(&self, columns: Vec<Column>) -> Result<(LakeTable, Target)> {
        let target = Target::planned(self.table.clone(), columns, &self.contract)?;
        let definition = target.definition(&self.contract)?;
        self.lake.catalog.create_namespace(self.table.namespace()).await?;
        match self.lake.create_table(&self.table, &definition, &self.access).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let table = self.lake.open_table(&self.table, &self.access).await?;
                let target = Target::of_table(&table, &self.contract)?;
                Ok((table, target))
            }
            made => Ok((made?, target)),
        }
    }

    /// The columns of a table to be made, as the first file with a change has them: declared types
    /// where the contract has them, else those of the file; nothing if no file has a change.
    fn source_columns(&self, files: &[ChangeFile]) -> Result<Option<Vec<Column>>> {
        let renames = columns::renames(&self.contract);
        for file in files {
            let (names, types) = match file.format {
                Format::Csv => {
                    let names = columns::csv_names(&file.path, &renames, &self.csv)?;
                    if !has_records(&file.path, &renames, &self.csv)? {
                        continue;
                    }
                    (names, BTreeMap::new())
                }
                Format::Parquet => {
                    let (described, rows) = parquet::describe(file, &renames)?;
                    if rows == 0 {
                        continue;
                    }
                    let names = described.iter().map(|(name, _)| name.clone()).collect();
                    let types =
                        described.into_iter().filter_map(|(name, kind)| Some((name, kind?)));
                    (names, types.collect())
                }
            };
            let source = columns::source_names(&names, &file.path)?;
            return self.typed(files, source, types).map(Some);
        }
        Ok(None)
    }

    fn typed(
        &self,
        files: &[ChangeFile],
        names: Vec<String>,
        mut types: BTreeMap<String, ColumnType>,
    ) -> Result<Vec<Column>> {
        for name in &names {
            if let Some(kind) = self.contract.column_type(name)? {
                types.insert(name.clone(), kind);
            }
        }
        if names.iter().any(|name| !types.contains_key(name)) {
            let mut inference = Inference::new(&self.csv);
            for file in files.iter().filter(|file| file.format == Format::Csv) {
                inference.add(&file.path, &columns::renames(&self.contract))?;
            }
            for column in inference.columns() {
                types.entry(column.name).or_insert(column.column_type);
            }
        }
        let typed = names.into_iter().map(|name| {
            let kind = types.get(&name).copied().unwrap_or(ColumnType::String);
            Column::new(name, kind)
        });
        Ok(typed.collect())
    }

    /// What merging the files would do to the table that is there; `None` if they were merged before or
    /// hold no change. Nothing is written but what is put aside meanwhile.
    ///
    /// # Errors
    /// `NotFound` for a table that is not there; else as [`MergeJob::run`].
    pub async fn explain(&self, paths: &[PathBuf]) -> Result<Option<Explanation>> {
        let files = tokio::task::block_in_place(|| files::open(paths))?;
        let table = self.lake.open_table(&self.table, &self.access).await?;
        let target = Target::of_table(&table, &self.contract)?;
        let id = id_of(&table, &files);
        if table.snapshot_of_commit(&id).is_some() {
            return Ok(None);
        }
        let before = table.inherited_summary(WATERMARK_SUMMARY);
        let staged = self.stage(&target, before, &files)?;
        if staged.last_position.is_none() {
            return Ok(None);
        }
        let given = [(statement::staged_name()?, staged.rows.table())].into();
        let sql = statement::merge(&target, &id);
        Box::pin(self.session.explain(&sql, given, None)).await.map(Some)
    }

    /// Puts the changes of files aside, those behind the watermark.
    pub(super) fn stage(
        &self,
        target: &Target,
        watermark: Option<&str>,
        files: &[ChangeFile],
    ) -> Result<Staged> {
        let staging = Staging {
            lake: self.lake,
            scratch_folder: &self.scratch_folder,
            target,
            renames: &columns::renames(&self.contract),
            csv: &self.csv,
            watermark,
            skip: target.deletes == Deletes::Hard,
        };
        tokio::task::block_in_place(|| staging.stage(files))
    }

    async fn merge_into(
        &self,
        table: &LakeTable,
        target: &Target,
        files: &[ChangeFile],
    ) -> Result<MergeReport> {
        let before = table.inherited_summary(WATERMARK_SUMMARY).map(str::to_string);
        let Staged { rows, counts: read, last_position } =
            self.stage(target, before.as_deref(), files)?;
        let outcome = if read.read_rows == 0 { MergeOutcome::Empty } else { MergeOutcome::Merged };
        let mut report = MergeReport {
            read_rows: read.read_rows,
            before_images: read.before_images,
            skipped_rows: read.skipped_rows,
            ..MergeReport::new(outcome, files.len())
        };
        let Some(last) = last_position else { return Ok(report) };
        // It never goes back, even if late files are merged (W3).
        let watermark = before.clone().map_or(last.clone(), |before| before.max(last));
        let id = id_of(table, files);
        let commit = StatementCommit {
            id: Some(id.clone()),
            summary: BTreeMap::from([
                (WATERMARK_SUMMARY.to_string(), watermark.clone()),
                (FILES_SUMMARY.to_string(), files.len().to_string()),
            ]),
            expect: Some((WATERMARK_SUMMARY.to_string(), before.clone())),
            ..StatementCommit::default()
        };
        let given = [(statement::staged_name()?, rows.table())].into();
        let sql = statement::merge(target, &id);
        let changed = Box::pin(self.session.change(&sql, given, commit.clone())).await?;
        report.snapshot_id = changed.snapshot_id;
        if changed.already_committed {
            report.outcome = MergeOutcome::AlreadyMerged;
            return Ok(report);
        }
        if changed.snapshot_id.is_none() && before.as_ref() != Some(&watermark) {
            report.snapshot_id = self.mark(table, id.clone(), commit).await?;
        }
        let now = self.lake.open_table(&self.table, &self.access).await?;
        counts::add(&mut report, &changed, (self.session, target, &id), &now).await?;
        report.statement = Some(changed);
        Ok(report)
    }

    /// Moves the watermark past changes that came to nothing. Otherwise one of them, merged again
    /// without the delete that undid it, would bring its row back.
    async fn mark(
        &self,
        table: &LakeTable,
        commit_id: String,
        commit: StatementCommit,
    ) -> Result<Option<i64>> {
        let change = FileChange { mark: true, ..FileChange::default() };
        let request = CommitRequest {
            commit_id,
            run: self.run.clone(),
            summary: commit.summary,
            expect: commit.expect,
        };
        let outcome = self.lake.commit(table, &change, &request, &Unmoved).await?;
        Ok(outcome.settled()?.map(|(snapshot_id, _)| snapshot_id))
    }
}

/// What came to nothing may come to something once the table is another.
struct Unmoved;

#[async_trait::async_trait]
impl Validation for Unmoved {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(Some("it changed before the watermark moved".to_string()))
    }
}

/// The same files into the same table are the same batch, whoever merges them.
fn id_of(table: &LakeTable, files: &[ChangeFile]) -> String {
    let hashes: Vec<String> = files.iter().map(|file| file.sha256.clone()).collect();
    batch_id(table, &hashes)
}
