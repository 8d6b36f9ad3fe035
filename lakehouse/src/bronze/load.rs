//! The load of a folder of CSV files into the bronze tables of a namespace.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use northstar_iceberg::access::Access;
use northstar_iceberg::commit::{CommitRequest, Outcome, RunContext};
use northstar_iceberg::storage::landing::{FileState, open, state};
use northstar_iceberg::write::{Expansion, TableWriter, WriteOptions, Written};
use northstar_iceberg::{Lake, LakeTable, TableName};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::at_once::{LOOKS, READINGS, each};
use super::folder::{self, FoundFile};
use super::lineage::{BatchLineage, Lineage, SEQ_SUMMARY, SourceFile};
use super::loaded::loaded;
use super::read::{FileCounts, HashedFile, ReadBatch, Reading, has_records, read_batch};
use super::report::{FileOutcome, FileReport, LoadReport, TableReport};
use super::{define, quarantine};
use crate::contract::{Contract, TableContract};
use crate::sources::csv::{Column, CsvOptions};
use crate::{Error, ErrorKind, Result, Retry};

/// How often a table is planned anew because another writer changed it meanwhile.
const MOST_PLANS: u32 = 5;

/// How a load runs.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Memory, spill folder and threads of the writers.
    pub write: WriteOptions,
    /// How files are read.
    pub csv: CsvOptions,
    /// The name of the system that the files come from.
    pub source_system: String,
}

/// A load of one folder into one namespace.
#[derive(Debug)]
pub struct LoadJob<'a> {
    /// Where tables are.
    pub lake: &'a Lake,
    /// The namespace of the bronze tables; made if it is not there.
    pub namespace: String,
    /// What the files alone do not say.
    pub contract: Contract,
    /// The run, for commits.
    pub run: RunContext,
    /// Who loads, and why.
    pub access: Access,
    /// How.
    pub options: LoadOptions,
}

/// A table under way.
pub(super) struct Pending<'a> {
    pub(super) name: TableName,
    contract: TableContract,
    created: bool,
    /// What became of files so far.
    pub(super) done: Vec<FileReport>,
    /// Those that are still to be read.
    pub(super) files: Vec<HashedFile>,
    snapshot_id: Option<i64>,
    spilled_bytes: u64,
    job: &'a LoadJob<'a>,
}

/// How one plan of a table ended.
enum Planned {
    Done,
    /// The files at hand, or the table, changed; plan again.
    Again(Option<Error>),
}

impl LoadJob<'_> {
    /// Loads all files that are not there yet, table by table. Each table has at most one commit; a
    /// file that cannot be loaded is reported and does not hold up the others.
    ///
    /// # Errors
    /// Those that concern the whole load: no folder, no catalog, a full disk, a damaged table. What
    /// was committed for earlier tables stays; running the load again completes it (W4).
    pub async fn run(&self, from: &Path) -> Result<LoadReport> {
        let tables = folder::tables(from)?;
        let unknown: Vec<&str> =
            self.contract.tables().filter(|name| !tables.contains_key(*name)).collect();
        if !unknown.is_empty() {
            tracing::info!(tables = unknown.join(", "), "no files for some tables of the contract");
        }
        self.lake.catalog.create_namespace(&self.namespace).await?;
        let mut report = LoadReport::default();
        for (table, files) in tables {
            let name = TableName::new(&self.namespace, &table)?;
            report.tables.push(self.load_table(name, files).await?);
        }
        Ok(report)
    }

    /// The quarantine table of the namespace, made if it is not there.
    pub(super) async fn quarantine_table(&self) -> Result<LakeTable> {
        let name = TableName::new(&self.namespace, quarantine::TABLE)?;
        let (lake, access) = (self.lake, &self.access);
        loop {
            match lake.open_table(&name, access).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened,
            }
            match lake.create_table(&name, &quarantine::definition(), access).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                created => return created,
            }
        }
    }

    async fn load_table(&self, name: TableName, files: Vec<FoundFile>) -> Result<TableReport> {
        let mut pending = Pending::new(self, name);
        pending.hash(files).await?;
        let mut conflicts = 0;
        loop {
            match pending.plan().await? {
                Planned::Done => break,
                Planned::Again(None) => {}
                Planned::Again(Some(error)) => {
                    conflicts += 1;
                    if conflicts >= MOST_PLANS {
                        return Err(error.with_context("table", &pending.name));
                    }
                }
            }
        }
        Ok(pending.report())
    }
}

