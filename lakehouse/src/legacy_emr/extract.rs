//! Writes everything: the extract, the nightly export, the change days, the contract, the truth.

use std::collections::BTreeMap;
use std::path::Path;

use northstar_catalog::{Error, ErrorKind, Result};

use super::changes;
use super::clinical::Visit;
use super::config::LegacyEmr;
use super::contract::tables_toml;
use super::extract_file::ExtractFile;
use super::people::{patient_id, same_person};
use super::row::Row;
use super::tables::{TABLES, VISIT_TABLES};
use super::truth::{DailyTruth, ExtractTruth, Live, Truth};
use super::world::{Slot, World};
use super::writer::{CsvFile, make_folder, write_text};

/// How many visits pass between two reports of progress.
const VISITS_PER_REPORT: u64 = 2_000;
/// One file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCount {
    /// The table's name.
    pub table: String,
    /// The file, relative to the folder given to [`LegacyEmr::write`].
    pub file: String,
    /// Well-formed records, without the header.
    pub rows: u64,
    /// Records that no reader can take.
    pub malformed: u64,
}

/// What [`LegacyEmr::write`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The files of `extract/`, in the order facility, provider, patient, encounter and so on.
    pub extract: Vec<TableCount>,
    /// The files of `daily/`.
    pub daily: Vec<TableCount>,
    /// The files of `changes/`, day by day.
    pub changes: Vec<TableCount>,
    /// The live rows of each table after the extract and after each day of changes.
    pub live: Vec<LiveCount>,
    /// Size of all CSV files in bytes.
    pub bytes: u64,
}

/// What a table holds at the end of a day, whatever the way that its rows came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCount {
    /// The table's name.
    pub table: String,
    /// The day, from 1; 0 is the extract.
    pub day: u64,
    /// Keys that have a row.
    pub keys: u64,
    /// Sum of the keys, modulo 2^64.
    pub key_sum: u64,
    /// Sum of the `version` column, if there is one.
    pub version_sum: Option<u64>,
}

impl LiveCount {
    pub(super) fn new(table: &str, day: u64, live: &Live) -> Self {
        Self {
            table: table.to_owned(),
            day,
            keys: live.keys,
            key_sum: live.key_sum,
            version_sum: live.version_sum,
        }
    }
}

impl LegacyEmr {
    /// Writes the files under `out`, which is made where it is missing; files of the same names are
    /// replaced. `progress` is called now and then with a table and its rows so far.
    ///
    /// Runs on the calling thread; memory does not grow with the extract, only with the changed
    /// keys of the three days.
    ///
    /// # Errors
    /// `InvalidInput` where a size makes no sense; `PermissionDenied`, `StorageFull` or `Storage`,
    /// naming the file, where writing fails.
    pub fn write(&self, out: &Path, progress: &mut dyn FnMut(&str, u64)) -> Result<Written> {
        self.check()?;
        make_folder(out)?;
        let world = World::new(self)?;
        let mut written = Written {
            extract: Vec::new(),
            daily: Vec::new(),
            changes: Vec::new(),
            live: Vec::new(),
            bytes: 0,
        };
        let extract = write_extract(&world, out, progress, &mut written)?;
        written
            .live
            .extend(extract.iter().map(|(table, truth)| LiveCount::new(table, 0, &truth.live)));
        let duplicate_people = write_people(&world, out, &mut written)?;
        let daily = write_daily(&world, out, &mut written)?;
        let changes = changes::write(&world, out, &extract, progress, &mut written)?;
        let truth = Truth {
            seed: self.seed,
            facilities: self.facilities,
            patients: self.patients,
            months: self.months,
            first_month: self.first_month.to_string(),
            day_0: world.date(0).unwrap_or_default().to_string(),
            visits: self.visits(),
            duplicate_people,
            extract,
            daily: BTreeMap::from([("day_1".to_owned(), daily)]),
            changes,
        };
        let defect = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Internal, "cannot form the truth file").with_source(error)
        };
        let json = serde_json::to_string_pretty(&truth).map_err(|error| defect(error.into()))?;
        write_text(&out.join("truth.json"), &format!("{json}\n"))?;
        let contract = tables_toml().map_err(|error| defect(error.into()))?;
        write_text(&out.join("tables.toml"), &contract)?;
        Ok(written)
    }
}

fn write_extract(
    world: &World<'_>,
    out: &Path,
    progress: &mut dyn FnMut(&str, u64),
    written: &mut Written,
) -> Result<BTreeMap<&'static str, ExtractTruth>> {
    let mut files = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        files.push(ExtractFile::create(world, table, out)?);
    }
    let mut row = Row::default();
    let people =
        [u64::from(world.emr().facilities), world.providers(), u64::from(world.emr().patients)];
    for (file, count) in files.iter_mut().zip(people) {
        for index in 0..count {
            let made = world.person_row(file.table, index, &mut row);
            file.emit(Slot { table: file.table, index, nth: 0 }, &mut row, made)?;
        }
        progress(file.table.name(), file.truth.rows);
    }
    for index in 0..world.emr().visits() {
        let visit = Visit::new(world, index);
        for table in VISIT_TABLES {
            let file = &mut files[table as usize];
            for nth in 0..visit.rows_of(table) {
                let made = world.visit_row(&visit, table, nth, &mut row);
                file.emit(Slot { table, index, nth }, &mut row, made)?;
            }
            if index % VISITS_PER_REPORT == 0 {
                progress(table.name(), file.truth.rows);
            }
        }
    }
    let mut truth = BTreeMap::new();
    for file in files {
        let table = file.table.name();
        let done = file.finish(written)?;
        progress(table, done.rows);
        truth.insert(table, done);
    }
    Ok(truth)
}

/// Writes which patient rows are one person, and gives their number.
fn write_people(world: &World<'_>, out: &Path, written: &mut Written) -> Result<u64> {
    let mut file = CsvFile::create(out.join("people.csv"), ["patient_id", "same_person_as"])?;
    let mut count = 0;
    for index in 0..u64::from(world.emr().patients) {
        if let Some(other) = same_person(world, index) {
            file.write(format!("{},{}\n", patient_id(index), patient_id(other)).as_bytes())?;
            count += 1;
        }
    }
    written.bytes += file.finish()?;
    Ok(count)
}

fn write_daily(
    world: &World<'_>,
    out: &Path,
    written: &mut Written,
) -> Result<BTreeMap<&'static str, DailyTruth>> {
    let first = world.emr().visits();
    let mut truth = BTreeMap::new();
    let (mut row, mut line) = (Row::default(), Vec::new());
    for table in VISIT_TABLES {
        let name = format!("daily/day_1/{}.csv", table.name());
        let header = table.columns().iter().map(|column| column.name);
        let mut file = CsvFile::create(out.join(&name), header)?;
        let mut rows = 0;
        for index in first..first + world.emr().visits_per_day() {
            let visit = Visit::new(world, index);
            for nth in 0..visit.rows_of(table) {
                world.visit_row(&visit, table, nth, &mut row);
                line.clear();
                row.encode(&mut line);
                file.write(&line)?;
                rows += 1;
            }
        }
        written.bytes += file.finish()?;
        written.daily.push(TableCount {
            table: table.name().to_owned(),
            file: name.clone(),
            rows,
            malformed: 0,
        });
        truth.insert(table.name(), DailyTruth { file: name, rows });
    }
    Ok(truth)
}
