//! Tables of random nested types live through writes, merges, deletes, compactions and changes of
//! their types, in both modes, and hold at each step what a model in memory holds (E1, M2, C1).
//!
//! `NORTHSTAR_SOAK=1` runs ten times as many.

use std::collections::{BTreeMap, BTreeSet};

use northstar_iceberg::maintenance::{CompactOptions, compact};
use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_tests::changes::session;
use northstar_tests::lab::Lab;
use northstar_tests::layouts::{all_rows, commit, opened, write};

use super::kind::{Kind, Part, sql, type_sql, wider};
use super::value::{Row, Value, batch, random_value, rows, under};
use crate::merge_model::random::Random;

const STEPS: usize = 10;

/// A table, and what it should hold.
struct Life {
    lab: Lab,
    session: LakeSession,
    random: Random,
    columns: Vec<Part>,
    rows: Vec<Row>,
    /// Ids that any field ever had.
    used: BTreeSet<i32>,
    next: i128,
    story: Vec<String>,
}

/// How often each change was made, so that one that is no longer reached is noticed.
type Seen = BTreeMap<&'static str, usize>;

impl Life {
    async fn begin(seed: u64) -> Self {
        let lab = Lab::new().await;
        let session = session(&lab);
        let mut random = Random::new(seed);
        let columns: Vec<String> =
            (0..=random.below(2)).map(|at| format!("c{at} {}", type_sql(&mut random, 3))).collect();
        let partition = if seed.is_multiple_of(3) { "PARTITIONED BY (bucket(3, id))" } else { "" };
        let mode = if seed.is_multiple_of(2) { "merge-on-read" } else { "copy-on-write" };
        let mut life = Self {
            lab,
            session,
            random,
            columns: Vec::new(),
            rows: Vec::new(),
            used: BTreeSet::new(),
            next: 0,
            story: vec![format!("seed {seed}")],
        };
        life.run("CREATE SCHEMA ns").await;
        life.run(&format!(
            "CREATE TABLE ns.t (id BIGINT, {}) {partition} TBLPROPERTIES ('write.merge.mode' = \
             '{mode}', 'write.delete.mode' = '{mode}', 'commit.retry.min-wait-ms' = '1')",
            columns.join(", ")
        ))
        .await;
        life.columns = life.columns_of("ns.t").await;
        life.used = life.ids();
        life
    }

    /// Runs a statement; what it did to rows, if it is about rows.
    async fn run(&mut self, sql: &str) -> Option<ChangeReport> {
        self.story.push(sql.to_string());
        match self.session.execute(sql).await {
            Ok(Executed::Changed(report)) => Some(report),
            Ok(Executed::Defined(_)) => None,
            Ok(Executed::Rows(_)) => panic!("{sql} only reads"),
            Err(error) => panic!("{error}: {error:?}\n{}", self.story.join("\n")),
        }
    }

    async fn columns_of(&self, name: &str) -> Vec<Part> {
        let table = opened(&self.lab, name).await;
        let fields = table.metadata().current_schema().as_struct().fields().to_vec();
        fields.iter().map(|field| Part::of(field)).collect()
    }

    fn ids(&self) -> BTreeSet<i32> {
        self.columns.iter().flat_map(Part::ids).collect()
    }

    /// Random rows, with numbers that go on from those that were given, or from among them.
    fn draw(&mut self, count: usize, again: usize) -> Vec<Row> {
        let mut numbers = BTreeSet::new();
        for _ in 0..count {
            let again = self.next > 0 && self.random.chance(again);
            numbers.insert(match again {
                true => self.random.below(usize::try_from(self.next).unwrap()) as i128,
                false => {
                    self.next += 1;
                    self.next - 1
                }
            });
        }
        let id = self.id();
        let row = |number: i128| {
            let value = |part: &Part| match part.id == id {
                true => Value::Whole(number),
                false => random_value(&mut self.random, part),
            };
            let values: Vec<Value> = self.columns.iter().map(value).collect();
            self.columns.iter().map(|part| part.id).zip(values).collect()
        };
        numbers.into_iter().map(row).collect()
    }

    fn id(&self) -> i32 {
        self.columns.iter().find(|part| part.name == "id").unwrap().id
    }

    async fn append(&mut self, name: &str, drawn: &[Row]) {
        let table = opened(&self.lab, name).await;
        let schema =
            northstar_iceberg::table::schema::arrow_schema(table.metadata().current_schema());
        let schema = schema.unwrap();
        let batches = drawn.chunks(7).map(|rows| batch(&schema, &self.columns, rows)).collect();
        commit(&self.lab, &table, write(&self.lab, &table, batches)).await;
    }

