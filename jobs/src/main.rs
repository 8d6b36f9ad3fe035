//! `northstar`: loads extracts into Iceberg tables and reads them as they are and as they were.

mod allocator;
mod api;
mod audit;
mod aws;
mod calibrate;
mod cli;
mod command;
mod doctor;
mod emr;
mod exit;
mod plan;
mod printer;
mod progress;
mod record;
mod runs;
mod signal;
mod warehouse;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    exit::quiet_broken_pipe();
    let mut cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => return exit::usage(&asked),
    };
    progress::init_logging(cli.global.verbose);
    let printer = printer::Printer::new(cli.global.output);
    if let Err(error) = runs::inside::begin() {
        return exit::failed(&printer, &error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::internal(&printer, &error),
    };
    let recorded = record::Recorded::begin(&mut cli);
    let outcome = runtime.block_on(command::run(&cli, &printer));
    if let Some(usage) = northstar_iceberg::storage::s3::usage() {
        tracing::info!("S3: {usage}");
    }
    if let Some(recorded) = recorded {
        runtime.block_on(recorded.end(&cli.global, &outcome));
    }
    match outcome {
        Ok(done) => {
            runtime.block_on(runs::inside::hand_over(&cli.global));
            done.into()
        }
        Err(error) => exit::failed(&printer, &error),
    }
}
