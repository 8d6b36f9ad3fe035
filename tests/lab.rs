//! A lake in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use northstar_catalog::open::{OpenMode, open, sqlite_url};
use northstar_iceberg::access::{Access, MemorySink};
use northstar_iceberg::clock::SteppingClock;
use northstar_iceberg::commit::RunContext;
use northstar_iceberg::ids::{RandomIds, SeededIds};
use northstar_iceberg::observer::{Observer, Silent};
use northstar_iceberg::sql::{LakeTables, SqlOptions, SqlSession, from_datafusion};
use northstar_iceberg::write::WriteOptions;
use northstar_iceberg::{Lake, Result, storage};
use northstar_lakehouse::bronze::{LoadJob, LoadOptions, LoadReport};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::sources::csv::CsvOptions;
use tempfile::TempDir;

/// 2024-05-01 00:00:00 UTC, in milliseconds.
pub const START_MS: i64 = 1_714_521_600_000;

/// A lake, and the folder that goes with it.
#[derive(Debug)]
pub struct Lab {
    /// Holds the warehouse and whatever the test puts there.
    pub folder: TempDir,
    /// The lake in `folder/lake`.
    pub lake: Lake,
    /// Its clock: one minute passes at each reading.
    pub clock: Arc<SteppingClock>,
    /// Where openings are recorded.
    pub access: Arc<MemorySink>,
}

impl Lab {
    /// A new lake.
    pub async fn new() -> Self {
        Self::of(tempfile::tempdir().expect("a temporary folder")).await
    }

    /// A new lake in a temporary folder below another.
    pub async fn below(parent: &Path) -> Self {
        Self::of(tempfile::tempdir_in(parent).expect("a temporary folder")).await
    }

    async fn of(folder: TempDir) -> Self {
        let clock = Arc::new(SteppingClock::new(START_MS, 60_000));
        let access = Arc::new(MemorySink::default());
        let warehouse = folder.path().join("lake");
        std::fs::create_dir(&warehouse).expect("a folder");
        let url = sqlite_url(&warehouse.join("catalog.db")).expect("a URL");
        let lake = Lake {
            catalog: open(&url, OpenMode::Create).await.expect("a catalog"),
            warehouse: storage::location(&warehouse.join("tables")),
            clock: Arc::clone(&clock) as _,
            ids: Arc::new(SeededIds::new(7)),
            access: Arc::clone(&access) as _,
            observer: Arc::new(Silent),
        };
        Self { folder, lake, clock, access }
    }

    /// A second program on the same warehouse, with its own connection and ids.
    pub async fn second(&self) -> Lake {
        let url = sqlite_url(&self.folder.path().join("lake/catalog.db")).expect("a URL");
        let catalog = open(&url, OpenMode::Existing).await.expect("a catalog");
        Lake { catalog, ids: Arc::new(RandomIds), ..self.lake.clone() }
    }

    /// A path below the test's folder.
    pub fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join(below)
    }

    /// Loads a folder into `bronze`.
    pub async fn load(&self, from: &Path, contract: &str) -> Result<LoadReport> {
        load(&self.lake, from, contract).await
    }

    /// The rows of a query.
    pub async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        query(&self.lake, sql).await
    }

    /// The rows of a query as a table of text, for comparisons that a person can read.
    pub async fn text(&self, sql: &str) -> String {
        let batches = self.query(sql).await.expect(sql);
        arrow::util::pretty::pretty_format_batches(&batches).expect("text").to_string()
    }

    /// The number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        let batches = self.query(sql).await.expect(sql);
        let batch = batches.iter().find(|batch| batch.num_rows() > 0).expect("a row");
        let values = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Int64);
        let values = values.expect("a number");
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&values).value(0)
    }
}

/// Who tests open tables as.
pub fn tester() -> Access {
    Access::new("tester", "test").expect("both are given")
}

/// The run that tests commit as.
pub fn run_context() -> RunContext {
    RunContext {
        job: "test".into(),
        run_id: "run-1".into(),
        actor: "tester".into(),
        reason: "test".into(),
    }
}

/// Writers with little memory, so that spilling is part of every test.
pub fn small_writes(folder: &Path) -> WriteOptions {
    WriteOptions { memory_bytes: 1 << 20, spill_folder: folder.join("spill"), threads: 2 }
}

/// Loads a folder into `bronze` of a lake.
pub async fn load(lake: &Lake, from: &Path, contract: &str) -> Result<LoadReport> {
    let warehouse = storage::local_path(&lake.warehouse)?;
    let job = LoadJob {
        lake,
        namespace: "bronze".into(),
        contract: contract.parse::<Contract>()?,
        run: run_context(),
        access: tester(),
        options: LoadOptions {
            write: small_writes(&warehouse),
            csv: CsvOptions::default(),
            source_system: "test".into(),
        },
    };
    job.run(from).await
}

/// The same lake, telling `observer` what it does.
pub fn observed(lake: &Lake, observer: Arc<dyn Observer>) -> Lake {
    Lake { observer, ..lake.clone() }
}

/// The rows of a query on a lake.
pub async fn query(lake: &Lake, sql: &str) -> Result<Vec<RecordBatch>> {
    let tables = LakeTables::new(lake.clone(), tester());
    let session = SqlSession::new(SqlOptions::default(), Arc::new(tables))?;
    session.query(sql).await?.collect().await.map_err(from_datafusion)
}
