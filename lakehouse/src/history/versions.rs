//! What each snapshot changed in the rows of a key.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use northstar_iceberg::history::{KEY_NUMBER, RowsAt};

use super::keys::Keys;
use crate::bronze::lineage::{BATCH_ID, SOURCE_FILE, SOURCE_LINE};
use crate::cdc::{DELETED, SOURCE_POSITION};
use crate::{Error, ErrorKind, Result};

/// A row as texts; NULL is none.
type Cells = Vec<Option<String>>;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It came, or came back.
    Inserted,
    /// It has other values.
    Updated,
    /// It went, or was marked as deleted.
    Deleted,
}

impl Change {
    /// One word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// A column whose value changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedCell {
    /// The column.
    pub column: String,
    /// Its value before; NULL is none.
    pub old: Option<String>,
    /// Its value now.
    pub new: Option<String>,
}

/// A version of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowVersion {
    /// The snapshot that brought it.
    pub snapshot_id: i64,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    /// What became of the row.
    pub change: Change,
    /// Who brought it, if the snapshot says so.
    pub actor: Option<String>,
    /// The job that brought it, if the snapshot says so.
    pub job: Option<String>,
    /// Where it comes from: a position in the source's log, or a file and its line.
    pub source: Option<String>,
    /// The values, in the order of the table's columns; those before, if the row went.
    pub cells: Vec<Option<String>>,
    /// What changed, of an updated row. Columns that say where a row comes from are left out.
    pub changed: Vec<ChangedCell>,
}

/// The history of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHistory {
    /// The line on which the key was given, from 1.
    pub line: i64,
    /// Its values.
    pub key: Vec<String>,
    /// The versions of its rows, oldest first; none if it never was in the table.
    pub versions: Vec<RowVersion>,
}

/// Compares what the snapshots hold, key by key.
///
/// # Errors
/// `Internal` for rows that are not those of the keys.
pub(super) fn compare(
    columns: &[String],
    keys: &Keys,
    moments: &[RowsAt],
) -> Result<Vec<KeyHistory>> {
    let names: Vec<String> =
        keys.rows.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
    let key_texts = texts(&keys.rows, &names)?;
    let mut histories: Vec<KeyHistory> = keys
        .lines
        .iter()
        .zip(key_texts)
        .map(|(line, key)| KeyHistory {
            line: *line,
            key: key.into_iter().map(Option::unwrap_or_default).collect(),
            versions: Vec::new(),
        })
        .collect();
    let mut held: Vec<Vec<Cells>> = vec![Vec::new(); histories.len()];
    for moment in moments {
        let mut now: Vec<Vec<Cells>> = vec![Vec::new(); histories.len()];
        for batch in &moment.rows {
            let numbers = numbers(batch)?;
            for (number, cells) in numbers.into_iter().zip(texts(batch, columns)?) {
                if let Some(rows) = now.get_mut(number) {
                    rows.push(cells);
                }
            }
        }
        for (number, rows) in now.iter_mut().enumerate() {
            rows.sort_unstable();
            let found = changes(columns, moment, &held[number], rows);
            histories[number].versions.extend(found);
        }
        held = now;
    }
    Ok(histories)
}

fn numbers(batch: &RecordBatch) -> Result<Vec<usize>> {
    let defect = || Error::new(ErrorKind::Internal, "rows lack the number of their key");
    let numbers = batch
        .column_by_name(KEY_NUMBER)
        .and_then(|numbers| numbers.as_primitive_opt::<Int64Type>())
        .ok_or_else(defect)?;
    numbers.values().iter().map(|number| usize::try_from(*number).map_err(|_| defect())).collect()
}

/// The rows of a batch as texts, in the order of `columns`; a column that was not there yet is NULL.
fn texts(batch: &RecordBatch, columns: &[String]) -> Result<Vec<Cells>> {
    let failed = |error: arrow::error::ArrowError| {
        Error::new(ErrorKind::Internal, "rows cannot be shown").with_source(error)
    };
    let options = FormatOptions::default();
    let mut rows = vec![Cells::with_capacity(columns.len()); batch.num_rows()];
    for column in columns {
        let values = batch.column_by_name(column);
        let shown = values
            .map(|values| ArrayFormatter::try_new(values.as_ref(), &options).map_err(failed))
            .transpose()?;
        for (at, row) in rows.iter_mut().enumerate() {
            let valid = values.is_some_and(|values| values.is_valid(at));
            let cell = shown.as_ref().filter(|_| valid);
            row.push(cell.map(|shown| shown.value(at).to_string()));
        }
    }
    Ok(rows)
}