    async fn merge(&mut self) {
        let columns: Vec<String> =
            self.columns.iter().map(|part| format!("{} {}", part.name, sql(&part.kind))).collect();
        let drawn = self.draw(20, 60);
        self.run(&format!("CREATE TABLE ns.s ({})", columns.join(", "))).await;
        self.append("ns.s", &drawn).await;
        let report = self
            .run(
                "MERGE INTO ns.t AS t USING ns.s AS s ON t.id = s.id \
                 WHEN MATCHED AND s.id % 5 = 0 THEN DELETE \
                 WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
            )
            .await
            .unwrap();
        self.run("DROP TABLE ns.s").await;
        let id = self.id();
        let (mut inserted, mut updated, mut deleted) = (0, 0, 0);
        for row in drawn {
            let Value::Whole(number) = row[&id] else { panic!("a row has a number") };
            match self.rows.iter().position(|old| old[&id] == row[&id]) {
                Some(at) if number % 5 == 0 => {
                    self.rows.remove(at);
                    deleted += 1;
                }
                Some(at) => {
                    updated += u64::from(self.rows[at] != row);
                    self.rows[at] = row;
                }
                None => {
                    self.rows.push(row);
                    inserted += 1;
                }
            }
        }
        let counts = (report.inserted_rows, report.updated_rows, report.deleted_rows);
        assert_eq!(counts, (inserted, updated, deleted), "{}", self.story.join("\n"));
    }

    async fn delete(&mut self) {
        let rest = self.random.below(4) as i128;
        let report = self.run(&format!("DELETE FROM ns.t WHERE id % 4 = {rest}")).await.unwrap();
        let (id, before) = (self.id(), self.rows.len());
        self.rows.retain(|row| !matches!(row[&id], Value::Whole(n) if n % 4 == rest));
        assert_eq!(report.deleted_rows as usize, before - self.rows.len());
    }

    /// Makes a change of the columns; which, or nothing if there is none to be made of that kind.
    async fn evolve(&mut self) -> Option<&'static str> {
        let name = format!("n{}", self.story.len());
        let mut levels = Vec::new();
        let mut leaves = Vec::new();
        find(&self.columns, "", &mut levels, &mut leaves);
        let (prefix, parts) = self.random.pick(&levels).clone();
        let part = self.random.pick(&parts).clone();
        let other = self.random.pick(&parts).clone();
        let free = part.name != "id";
        let before = self.ids();
        let (what, change, gone) = match self.random.below(6) {
            0 if free && parts.len() > 1 => {
                ("drop", format!("DROP COLUMN {prefix}{}", part.name), part.ids())
            }
            1 if free => {
                ("rename", format!("RENAME COLUMN {prefix}{} TO {name}", part.name), vec![])
            }
            2 if other.name != part.name => {
                let place = format!("ALTER COLUMN {prefix}{} AFTER {}", part.name, other.name);
                ("move", place, vec![])
            }
            3 => {
                let wide = leaves.iter().filter_map(|(path, part)| match &part.kind {
                    Kind::Leaf(leaf) => Some((path, wider(leaf)?)),
                    _ => None,
                });
                let wide: Vec<_> = wide.collect();
                if wide.is_empty() {
                    return None;
                }
                let (path, to) = *self.random.pick(&wide);
                ("widen", format!("ALTER COLUMN {path} TYPE {to}"), vec![])
            }
            4 => {
                let required: Vec<_> = leaves.iter().filter(|(_, part)| part.required).collect();
                if required.is_empty() {
                    return None;
                }
                let (path, _) = *self.random.pick(&required);
                ("optional", format!("ALTER COLUMN {path} DROP NOT NULL"), vec![])
            }
            _ => {
                let kind = type_sql(&mut self.random, 1).replace(" NOT NULL", "");
                let place = if self.random.chance(30) { "FIRST" } else { "" };
                ("add", format!("ADD COLUMN {prefix}{name} {kind} {place}"), vec![])
            }
        };
        self.run(&format!("ALTER TABLE ns.t {change}")).await;
        self.columns = self.columns_of("ns.t").await;
        let after = self.ids();
        let new: BTreeSet<i32> = after.difference(&before).copied().collect();
        assert!(new.is_disjoint(&self.used), "an id is used twice: {}", self.story.join("\n"));
        assert_eq!(new.is_empty(), what != "add");
        let left: BTreeSet<i32> = before.difference(&after).copied().collect();
        assert_eq!(left, gone.into_iter().collect(), "{}", self.story.join("\n"));
        self.used.extend(after);
        let columns = &self.columns;
        for row in &mut self.rows {
            let value = |part: &Part| match row.get(&part.id) {
                Some(value) => under(&part.kind, value),
                None => Value::Null,
            };
            *row = columns.iter().map(|part| (part.id, value(part))).collect();
        }
        Some(what)
    }

    /// Holds the table against the model, whole and by a filter on a part.
    async fn check(&mut self) {
        self.rows.sort();
        let table = opened(&self.lab, "ns.t").await;
        let read = rows(&self.columns, &all_rows(&self.session, &table, false).await);
        assert!(read == self.rows, "{}\n{read:?}\n{:?}", self.story.join("\n"), self.rows);

        let mut levels = Vec::new();
        let mut leaves = Vec::new();
        find(&self.columns, "", &mut levels, &mut leaves);
        let plain: Vec<_> = leaves
            .iter()
            .filter(|(path, _)| !path.contains(".element") && !path.contains(".value"))
            .collect();
        let (path, part) = *self.random.pick(&plain);
        let (head, rest) = path.split_once('.').unwrap_or((path, ""));
        let rest: String =
            rest.split('.').filter(|p| !p.is_empty()).map(|p| format!("['{p}']")).collect();
        let sql = format!("SELECT count(*) AS c FROM ns.t WHERE {head}{rest} IS NULL");
        let expected = self.rows.iter().filter(|row| {
            row.iter().all(|(id, value)| {
                find_value(*id, value, part.id).is_none_or(|v| *v == Value::Null)
            })
        });
        assert_eq!(
            self.lab.number(&sql).await,
            expected.count() as i64,
            "{sql}\n{}",
            self.story.join("\n")
        );
    }
}

