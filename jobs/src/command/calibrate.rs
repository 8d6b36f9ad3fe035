//! `northstar calibrate`: how fast this machine loads and merges, for plans.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use northstar_iceberg::observer::Silent;
use northstar_iceberg::{Error, ErrorKind, Result, TableName};
use northstar_lakehouse::cdc::{MergeJob, MergeOutcome};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::legacy_emr::{Defects, LegacyEmr};
use northstar_lakehouse::sources::csv::CsvOptions;

use super::load::{self, Request, extract_folder};
use super::{merge, snapshots};
use crate::calibrate::machine;
use crate::calibrate::spent::{Mark, Spent};
use crate::cli::plan::Calibrate;
use crate::cli::{Cli, Global};
use crate::exit::Done;
use crate::plan::calibration::{Calibration, FORMAT, Generator, Load, Merge};
use crate::plan::real;
use crate::printer::Printer;
use crate::warehouse::{Place, Warehouse, shown};

/// The file that plans look for.
pub(super) const FILE: &str = "calibration.json";
const BRONZE: &str = "bronze";
const TABLE: &str = "lab_result";
const SILVER: &str = "silver.lab_result";
const DAYS: u32 = 3;

pub(crate) async fn run(global: &Global, asked: &Calibrate, printer: &Printer) -> Result<Done> {
    let to = asked.to.clone().unwrap_or_else(|| file(global));
    let measured = Box::pin(measured(global, asked, printer)).await?;
    let mut text = serde_json::to_string_pretty(&measured).map_err(|error| {
        Error::new(ErrorKind::Internal, "a number cannot be written").with_source(error)
    })?;
    text.push('\n');
    std::fs::write(&to, text)
        .map_err(|error| Error::io(error, "write the calibration", to.display()))?;
    let (load, merge) = (&measured.load, &measured.merge);
    let row = |what: &str, rate: f64, (bytes, cpu, wall): (f64, f64, f64)| {
        let numbers = [format!("{rate:.0}"), format!("{bytes:.0}")];
        let seconds = [format!("{cpu:.2}"), format!("{wall:.2}")];
        [what.to_string()].into_iter().chain(numbers).chain(seconds).collect::<Vec<_>>()
    };
    let header = ["what", "rows / core s", "bytes / core s", "CPU s", "wall s"];
    let of_load = (load.bytes_per_core_second, load.cpu_seconds, load.wall_seconds);
    let of_merge = (merge.bytes_per_core_second, merge.cpu_seconds, merge.wall_seconds);
    printer.table(
        &header,
        &[
            row("load", load.rows_per_core_second, of_load),
            row("merge", merge.rows_per_core_second, of_merge),
        ],
    )?;
    printer
        .note(format!("written to {}; see what work takes: northstar plan backfill", shown(&to)));
    Ok(Done::Well)
}

/// Where the calibration is if nobody says so: in the warehouse, if there is one, or here.
pub(super) fn file(global: &Global) -> PathBuf {
    match Place::of(global) {
        Ok(Place::Folder(folder)) if folder.is_dir() => folder.join(FILE),
        _ => PathBuf::from(FILE),
    }
}

/// Generates, loads and merges in a folder that goes again, and gives the numbers.
async fn measured(global: &Global, asked: &Calibrate, printer: &Printer) -> Result<Calibration> {
    let machine = machine::this()?;
    let folder = tempfile::Builder::new().prefix("northstar-calibrate-").tempdir();
    let folder = folder
        .map_err(|error| Error::io(error, "make a folder", std::env::temp_dir().display()))?;
    printer.note(format!("about {} records are generated, loaded and changed …", asked.rows));
    let emr = generated(asked);
    let emr_folder = folder.path().join("emr");
    let written = tokio::task::block_in_place(|| {
        emr.write(&emr_folder, &mut |table, rows| tracing::debug!(table, rows, "written"))
    })?;
    let own = temporary(global, &folder.path().join("lake"))?;
    let warehouse = Warehouse::create(&own, Arc::new(Silent)).await?;
    let load = loaded(&warehouse, &emr_folder, machine.cores).await?;
    let merge = merged(&warehouse, &emr_folder).await?;
    let date = snapshots::time(warehouse.lake.clock.now_ms());
    folder.close().map_err(|error| Error::io(error, "remove the folder", "the temporary one"))?;
    Ok(Calibration {
        format: FORMAT,
        northstar: env!("CARGO_PKG_VERSION").to_string(),
        date,
        machine,
        generator: Generator {
            seed: emr.seed,
            rows: written.extract.iter().map(|file| file.rows).sum(),
            facilities: emr.facilities,
            months: emr.months,
        },
        load,
        merge,
    })
}

fn generated(asked: &Calibrate) -> LegacyEmr {
    let default = LegacyEmr::default();
    let defects = Defects { malformed: 0, ..Defects::default() };
    LegacyEmr { seed: asked.seed, defects, ..default }.with_about_rows(asked.rows)
}

