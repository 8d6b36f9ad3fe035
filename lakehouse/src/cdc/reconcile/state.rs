//! The newest states beside the rows of the table, counted by facility and month.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};

use crate::cdc::columns::{DELETED, SOURCE_POSITION};
use crate::cdc::rebuilt::{IS_DELETE, POSITION, Sources, key_name};
use crate::cdc::statement::{quoted, table};
use crate::sources::csv::ColumnType;
use crate::{Error, ErrorKind, Result};

/// What one facility has in one month, in the sources and in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The facility; `None` for rows without one, or where the table has no such column.
    pub facility: Option<String>,
    /// The month of the event, as `2024-05`, likewise.
    pub month: Option<String>,
    /// Keys in the sources.
    pub keys: u64,
    /// Rows in the table.
    pub rows: u64,
    /// Keys of the sources that the table does not have.
    pub missing: u64,
    /// Rows of the table that are in no source, and those too many of one key.
    pub surplus: u64,
    /// Keys whose row is not their newest state.
    pub different: u64,
}

impl Group {
    /// Whether the table has what the sources make of it.
    pub fn agrees(&self) -> bool {
        self.missing + self.surplus + self.different == 0
    }
}

/// The query of all groups. Both sides are grouped by key, which puts aside what does not fit into
/// memory, as a join of all rows would not.
pub(super) fn query(sources: &Sources<'_>, facility: Option<&str>, time: Option<&str>) -> String {
    let target = sources.target;
    let columns: Vec<String> = target.columns.iter().map(|column| quoted(&column.name)).collect();
    let hash = |more: [&str; 2]| {
        let parts: Vec<String> =
            columns.iter().map(String::as_str).chain(more).map(marked).collect();
        format!("md5(concat({}))", parts.join(", "))
    };
    let text = |column: Option<&str>| match column {
        Some(column) => format!("CAST({} AS VARCHAR)", quoted(column)),
        None => "CAST(NULL AS VARCHAR)".to_string(),
    };
    let is_date = target
        .columns
        .iter()
        .any(|column| Some(column.name.as_str()) == time && is_time(column.column_type));
    let month = match time {
        Some(_) if is_date => format!("substr({}, 1, 7)", text(time)),
        _ => text(None),
    };
    let facility = text(facility);
    let nothing = "CAST(NULL AS VARCHAR)";
    let keys: Vec<String> = (0..target.key.len()).map(key_name).collect();
    let keys = keys.join(", ");
    let named = target.key.iter().enumerate();
    let named: Vec<String> =
        named.map(|(at, key)| format!("{} AS {}", quoted(key), key_name(at))).collect();
    let named = named.join(", ");
    let of_sources = format!(
        "SELECT {named}, 1 AS __s, 0 AS __t, {} AS __sh, {nothing} AS __th, {facility} AS __sf, {nothing} AS __tf, \
         {month} AS __sm, {nothing} AS __tm FROM ({}) AS n",
        hash([POSITION, IS_DELETE]),
        sources.newest(&sources.states()),
    );
    let of_table = format!(
        "SELECT {named}, 0, 1, {nothing}, {}, {nothing}, {facility}, {nothing}, {month} FROM {} AS t",
        hash([SOURCE_POSITION, DELETED]),
        table(&target.name),
    );
    let by_key = format!(
        "SELECT {keys}, sum(__s) AS s, sum(__t) AS t, max(__sh) AS sh, max(__th) AS th, min(__th) AS tl, \
         coalesce(max(__sf), max(__tf)) AS facility, coalesce(max(__sm), max(__tm)) AS month \
         FROM ({of_sources} UNION ALL {of_table}) AS a GROUP BY {keys}"
    );
    format!(
        "SELECT facility, month, sum(s), sum(t), \
         sum(CASE WHEN t = 0 THEN 1 ELSE 0 END), \
         sum(CASE WHEN s = 0 THEN t WHEN t > 1 THEN t - 1 ELSE 0 END), \
         sum(CASE WHEN s > 0 AND t > 0 AND (th <> sh OR tl <> sh) THEN 1 ELSE 0 END) \
         FROM ({by_key}) AS k GROUP BY facility, month ORDER BY facility, month"
    )
}

fn is_time(kind: ColumnType) -> bool {
    matches!(kind, ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz)
}

/// A value with its length, so that no two rows come to one text.
fn marked(column: &str) -> String {
    let text = format!("CAST({column} AS VARCHAR)");
    format!(
        "CASE WHEN {column} IS NULL THEN '-' ELSE concat(CAST(octet_length({text}) AS VARCHAR), ':', {text}) END"
    )
}

/// The groups that a query gave.
pub(super) fn groups(batches: &[RecordBatch]) -> Result<Vec<Group>> {
    let defect = || Error::new(ErrorKind::Internal, "counts by facility cannot be read");
    let mut groups = Vec::new();
    for batch in batches {
        let cast = |at: usize, kind: &DataType| {
            arrow::compute::cast(batch.column(at), kind)
                .map_err(|error| defect().with_source(error))
        };
        let texts = [cast(0, &DataType::Utf8)?, cast(1, &DataType::Utf8)?];
        let numbers = (2..7).map(|at| cast(at, &DataType::Int64)).collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let text = |at: usize| -> Option<String> {
                let texts = texts.get(at)?.as_string_opt::<i32>()?;
                texts.is_valid(row).then(|| texts.value(row).to_string())
            };
            let number = |at: usize| -> Result<u64> {
                let column = numbers.get(at).and_then(|all| all.as_primitive_opt::<Int64Type>());
                let column = column.ok_or_else(defect)?;
                u64::try_from(column.value(row)).map_err(|_| defect())
            };
            groups.push(Group {
                facility: text(0),
                month: text(1),
                keys: number(0)?,
                rows: number(1)?,
                missing: number(2)?,
                surplus: number(3)?,
                different: number(4)?,
            });
        }
    }
    Ok(groups)
}
