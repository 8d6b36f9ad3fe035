//! `northstar load csv`: a folder of CSV files into bronze tables.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use northstar_iceberg::Result;
use northstar_iceberg::storage::landing;
use northstar_lakehouse::bronze::{LoadJob, LoadOptions, LoadReport};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::sources::csv::CsvOptions;

use super::contract;
use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::record::Counts;
use crate::warehouse::Warehouse;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) from: &'a Path,
    pub(crate) into: &'a str,
    pub(crate) contract: Option<&'a Path>,
    pub(crate) source_system: &'a str,
    pub(crate) threads: usize,
}

pub(crate) async fn run(global: &Global, request: &Request<'_>, printer: &Printer) -> Result<Done> {
    Warehouse::reads(global, [Some(request.from), request.contract].into_iter().flatten()).await?;
    // A folder that cannot be read is said before a warehouse is made for it.
    landing::entries(request.from)?;
    let progress = Arc::new(Progress::new());
    let warehouse = Warehouse::create(global, Arc::<Progress>::clone(&progress) as _).await?;
    let report = load(&warehouse, request).await;
    progress.finish();
    let report = report?;
    let files: Vec<PathBuf> = report.files().map(|file| request.from.join(&file.name)).collect();
    global.tally.files(&files);
    for table in &report.tables {
        global.tally.add(Counts {
            read_rows: table.read_rows(),
            inserted_rows: table.landed_rows(),
            quarantined_rows: table.quarantined_rows(),
            ..Counts::default()
        });
    }
    print(&report, printer)
}

/// Loads, and gives the report.
pub(crate) async fn load(warehouse: &Warehouse, request: &Request<'_>) -> Result<LoadReport> {
    let job = LoadJob {
        lake: &warehouse.lake,
        namespace: request.into.to_string(),
        contract: contract_of(request.contract, request.from)?,
        run: warehouse.run("load csv"),
        access: warehouse.access.clone(),
        options: LoadOptions {
            write: warehouse.write_options(request.threads),
            csv: CsvOptions::default(),
            source_system: request.source_system.to_string(),
        },
    };
    job.run(request.from).await
}

/// The contract that was named, or the one that lies in the folder or beside it.
pub(super) fn contract_of(named: Option<&Path>, from: &Path) -> Result<Contract> {
    contract::read(named, contract::places(from, 1))
}

/// Prints what became of each file, and what needs a look.
pub(crate) fn print(report: &LoadReport, printer: &Printer) -> Result<Done> {
    let mut rows = Vec::new();
    for table in &report.tables {
        for file in &table.files {
            rows.push(vec![
                table.table.to_string(),
                file.name.clone(),
                file.outcome.as_str().to_string(),
                file.read_rows.to_string(),
                file.landed_rows.to_string(),
                file.quarantined_rows.to_string(),
            ]);
        }
    }
    printer.table(&["table", "file", "outcome", "read", "landed", "quarantined"], &rows)?;
    summary(report, printer);
    let attention = report.files().any(|file| file.outcome.needs_attention());
    Ok(if attention { Done::NeedsAttention } else { Done::Well })
}

fn summary(report: &LoadReport, printer: &Printer) {
    use northstar_lakehouse::bronze::FileOutcome;
    let sum = |count: fn(&northstar_lakehouse::bronze::TableReport) -> u64| -> u64 {
        report.tables.iter().map(count).sum()
    };
    let snapshots = report.tables.iter().filter(|table| table.snapshot_id.is_some()).count();
    printer.say(format!(
        "{} records read = {} landed + {} quarantined; {snapshots} new snapshots",
        sum(|table| table.read_rows()),
        sum(|table| table.landed_rows()),
        sum(|table| table.quarantined_rows()),
    ));
    for file in report.files() {
        match &file.outcome {
            FileOutcome::Refused(error) => printer.note(format!("refused {}: {error}", file.name)),
            FileOutcome::Damaged { line } => printer.note(format!(
                "damaged {}: from line {line} on a quote is not closed; that text is one quarantined \
                 record, and the rows before it are loaded",
                file.name
            )),
            _ => {}
        }
    }
    if report.files().any(|file| file.quarantined_rows > 0)
        && let Some(table) = report.tables.first()
    {
        printer.note(format!(
            "see why: northstar sql \"SELECT _source_file, _source_line, column_name, reason FROM \
             {}.quarantine\"",
            table.table.namespace()
        ));
    }
}

/// The folder of the extract below a generated EMR.
pub(crate) fn extract_folder(emr: &Path) -> PathBuf {
    emr.join("extract")
}
