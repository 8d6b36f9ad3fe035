//! `northstar runs`: the records of jobs.

use northstar_iceberg::Result;
use serde_json::Value;

use super::snapshots::time;
use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::record;
use crate::warehouse::Place;

pub(crate) fn run(global: &Global, most: usize, printer: &Printer) -> Result<Done> {
    let folder = Place::of(global)?.scratch(global);
    let (records, bad) = record::last(&folder, most)?;
    if printer.is_for_people() {
        let rows: Vec<Vec<String>> = records.iter().map(|record| short(&row(record))).collect();
        let header = ["started", "job", "table", "outcome", "rows", "seconds", "run"];
        printer.table(&header, &rows)?;
    } else {
        let rows: Vec<Vec<String>> = records.iter().map(row).collect();
        printer.table(&HEADER, &rows)?;
    }
    if records.is_empty() {
        printer.say("no job is recorded here yet");
    }
    if bad > 0 {
        printer.note(format!("{bad} lines of runs.jsonl are no records"));
    }
    Ok(Done::Well)
}

/// All columns, for programs.
const HEADER: [&str; 15] = [
    "started",
    "job",
    "table",
    "outcome",
    "read",
    "inserted",
    "updated",
    "deleted",
    "quarantined",
    "seconds",
    "cpu_seconds",
    "peak_rss_bytes",
    "s3_nanodollars",
    "actor",
    "run",
];

/// What people are shown of a row of all columns.
fn short(row: &[String]) -> Vec<String> {
    let cell = |name: &str| {
        let at = HEADER.iter().position(|column| *column == name);
        at.and_then(|at| row.get(at)).map_or("", String::as_str)
    };
    let minute = cell("started").chars().take(16).collect::<String>().replace('T', " ");
    let changes = format!("+{} ~{} -{}", cell("inserted"), cell("updated"), cell("deleted"));
    let run = cell("run").chars().take(8).collect();
    let [job, table, outcome] = ["job", "table", "outcome"].map(cell);
    let texts = [job, table, outcome].map(str::to_string);
    [minute].into_iter().chain(texts).chain([changes, cell("seconds").to_string(), run]).collect()
}

fn row(record: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let asked = &record["arguments"];
    let table = ["table", "into", "namespace"].into_iter().map(|name| text(&asked[name]));
    let table = table.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| {
        let tables = asked["tables"].as_array().map(|all| all.iter().map(text).collect::<Vec<_>>());
        tables.unwrap_or_default().join(", ")
    });
    let seconds = |ms: &Value| {
        ms.as_u64().map_or_else(String::new, |ms| format!("{}.{}", ms / 1_000, ms % 1_000 / 100))
    };
    let (counts, cost) = (&record["counts"], &record["cost"]);
    let mut row = vec![
        record["started_ms"].as_i64().map(time).unwrap_or_default(),
        text(&record["job"]),
        table,
        text(&record["outcome"]),
    ];
    let names = ["read_rows", "inserted_rows", "updated_rows", "deleted_rows", "quarantined_rows"];
    row.extend(names.map(|name| text(&counts[name])));
    row.extend([seconds(&cost["wall_ms"]), seconds(&cost["cpu_ms"])]);
    row.extend([text(&cost["peak_rss_bytes"]), text(&cost["s3"]["nanodollars"])]);
    row.extend([text(&record["actor"]), text(&record["run_id"])]);
    row
}
