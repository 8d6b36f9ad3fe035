//! The demo's second half: days of changes merged into a table that holds each result once.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use northstar_iceberg::sql::{SqlSession, from_datafusion};
use northstar_iceberg::{Error, ErrorKind, Result, TableName};
use northstar_lakehouse::cdc::{DELETED, MergeJob, MergeReport};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::legacy_emr::{LiveCount, Written};
use northstar_lakehouse::sources::csv::CsvOptions;

use crate::cli::Output;
use crate::command::{history, merge, snapshots};
use crate::printer::Printer;
use crate::warehouse::Warehouse;

const TABLE: &str = "lab_result";
const SILVER: &str = "silver.lab_result";
const DAYS: u64 = 3;

/// The table at the end of a day; an EMR of a few patients may not have made a snapshot yet.
struct Day {
    number: u64,
    snapshot_id: Option<i64>,
}

impl Day {
    /// The table as it was then, for queries.
    fn table(&self) -> Option<String> {
        self.snapshot_id.map(|id| format!("{SILVER} VERSION AS OF {id}"))
    }
}

/// Seeds the table from the extract, merges each day, and shows what became of one row.
pub(super) async fn run(
    warehouse: &Warehouse,
    folder: &Path,
    written: &Written,
    output: Output,
    printer: &Printer,
) -> Result<()> {
    let contract = Contract::read(&folder.join("tables.toml"))?;
    let session = warehouse.session()?;

    printer.say(format!("\n8. {SILVER} gets the newest row of each key of the extract."));
    let mut days = vec![Day { number: 0, snapshot_id: seed(warehouse, &contract).await? }];

    printer.say("\n9. Three days of changes are merged, each in one commit; late corrections too.");
    let mut rows = Vec::new();
    for number in 1..=DAYS {
        let report = day(warehouse, folder, &contract, number).await?;
        // A day without a change leaves the table as it was.
        let before = days.last().and_then(|day| day.snapshot_id);
        let snapshot_id = report.snapshot_id.or(before);
        rows.push(counts(number, &report));
        days.push(Day { number, snapshot_id });
    }
    let header = ["day", "merge", "read", "keys", "inserted", "updated", "deleted", "unchanged"];
    printer.table(&header, &rows)?;

    printer.say("\n10. After each day the live rows are those of the legacy system.");
    holds_truth(&session, written, &days, printer).await?;

    printer.say("\n11. A result that was corrected late, before and after, by time travel.");
    let key = corrected(&session, &days, printer).await?;

    printer.say("\n12. The history of that result.");
    match key {
        None => printer.say("   there is no result yet; ask for more patients"),
        Some(key) => {
            let keys = (format!("{key}\n").into_bytes(), "the demo");
            let found = history::of_keys(warehouse, &SILVER.parse()?, &[], keys).await?;
            history::print(&found, output, printer)?;
        }
    }

    printer.say(format!("\n13. The snapshots of {SILVER}."));
    snapshots::print(warehouse, SILVER, printer).await
}

async fn seed(warehouse: &Warehouse, contract: &Contract) -> Result<Option<i64>> {
    let session = warehouse.changing_session("demo seed")?;
    let job = MergeJob {
        lake: &warehouse.lake,
        session: &session,
        table: SILVER.parse()?,
        contract: contract.table(TABLE),
        run: warehouse.run("demo seed"),
        access: warehouse.access.clone(),
        csv: CsvOptions::default(),
        scratch_folder: warehouse.spill_folder(),
    };
    // The first batch of the bronze table is the extract; the nightly export came after it.
    let bronze = TableName::new(super::NAMESPACE, TABLE)?;
    Ok(Box::pin(job.seed(&bronze, 1)).await?.snapshot_id)
}

async fn day(
    warehouse: &Warehouse,
    folder: &Path,
    contract: &Contract,
    number: u64,
) -> Result<MergeReport> {
    let file = folder.join(format!("changes/day_{number}/{TABLE}.csv"));
    Box::pin(merge::merge(warehouse, &SILVER.parse()?, &[file], contract)).await
}

fn counts(day: u64, report: &MergeReport) -> Vec<String> {
    use northstar_lakehouse::cdc::MergeOutcome;
    let outcome = match report.outcome {
        MergeOutcome::Merged => "merged",
        MergeOutcome::AlreadyMerged => "already merged",
        MergeOutcome::Empty => "no change",
    };
    let numbers = [
        report.read_rows,
        report.keys,
        report.inserted,
        report.updated,
        report.deleted,
        report.unchanged,
    ];
    let said = [format!("day_{day}"), outcome.to_string()];
    said.into_iter().chain(numbers.iter().map(u64::to_string)).collect()
}

