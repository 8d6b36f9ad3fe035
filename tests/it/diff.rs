//! What changed between two snapshots, whatever wrote them, against a model in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use iceberg::spec::{NestedField, PrimitiveType, Schema, Type};
use northstar_iceberg::ErrorKind;
use northstar_iceberg::commit::FileChange;
use northstar_iceberg::diff::{CHANGE_COLUMN, Diff, DiffCounts, DiffRequest};
use northstar_iceberg::merge::LakeSession;
use northstar_iceberg::scan::IcebergTable;
use northstar_iceberg::sql::{LakeTables, SqlOptions, SqlSession};
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::travel::AsOf;
use northstar_tests::changes::{Changes, session};
use northstar_tests::lab::{Lab, tester};
use northstar_tests::layouts::{commit, compact, delete_positions, opened, write};

/// A row `(id, site, n)`.
type Row = (Option<i64>, &'static str, Option<i64>);

/// A table's rows at a snapshot, as the model has them.
type State = (i64, Vec<Row>);

async fn diff(lab: &Lab, session: &LakeSession, from: AsOf, to: AsOf, key: &[&str]) -> Diff {
    let key = key.iter().map(ToString::to_string).collect();
    let request = DiffRequest { from, to, key };
    let name = "ns.t".parse().unwrap();
    lab.lake.diff(&name, &request, &tester(), session.sql()).await.unwrap()
}

/// The rows of a comparison as text: the change, then the columns.
async fn rows(diff: &Diff) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let options = FormatOptions::default().with_null("NULL");
    for batch in diff.rows().unwrap().collect().await.unwrap() {
        assert_eq!(batch.schema().field(0).name(), CHANGE_COLUMN);
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> =
                columns[1..].iter().map(|column| column.value(row).to_string()).collect();
            rows.push((columns[0].value(row).to_string(), cells.join("|")));
        }
    }
    rows
}

fn text((id, site, n): &Row) -> String {
    let shown = |value: Option<i64>| value.map_or("NULL".to_string(), |value| value.to_string());
    format!("{}|{site}|{}", shown(*id), shown(*n))
}

fn literal(value: Option<i64>) -> String {
    value.map_or("CAST(NULL AS BIGINT)".to_string(), |value| value.to_string())
}

/// Numbers that look random and are the same each time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn row(&mut self) -> Row {
        let id = (self.below(8) > 0).then(|| i64::try_from(self.below(12)).unwrap());
        let n = (self.below(5) > 0).then(|| i64::try_from(self.below(3)).unwrap());
        (id, ["a", "b"][usize::try_from(self.below(2)).unwrap()], n)
    }
}

/// How many rows there are of each text.
fn multiset(rows: &[Row]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(text(row)).or_default() += 1;
    }
    counts
}

/// What came more often than it went, one text for each time too many.
fn more(rows: &[Row], than: &[Row]) -> Vec<String> {
    let than = multiset(than);
    let mut found = Vec::new();
    for (text, count) in multiset(rows) {
        let extra = count - than.get(&text).copied().unwrap_or(0);
        found.extend(std::iter::repeat_n(text, usize::try_from(extra).unwrap_or(0)));
    }
    found
}

fn key_of(text: &str) -> Option<&str> {
    text.split('|').next().filter(|id| *id != "NULL")
}

