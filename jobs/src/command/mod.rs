//! The commands, a file each.

mod audit;
mod backfill;
mod branch;
mod calibrate;
mod cancel;
mod cherry_pick;
mod contract;
mod cost;
mod demo;
mod diff;
mod doctor;
mod explain;
mod files;
mod generate;
mod history;
mod load;
mod logs;
mod maintain;
mod merge;
mod plan;
mod reconcile;
mod reference;
mod rerun;
mod rollback;
mod runs;
mod script;
mod serve;
mod shell;
mod snapshots;
mod sql;
mod status;
mod submit;
mod tables;
mod tag;

use northstar_iceberg::Result;

use crate::cli::{Cli, Command, Load};
use crate::exit::Done;
use crate::printer::Printer;

/// Runs the command that was asked for.
pub(crate) async fn run(cli: &Cli, printer: &Printer) -> Result<Done> {
    let global = &cli.global;
    match &cli.command {
        Command::Demo(emr) => demo::run(global, emr, printer).await,
        Command::Generate { to, emr } => generate::run(to, emr, printer),
        Command::Load(Load::Csv { from, into, contract, source_system, threads }) => {
            let request = load::Request {
                from,
                into,
                contract: contract.as_deref(),
                source_system,
                threads: *threads,
            };
            load::run(global, &request, printer).await
        }
        Command::Backfill(asked) => backfill::run(global, asked, printer).await,
        Command::Merge { table, changes, contract, explain } => {
            merge::run(global, table, changes, contract.as_deref(), *explain, printer).await
        }
        Command::Rerun(asked) => rerun::run(global, asked, printer).await,
        Command::Reconcile(asked) => reconcile::run(global, asked, printer).await,
        Command::Audit(asked) => audit::run(global, asked, printer).await,
        Command::Runs(asked) => runs::run(global, asked.limit, printer),
        Command::History { table, key_from, key_column } => {
            history::run(global, table, key_from, key_column, printer).await
        }
        Command::Sql { query, branch, whole_table, explain } => {
            sql::run(global, query, branch.as_deref(), (*whole_table, *explain), printer).await
        }
        Command::Script { file, parameters } => {
            script::run(global, file, parameters.as_deref(), printer).await
        }
        Command::Shell { branch, whole_table } => {
            shell::run(global, branch.as_deref(), *whole_table, printer).await
        }
        Command::Snapshots { table } => snapshots::run(global, table, printer).await,
        Command::Maintain(job) => maintain::run(global, job, printer).await,
        Command::Tag(tag) => tag::run(global, tag, printer).await,
        Command::Branch(branch) => branch::run(global, branch, printer).await,
        Command::Rollback(rollback) => rollback::run(global, rollback, printer).await,
        Command::CherryPick { table, snapshot } => {
            cherry_pick::run(global, table, *snapshot, printer).await
        }
        Command::Diff { table, from, to, key, rows } => {
            let request = diff::Request { table, from, to, key, rows: *rows };
            diff::run(global, &request, printer).await
        }
        Command::Serve(serve) => serve::run(global, serve, printer).await,
        Command::Doctor(asked) => doctor::run(global, asked, printer).await,
        Command::Submit(asked) => Box::pin(submit::run(asked, printer)).await,
        Command::Status(asked) => Box::pin(status::run(asked, printer)).await,
        Command::Cancel(asked) => Box::pin(cancel::run(asked, printer)).await,
        Command::Logs(asked) => Box::pin(logs::run(global, asked, printer)).await,
        Command::Cost(asked) => Box::pin(cost::run(asked, printer)).await,
        Command::Calibrate(asked) => Box::pin(calibrate::run(global, asked, printer)).await,
        Command::Plan(asked) => plan::run(global, asked, printer),
        Command::Tables => tables::run(global, printer).await,
    }
}
