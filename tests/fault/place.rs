//! A warehouse that outlives the programs that write to it, and the folders they load from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use northstar_catalog::open::{OpenMode, open, sqlite_url};
use northstar_catalog::{Catalog, Result};
use northstar_iceberg::access::MemorySink;
use northstar_iceberg::clock::SteppingClock;
use northstar_iceberg::ids::SeededIds;
use northstar_iceberg::observer::{Observer, Silent};
use northstar_iceberg::write::WriteOptions;
use northstar_iceberg::{Lake, storage};
use northstar_lakehouse::bronze::{LoadJob, LoadOptions, LoadReport};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::sources::csv::CsvOptions;
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{START_MS, run_context, tester};

/// How far the clocks of two runs are apart, in milliseconds: a hundred runs stay within what a
/// clock may be behind the table.
const RUN_MS: i64 = 5_000;

/// The tables of the folders below, in the order in which they are loaded.
pub(crate) const TABLES: [&str; 3] = ["lab", "site", "visit"];

/// The folder that holds a warehouse.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// The warehouse in `folder/lake`, which is made if it is not there.
    pub(crate) fn new(folder: &Path) -> Self {
        let lake = folder.join("lake");
        std::fs::create_dir_all(&lake).expect("a folder");
        Self(lake)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The warehouse as the `run`-th program sees it: with ids of its own.
    pub(crate) async fn try_lake(&self, run: u32, observer: Arc<dyn Observer>) -> Result<Lake> {
        let url = sqlite_url(&self.0.join("catalog.db"))?;
        let catalog: Arc<dyn Catalog> = open(&url, OpenMode::Create).await?;
        Ok(Lake {
            catalog,
            warehouse: storage::location(&self.0.join("tables")),
            clock: Arc::new(SteppingClock::new(START_MS + i64::from(run) * RUN_MS, 10)),
            ids: Arc::new(SeededIds::new(u64::from(run))),
            access: Arc::new(MemorySink::default()),
            observer,
        })
    }

    /// The same, for warehouses that can be opened.
    pub(crate) async fn lake(&self, run: u32) -> Lake {
        self.try_lake(run, Arc::new(Silent)).await.expect("a lake")
    }

    /// The same, telling `observer` what is done.
    pub(crate) async fn observed(&self, run: u32, observer: Arc<dyn Observer>) -> Lake {
        self.try_lake(run, observer).await.expect("a lake")
    }
}

/// Loads a folder into `bronze` with so little memory that some rows are spilled.
pub(crate) async fn load(lake: &Lake, from: &Path) -> Result<LoadReport> {
    let warehouse = storage::local_path(&lake.warehouse)?;
    let job = LoadJob {
        lake,
        namespace: "bronze".into(),
        contract: VISITS.parse::<Contract>()?,
        run: run_context(),
        access: tester(),
        options: LoadOptions {
            write: WriteOptions {
                memory_bytes: 48 << 10,
                spill_folder: warehouse.with_file_name("spill"),
                threads: 2,
            },
            csv: CsvOptions { batch_rows: 64, ..CsvOptions::default() },
            source_system: "test".into(),
        },
    };
    job.run(from).await
}

/// Results, each 50th of them malformed. Types are inferred.
pub(crate) fn labs(first: u64, rows: u64) -> String {
    use std::fmt::Write;
    let mut text = String::from("id,code,value\n");
    for id in first..first + rows {
        match id % 50 {
            7 => writeln!(text, "{id},too,many,values"),
            _ => writeln!(text, "{id},c{},{}.{:02}", id % 5, id % 9, id % 100),
        }
        .expect("memory");
    }
    text
}

/// Three tables: partitioned with rejects, inferred with rejects, and small without.
pub(crate) fn first_extract(parent: &Path) -> PathBuf {
    let rejects = "x,s1,2024-01-01 00:00:00,\nonly,two\n";
    let one = format!("{}{rejects}", visits(0, 260));
    let two = visits(260, 240);
    folder(
        parent,
        "first",
        &[
            ("visit/1.csv", one.as_bytes()),
            ("visit/2.csv", two.as_bytes()),
            ("lab.csv", labs(0, 300).as_bytes()),
            ("site.csv", b"site,name\ns0,North\ns1,South\ns2,West\n"),
        ],
    )
}

/// The first extract and a day more for two of its tables.
pub(crate) fn second_extract(parent: &Path) -> PathBuf {
    let first = first_extract(parent);
    let second = parent.join("second");
    std::fs::create_dir_all(second.join("visit")).expect("a folder");
    for name in ["visit/1.csv", "visit/2.csv", "lab.csv", "site.csv"] {
        std::fs::copy(first.join(name), second.join(name)).expect("a copy");
    }
    let three = format!("{}y,s2,2024-01-01 00:00:00,\n", visits(500, 150));
    folder(
        parent,
        "second",
        &[("visit/3.csv", three.as_bytes()), ("lab/day2.csv", labs(300, 120).as_bytes())],
    )
}
