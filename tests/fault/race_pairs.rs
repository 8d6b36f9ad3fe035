//! Pairs of changes that meet, each with a model in memory of what it does.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use northstar_iceberg::commit::CommitRequest;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{Lake, TableName};
use northstar_tests::lab::{run_context, tester};

use super::merging::writes;

/// A row: id, site and n.
pub(crate) type Row = (i64, String, i64);

/// How many pairs there are.
pub(crate) const PAIRS: usize = 13;

/// What a change does to the rows of a table.
type Model = Box<dyn Fn(&mut Vec<Row>)>;

/// One change of a table.
pub(crate) struct Change {
    /// The statement; none for rows that are appended, as a load does.
    pub(crate) sql: Option<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) model: Model,
}

/// Two changes of one table that meet.
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    pub(crate) changes: [Change; 2],
    /// Whether either changes what the other means, so that the one that comes second is done again;
    /// none if only one does.
    pub(crate) depend: Option<bool>,
}

/// The rows as queries show them.
pub(crate) fn shown(rows: &[Row]) -> Vec<String> {
    let mut rows: Vec<String> =
        rows.iter().map(|(id, site, n)| format!("{id}|{site}|{n}")).collect();
    rows.sort_unstable();
    rows
}

/// Appends rows as a load does.
pub(crate) async fn append(lake: &Lake, table: &str, rows: &[Row]) {
    let table = lake.open_table(&table.parse().expect("a name"), &tester()).await.expect("a table");
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("site", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.1)))),
        ("n", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)))),
    ];
    let id = lake.ids.uuid().to_string();
    let mut writer = TableWriter::new(lake, &table, &id, writes(lake)).expect("a writer");
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, values)| (name, values, true)),
    );
    writer.write(batch.expect("rows")).expect("room");
    let files = writer.finish().expect("files").files;
    let (run, summary) = (run_context(), [].into());
    let request = CommitRequest { commit_id: id, run, summary, expect: None };
    let outcome = lake.append(&table, &files, &request).await.expect("a commit");
    outcome.settled().expect("a snapshot");
}

/// A new table of twelve rows in four files: even ids are in s0, odd ones in s1, and the first six
/// came before the others. Row 2 has the smallest n, row 3 the greatest.
pub(crate) async fn seeded_table(
    lake: &Lake,
    name: &TableName,
    random: &mut impl FnMut(usize) -> usize,
) -> Vec<Row> {
    let definition = TableDefinition {
        columns: vec![
            ColumnDefinition::new("id", DataType::Int64),
            ColumnDefinition::new("site", DataType::Utf8),
            ColumnDefinition::new("n", DataType::Int64),
        ],
        partition: vec!["site".parse().expect("a field")],
        sort: Vec::new(),
        properties: [("commit.retry.min-wait-ms".to_string(), "1".to_string())].into(),
    };
    lake.create_table(name, &definition, &tester()).await.expect("a table");
    let n = |id: i64, some: usize| match id {
        2 => 1,
        3 => 50,
        _ => 10 + i64::try_from(some).expect("small"),
    };
    let rows: Vec<Row> = (0..12).map(|id| (id, format!("s{}", id % 2), n(id, random(9)))).collect();
    append(lake, &name.to_string(), &rows[..6]).await;
    append(lake, &name.to_string(), &rows[6..]).await;
    rows
}

fn statement(sql: String, model: impl Fn(&mut Vec<Row>) + 'static) -> Change {
    Change { sql: Some(sql), rows: Vec::new(), model: Box::new(model) }
}

/// `UPDATE t SET n = n * times + more WHERE id = id`.
fn update(t: &TableName, id: i64, times: i64, more: i64) -> Change {
    statement(format!("UPDATE {t} SET n = n * {times} + {more} WHERE id = {id}"), move |rows| {
        rows.iter_mut().filter(|row| row.0 == id).for_each(|row| row.2 = row.2 * times + more);
    })
}

/// A MERGE of one row: n is added where the id is, or it is inserted into s0.
fn upsert(t: &TableName, id: i64, n: i64) -> Change {
    let sql = format!(
        "MERGE INTO {t} AS t USING (SELECT {id} AS id, {n} AS n) AS s ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET n = t.n + s.n \
         WHEN NOT MATCHED THEN INSERT (id, site, n) VALUES (s.id, 's0', s.n)"
    );
    statement(sql, move |rows| {
        if !rows.iter().any(|row| row.0 == id) {
            return rows.push((id, "s0".to_string(), n));
        }
        rows.iter_mut().filter(|row| row.0 == id).for_each(|row| row.2 += n);
    })
}

fn appended(rows: Vec<Row>) -> Change {
    let more = rows.clone();
    Change { sql: None, rows, model: Box::new(move |rows| rows.extend(more.iter().cloned())) }
}

/// Moves the rows of one site to another, or adds to them there.
fn move_site(t: &TableName, from: &'static str, to: &'static str) -> Change {
    statement(format!("UPDATE {t} SET site = '{to}' WHERE site = '{from}'"), move |rows| {
        rows.iter_mut().filter(|row| row.1 == from).for_each(|row| row.1 = to.to_string());
    })
}