/// Makes one change of the table, and the same in the model. Whether a snapshot was made.
async fn step(lab: &Lab, changes: &Changes, draws: &mut Draws, rows: &mut Vec<Row>) {
    let third = i64::try_from(draws.below(3)).unwrap();
    match draws.below(6) {
        0 | 1 => {
            let mut new: Vec<Row> = (0..=draws.below(6)).map(|_| draws.row()).collect();
            new.push(new[0]);
            let values: Vec<String> = new
                .iter()
                .map(|(id, site, n)| format!("({}, '{site}', {})", literal(*id), literal(*n)))
                .collect();
            let sql = format!(
                "MERGE INTO ns.t USING (VALUES {}) AS s(id, site, n) ON false \
                 WHEN NOT MATCHED THEN INSERT *",
                values.join(", ")
            );
            changes.change(&sql).await;
            rows.extend(new);
        }
        2 => {
            let sql = format!("UPDATE ns.t SET n = n + 1 WHERE id % 3 = {third}");
            changes.change(&sql).await;
            for row in rows.iter_mut().filter(|row| row.0.is_some_and(|id| id % 3 == third)) {
                row.2 = row.2.map(|n| n + 1);
            }
        }
        3 => {
            changes.change(&format!("DELETE FROM ns.t WHERE n % 3 = {third}")).await;
            rows.retain(|row| row.2.is_none_or(|n| n % 3 != third));
        }
        4 => {
            let every = usize::try_from(draws.below(4)).unwrap() + 2;
            let chosen = |number: usize| number.is_multiple_of(every);
            let (gone, _) = delete_positions(lab, &session(lab), "ns.t", chosen).await;
            for batch in gone {
                let cells: Vec<String> = (0..3)
                    .map(|column| {
                        let options = FormatOptions::default().with_null("NULL");
                        let column = ArrayFormatter::try_new(batch.column(column), &options);
                        column.unwrap().value(0).to_string()
                    })
                    .collect();
                let gone = cells.join("|");
                let at = rows.iter().position(|row| text(row) == gone).unwrap();
                rows.swap_remove(at);
            }
        }
        _ => {
            compact(lab, &session(lab), "ns.t").await;
        }
    }
}