impl<'a> Pending<'a> {
    /// A table of which nothing is known yet.
    pub(super) fn new(job: &'a LoadJob<'a>, name: TableName) -> Self {
        Pending {
            contract: job.contract.table(name.table()),
            name,
            created: false,
            done: Vec::new(),
            files: Vec::new(),
            snapshot_id: None,
            spilled_bytes: 0,
            job,
        }
    }

    /// Reads each file once for its hash; of files with the same content, the first is loaded.
    pub(super) async fn hash(&mut self, files: Vec<FoundFile>) -> Result<()> {
        let hashed = tokio::task::spawn_blocking(move || {
            let hashed = each(&files, |file| &file.path, READINGS, hash);
            hashed.into_iter().zip(files).collect::<Vec<_>>()
        })
        .await
        .map_err(broken_off)?;
        let mut seen = HashSet::new();
        for (hashed, found) in hashed {
            match hashed {
                // What S3 cannot give now is no fault of the file.
                Err(error) if error.retry() != Retry::Never => return Err(error),
                Err(error) => self.set_aside(&found.name, FileOutcome::Refused(error)),
                Ok((sha256, state)) if seen.insert(sha256.clone()) => {
                    let source = SourceFile { name: found.name.clone(), sha256 };
                    self.files.push(HashedFile { found, source, state });
                }
                Ok(_) => self.set_aside(&found.name, FileOutcome::AlreadyLoaded),
            }
        }
        Ok(())
    }

    async fn plan(&mut self) -> Result<Planned> {
        let Some(table) = self.table().await? else { return Ok(Planned::Done) };
        self.skip_loaded().await?;
        if self.files.is_empty() {
            return Ok(Planned::Done);
        }
        let columns = define::source_columns(&table)?;
        self.load(&table, &columns).await
    }

    /// Sets aside the files that the table has rows of.
    pub(super) async fn skip_loaded(&mut self) -> Result<()> {
        let (lake, access) = (self.job.lake, &self.job.access);
        let present = loaded(lake, &self.name, None, &self.hashes(), access).await?;
        for file in std::mem::take(&mut self.files) {
            if present.contains(&file.source.sha256) {
                self.set_aside(&file.found.name, FileOutcome::AlreadyLoaded);
            } else {
                self.files.push(file);
            }
        }
        Ok(())
    }

    /// The hashes of the files that are still to be read.
    pub(super) fn hashes(&self) -> Vec<String> {
        self.files.iter().map(|file| file.source.sha256.clone()).collect()
    }

    /// Of them, those that have rejects in quarantine.
    pub(super) async fn quarantined(&self, quarantine: &LakeTable) -> Result<HashSet<String>> {
        let (lake, access) = (self.job.lake, &self.job.access);
        let source_table = Some(self.name.table());
        loaded(lake, quarantine.name(), source_table, &self.hashes(), access).await
    }