fn delete_above_half(t: &TableName) -> Change {
    statement(format!("DELETE FROM {t} WHERE n * 2 > (SELECT max(n) FROM {t})"), |rows| {
        let most = rows.iter().map(|row| row.2).max().unwrap_or(0);
        rows.retain(|row| row.2 * 2 <= most);
    })
}

fn delete_below(t: &TableName, n: i64) -> Change {
    statement(format!("DELETE FROM {t} WHERE n < {n}"), move |rows| rows.retain(|row| row.2 >= n))
}

fn keep_only(t: &TableName, id: i64) -> Change {
    let sql = format!(
        "MERGE INTO {t} AS t USING (SELECT {id} AS id) AS s ON t.id = s.id \
         WHEN NOT MATCHED BY SOURCE THEN DELETE"
    );
    statement(sql, move |rows| rows.retain(|row| row.0 == id))
}

/// Gives a row the sum of all rows.
fn sum_into(t: &TableName, id: i64) -> Change {
    let sql = format!(
        "MERGE INTO {t} AS t USING (SELECT {id} AS id, sum(n) AS n FROM {t}) AS s ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET n = s.n"
    );
    statement(sql, move |rows| {
        let sum = rows.iter().map(|row| row.2).sum();
        rows.iter_mut().filter(|row| row.0 == id).for_each(|row| row.2 = sum);
    })
}

/// Inserts two rows into s0 where their ids are not there, and leaves those that are.
fn insert_missing(t: &TableName, ids: [i64; 2], n: i64) -> Change {
    let sql = format!(
        "MERGE INTO {t} AS t USING (VALUES ({}), ({})) AS s(id) ON t.id = s.id \
         WHEN NOT MATCHED THEN INSERT (id, site, n) VALUES (s.id, 's0', {n})",
        ids[0], ids[1]
    );
    statement(sql, move |rows| {
        for id in ids {
            if !rows.iter().any(|row| row.0 == id) {
                rows.push((id, "s0".to_string(), n));
            }
        }
    })
}

/// Deletes one row unless another is there.
fn delete_unless(t: &TableName, id: i64, other: i64) -> Change {
    let none = format!("(SELECT count(*) FROM {t} WHERE id = {other}) = 0");
    statement(format!("DELETE FROM {t} WHERE id = {id} AND {none}"), move |rows| {
        if !rows.iter().any(|row| row.0 == other) {
            rows.retain(|row| row.0 != id);
        }
    })
}

/// The `run`-th pair, on a table of [`seeded_table`].
pub(crate) fn pair(run: usize, t: &TableName, random: &mut impl FnMut(usize) -> usize) -> Pair {
    let mut number = |below: usize| i64::try_from(random(below)).expect("small");
    let (key, v, w) = (number(12), 1 + number(9), 1 + number(9));
    let new = 100 + key;
    let (name, depend, changes) = match run % PAIRS {
        0 => ("two updates of one row", Some(true), [update(t, key, 1, v), update(t, key, 2, w)]),
        1 => (
            "a MERGE and an UPDATE of one row",
            Some(true),
            [upsert(t, key, v), update(t, key, 3, w)],
        ),
        // In one file: rows that came together and are in one site.
        2 => (
            "updates of two rows of one file",
            Some(true),
            [update(t, 0, 1, v), update(t, 4, 2, w)],
        ),
        3 => {
            ("updates of two files", Some(false), [update(t, key, 2, v), update(t, 11 - key, 3, w)])
        }
        4 => ("both insert one key", Some(true), [upsert(t, new, v), upsert(t, new, w)]),
        5 => ("DELETE against UPDATE", Some(true), [delete_below(t, 1 + v), update(t, 2, 1, v)]),
        6 => {
            let rows = vec![(new, "s1".to_string(), w), (new + 1, "s0".to_string(), v)];
            ("MERGE against a load", None, [upsert(t, new, v), appended(rows)])
        }
        7 => ("DELETE that reads itself", Some(true), [delete_above_half(t), update(t, 3, 2, v)]),
        8 => (
            "rows moved into the other's site",
            Some(true),
            [move_site(t, "s0", "s1"), move_site(t, "s1", "s0")],
        ),
        9 => ("NOT MATCHED BY SOURCE", None, [keep_only(t, key), upsert(t, new, v)]),
        10 => {
            ("sources that read the target", Some(true), [sum_into(t, key), sum_into(t, 11 - key)])
        }
        11 => {
            let changes = [insert_missing(t, [key, new], v), delete_unless(t, key, new)];
            ("a row that is matched and stays", Some(true), changes)
        }
        _ => {
            let rows = vec![(new, "s1".to_string(), w)];
            ("a load that does not matter", Some(false), [update(t, key, 2, v), appended(rows)])
        }
    };
    Pair { name, changes, depend }
}
