//! The warehouse: the catalog, the tables, and what a command needs to use them.

mod place;
mod s3;
mod sdk;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_s3::Client;
use northstar_catalog::open::{OpenMode, open};
use northstar_iceberg::access::{Access, JsonLinesSink};
use northstar_iceberg::clock::{Clock, SystemClock};
use northstar_iceberg::commit::RunContext;
use northstar_iceberg::engine::LocalEngine;
use northstar_iceberg::ids::{Ids, RandomIds};
use northstar_iceberg::merge::{ChangeOptions, FileCosts, LakeSession};
use northstar_iceberg::observer::Observer;
use northstar_iceberg::sql::{LakeTables, SqlOptions, SqlSession};
use northstar_iceberg::storage::landing;
use northstar_iceberg::write::WriteOptions;
use northstar_iceberg::{Error, ErrorKind, Lake, Result};

pub(crate) use self::place::Place;
pub(crate) use self::sdk::{client as s3_client, failed};
use crate::audit::{LockedBucket, RecordedTwice};
use crate::cli::Global;

/// Less memory than this is little.
const TIGHT_BYTES: usize = 512 << 20;

/// An opened warehouse.
#[derive(Debug)]
pub(crate) struct Warehouse {
    /// A local folder: the warehouse itself, or what is put aside for one in a bucket.
    pub(crate) folder: PathBuf,
    pub(crate) lake: Lake,
    pub(crate) access: Access,
    /// Where records are kept for good, if somewhere.
    pub(crate) audit: Option<LockedBucket>,
    place: Place,
    run_id: Option<String>,
    memory_bytes: usize,
}

impl Warehouse {
    /// Opens a warehouse that is there.
    pub(crate) async fn existing(global: &Global, observer: Arc<dyn Observer>) -> Result<Self> {
        let place = Place::of(global)?;
        if place.has_catalog(global)? {
            return Self::open(place, global, OpenMode::Existing, observer).await;
        }
        Err(Error::new(
            ErrorKind::NotFound,
            "there is no warehouse here; name another with --warehouse DIR, or make one with \
             `northstar demo` or `northstar load csv`",
        )
        .with_context("path", global.warehouse.display()))
    }

    /// Opens a warehouse, and makes it first if it is not there: a folder that its owner alone may
    /// enter.
    pub(crate) async fn create(global: &Global, observer: Arc<dyn Observer>) -> Result<Self> {
        let place = Place::of(global)?;
        place.create(global)?;
        Self::open(place, global, OpenMode::Create, observer).await
    }

