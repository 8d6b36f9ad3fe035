//! One engine merges one change set: what it used, what it wrote, and whether the table is right.

use std::{ffi::OsString, fs, path::Path};

use super::{
    arguments::{MergeOptions, MergePeer},
    base::front,
    engine::Engine,
    input::Input,
    place::{Listing, Written, folder_of, newest_metadata},
    program::{Program, told_by_statement},
};
use crate::{
    child::{Server, Usage, tail},
    error::{BenchError, Result},
    lab::ChangeSet,
    load::{Checked, Failure},
    printer::progress,
};

/// The table of changes in the warehouse of the binary under test.
pub(crate) const SOURCE: &str = "arrived.changes";

/// One merge.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// Who merged.
    pub(crate) engine: Engine,
    /// How the changes lie in the table, or which round it was.
    pub(crate) shape: String,
    /// Rows of the table before.
    pub(crate) rows: u64,
    /// From 1.
    pub(crate) run: u32,
    /// What it used, when it could be started.
    pub(crate) usage: Option<Usage>,
    /// The new files.
    pub(crate) written: Written,
    /// What the statement told, of Northstar alone.
    pub(crate) told: Vec<(String, u64)>,
    /// What was read back, or why there is nothing.
    pub(crate) outcome: std::result::Result<Checked, Failure>,
}

impl Cell {
    /// A number that the statement told under one of these names.
    pub(crate) fn told(&self, names: &[&str]) -> Option<u64> {
        let found = self.told.iter().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, number)| *number)
    }
}

/// Merges `set` into a fresh table of `input`. An engine that fails is a cell that says so.
///
/// # Errors
/// A table that cannot be written or laid out.
pub(crate) fn merge(
    engine: Engine,
    shape: (&str, &str),
    run: u32,
    input: &Input,
    set: &ChangeSet,
    options: &MergeOptions,
) -> Result<Cell> {
    let (shape, kinds) = shape;
    progress(&format!("{shape}: {} {}, run {run}", engine.name(), engine.mode().property()));
    let mut cell = Cell {
        engine,
        shape: shape.to_string(),
        rows: input.rows,
        run,
        usage: None,
        written: Written::default(),
        told: Vec::new(),
        outcome: Err(failed(false, "not run".into())),
    };
    let most_rows = match engine {
        Engine::Peer(MergePeer::Pyiceberg) => options.pyiceberg_rows,
        Engine::Peer(
            MergePeer::Sail | MergePeer::SailMor | MergePeer::Spark | MergePeer::SparkMor,
        ) => options.slow_rows,
        _ => u64::MAX,
    };
    if input.rows > most_rows {
        cell.outcome = Err(failed(false, format!("left out above {most_rows} rows")));
        return Ok(cell);
    }
    let place = engine.base().lay_out(input, options)?;
    prepare(engine, &place, input, set, options)?;
    let server = match engine {
        Engine::Peer(MergePeer::Duckdb) => Some(front(input, options, &place, true)?),
        _ => None,
    };
    let words = words(engine, kinds, &place, input, set, server.as_ref(), options)?;
    let log = place.with_extension("log");
    let before = Listing::of(&place)?;
    let usage = options.python().measure(&words, options.limit_s, &log)?;
    cell.written = before.written(&place)?;
    cell.outcome = match usage.exit_code {
        0 => check(engine, &place, input, set, options),
        code => Err(failed(false, format!("exit code {code}: {}", tail(&log)))),
    };
    cell.usage = Some(usage);
    if engine.is_northstar() {
        cell.told = told_by_statement(&fs::read_to_string(&log).unwrap_or_default());
    }
    Ok(cell)
}

/// Sets the mode of the table, and puts the changes into a table for the engine that reads no files.
fn prepare(
    engine: Engine,
    place: &Path,
    input: &Input,
    set: &ChangeSet,
    options: &MergeOptions,
) -> Result<()> {
    if engine.base() != super::engine::Base::Northstar {
        return Ok(());
    }
    let program =
        Program { binary: &options.scale.northstar, warehouse: place.into(), memory: None };
    program.sql(&set_mode(input, engine.mode().property()))?;
    if engine.is_northstar() {
        put_changes(&program, input, set)?;
    }
    Ok(())
}

