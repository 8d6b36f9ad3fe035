//! Named cases on seeded data, measured as ratios against peers in one run.
//!
//! `arguments` is the command line, `lab` generates the input, `child` measures one process,
//! `tools` names what is compared, `load` is the case, `report` prints and records it.

mod arguments;
mod child;
mod error;
mod lab;
mod load;
mod printer;
mod report;
mod tools;

use std::process::ExitCode;

use arguments::{Arguments, Case};
use clap::Parser;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().case {
        Case::Load(arguments) => load::run(&arguments),
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
