//! A target row is changed by at most one source row, or the statement fails (M1).

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::counts::Found;
use super::find::{NAMESPACE, PAIR_ACT, PAIR_FILE, PAIR_POS, PAIR_SOURCE_ROW, PAIRS};
use super::planning::Planning;
use crate::{Error, ErrorKind};

/// How many of the rows the error shows.
const SHOWN: usize = 3;

/// The error for rows that several source rows would change: how many, and where some of them are.
/// Rows are named by their place, never by a value.
pub(super) async fn error(planning: &mut Planning<'_>, found: &Found, verb: &str) -> Error {
    let query = format!(
        "SELECT f, p, first, last, claims FROM (\
            SELECT \"{PAIR_FILE}\" AS f, \"{PAIR_POS}\" AS p, min(\"{PAIR_SOURCE_ROW}\") AS first, \
                max(\"{PAIR_SOURCE_ROW}\") AS last, count(*) AS claims \
            FROM {NAMESPACE}.{PAIRS} WHERE \"{PAIR_ACT}\" > 0 \
            GROUP BY \"{PAIR_FILE}\", \"{PAIR_POS}\") \
         WHERE claims > 1 ORDER BY first, f, p LIMIT {SHOWN}"
    );
    let error = Error::new(
        ErrorKind::InvalidData,
        format!(
            "{} target rows would be changed by more than one source row each, so nothing was \
             changed; let the condition of {verb} match one source row, for instance the latest by \
             row_number()",
            found.doubled_rows
        ),
    );
    let batches = match planning.rows(&query).await {
        Ok(batches) => batches,
        Err(cause) => return error.with_source(cause),
    };
    let mut places = Vec::new();
    for batch in &batches {
        let files = cast(batch.column(0), &DataType::Utf8).ok();
        let files = files.as_ref().and_then(|files| files.as_string_opt::<i32>());
        let number = |column: usize| batch.column(column).as_primitive_opt::<Int64Type>();
        let (Some(files), Some(positions), Some(first), Some(last), Some(counts)) =
            (files, number(1), number(2), number(3), number(4))
        else {
            return error;
        };
        for row in 0..batch.num_rows() {
            let file = files.value(row).rsplit('/').next().unwrap_or_default();
            let by = if first.is_valid(row) {
                format!("among them source rows {} and {}", first.value(row), last.value(row))
            } else {
                "of the joined tables".to_string()
            };
            let (position, count) = (positions.value(row), counts.value(row));
            places.push(format!("row {position} of {file} by {count} rows, {by}"));
        }
    }
    error.with_context("rows", places.join("; "))
}
