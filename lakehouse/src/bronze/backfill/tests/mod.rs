//! Backfills of small folders, whole and broken off.

mod commits;
mod descriptors;
mod runs;

use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use northstar_catalog::Catalog;
use northstar_catalog::open::{OpenMode, open, sqlite_url};
use northstar_iceberg::access::{Access, MemorySink};
use northstar_iceberg::clock::SteppingClock;
use northstar_iceberg::commit::RunContext;
use northstar_iceberg::ids::SeededIds;
use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::{LakeTables, SqlOptions, SqlSession};
use northstar_iceberg::write::WriteOptions;
use northstar_iceberg::{Lake, storage};

use super::{
    BackfillJob, Descriptor, Filter, KnownBy, Planned, States, Unit, UnitName, UnitState, Wave,
    list,
};
use crate::bronze::{LoadJob, LoadOptions};
use crate::contract::Contract;
use crate::sources::csv::CsvOptions;

const CONTRACT: &str =
    "[visit]\npartition = [\"site\"]\n[visit.columns]\nid = \"long\"\nsite = \"string\"\n";

/// A lake in a temporary folder, and the folder of its units.
pub(super) struct Bed {
    folder: tempfile::TempDir,
    pub(super) lake: Lake,
    contract: Contract,
    access: Access,
}

impl Bed {
    /// With these files below the folder of units.
    pub(super) async fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = sqlite_url(&folder.path().join("catalog.db")).unwrap();
        let lake = Lake {
            catalog: open(&url, OpenMode::Create).await.unwrap(),
            warehouse: storage::location(&folder.path().join("tables")),
            clock: Arc::new(SteppingClock::new(1_714_521_600_000, 1_000)),
            ids: Arc::new(SeededIds::new(7)),
            access: Arc::new(MemorySink::default()),
            observer: Arc::new(Silent),
        };
        let contract = CONTRACT.parse().unwrap();
        let bed = Self { folder, lake, contract, access: Access::new("tester", "test").unwrap() };
        std::fs::create_dir(bed.from()).unwrap();
        files.iter().for_each(|(name, text)| bed.put(name, text));
        bed
    }

    /// The same with another catalog, such as one that loses replies.
    pub(super) fn with_catalog(&self, catalog: Arc<dyn Catalog>) -> Lake {
        Lake { catalog, ..self.lake.clone() }
    }

    pub(super) fn from(&self) -> std::path::PathBuf {
        self.folder.path().join("history")
    }

    pub(super) fn put(&self, name: &str, text: &str) {
        let path = self.from().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn job(&self) -> BackfillJob<'_> {
        self.job_on(&self.lake)
    }

    pub(super) fn job_on<'a>(&self, lake: &'a Lake) -> BackfillJob<'a> {
        let run = RunContext {
            job: "backfill".into(),
            run_id: "run-1".into(),
            actor: "tester".into(),
            reason: "test".into(),
        };
        let spill_folder = self.folder.path().join("spill");
        BackfillJob {
            load: LoadJob {
                lake,
                namespace: "bronze".into(),
                contract: self.contract.clone(),
                run,
                access: self.access.clone(),
                options: LoadOptions {
                    write: WriteOptions { memory_bytes: 1 << 20, spill_folder, threads: 1 },
                    csv: CsvOptions::default(),
                    source_system: "test".into(),
                },
            },
            from: self.from(),
            commit_units: 2,
            wave_ms: i64::MAX,
        }
    }

    /// All units, or those of these names.
    pub(super) fn units(&self, names: &[&str]) -> Vec<Unit> {
        let units = names.iter().map(|name| name.parse().unwrap()).collect();
        list(&self.from(), &Filter { units, ..Filter::default() }).unwrap().units
    }

    pub(super) async fn states(&self, known_by: KnownBy) -> Vec<(String, UnitState)> {
        let units = self.units(&[]);
        let states = States {
            lake: Some((&self.lake, &self.access)),
            namespace: "bronze",
            contract: &self.contract,
            csv: &CsvOptions::default(),
            known_by,
        };
        let states = states.of(&units).await.unwrap();
        units.into_iter().map(|unit| unit.name.to_string()).zip(states).collect()
    }

    /// The names of units that are pending by either way to know.
    pub(super) async fn pending(&self) -> Vec<String> {
        let of = |states: Vec<(String, UnitState)>| -> Vec<String> {
            let pending = states.into_iter().filter(|(_, state)| *state == UnitState::Pending);
            pending.map(|(name, _)| name).collect()
        };
        let by_content = of(self.states(KnownBy::Content).await);
        assert_eq!(by_content, of(self.states(KnownBy::Name).await));
        by_content
    }

    /// A wave of these units, and what was written of each.
    pub(super) async fn written(&self, names: &[&str]) -> (Wave, Vec<Descriptor>) {
        let job = self.job();
        let units = self.units(names);
        let names: Vec<UnitName> = units.iter().map(|unit| unit.name.clone()).collect();
        let Planned::Wave(wave) = job.plan(&names).await.unwrap() else { panic!("no table") };
        let mut written = Vec::new();
        for unit in &units {
            written.push(job.write(&wave, unit).await.unwrap());
        }
        (wave, written)
    }

    /// The rows of a query of numbers.
    pub(super) async fn numbers(&self, sql: &str) -> Vec<Vec<i64>> {
        let tables = Arc::new(LakeTables::new(self.lake.clone(), self.access.clone()));
        let session = SqlSession::new(SqlOptions::default(), tables).unwrap();
        let batches = session.query(sql).await.unwrap().collect().await.unwrap();
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let columns = batch.columns().iter();
                rows.push(columns.map(|one| one.as_primitive::<Int64Type>().value(row)).collect());
            }
        }
        rows
    }

    /// Rows and distinct ids of the table, and its records in quarantine.
    pub(super) async fn counts(&self) -> [i64; 3] {
        let rows = self.numbers("SELECT count(*), count(DISTINCT id) FROM bronze.visit").await;
        let quarantined = self.numbers("SELECT count(*) FROM bronze.quarantine").await;
        [rows[0][0], rows[0][1], quarantined[0][0]]
    }

    /// The snapshots of a table, oldest first, by their summaries' `northstar.seq`.
    pub(super) async fn seqs(&self, table: &str) -> Vec<i64> {
        let name = northstar_iceberg::TableName::new("bronze", table).unwrap();
        let table = self.lake.open_table(&name, &self.access).await.unwrap();
        let mut seqs: Vec<i64> = table
            .ancestors()
            .map(|snapshot| {
                snapshot.summary().additional_properties["northstar.seq"].parse().unwrap()
            })
            .collect();
        seqs.reverse();
        seqs
    }

    /// The data files below the folder of a table.
    pub(super) fn data_files(&self, table: &str) -> usize {
        fn count(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries
                .map(|path| match path.is_dir() {
                    true => count(&path),
                    false => usize::from(path.extension().is_some_and(|kind| kind == "parquet")),
                })
                .sum()
        }
        let tables = std::fs::read_dir(self.folder.path().join("tables/bronze")).unwrap();
        let folders = tables.map(|entry| entry.unwrap().path()).filter(|path| {
            path.file_name().unwrap().to_string_lossy().starts_with(&format!("{table}-"))
                || path.ends_with(table)
        });
        folders.map(|folder| count(&folder)).sum()
    }
}

/// A file of these ids.
pub(super) fn visits(ids: std::ops::Range<u32>, site: &str) -> String {
    ids.fold("id,site\n".to_string(), |text, id| text + &format!("{id},{site}\n"))
}
