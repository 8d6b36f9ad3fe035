//! `MERGE`, `UPDATE` and `DELETE` against a model: random statements on random small tables, each held
//! to what a plain loop over the rows says.
//!
//! After each statement: the rows are the model's, bit by bit (M2); the counts are what really changed
//! (M3); a row that two source rows would change fails the statement (M1); what failed or changed
//! nothing left no snapshot. `NORTHSTAR_SOAK=1` runs ten times as many.

mod condition;
mod generate;
mod model;
pub(crate) mod random;
mod statement;
mod table;
pub(crate) mod value;

use std::collections::HashMap;
use std::fmt::Write;

use condition::Names;
use generate::Shape;
use iceberg::spec::Operation;
use model::{Effect, Expected};
use northstar_iceberg::merge::{ChangeReport, LakeSession, StatementCommit};
use northstar_iceberg::{ErrorKind, LakeTable, TableName};
use northstar_tests::changes::session;
use northstar_tests::lab::Lab;
use random::Random;
use statement::{Form, Source, Statement};
use value::Row;

/// How many statements a table lives through.
const STATEMENTS: usize = 8;

/// How often each way to end was seen, so that a generator that no longer reaches one is noticed.
#[derive(Debug, Default)]
struct Seen {
    changed: usize,
    unchanged: usize,
    refused: usize,
    inserted_only: usize,
}

struct Case<'a> {
    lab: &'a Lab,
    session: &'a LakeSession,
    shape: &'a Shape,
    name: &'a TableName,
    statement: Statement,
    sql: String,
    before: Vec<Row>,
}

impl Case<'_> {
    /// Runs the statement and gives the rows that the table has then.
    async fn run(self, seen: &mut Seen) -> Vec<Row> {
        let head = table::open(self.lab, self.name).await;
        let given = match self.source() {
            Some(source) if source.form == Form::Given => {
                table::given(self.shape, &source.order, &source.rows)
            }
            _ => HashMap::new(),
        };
        let outcome = self.session.change(&self.sql, given, StatementCommit::default()).await;
        let now = table::open(self.lab, self.name).await;
        let mut rows = table::read(self.session, self.name).await;
        match (model::expected(&self.statement, &self.before), outcome) {
            (Expected::Done(effect), Ok(report)) => {
                rows.sort_unstable();
                let mut wanted = effect.rows.clone();
                wanted.sort_unstable();
                assert!(
                    rows == wanted,
                    "other rows than the model\n{}\n{rows:?}",
                    self.say(&effect)
                );
                self.check(&effect, &report, &head, &now, seen);
            }
            (Expected::Cardinality, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}\n{}", self.say(&()));
                assert!(error.to_string().contains("more than one source row"), "{error}");
                assert_eq!(snapshot(&head), snapshot(&now), "{}", self.say(&()));
                rows.sort_unstable();
                let mut before = self.before.clone();
                before.sort_unstable();
                assert!(rows == before, "a statement that failed changed rows\n{}", self.say(&()));
                seen.refused += 1;
            }
            (expected, outcome) => panic!("{outcome:?}\n{}", self.say(&expected)),
        }
        rows
    }

    fn source(&self) -> Option<&Source> {
        match &self.statement {
            Statement::Merge { source, .. } => Some(source),
            Statement::Change { other, .. } => other.as_ref(),
        }
    }

    fn check(
        &self,
        effect: &Effect,
        report: &ChangeReport,
        head: &LakeTable,
        now: &LakeTable,
        seen: &mut Seen,
    ) {
        let counts = (report.inserted_rows, report.updated_rows, report.deleted_rows);
        let wanted = (effect.inserted, effect.updated, effect.deleted);
        assert_eq!(counts, wanted, "counts\n{}", self.say(effect));
        assert_eq!(report.unchanged_rows, effect.same, "unchanged rows\n{}", self.say(effect));
        if wanted == (0, 0, 0) {
            assert_eq!(report.snapshot_id, None, "{}", self.say(effect));
            assert_eq!(snapshot(head), snapshot(now), "{}", self.say(effect));
            seen.unchanged += 1;
            return;
        }
        seen.changed += 1;
        let made = now.metadata().current_snapshot().expect("a snapshot");
        assert_eq!(report.snapshot_id, Some(made.snapshot_id()));
        assert_eq!(made.parent_snapshot_id(), snapshot(head), "one snapshot\n{}", self.say(effect));
        let insert_only = (effect.updated, effect.deleted) == (0, 0);
        assert_eq!(
            made.summary().operation == Operation::Append,
            insert_only,
            "the operation is {:?}\n{}",
            made.summary().operation,
            self.say(effect)
        );
        seen.inserted_only += usize::from(insert_only);
        let said = |key: &str| {
            made.summary().additional_properties.get(key).map_or(0, |text| text.parse().unwrap())
        };
        let live = said("total-records") - said("total-position-deletes");
        assert_eq!(live, effect.rows.len() as u64, "{}", self.say(effect));
        let gone = report.files_rewritten + report.files_dropped;
        assert_eq!(said("deleted-data-files"), gone, "{}", self.say(effect));
        assert_eq!(said("added-data-files"), report.files_added, "{}", self.say(effect));
        for (key, rows) in [("inserted", counts.0), ("updated", counts.1), ("deleted", counts.2)] {
            assert_eq!(said(&format!("northstar.{key}-rows")), rows, "{}", self.say(effect));
        }
    }

    /// All that is needed to run the case by hand.
    fn say(&self, expected: &dyn std::fmt::Debug) -> String {
        let mut text = format!("{}\n{:?}\nrows before:\n", self.sql, self.shape);
        for row in &self.before {
            writeln!(text, "  {row:?}").unwrap();
        }
        if let Some(source) = self.source() {
            text.push_str("source rows:\n");
            for row in &source.rows {
                writeln!(text, "  {row:?}").unwrap();
            }
        }
        write!(text, "expected: {expected:?}").unwrap();
        text
    }
}