/// From the rows before to those now, both sorted. One row for another is an update.
fn changes(
    columns: &[String],
    moment: &RowsAt,
    before: &[Cells],
    now: &[Cells],
) -> Vec<RowVersion> {
    let gone = without(before, now);
    let come = without(now, before);
    let version = |change, cells: &Cells, changed| RowVersion {
        snapshot_id: moment.snapshot_id,
        time_ms: moment.time_ms,
        change,
        actor: moment.actor.clone(),
        job: moment.job.clone(),
        source: source(columns, cells),
        cells: cells.clone(),
        changed,
    };
    if let ([old], [new]) = (gone.as_slice(), come.as_slice()) {
        let change = match (is_deleted(columns, old), is_deleted(columns, new)) {
            (false, true) => Change::Deleted,
            (true, false) => Change::Inserted,
            _ => Change::Updated,
        };
        return vec![version(change, new, changed(columns, old, new))];
    }
    let went = gone.iter().map(|row| version(Change::Deleted, row, Vec::new()));
    let came = come.iter().map(|row| {
        let change = if is_deleted(columns, row) { Change::Deleted } else { Change::Inserted };
        version(change, row, Vec::new())
    });
    went.chain(came).collect()
}

/// The rows that are not among others, as often as they are missing there.
fn without(rows: &[Cells], others: &[Cells]) -> Vec<Cells> {
    let mut left: Vec<&Cells> = others.iter().collect();
    let missing = rows.iter().filter(|row| {
        let found = left.iter().position(|other| other == row);
        found.map(|at| left.swap_remove(at)).is_none()
    });
    missing.cloned().collect()
}

fn changed(columns: &[String], old: &Cells, new: &Cells) -> Vec<ChangedCell> {
    let cells = columns.iter().zip(old.iter().zip(new));
    let lineage = [SOURCE_POSITION, BATCH_ID];
    cells
        .filter(|(column, (old, new))| old != new && !lineage.contains(&column.as_str()))
        .map(|(column, (old, new))| ChangedCell {
            column: column.clone(),
            old: old.clone(),
            new: new.clone(),
        })
        .collect()
}

fn cell<'a>(columns: &[String], cells: &'a Cells, name: &str) -> Option<&'a str> {
    cells.get(columns.iter().position(|column| column == name)?)?.as_deref()
}

fn is_deleted(columns: &[String], cells: &Cells) -> bool {
    cell(columns, cells, DELETED) == Some("true")
}

fn source(columns: &[String], cells: &Cells) -> Option<String> {
    if let Some(position) = cell(columns, cells, SOURCE_POSITION) {
        return Some(position.to_string());
    }
    let file = cell(columns, cells, SOURCE_FILE)?;
    Some(format!("{file}:{}", cell(columns, cells, SOURCE_LINE)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Cells {
        cells.iter().map(|cell| (*cell != "-").then(|| (*cell).to_string())).collect()
    }

    #[test]
    fn one_row_for_another_is_an_update_and_a_mark_is_a_delete() {
        let columns = ["id", "n", "_source_position", "_is_deleted"].map(str::to_string);
        let moment =
            RowsAt { snapshot_id: 1, time_ms: 0, actor: None, job: None, rows: Vec::new() };
        let of = |before: &[Cells], now: &[Cells]| {
            let found = changes(&columns, &moment, before, now);
            found
                .into_iter()
                .map(|version| (version.change, version.changed.len()))
                .collect::<Vec<_>>()
        };
        let (a, b) = (row(&["1", "5", "-", "-"]), row(&["1", "6", "p", "false"]));
        let gone = row(&["1", "6", "q", "true"]);
        assert_eq!(of(&[], std::slice::from_ref(&a)), [(Change::Inserted, 0)]);
        assert_eq!(of(std::slice::from_ref(&a), std::slice::from_ref(&a)), []);
        assert_eq!(of(std::slice::from_ref(&a), std::slice::from_ref(&b)), [(Change::Updated, 2)]);
        assert_eq!(
            of(std::slice::from_ref(&b), std::slice::from_ref(&gone)),
            [(Change::Deleted, 1)]
        );
        assert_eq!(
            of(std::slice::from_ref(&gone), std::slice::from_ref(&b)),
            [(Change::Inserted, 1)]
        );
        assert_eq!(of(std::slice::from_ref(&a), &[]), [(Change::Deleted, 0)]);
        // Of a row that is there twice, one goes.
        assert_eq!(of(&[a.clone(), a.clone()], std::slice::from_ref(&a)), [(Change::Deleted, 0)]);
        let position =
            changes(&columns, &moment, std::slice::from_ref(&a), std::slice::from_ref(&b));
        assert_eq!(position[0].source.as_deref(), Some("p"));
    }
}
