//! `northstar demo`: the whole way on synthetic data, small enough for a coffee.

use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use northstar_iceberg::sql::{SqlSession, from_datafusion};
use northstar_iceberg::{Error, ErrorKind, Result, TableName};
use northstar_lakehouse::bronze::{LoadReport, quarantine};
use northstar_lakehouse::legacy_emr::Written;

use super::load::{self, Request, extract_folder};
use super::{generate, snapshots};
use crate::cli::{Emr, Global};
use crate::exit::Done;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::warehouse::{Warehouse, shown};

mod changes;

const NAMESPACE: &str = "bronze";
const SHOWN: &str = "bronze.lab_result";

pub(crate) async fn run(global: &Global, emr: &Emr, printer: &Printer) -> Result<Done> {
    let progress = Arc::new(Progress::new());
    let warehouse = Warehouse::create(global, Arc::<Progress>::clone(&progress) as _).await?;
    let folder = warehouse.folder.join("legacy_emr");

    printer.say("1. A legacy EMR is written: an extract, and the export of the day after.");
    let written = tokio::task::block_in_place(|| generate::write(&folder, emr))?;
    printer.say(format!("   {}", shown(&folder)));

    printer.say("\n2. The extract is loaded.");
    let extract = extract_folder(&folder);
    let first = load(&warehouse, &extract).await?;
    progress.finish();
    load::print(&first, printer)?;
    balanced(&first)?;

    printer.say("\n3. The same extract is loaded again: nothing changes.");
    let again = load(&warehouse, &extract).await?;
    unchanged(&again)?;
    printer.say(format!(
        "   {} files, every one already loaded; 0 new snapshots",
        again.files().count()
    ));

    printer.say("\n4. The next day is appended.");
    let day = load(&warehouse, &folder.join("daily/day_1")).await?;
    progress.finish();
    load::print(&day, printer)?;
    balanced(&day)?;

    printer.say(format!("\n5. {SHOWN} before and after that day, by time travel."));
    let session = warehouse.session()?;
    time_travel(&warehouse, &session, printer).await?;

    printer.say("\n6. Every record of the files is in a table or in quarantine.");
    balances(&session, &written, printer).await?;

    printer.say(format!("\n7. The snapshots of {SHOWN}."));
    snapshots::print(&warehouse, SHOWN, printer).await?;

    changes::run(&warehouse, &folder, &written, global.output, printer).await?;

    printer.say(format!("\nThe tables are in {}. Look around:", warehouse.shown()));
    let option = if global.warehouse == Path::new("./lake") {
        String::new()
    } else {
        format!(" --warehouse {}", global.warehouse.display())
    };
    printer.say(format!("  northstar{option} tables"));
    printer.say(format!(
        "  northstar{option} sql \"SELECT reason, count(*) FROM bronze.quarantine GROUP BY reason\""
    ));
    printer.say(format!("  northstar{option} snapshots silver.lab_result"));
    printer.say(format!("  northstar{option} shell"));
    Ok(Done::Well)
}

async fn load(warehouse: &Warehouse, from: &Path) -> Result<LoadReport> {
    let contract = warehouse.folder.join("legacy_emr/tables.toml");
    let request = Request {
        from,
        into: NAMESPACE,
        contract: Some(&contract),
        source_system: "legacy_emr",
        threads: 2,
    };
    load::load(warehouse, &request).await
}

/// The counts of `SHOWN` at its first snapshot and now, each also asked for by time.
async fn time_travel(warehouse: &Warehouse, session: &SqlSession, printer: &Printer) -> Result<()> {
    let name: TableName = SHOWN.parse()?;
    let table = warehouse.lake.open_table(&name, &warehouse.access).await?;
    let mut rows = Vec::new();
    let ancestors: Vec<_> = table.ancestors().collect();
    let ends = [("before", ancestors.last()), ("after", ancestors.first())];
    for (when, snapshot) in ends {
        let Some(snapshot) = snapshot else { continue };
        let time = snapshots::time(snapshot.timestamp_ms());
        let id = snapshot.snapshot_id();
        let by_id =
            count(session, &format!("SELECT count(*) FROM {SHOWN} VERSION AS OF {id}")).await?;
        let by_time =
            count(session, &format!("SELECT count(*) FROM {SHOWN} TIMESTAMP AS OF '{time}'"))
                .await?;
        if by_id != by_time {
            return Err(Error::new(ErrorKind::Internal, "the two ways to travel in time disagree"));
        }
        rows.push(vec![when.to_string(), format!("VERSION AS OF {id}"), by_id.to_string()]);
        rows.push(vec![when.to_string(), format!("TIMESTAMP AS OF '{time}'"), by_time.to_string()]);
    }
    printer.table(&["", "version", "count(*)"], &rows)
}

/// Holds the tables against what the generator says it wrote (W1).
async fn balances(session: &SqlSession, written: &Written, printer: &Printer) -> Result<()> {
    let mut expected: Vec<(&str, u64)> = Vec::new();
    for file in written.extract.iter().chain(&written.daily) {
        let records = file.rows + file.malformed;
        match expected.iter_mut().find(|(name, _)| *name == file.table) {
            Some((_, rows)) => *rows += records,
            None => expected.push((&file.table, records)),
        }
    }
    let mut rows = Vec::new();
    // A table is made with its first record.
    for (table, records) in expected.into_iter().filter(|(_, records)| *records > 0) {
        let landed = count(session, &format!("SELECT count(*) FROM {NAMESPACE}.{table}")).await?;
        let refused = count(
            session,
            &format!(
                "SELECT count(*) FROM {NAMESPACE}.{} WHERE _source_table = '{table}'",
                quarantine::TABLE
            ),
        )
        .await?;
        let balances = u64::try_from(landed + refused).is_ok_and(|sum| sum == records);
        if !balances {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "counts do not balance; if this warehouse holds a demo of another size or seed, name \
                 another with --warehouse DIR",
            )
            .with_context("table", table));
        }
        let numbers = [records.to_string(), landed.to_string(), refused.to_string()];
        rows.push([table.to_string()].into_iter().chain(numbers).chain(["yes".into()]).collect());
    }
    printer.table(&["table", "records in files", "landed", "quarantined", "balances"], &rows)
}

pub(super) async fn count(session: &SqlSession, query: &str) -> Result<i64> {
    let batches = session.query(query).await?.collect().await.map_err(from_datafusion)?;
    let first = batches.iter().find(|batch| batch.num_rows() > 0);
    first
        .and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>())
        .map(|counts| counts.value(0))
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a count gave no row"))
}

fn balanced(report: &LoadReport) -> Result<()> {
    match report.balances() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Internal, "the counts of the load do not balance")),
    }
}

fn unchanged(report: &LoadReport) -> Result<()> {
    let changed = report.tables.iter().any(|table| table.snapshot_id.is_some())
        || report.files().any(|file| file.landed_rows > 0 || file.outcome.needs_attention());
    match changed {
        false => Ok(()),
        true => {
            Err(Error::new(ErrorKind::Internal, "loading the same files again changed something"))
        }
    }
}