/// Compares what a diff says with the model's two states.
async fn agree(lab: &Lab, session: &LakeSession, from: &State, to: &State) {
    let (gone, come) = (more(&from.1, &to.1), more(&to.1, &from.1));
    let context = format!("from {from:?} to {to:?}");
    let (old, new) = (AsOf::Snapshot(from.0), AsOf::Snapshot(to.0));

    let plain = diff(lab, session, old.clone(), new.clone(), &[]).await;
    let counts = plain.counts().await.unwrap();
    let expected =
        DiffCounts { inserted: come.len() as u64, deleted: gone.len() as u64, updated: 0 };
    assert_eq!(counts, expected, "{context}");
    let mut found = rows(&plain).await;
    found.sort_unstable();
    let expected = gone.iter().map(|row| ("delete", row)).chain(come.iter().map(|r| ("insert", r)));
    let mut expected: Vec<_> =
        expected.map(|(change, row)| (change.to_string(), row.clone())).collect();
    expected.sort_unstable();
    assert_eq!(found, expected, "{context}");

    let keyed = diff(lab, session, old, new, &["id"]).await;
    let mut updated = 0;
    let mut keys: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    gone.iter().filter_map(|row| key_of(row)).for_each(|key| keys.entry(key).or_default().0 += 1);
    come.iter().filter_map(|row| key_of(row)).for_each(|key| keys.entry(key).or_default().1 += 1);
    keys.values().for_each(|(gone, come)| updated += gone.min(come));
    let expected = DiffCounts {
        inserted: come.len() as u64 - updated,
        deleted: gone.len() as u64 - updated,
        updated,
    };
    assert_eq!(keyed.counts().await.unwrap(), expected, "{context}");
    let found = rows(&keyed).await;
    let mut sides = [Vec::new(), Vec::new()];
    for (at, (change, row)) in found.iter().enumerate() {
        let after = change == "insert" || change == "update_after";
        sides[usize::from(after)].push(row.clone());
        if change == "update_after" {
            let (change, before) = &found[at - 1];
            assert_eq!((change.as_str(), key_of(before)), ("update_before", key_of(row)));
        }
    }
    sides.iter_mut().for_each(|side| side.sort_unstable());
    assert_eq!(sides, [gone, come], "{context}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_is_the_difference_of_the_multisets_whatever_wrote_them() {
    let mut compared = 0;
    for seed in 1..=6_u64 {
        let lab = Lab::new().await;
        let changes = Changes::new(&lab, "ns.t", &[]).await;
        let mut draws = Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut model: Vec<Row> = Vec::new();
        let mut states: Vec<State> = Vec::new();
        for _ in 0..8 {
            step(&lab, &changes, &mut draws, &mut model).await;
            let table = opened(&lab, "ns.t").await;
            let current = table.metadata().current_snapshot_id();
            if let Some(id) = current.filter(|id| states.last().is_none_or(|(last, _)| last != id))
            {
                states.push((id, model.clone()));
            }
        }
        let session = session(&lab);
        for from in &states {
            for to in states.iter().filter(|_| draws.below(3) == 0) {
                agree(&lab, &session, from, to).await;
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "{compared} comparisons are too few");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_changes_no_row() {
    let lab = Lab::new().await;
    let changes = Changes::new(&lab, "ns.t", &[]).await;
    changes
        .change(
            "MERGE INTO ns.t USING (VALUES (1, 'a', 1), (1, 'a', 1), (2, 'b', 2)) AS s(id, site, n) \
             ON false WHEN NOT MATCHED THEN INSERT *",
        )
        .await;
    let before = opened(&lab, "ns.t").await.metadata().current_snapshot_id().unwrap();
    let session = session(&lab);
    let after = compact(&lab, &session, "ns.t").await.unwrap();
    let diff = diff(&lab, &session, AsOf::Snapshot(before), AsOf::Snapshot(after), &["id"]).await;
    assert_eq!(diff.files, (1, 1), "the rows were rewritten, and are read");
    assert_eq!(diff.counts().await.unwrap(), DiffCounts::default());
    assert_eq!(rows(&diff).await, []);
    let opens = lab.access.records().into_iter().filter(|record| record.table == "ns.t").count();
    assert!(opens > 0, "a comparison is recorded");
}

/// A batch `(id, score)`.
fn scores(values: &[Option<f64>]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(1..=values.len() as i64));
    let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("score", values, true)]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn floats_are_the_same_if_every_bit_is() {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let definition = TableDefinition {
        columns: vec![
            ColumnDefinition::new("id", DataType::Int64),
            ColumnDefinition::new("score", DataType::Float64),
        ],
        properties: [("northstar.key".to_string(), "id".to_string())].into(),
        ..TableDefinition::default()
    };
    let name = "ns.t".parse().unwrap();
    let table = lab.lake.create_table(&name, &definition, &tester()).await.unwrap();
    let other_nan = f64::from_bits(f64::NAN.to_bits() | 1);
    let before = [Some(0.0), Some(-0.0), Some(f64::NAN), Some(f64::NAN), None, Some(1.5)];
    let after = [Some(-0.0), Some(-0.0), Some(f64::NAN), Some(other_nan), None, Some(1.5)];
    let first = commit(&lab, &table, write(&lab, &table, vec![scores(&before)])).await;
    let table = opened(&lab, "ns.t").await;
    let current = IcebergTable::try_new(table.inner().clone(), None).unwrap();
    let removed = current.slices().await.unwrap().into_keys().collect();
    let change = FileChange { removed, ..write(&lab, &table, vec![scores(&after)]) };
    commit(&lab, &table, change).await;
    let session = session(&lab);
    let diff = diff(&lab, &session, AsOf::Snapshot(first), AsOf::Current, &[]).await;
    assert_eq!(diff.key, ["id"], "the table's own");
    let counts = diff.counts().await.unwrap();
    assert_eq!(counts, DiffCounts { updated: 2, ..DiffCounts::default() });
    let found = rows(&diff).await;
    let found: Vec<(&str, &str)> = found.iter().map(|(c, r)| (c.as_str(), r.as_str())).collect();
    assert_eq!(
        found,
        [
            ("update_before", "1|0.0"),
            ("update_after", "1|-0.0"),
            ("update_before", "4|NaN"),
            ("update_after", "4|NaN"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_the_same_by_their_ids_under_the_newer_schema() {
    let lab = Lab::new().await;
    let changes = Changes::new(&lab, "ns.t", &[]).await;
    let insert = |values: &str| {
        format!(
            "MERGE INTO ns.t USING (VALUES {values}) AS s ON false WHEN NOT MATCHED THEN INSERT \
             VALUES (s.column1, s.column2, s.column3)"
        )
    };
    changes.change(&insert("(1, 'a', 1), (2, 'b', 2)")).await;
    let table = opened(&lab, "ns.t").await;
    let first = table.metadata().current_snapshot_id().unwrap();
    let field =
        |id, name: &str, kind| Arc::new(NestedField::optional(id, name, Type::Primitive(kind)));
    let fields = [
        field(2, "place", PrimitiveType::String),
        field(1, "id", PrimitiveType::Long),
        field(4, "more", PrimitiveType::Int),
    ];
    let schema = Schema::builder().with_schema_id(1).with_fields(fields).build().unwrap();
    let evolve = |_: &_, builder: iceberg::spec::TableMetadataBuilder| {
        Ok(Some(builder.add_current_schema(schema.clone()).unwrap()))
    };
    assert!(lab.lake.alter(&table, evolve).await.unwrap().settled().unwrap());
    changes.change("UPDATE ns.t SET more = 7 WHERE id = 2").await;
    let session = session(&lab);
    let diff = diff(&lab, &session, AsOf::Snapshot(first), AsOf::Current, &["id"]).await;
    let said = &diff.notes[0];
    for part in ["`site` is now `place`", "`n` was dropped", "`more` was added"] {
        assert!(said.contains(part), "{said}");
    }
    let expected = [("update_before", "b|2|NULL"), ("update_after", "b|2|7")];
    let expected = expected.map(|(change, row)| (change.to_string(), row.to_string()));
    assert_eq!(rows(&diff).await, expected, "the row that was only moved is no change");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_snapshot_is_named_with_the_oldest_that_is_kept() {
    let lab = Lab::new().await;
    let changes = Changes::new(&lab, "ns.t", &[]).await;
    for id in 1..=3 {
        let values = format!("(VALUES ({id}, 'a', 1)) AS s(id, site, n)");
        let sql = format!("MERGE INTO ns.t USING {values} ON false WHEN NOT MATCHED THEN INSERT *");
        changes.change(&sql).await;
    }
    let table = opened(&lab, "ns.t").await;
    let ids: Vec<i64> = table.ancestors().map(iceberg::spec::Snapshot::snapshot_id).collect();
    let expire = |_: &_, builder: iceberg::spec::TableMetadataBuilder| {
        Ok(Some(builder.remove_snapshots(&[ids[2]])))
    };
    assert!(lab.lake.alter(&table, expire).await.unwrap().settled().unwrap());
    let session = session(&lab);
    let ask = |from| {
        let request = DiffRequest { from, to: AsOf::Current, key: Vec::new() };
        let (lab, session) = (&lab, &session);
        async move {
            let name = "ns.t".parse().unwrap();
            lab.lake.diff(&name, &request, &tester(), session.sql()).await.unwrap_err()
        }
    };
    for gone in [ids[2], 77] {
        let error = ask(AsOf::Snapshot(gone)).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains(&gone.to_string()), "{text}");
        assert!(text.contains(&format!("oldest kept: snapshot {} of 2024-", ids[1])), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_into_memory_are_compared_on_disk() {
    const MEMORY_BYTES: usize = 16 << 20;
    let lab = Lab::new().await;
    let changes = Changes::new(&lab, "ns.t", &[]).await;
    let insert = "MERGE INTO ns.t USING (SELECT value AS id, repeat('x', 200) AS site, 0 AS n \
                  FROM generate_series(1, 60000)) AS s ON false WHEN NOT MATCHED THEN INSERT *";
    changes.change(insert).await;
    let first = opened(&lab, "ns.t").await.metadata().current_snapshot_id().unwrap();
    changes.change("UPDATE ns.t SET n = 1 WHERE id % 100 = 0").await;
    let tables = Arc::new(LakeTables::new(lab.lake.clone(), tester()));
    let options = SqlOptions {
        memory_bytes: Some(MEMORY_BYTES),
        spill_dir: Some(lab.path("spill")),
        ..SqlOptions::default()
    };
    let session = SqlSession::new(options, tables).unwrap();
    let request =
        DiffRequest { from: AsOf::Snapshot(first), to: AsOf::Current, key: vec!["id".into()] };
    let name = "ns.t".parse().unwrap();
    let diff = lab.lake.diff(&name, &request, &tester(), &session).await.unwrap();
    let counts = diff.counts().await.unwrap();
    assert_eq!(counts, DiffCounts { updated: 600, ..DiffCounts::default() });
    let found = std::cell::Cell::new(0);
    diff.each_batch(|batch| {
        found.set(found.get() + batch.num_rows());
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(found.get(), 1200);
}