/// A field's value among a column's; none if it is not there, or what it is in is NULL.
fn find_value(id: i32, value: &Value, wanted: i32) -> Option<&Value> {
    if id == wanted {
        return Some(value);
    }
    let Value::Struct(fields) = value else { return None };
    fields.iter().find_map(|(id, value)| find_value(*id, value, wanted))
}

/// The levels where fields come and go, with what names begin with there, and all fields that are
/// no structs, with their full names. What is in the key of a map is none of them.
fn find(
    parts: &[Part],
    prefix: &str,
    levels: &mut Vec<(String, Vec<Part>)>,
    leaves: &mut Vec<(String, Part)>,
) {
    levels.push((prefix.to_string(), parts.to_vec()));
    for part in parts {
        within(part, format!("{prefix}{}", part.name), levels, leaves);
    }
}

fn within(
    part: &Part,
    path: String,
    levels: &mut Vec<(String, Vec<Part>)>,
    leaves: &mut Vec<(String, Part)>,
) {
    match &part.kind {
        Kind::Struct(parts) => find(parts, &format!("{path}."), levels, leaves),
        Kind::List(element) => {
            leaves.push((path.clone(), part.clone()));
            within(element, format!("{path}.element"), levels, leaves);
        }
        Kind::Map(pair) => {
            leaves.push((path.clone(), part.clone()));
            within(&pair[1], format!("{path}.value"), levels, leaves);
        }
        Kind::Leaf(_) => leaves.push((path, part.clone())),
    }
}

async fn lives(seeds: std::ops::Range<u64>) -> Seen {
    let soak = std::env::var_os("NORTHSTAR_SOAK").is_some();
    let more = if soak { (seeds.end - seeds.start) * 9 } else { 0 };
    let mut seen = Seen::new();
    for seed in seeds.clone().chain((0..more).map(|seed| 1_000_000 + seeds.start * 1_000 + seed)) {
        let mut life = Life::begin(seed).await;
        let first = life.draw(30, 0);
        life.append("ns.t", &first).await;
        life.rows.extend(first);
        life.check().await;
        for _ in 0..STEPS {
            let what = match life.random.below(10) {
                0 | 1 => {
                    life.merge().await;
                    "merge"
                }
                2 => {
                    life.delete().await;
                    "delete"
                }
                3 => {
                    let more = life.draw(10, 0);
                    life.append("ns.t", &more).await;
                    life.rows.extend(more);
                    "append"
                }
                4 => {
                    let name = "ns.t".parse().unwrap();
                    let options = CompactOptions::default();
                    compact(&life.session, &name, &options).await.unwrap();
                    life.story.push("compaction".to_string());
                    "compact"
                }
                _ => match life.evolve().await {
                    Some(what) => what,
                    None => continue,
                },
            };
            *seen.entry(what).or_default() += 1;
            life.check().await;
        }
    }
    seen
}

fn check_seen(seen: &Seen) {
    let all = ["merge", "delete", "append", "compact", "drop", "rename", "move", "widen", "add"];
    assert!(all.iter().all(|what| seen.get(what).copied().unwrap_or(0) > 2), "{seen:?}");
}

// In two parts, so that two cores share them.

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn e1_m2_c1_random_nested_tables_hold_what_the_model_holds() {
    check_seen(&lives(0..16).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn e1_m2_c1_further_random_nested_tables_hold_what_the_model_holds() {
    check_seen(&lives(16..32).await);
}
