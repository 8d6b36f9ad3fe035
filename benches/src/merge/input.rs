//! What is merged: the extract of a table, and its change sets as CSV and Parquet.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::{
    arguments::{Data, MergeOptions},
    layout::Layout,
};
use crate::{
    child::Python,
    error::{BenchError, Result},
    lab::{ChangePlan, ChangeSet, Extract, Plan, write_changes, write_extract},
    numbers::as_f64,
    printer::progress,
};

/// Rows of lineitem at scale factor 1, about.
const SCALE_ROWS: f64 = 6e6;

/// The contract of lineitem.
const LINEITEM: &str = include_str!("lineitem.toml");

/// The extract of a table.
#[derive(Debug)]
pub(crate) struct Input {
    /// What it is.
    pub(crate) data: Data,
    /// Its names, columns, partitions and key.
    pub(crate) layout: Layout,
    /// Its files.
    pub(crate) extract: Extract,
    /// Rows, as asked for.
    pub(crate) rows: u64,
    /// What is generated here; TPC-H comes from its own generator.
    plan: Option<Plan>,
}

impl MergeOptions {
    /// The interpreter and the scripts of the peers.
    pub(crate) fn python(&self) -> Python<'_> {
        Python { interpreter: &self.scale.python, scripts: &self.scale.scripts }
    }
}

impl Input {
    /// Lab results of so many months.
    ///
    /// # Errors
    /// An extract that cannot be written.
    pub(crate) fn lab(rows: u64, months: u32, options: &MergeOptions) -> Result<Self> {
        Self::results(Data::Lab, rows, months, options)
    }

    /// Lab results, with a document each if `data` says so.
    ///
    /// # Errors
    /// An extract that cannot be written.
    pub(crate) fn results(
        data: Data,
        rows: u64,
        months: u32,
        options: &MergeOptions,
    ) -> Result<Self> {
        let plan = Plan {
            rows,
            facilities: options.facilities,
            months,
            seed: options.seed,
            order: crate::lab::Order::Time,
            file_rows: 1_000_000,
            document_bytes: if data == Data::LabWide { options.document_bytes } else { 0 },
        };
        progress(&format!("an extract of {rows} rows"));
        let extract = write_extract(&plan, &options.scale.home()?)?;
        let layout = Layout::read("bronze", &read(&extract.contract)?)?;
        Ok(Self { data, layout, extract, rows, plan: Some(plan) })
    }

    /// TPC-H's lineitem at the scale factor that gives about so many rows.
    ///
    /// # Errors
    /// A generator that fails.
    pub(crate) fn tpch(rows: u64, options: &MergeOptions) -> Result<Self> {
        let home = options.scale.home()?.join(format!("tpch-v1-r{rows}"));
        let extract = Extract {
            folder: home.join("csv"),
            contract: home.join("tables.toml"),
            expected: home.join("expected.json"),
        };
        let there = extract.expected.try_exists();
        if !there.map_err(|error| BenchError::at(&extract.expected, &error))? {
            progress(&format!("lineitem of about {rows} rows"));
            fs::create_dir_all(&home).map_err(|error| BenchError::at(&home, &error))?;
            fs::write(&extract.contract, LINEITEM)
                .map_err(|error| BenchError::at(&extract.contract, &error))?;
            let scale = as_f64(rows) / SCALE_ROWS;
            let mut words = options.python().script("tpch.py");
            words.extend(["extract".into(), "--to".into(), home.into()]);
            words.extend(["--scale".into(), scale.to_string().into()]);
            options.python().output(&words)?;
        }
        let layout = Layout::read("tpch", LINEITEM)?;
        Ok(Self { data: Data::Tpch, layout, extract, rows, plan: None })
    }

    /// One round of changes to lineitem.
    fn tpch_changes(&self, change: &ChangePlan, options: &MergeOptions) -> Result<Vec<ChangeSet>> {
        let count = change.changes.map_or_else(String::new, |changes| format!("-n{changes}"));
        let folder = self.home().join(format!("changes-v1-{}{count}", change.shape.name()));
        let set = ChangeSet {
            csv: folder.join("changes").join("part-0001.csv"),
            parquet: folder.join("changes.parquet"),
            expected: folder.join("expected.json"),
            folder: folder.clone(),
        };
        if !set.expected.try_exists().map_err(|error| BenchError::at(&set.expected, &error))? {
            let mut words = options.python().script("tpch.py");
            words.extend(["changes".into(), "--to".into(), folder.into()]);
            words.extend(["--from".into(), self.extract.folder.clone().into()]);
            words.extend(["--shape", change.shape.name()].map(OsString::from));
            if let Some(changes) = change.changes {
                words.extend(["--changes".into(), changes.to_string().into()]);
            }
            options.python().output(&words)?;
        }
        Ok(vec![set])
    }

    /// The folder of the extract, below which what is made from it is kept.
    pub(crate) fn home(&self) -> &Path {
        self.extract.folder.parent().unwrap_or(&self.extract.folder)
    }

    /// The change sets of a plan, a round each.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub(crate) fn changes(
        &self,
        change: &ChangePlan,
        options: &MergeOptions,
    ) -> Result<Vec<ChangeSet>> {
        let sets = match &self.plan {
            Some(plan) => write_changes(plan, change, &self.extract)?,
            None => self.tpch_changes(change, options)?,
        };
        for set in &sets {
            let there = set.parquet.try_exists();
            if there.map_err(|error| BenchError::at(&set.parquet, &error))? {
                continue;
            }
            let python = options.python();
            let mut words = python.script("changes_to_parquet.py");
            words.extend(["--from".into(), set.csv.clone().into()]);
            words.extend(["--to".into(), set.parquet.clone().into()]);
            words.extend(["--data", self.data.name()].map(OsString::from));
            python.output(&words)?;
        }
        Ok(sets)
    }

    /// The contract of the change sets, written beside that of the extract.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn contract_of_changes(&self) -> Result<PathBuf> {
        let path = self.home().join("changes.toml");
        let written = fs::write(&path, self.layout.contract_of_changes());
        written.map_err(|error| BenchError::at(&path, &error))?;
        Ok(path)
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| BenchError::at(path, &error))
}
