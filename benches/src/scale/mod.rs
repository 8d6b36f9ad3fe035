//! What must not grow: with the number of files (`planning`), of commits (`commits`), with years
//! (`retention`), and beyond the memory that is given (`compaction`).
//!
//! Tables of very many files and commits are made by the fixtures of the tests; the program, the peers
//! and the library in this process then do the same on them.

mod commits;
mod compaction;
mod peers;
mod planning;
mod retention;

pub(crate) use commits::run as commits;
pub(crate) use compaction::run as compaction;
pub(crate) use planning::run as planning;
pub(crate) use retention::run as retention;

use std::path::PathBuf;

use tokio::runtime::{Builder, Runtime};

use crate::{
    arguments::ScaleArguments,
    error::{BenchError, Result},
    load::absolute,
    printer::result,
    results::Section,
};

impl ScaleArguments {
    /// The folder for the tables of the run, made if it is not there.
    pub(crate) fn home(&self) -> Result<PathBuf> {
        let home = absolute(&self.work_dir)?;
        std::fs::create_dir_all(&home).map_err(|error| BenchError::at(&home, &error))?;
        Ok(home)
    }

    /// Prints the lines of a case, and keeps them if asked to.
    pub(crate) fn show(&self, case: &str, lines: &[String]) -> Result<()> {
        lines.iter().for_each(|line| result(line));
        match &self.results {
            Some(path) => Section { case, date: &self.date, lines }.write(path),
            None => Ok(()),
        }
    }
}

fn runtime() -> Result<Runtime> {
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| BenchError::new(format!("threads cannot be started: {error}")))
}

/// An error of the library, in its words.
fn said(error: &northstar_iceberg::Error) -> BenchError {
    BenchError::new(error.to_string())
}