/// The options of a warehouse of its own, in a folder, whatever the environment says.
fn temporary(global: &Global, folder: &Path) -> Result<Global> {
    let words = [Path::new("northstar"), Path::new("tables")];
    let cli = Cli::try_parse_from(words).map_err(|error| {
        Error::new(ErrorKind::Internal, "the options do not fit").with_source(error)
    })?;
    let mut own = cli.global;
    own.warehouse = folder.to_path_buf();
    own.memory = global.memory;
    own.actor.clone_from(&global.actor);
    own.storage.catalog = None;
    own.storage.scratch = None;
    own.storage.kms_key = None;
    own.storage.allow_unencrypted = false;
    own.storage.audit = None;
    Ok(own)
}

async fn loaded(warehouse: &Warehouse, emr: &Path, cores: u64) -> Result<Load> {
    let from = extract_folder(emr);
    let contract = emr.join("tables.toml");
    let request = Request {
        from: &from,
        into: BRONZE,
        contract: Some(&contract),
        source_system: "legacy_emr",
        threads: usize::try_from(cores).unwrap_or(1),
    };
    let source_bytes = folder_bytes(&from)?;
    let mark = Mark::now()?;
    let report = load::load(warehouse, &request).await?;
    let Spent { cpu_seconds, wall_seconds } = mark.spent()?.enough()?;
    if !report.balances() || report.files().any(|file| file.outcome.needs_attention()) {
        return Err(Error::new(ErrorKind::Internal, "the generated extract did not load"));
    }
    let mut table_bytes = 0;
    for table in report.tables.iter().filter(|table| table.snapshot_id.is_some()) {
        table_bytes +=
            of_summary(warehouse, &table.table, table.snapshot_id, "added-files-size").await?;
    }
    let rows = report.tables.iter().map(|table| table.landed_rows()).sum();
    Ok(Load {
        source_bytes,
        rows,
        table_bytes,
        cpu_seconds,
        wall_seconds,
        bytes_per_core_second: real(source_bytes) / cpu_seconds,
        rows_per_core_second: real(rows) / cpu_seconds,
    })
}

async fn merged(warehouse: &Warehouse, emr: &Path) -> Result<Merge> {
    let contract = Contract::read(&emr.join("tables.toml"))?;
    let name: TableName = SILVER.parse()?;
    let seeded = seed(warehouse, &contract).await?;
    let table_rows = of_summary(warehouse, &name, seeded, "total-records").await?;
    let files: Vec<PathBuf> =
        (1..=DAYS).map(|day| emr.join(format!("changes/day_{day}/{TABLE}.csv"))).collect();
    let mut change_bytes = 0;
    for file in &files {
        change_bytes += file_bytes(file)?;
    }
    let mark = Mark::now()?;
    let report = Box::pin(merge::merge(warehouse, &name, &files, &contract)).await?;
    let Spent { cpu_seconds, wall_seconds } = mark.spent()?.enough()?;
    if report.outcome != MergeOutcome::Merged {
        return Err(Error::new(ErrorKind::InvalidInput, "no row changed; give more --rows"));
    }
    let rewritten_bytes =
        of_summary(warehouse, &name, report.snapshot_id, "added-files-size").await?;
    Ok(Merge {
        change_rows: report.read_rows,
        change_bytes,
        changed_rows: report.inserted + report.updated + report.deleted,
        table_rows,
        rewritten_bytes,
        cpu_seconds,
        wall_seconds,
        rows_per_core_second: real(report.read_rows) / cpu_seconds,
        bytes_per_core_second: real(change_bytes) / cpu_seconds,
        rewritten_bytes_per_change_byte: real(rewritten_bytes) / real(change_bytes),
    })
}

/// The table that is merged into: the newest row of each key of the extract.
async fn seed(warehouse: &Warehouse, contract: &Contract) -> Result<Option<i64>> {
    let session = warehouse.changing_session("calibrate")?;
    let job = MergeJob {
        lake: &warehouse.lake,
        session: &session,
        table: SILVER.parse()?,
        contract: contract.table(TABLE),
        run: warehouse.run("calibrate"),
        access: warehouse.access.clone(),
        csv: CsvOptions::default(),
        scratch_folder: warehouse.spill_folder(),
    };
    Ok(Box::pin(job.seed(&TableName::new(BRONZE, TABLE)?, 1)).await?.snapshot_id)
}

/// A number of a snapshot's summary.
async fn of_summary(
    warehouse: &Warehouse,
    name: &TableName,
    snapshot_id: Option<i64>,
    entry: &str,
) -> Result<u64> {
    let table = warehouse.lake.open_table(name, &warehouse.access).await?;
    let snapshot = snapshot_id.and_then(|id| table.metadata().snapshot_by_id(id));
    snapshot
        .and_then(|snapshot| snapshot.summary().additional_properties.get(entry))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a snapshot does not tell what it holds")
                .with_context("table", name)
                .with_context("entry", entry)
        })
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let failed = |error| Error::io(error, "list the folder", folder.display());
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        bytes += file_bytes(&entry.map_err(failed)?.path())?;
    }
    Ok(bytes)
}

fn file_bytes(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path)
        .map_err(|error| Error::io(error, "look at the file", path.display()))?;
    Ok(metadata.len())
}