fn snapshot(table: &LakeTable) -> Option<i64> {
    table.metadata().current_snapshot_id()
}

/// Runs so many statements, `merge_percent` of them `MERGE`.
async fn cases(seed: u64, count: usize, merge_percent: usize, wide: bool) -> Seen {
    let count = if std::env::var_os("NORTHSTAR_SOAK").is_some() { count * 10 } else { count };
    let mut random = Random::new(seed);
    let mut seen = Seen::default();
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let session = session(&lab);
    for number in 0..count.div_ceil(STATEMENTS) {
        let name: TableName = format!("ns.t{number}").parse().unwrap();
        let shape = generate::shape(&mut random, wide);
        let files: Vec<_> = match random.chance(8) {
            true => Vec::new(),
            false => (0..3).map(|_| generate::rows(&mut random, &shape, 8)).collect(),
        };
        table::make(&lab, &name, &shape, &files).await;
        let mut rows = files.concat();
        let mut left = STATEMENTS;
        while left > 0 {
            let merge = random.chance(merge_percent);
            let statement = generate::statement(&mut random, &shape, &rows, merge);
            if model::expected(&statement, &rows) == Expected::Open {
                continue;
            }
            let own = name.table().to_string();
            let target = if random.chance(20) { own.as_str() } else { "t" };
            let full = name.to_string();
            let sql = statement.sql(&Names { columns: &shape.columns, table: &full, target });
            let before = std::mem::take(&mut rows);
            let case = Case {
                lab: &lab,
                session: &session,
                shape: &shape,
                name: &name,
                statement,
                sql,
                before,
            };
            rows = case.run(&mut seen).await;
            left -= 1;
        }
    }
    seen
}

// In two parts, so that two cores share them.

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn m1_m2_m3_merges_do_what_the_model_does() {
    let seen = cases(1, 320, 100, false).await;
    assert!(seen.refused > 10 && seen.unchanged > 10 && seen.inserted_only > 10, "{seen:?}");
    assert!(seen.changed > 120, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn m1_m2_m3_further_merges_do_what_the_model_does() {
    let seen = cases(4, 280, 100, false).await;
    assert!(seen.refused > 10 && seen.unchanged > 10 && seen.inserted_only > 10, "{seen:?}");
    assert!(seen.changed > 100, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn m1_m2_m3_updates_and_deletes_do_what_the_model_does() {
    let seen = cases(2, 320, 0, false).await;
    assert!(seen.unchanged > 20 && seen.changed > 100, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn m1_m2_m3_statements_on_twenty_columns_do_what_the_model_does() {
    let seen = cases(3, 120, 60, true).await;
    assert!(seen.changed > 40, "{seen:?}");
}
