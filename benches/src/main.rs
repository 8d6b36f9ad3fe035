//! Named cases on seeded data, measured as ratios against peers in one run.
//!
//! `arguments` is the command line. `load` is the case of bulk loads: `lab` generates its input,
//! `tools` names what is compared, `report` prints and records it. `scale` has the cases of what must
//! not grow with files, commits and years, or beyond memory; `merge` has those that merge; `results` keeps their tables. `child`
//! measures another process, `process` this one.

mod arguments;
mod child;
mod error;
mod lab;
mod load;
mod merge;
mod numbers;
mod printer;
mod process;
mod report;
mod results;
mod scale;
mod tools;

use std::process::ExitCode;

use arguments::{Arguments, Case};
use clap::Parser;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().case {
        Case::Load(arguments) => load::run(&arguments),
        Case::Planning(arguments) => scale::planning(&arguments),
        Case::Commits(arguments) => scale::commits(&arguments),
        Case::Retention(arguments) => scale::retention(&arguments),
        Case::Compaction(arguments) => scale::compaction(&arguments),
        Case::Merge(arguments) => merge::run(&arguments),
        Case::Growth(arguments) => merge::growth(&arguments),
        Case::Rounds(arguments) => merge::rounds(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            printer::progress(&format!("northstar-bench: {error}"));
            ExitCode::from(2)
        }
    }
}
