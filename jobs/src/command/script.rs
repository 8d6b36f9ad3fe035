//! `northstar script`: a file of SQL statements, one after the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use northstar_iceberg::merge::{ChangeReport, Executed};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::from_datafusion;
use northstar_iceberg::sql::script::{Parameter, statements};
use northstar_iceberg::{Error, ErrorKind, Result};

use crate::cli::Global;
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

/// Parameters of this kind are NULL until a run left a mark for their table.
const BOOKMARK: &str = "bookmark_";

pub(crate) async fn run(
    global: &Global,
    file: &Path,
    parameters: Option<&Path>,
    printer: &Printer,
) -> Result<Done> {
    let script = read(file, "read the script")?;
    let given = match parameters {
        Some(path) => given(&read(path, "read the parameters")?)?,
        None => BTreeMap::new(),
    };
    // All statements are filled in before the first is run.
    let statements = statements(&script, |name| match given.get(name) {
        Some(Some(text)) => Some(Parameter::Text(text.clone())),
        Some(None) => Some(Parameter::Null),
        None => name.starts_with(BOOKMARK).then_some(Parameter::Null),
    })?;
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    let session = warehouse.changing_session("script")?;
    let header =
        ["statement", "outcome", "rows", "inserted", "updated", "deleted", "unchanged", "snapshot"];
    for (number, statement) in (1_usize..).zip(&statements) {
        let row = match session.execute_on(statement, None).await {
            Ok(Executed::Rows(frame)) => {
                // What a script reads may be of patients, and logs must not be.
                let mut batches = frame.execute_stream().await.map_err(from_datafusion)?;
                let mut rows = 0;
                while let Some(batch) = batches.try_next().await.map_err(from_datafusion)? {
                    rows += batch.num_rows() as u64;
                }
                row(number, "read", Some(rows), None)
            }
            Ok(Executed::Changed(report)) => row(number, "changed", None, Some(&report)),
            Ok(Executed::Defined(defined)) => {
                let outcome = if defined.changed { "defined" } else { "was so already" };
                row(number, outcome, None, None)
            }
            Err(error) => return Err(error.with_context("statement", number)),
        };
        printer.rows(&header, &[row])?;
    }
    Ok(Done::Well)
}

fn row(
    number: usize,
    outcome: &str,
    rows: Option<u64>,
    report: Option<&ChangeReport>,
) -> Vec<Option<String>> {
    let count = |count: fn(&ChangeReport) -> u64| report.map(|report| count(report).to_string());
    vec![
        Some(number.to_string()),
        Some(outcome.to_string()),
        rows.map(|rows| rows.to_string()),
        count(|report| report.inserted_rows),
        count(|report| report.updated_rows),
        count(|report| report.deleted_rows),
        count(|report| report.unchanged_rows),
        report.and_then(|report| report.snapshot_id).map(|id| id.to_string()),
    ]
}

fn read(path: &Path, doing: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::io(error, doing, path.display()))
}

/// Parameters by name: texts and nulls.
fn given(text: &str) -> Result<BTreeMap<String, Option<String>>> {
    // The error of the reader would quote values.
    serde_json::from_str(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidInput,
            "the parameters are no JSON object of texts; write for instance {\"day\": \"2024-05-01\"}",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_texts_or_null_and_errors_do_not_show_them() {
        let read = given(r#"{"day": "2024-05-01", "mark": null}"#).unwrap();
        assert_eq!(read["day"].as_deref(), Some("2024-05-01"));
        assert_eq!(read["mark"], None);
        let error = given(r#"{"name": ["Jane"]}"#).unwrap_err();
        assert!(!error.to_string().contains("Jane"), "{error}");
    }
}