    /// The table, made if it is not there; nothing if no file has a record to make it for.
    pub(super) async fn table(&mut self) -> Result<Option<LakeTable>> {
        let (lake, access) = (self.job.lake, &self.job.access);
        loop {
            match lake.open_table(&self.name, access).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened.map(Some),
            }
            let columns = self.columns().await?;
            let Some(columns) = columns else { return Ok(None) };
            let definition = define::definition(&columns, &self.contract)
                .map_err(|error| error.with_context("table", &self.name))?;
            match lake.create_table(&self.name, &definition, access).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                created => {
                    self.created = true;
                    return created
                        .map(Some)
                        .map_err(|error| error.with_context("table", &self.name));
                }
            }
        }
    }

    /// The columns of a table to be made. Files that cannot be read are refused on the way.
    async fn columns(&mut self) -> Result<Option<Vec<Column>>> {
        self.refuse_headers().await?;
        loop {
            if self.files.is_empty() {
                return Ok(None);
            }
            let files: Vec<(String, PathBuf)> = self
                .files
                .iter()
                .map(|file| (file.found.name.clone(), file.found.path.clone()))
                .collect();
            let (contract, options) = (self.contract.clone(), self.job.options.csv.clone());
            let columns =
                tokio::task::spawn_blocking(move || define::columns(&files, &contract, &options))
                    .await
                    .map_err(broken_off)?;
            match columns {
                Ok(columns) => return Ok(Some(columns)),
                Err((_, error)) if error.retry() != Retry::Never => return Err(error),
                Err((name, error)) => self.refuse(&name, error),
            }
        }
    }

    /// Refuses files without a usable header, and sets aside those that hold a header alone.
    async fn refuse_headers(&mut self) -> Result<()> {
        let (renames, options) = (self.contract.renames(), self.job.options.csv.clone());
        let files: Vec<PathBuf> = self.files.iter().map(|file| file.found.path.clone()).collect();
        let checked = tokio::task::spawn_blocking(move || {
            each(&files, PathBuf::as_path, LOOKS, |path| has_records(path, &renames, &options))
        })
        .await
        .map_err(broken_off)?;
        for (file, checked) in std::mem::take(&mut self.files).into_iter().zip(checked) {
            match checked {
                Ok(true) => self.files.push(file),
                Ok(false) => self.set_aside(&file.found.name, FileOutcome::Empty),
                Err(error) if error.retry() != Retry::Never => return Err(error),
                Err(error) => self.set_aside(&file.found.name, FileOutcome::Refused(error)),
            }
        }
        Ok(())
    }

    async fn load(&mut self, table: &LakeTable, columns: &[Column]) -> Result<Planned> {
        let quarantine = self.job.quarantine_table().await?;
        let quarantined = self.quarantined(&quarantine).await?;
        let seq = next_seq(table);
        let batch_id = batch_id(table, &self.hashes());
        let batch = BatchLineage {
            source_system: self.job.options.source_system.clone(),
            source_table: self.name.table().to_string(),
            batch_id: batch_id.clone(),
            arrived_at_us: self.job.lake.clock.now_ms() * 1_000,
            seq,
        };
        let files = self.files.iter().map(|file| file.source.clone()).collect();
        let lineage = Lineage::new(batch, files);
        let quarantine_seq = next_seq(&quarantine);
        let read =
            self.read(table, (&quarantine, quarantine_seq), columns, &lineage, &quarantined)?;
        let ReadBatch { rows, rejects, counts } = match read {
            Ok(read) => read,
            Err((Some(index), error)) if file_is_at_fault(&error) => {
                let name = self.files[index].found.name.clone();
                self.refuse(&name, error);
                return Ok(Planned::Again(None));
            }
            Err((_, error)) => return Err(error),
        };
        let spilled_bytes = rows.spilled_bytes;
        // Quarantine goes first: once the rows are visible their files count as loaded, and nobody
        // would read the rejects again.
        if let Some(rejects) = rejects {
            let id = format!("{batch_id}-q");
            match self.commit(&quarantine, rejects, id, quarantine_seq).await {
                Ok(_) => {}
                Err(error) => {
                    rows.discard();
                    return again(error);
                }
            }
        }
        match self.commit(table, rows, batch_id, seq).await {
            Ok(snapshot_id) => self.snapshot_id = snapshot_id,
            Err(error) => return again(error),
        }
        self.spilled_bytes = spilled_bytes;
        for (file, counts) in std::mem::take(&mut self.files).into_iter().zip(counts) {
            self.done.push(file_report(file.found.name, counts));
        }
        Ok(Planned::Done)
    }

    pub(super) fn read(
        &self,
        table: &LakeTable,
        (quarantine, quarantine_seq): (&LakeTable, i64),
        columns: &[Column],
        lineage: &Lineage,
        quarantined: &HashSet<String>,
    ) -> Result<std::result::Result<ReadBatch, super::read::Blamed>> {
        let (lake, options) = (self.job.lake, &self.job.options);
        let commit_id = &lineage.batch().batch_id;
        let rows = TableWriter::new(lake, table, commit_id, options.write.clone())?;
        let expanding = lineage.clone();
        let narrow = Lineage::narrow_schema(&define::source_schema(columns));
        let rows =
            rows.with_expansion(Expansion::new(narrow, move |rows| expanding.expand(rows)))?;
        // Rejects are few, or the files are no CSV; they get a small share of the memory.
        let small =
            WriteOptions { memory_bytes: options.write.memory_bytes / 8, ..options.write.clone() };
        let rejects = || TableWriter::new(lake, quarantine, commit_id, small);
        let reading = Reading {
            columns,
            contract: &self.contract,
            options: &options.csv,
            lineage,
            quarantine_seq,
            quarantined,
            observer: lake.observer.as_ref(),
        };
        Ok(tokio::task::block_in_place(|| read_batch(&reading, &self.files, rows, rejects)))
    }

    async fn commit(
        &self,
        table: &LakeTable,
        written: Written,
        commit_id: String,
        seq: i64,
    ) -> Result<Option<i64>> {
        let before = table.inherited_summary(SEQ_SUMMARY).map(str::to_string);
        let request = CommitRequest {
            commit_id,
            run: self.job.run.clone(),
            summary: [
                (SEQ_SUMMARY.to_string(), seq.to_string()),
                ("northstar.source-files".to_string(), self.files.len().to_string()),
            ]
            .into(),
            expect: Some((SEQ_SUMMARY.to_string(), before)),
        };
        let outcome = self.job.lake.append(table, &written.files, &request).await;
        if !matches!(outcome, Ok(Outcome::Committed { .. } | Outcome::Unknown(_))) {
            written.discard();
        }
        let settled = outcome?.settled()?;
        Ok(settled.and_then(|(snapshot_id, is_new)| is_new.then_some(snapshot_id)))
    }

    pub(super) fn set_aside(&mut self, name: &str, outcome: FileOutcome) {
        let name = name.to_string();
        self.done.push(FileReport {
            name,
            outcome,
            read_rows: 0,
            landed_rows: 0,
            quarantined_rows: 0,
        });
    }

    pub(super) fn refuse(&mut self, name: &str, error: Error) {
        self.files.retain(|file| file.found.name != name);
        self.set_aside(name, FileOutcome::Refused(error));
    }

    fn report(mut self) -> TableReport {
        self.done.sort_by(|a, b| a.name.cmp(&b.name));
        TableReport {
            table: self.name,
            created: self.created,
            files: self.done,
            snapshot_id: self.snapshot_id,
            spilled_bytes: self.spilled_bytes,
        }
    }
}