    async fn open(
        place: Place,
        global: &Global,
        mode: OpenMode,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        let access = Access::new(&global.actor, &global.reason)?;
        let s3 = s3::set_up(&place, global).await?;
        let catalog = open(&place.catalog(global)?, mode).await?;
        let folder = place.opened_scratch(global)?;
        let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) =
            (Arc::new(SystemClock), Arc::new(RandomIds));
        let audit = LockedBucket::of(&global.storage, s3.as_ref(), &clock);
        let recorded = RecordedTwice {
            file: JsonLinesSink::new(folder.join("access.jsonl")),
            bucket: audit.clone(),
            ids: Arc::clone(&ids),
        };
        let lake = Lake {
            catalog,
            warehouse: place.tables()?,
            clock,
            ids,
            access: Arc::new(global.opened.noting(recorded)),
            observer,
        };
        let run_id = global.run_id.clone();
        Ok(Self { folder, lake, access, audit, place, run_id, memory_bytes: global.memory })
    }

    /// S3 as the options say, for a warehouse that need not be there yet; none if they name no bucket.
    pub(crate) async fn s3(place: &Place, global: &Global) -> Result<Option<Client>> {
        s3::set_up(place, global).await
    }

    /// Sets up S3 if one of these files or folders is in a bucket, before the first is looked at.
    ///
    /// # Errors
    /// Those of the options of S3.
    pub(crate) async fn reads(
        global: &Global,
        sources: impl IntoIterator<Item = &Path>,
    ) -> Result<()> {
        match sources.into_iter().any(landing::is_in_bucket) {
            true => s3::set_up_sources(global).await,
            false => Ok(()),
        }
    }

    /// The options by which another process of this program opens it.
    pub(crate) fn arguments(&self, global: &Global) -> Vec<OsString> {
        let place = match &self.place {
            Place::Folder(folder) => {
                std::fs::canonicalize(folder).unwrap_or_else(|_| folder.clone())
            }
            Place::Bucket(location) => PathBuf::from(location),
        };
        let mut arguments = vec!["--warehouse".into(), place.into()];
        arguments.extend(["--scratch".into(), self.folder.clone().into()]);
        arguments.extend(global.storage.arguments());
        arguments
    }

    /// Where it is, for people.
    pub(crate) fn shown(&self) -> String {
        match &self.place {
            Place::Folder(folder) => match std::fs::canonicalize(folder) {
                Ok(whole) => shown(&whole),
                Err(_) => folder.display().to_string(),
            },
            Place::Bucket(location) => location.clone(),
        }
    }

    /// A run of a job, for commits.
    pub(crate) fn run(&self, job: &str) -> RunContext {
        RunContext {
            job: job.to_string(),
            run_id: self.run_id.clone().unwrap_or_else(|| self.lake.ids.uuid().to_string()),
            actor: self.access.actor().to_string(),
            reason: self.access.purpose().to_string(),
        }
    }

    /// How writers use the machine. Three quarters of the memory are for rows that wait; the rest is
    /// for the batches under way and for encoding, on fewer threads where that is little.
    pub(crate) fn write_options(&self, threads: usize) -> WriteOptions {
        WriteOptions {
            memory_bytes: self.row_bytes() / 4 * 3,
            spill_folder: self.spill_folder(),
            threads: threads.min(self.most_threads()),
        }
    }

    /// A session over all tables, for queries.
    pub(crate) fn session(&self) -> Result<SqlSession> {
        let tables = LakeTables::new(self.lake.clone(), self.access.clone());
        SqlSession::new(self.sql_options(), Arc::new(tables))
    }

    /// A session over all tables that also changes rows, in the name of a job.
    pub(crate) fn changing_session(&self, job: &str) -> Result<LakeSession> {
        self.maintaining_session(job, 2)
    }

    /// The same, with so many files encoded at once.
    pub(crate) fn maintaining_session(&self, job: &str, threads: usize) -> Result<LakeSession> {
        let write = self.write_options(threads);
        let options = ChangeOptions {
            // A quarter for rows that wait and a quarter for encoding. Queries run meanwhile, and have
            // the rest.
            write: WriteOptions { memory_bytes: self.row_bytes() / 4, ..write },
            scratch_folder: self.spill_folder(),
            costs: FileCosts::default(),
            whole_table: false,
        };
        LakeSession::new(
            self.lake.clone(),
            self.access.clone(),
            self.run(job),
            self.sql_options(),
            Arc::new(LocalEngine),
            options,
        )
    }

    fn sql_options(&self) -> SqlOptions {
        let defaults = SqlOptions::default();
        SqlOptions {
            target_partitions: defaults.target_partitions.min(self.most_threads()),
            memory_bytes: Some(self.row_bytes()),
            spill_dir: Some(self.spill_folder()),
            ..defaults
        }
    }

    fn is_tight(&self) -> bool {
        self.memory_bytes < TIGHT_BYTES
    }

    /// Memory for rows under way: all of it, or five eighths where it is little, because what allocators
    /// and decoders hold beside them does not shrink with it.
    fn row_bytes(&self) -> usize {
        if self.is_tight() { self.memory_bytes / 8 * 5 } else { self.memory_bytes }
    }

    /// How many files or partitions are under way at once: one where memory is little, for each has a
    /// page, a dictionary and a compressor for each column, whatever its size.
    fn most_threads(&self) -> usize {
        if self.is_tight() { 1 } else { usize::MAX }
    }

    /// Where rows are put aside.
    pub(crate) fn spill_folder(&self) -> PathBuf {
        self.folder.join(".spill")
    }
}

/// A path as it is best shown: relative to where we stand, if it is below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(below) => format!("./{}", below.display()),
        Err(_) => path.display().to_string(),
    }
}
