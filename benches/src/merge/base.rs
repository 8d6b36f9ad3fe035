//! The tables that are merged into, each written once by its own engine and laid out anew for each merge.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    arguments::MergeOptions,
    engine::Base,
    input::Input,
    place::{folder_of, lay_out},
    program::Program,
};
use crate::{
    child::Server,
    error::{BenchError, Result},
    load::remove,
    printer::progress,
};

/// Raised when tables are written in another way, so that no old ones are used.
const FORMAT: u32 = 2;

/// Threads that every peer may use.
const THREADS: &str = "2";

impl Base {
    /// Where its table stands while it is used; metadata has absolute paths, so it is always the same.
    pub(crate) fn place(self, options: &MergeOptions) -> Result<PathBuf> {
        Ok(options.scale.home()?.join("run").join(format!("merge-{}", self.name())))
    }

    /// Lays out the table of `input`, and writes it first if that was not done yet.
    ///
    /// # Errors
    /// An engine that cannot write its table.
    pub(crate) fn lay_out(self, input: &Input, options: &MergeOptions) -> Result<PathBuf> {
        let place = self.place(options)?;
        let kept = kept(self, input, options)?;
        if !kept.try_exists().map_err(|error| BenchError::at(&kept, &error))? {
            progress(&format!("{} writes the table of {} rows", self.name(), input.rows));
            remove(&place)?;
            forget(self, input)?;
            fs::create_dir_all(&place).map_err(|error| BenchError::at(&place, &error))?;
            match self {
                Self::Northstar => with_northstar(input, options, &place)?,
                Self::Duckdb => with_duckdb(input, options, &place)?,
                Self::Delta => with_delta(input, options, &place)?,
            }
            fs::rename(&place, &kept).map_err(|error| BenchError::at(&kept, &error))?;
        }
        lay_out(&kept, &place)?;
        Ok(place)
    }
}

/// Where the table of `input` is kept as it was before a merge. That of Northstar belongs to one build of
/// the program, because another may write other files.
///
/// # Errors
/// A program that is not there.
pub(crate) fn kept(base: Base, input: &Input, options: &MergeOptions) -> Result<PathBuf> {
    let begin = begin(base, input);
    if base != Base::Northstar {
        return Ok(input.home().join(begin));
    }
    let binary = &options.scale.northstar;
    let about = fs::metadata(binary).map_err(|error| BenchError::at(binary, &error))?;
    Ok(input.home().join(format!("{begin}-{}-{}", about.len(), about.mtime())))
}

/// Removes tables that an earlier build has written.
fn forget(base: Base, input: &Input) -> Result<()> {
    let home = input.home();
    let entries = fs::read_dir(home).map_err(|error| BenchError::at(home, &error))?;
    let mut names = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&begin(base, input)));
    names.try_for_each(|entry| remove(&entry.path()))
}

fn begin(base: Base, input: &Input) -> String {
    match base {
        Base::Northstar => format!("base-v{FORMAT}-northstar-{}", input.layout.kind()),
        _ => format!("base-v{FORMAT}-{}", base.name()),
    }
}

/// A table of the source's columns alone, written by an `INSERT` from what was loaded.
fn with_northstar(input: &Input, options: &MergeOptions, place: &Path) -> Result<()> {
    let program =
        Program { binary: &options.scale.northstar, warehouse: place.into(), memory: None };
    let layout = &input.layout;
    program.load(&input.extract.folder, "landing", &input.extract.contract)?;
    program.sql(&format!("CREATE SCHEMA {}", layout.namespace))?;
    program.sql(&layout.create())?;
    let names = layout.names();
    let landed = format!("landing.{}", layout.name);
    program.sql(&format!("INSERT INTO {} SELECT {names} FROM {landed}", layout.table()))?;
    program.sql(&format!("DROP TABLE {landed}"))?;
    remove(&folder_of(&place.join("tables").join("landing"), &format!("{}-", layout.name))?)
}

fn with_duckdb(input: &Input, options: &MergeOptions, place: &Path) -> Result<()> {
    let server = front(input, options, place, false)?;
    let python = options.python();
    let mut words = python.script("duckdb_load.py");
    words.extend(["--from".into(), input.extract.folder.clone().into()]);
    words.extend(["--catalog", &server.address, "--data", input.data.name()].map(OsString::from));
    words.extend(["--threads", THREADS].map(OsString::from));
    python.output(&words).map(drop)
}

fn with_delta(input: &Input, options: &MergeOptions, place: &Path) -> Result<()> {
    let python = options.python();
    let mut words = python.script("delta_load.py");
    words.extend(["--from".into(), input.extract.folder.clone().into()]);
    words.extend(["--table".into(), place.join("table").into()]);
    words.extend(["--threads", THREADS, "--data", input.data.name()].map(OsString::from));
    python.output(&words).map(drop)
}

/// Starts the catalog server that DuckDB writes through.
///
/// # Errors
/// A server that does not start.
pub(crate) fn front(
    input: &Input,
    options: &MergeOptions,
    warehouse: &Path,
    existing: bool,
) -> Result<Server> {
    let mut words = options.python().script("rest_front.py");
    words.extend(["--warehouse".into(), warehouse.into()]);
    words.extend(["--data", input.data.name()].map(OsString::from));
    if existing {
        words.push("--existing".into());
    }
    Server::start(&words, &warehouse.with_extension("server.log"))
}