pub(super) fn file_report(name: String, counts: FileCounts) -> FileReport {
    let outcome = match counts {
        FileCounts { damaged_line: Some(line), .. } => FileOutcome::Damaged { line },
        FileCounts { rows: 0, rejects: 0, .. } => FileOutcome::Empty,
        FileCounts { rows: 0, .. } => FileOutcome::Quarantined,
        _ => FileOutcome::Loaded,
    };
    FileReport {
        name,
        outcome,
        read_rows: counts.rows + counts.rejects,
        landed_rows: counts.rows,
        quarantined_rows: counts.rejects,
    }
}

/// A conflict is planned again; any other error ends the load.
fn again(error: Error) -> Result<Planned> {
    match error.kind() {
        ErrorKind::Conflict => Ok(Planned::Again(Some(error))),
        _ => Err(error),
    }
}

/// Whether an error says that this file is bad, rather than that the machine or S3 is.
pub(super) fn file_is_at_fault(error: &Error) -> bool {
    let is_of_file = matches!(
        error.kind(),
        ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::NotFound
            | ErrorKind::PermissionDenied
    );
    is_of_file && error.retry() == Retry::Never
}

pub(super) fn next_seq(table: &LakeTable) -> i64 {
    table.inherited_summary(SEQ_SUMMARY).and_then(|seq| seq.parse::<i64>().ok()).unwrap_or(0) + 1
}

/// The same files into the same table are the same batch, whenever and by whomever they are loaded.
pub(crate) fn batch_id(table: &LakeTable, hashes: &[String]) -> String {
    let mut hashes = hashes.to_vec();
    hashes.sort_unstable();
    Uuid::new_v5(&table.metadata().uuid(), hashes.join("\n").as_bytes()).to_string()
}

/// The SHA-256 of a file's content in hexadecimal, and the file's state before it was read.
pub(crate) fn hash(file: &FoundFile) -> Result<(String, FileState)> {
    let failed = |error| Error::io(error, "read the file", file.path.display());
    let state = state(&file.path, "look at the file")?;
    let mut reader = open(&file.path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut reader, &mut buffer).map_err(failed)? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    let hex = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hex, state))
}

fn broken_off(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "reading files was broken off").with_source(error)
}