/// Holds the live rows after each day against what the generator says.
async fn holds_truth(
    session: &SqlSession,
    written: &Written,
    days: &[Day],
    printer: &Printer,
) -> Result<()> {
    let mut rows = Vec::new();
    for day in days {
        let truth = written
            .live
            .iter()
            .find(|live| live.table == TABLE && live.day == day.number)
            .ok_or_else(|| missing("the generator does not say what is live"))?;
        let found = match day.table() {
            None => ["0"; 3].map(str::to_string).to_vec(),
            Some(table) => {
                let sql = format!(
                    "SELECT count(*), coalesce(sum(CAST(lab_result_id AS DECIMAL(38, 0))), 0), \
                     coalesce(sum(version), 0) FROM {table} WHERE NOT {DELETED}"
                );
                texts(session, &sql).await?
            }
        };
        let LiveCount { keys, key_sum, version_sum, .. } = truth;
        let expected = [*keys, *key_sum, version_sum.unwrap_or(0)].map(|number| number.to_string());
        if found != expected {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "the live rows are not those of the generator; if this warehouse holds a demo of \
                 another size or seed, name another with --warehouse DIR",
            )
            .with_context("table", SILVER)
            .with_context("day", day.number));
        }
        let day = [format!("day_{}", day.number)];
        rows.push(day.into_iter().chain(found).chain(["yes".to_string()]).collect());
    }
    printer.table(&["after", "live rows", "sum of keys", "sum of versions", "as generated"], &rows)
}

/// Shows one corrected value, and gives its key; the first key of all if there is none.
async fn corrected(session: &SqlSession, days: &[Day], printer: &Printer) -> Result<Option<i64>> {
    for pair in days.windows(2) {
        let [before, after] = pair else { continue };
        let (Some(old), Some(new)) = (before.table(), after.table()) else { continue };
        let sql = format!(
            "SELECT min(a.lab_result_id) FROM {new} AS a JOIN {old} AS b \
             ON a.lab_result_id = b.lab_result_id \
             WHERE a.version > b.version AND a.value <> b.value AND NOT a.{DELETED}"
        );
        let Some(key) = number(session, &sql).await? else { continue };
        let mut rows = Vec::new();
        for (when, table) in [("before", &old), ("after", &new)] {
            let sql = format!(
                "SELECT lab_result_id, test_name, value, units, status, version \
                 FROM {table} WHERE lab_result_id = {key}"
            );
            let day = format!("{when} day_{}", after.number);
            rows.push([day].into_iter().chain(texts(session, &sql).await?).collect());
        }
        let header = ["", "lab_result_id", "test_name", "value", "units", "status", "version"];
        printer.table(&header, &rows)?;
        return Ok(Some(key));
    }
    // So few rows may have none.
    printer.say("   in this small EMR no value was corrected late");
    number(session, &format!("SELECT min(lab_result_id) FROM {SILVER}")).await
}

async fn number(session: &SqlSession, sql: &str) -> Result<Option<i64>> {
    let batches = session.query(sql).await?.collect().await.map_err(from_datafusion)?;
    let first = batches.iter().find(|batch| batch.num_rows() > 0);
    let values = first.and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>());
    Ok(values.filter(|values| values.is_valid(0)).map(|values| values.value(0)))
}

/// The first row of a query as texts.
async fn texts(session: &SqlSession, sql: &str) -> Result<Vec<String>> {
    let batches = session.query(sql).await?.collect().await.map_err(from_datafusion)?;
    let first = batches.iter().find(|batch| batch.num_rows() > 0);
    let batch = first.ok_or_else(|| missing("a query gave no row"))?;
    let text = |column: &arrow::array::ArrayRef| {
        let texts = arrow::compute::cast(column, &DataType::Utf8).ok()?;
        let texts = texts.as_string_opt::<i32>()?;
        Some(if texts.is_valid(0) { texts.value(0).to_string() } else { "NULL".to_string() })
    };
    batch
        .columns()
        .iter()
        .map(|column| text(column).ok_or_else(|| missing("a value cannot be shown")))
        .collect()
}

fn missing(what: &str) -> Error {
    Error::new(ErrorKind::Internal, what)
}