/// The statement that sets how a table is written by MERGE, UPDATE and DELETE.
pub(crate) fn set_mode(input: &Input, mode: &str) -> String {
    let properties: Vec<String> =
        ["merge", "update", "delete"].map(|kind| format!("'write.{kind}.mode' = '{mode}'")).into();
    format!("ALTER TABLE {} SET TBLPROPERTIES ({})", input.layout.table(), properties.join(", "))
}

/// Loads a change set into `SOURCE`, in place of one that may be there.
///
/// # Errors
/// A load that fails.
pub(crate) fn put_changes(program: &Program<'_>, input: &Input, set: &ChangeSet) -> Result<()> {
    program.load(&set.folder, "arriving", &input.contract_of_changes()?)?;
    program.sql("CREATE SCHEMA IF NOT EXISTS arrived")?;
    program.sql(&format!("DROP TABLE IF EXISTS {SOURCE}"))?;
    let names = input.layout.names();
    program.sql(&format!("CREATE TABLE {SOURCE} AS SELECT op, {names} FROM arriving.changes"))?;
    program.sql("DROP TABLE arriving.changes").map(drop)
}

/// The words that merge.
fn words(
    engine: Engine,
    kinds: &str,
    place: &Path,
    input: &Input,
    set: &ChangeSet,
    server: Option<&Server>,
    options: &MergeOptions,
) -> Result<Vec<OsString>> {
    let python = options.python();
    let script = |name: &str, rest: &[(&str, OsString)]| {
        let mut words = python.script(name);
        words.extend(["--changes".into(), set.parquet.clone().into()]);
        words.extend(["--data", input.data.name()].map(OsString::from));
        words.extend(rest.iter().flat_map(|(option, value)| [(*option).into(), value.clone()]));
        words
    };
    let peer = match engine {
        Engine::Northstar(_) => {
            let memory = options.memory.as_deref();
            let program =
                Program { binary: &options.scale.northstar, warehouse: place.into(), memory };
            return Ok(program.words(&["sql", &input.layout.merge(SOURCE)]));
        }
        Engine::Peer(peer) => peer,
    };
    Ok(match peer {
        MergePeer::Duckdb => {
            let address = server.map_or("", |server| server.address.as_str());
            script("duckdb_merge.py", &[("--catalog", address.into()), ("--kinds", kinds.into())])
        }
        MergePeer::Delta => script("delta_merge.py", &[("--table", place.join("table").into())]),
        MergePeer::Sail | MergePeer::SailMor => {
            script("sail_merge.py", &[("--table", table_folder(place, input)?.into())])
        }
        MergePeer::Spark | MergePeer::SparkMor => {
            let rest = [("--warehouse", place.into()), ("--jars", options.jars.clone().into())];
            let mut words = script("spark_merge.py", &rest);
            words[0] = options.spark_python.clone().into();
            words
        }
        MergePeer::Pyiceberg => script("pyiceberg_merge.py", &[("--warehouse", place.into())]),
    })
}

fn table_folder(place: &Path, input: &Input) -> Result<std::path::PathBuf> {
    let namespace = place.join("tables").join(input.layout.namespace);
    folder_of(&namespace, &format!("{}-", input.layout.name))
}

/// Reads the table with another engine than the one that merged.
fn check(
    engine: Engine,
    place: &Path,
    input: &Input,
    set: &ChangeSet,
    options: &MergeOptions,
) -> std::result::Result<Checked, Failure> {
    let wrong = |error: BenchError| failed(true, error.to_string());
    let python = options.python();
    let mut words = python.script("check.py");
    words.extend(["--expected".into(), set.expected.clone().into()]);
    words.extend(["--data", input.data.name()].map(OsString::from));
    let (option, place, reader) = match engine {
        Engine::Peer(MergePeer::Delta) => ("--delta", place.join("table"), "deltalake"),
        Engine::Peer(MergePeer::Duckdb) => ("--warehouse", place.into(), "pyiceberg"),
        Engine::Peer(MergePeer::Sail | MergePeer::SailMor) => {
            let table = table_folder(place, input).map_err(wrong)?;
            ("--metadata", newest_metadata(&table).map_err(wrong)?, "duckdb")
        }
        _ => ("--warehouse", place.into(), "duckdb"),
    };
    words.extend([option.into(), place.into()]);
    words.extend(["--reader", reader].map(OsString::from));
    let read = python.output(&words).and_then(|text| Ok(serde_json::from_slice(&text)?));
    read.map_err(wrong)
}

fn failed(mismatch: bool, message: String) -> Failure {
    Failure { mismatch, message }
}
