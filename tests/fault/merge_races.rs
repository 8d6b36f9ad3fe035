//! What another writer's commit between plan and swap costs a statement: nothing if it cannot
//! matter, one more round if it can, and never a row (M5).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DFResult;
use datafusion::datasource::{MemTable, TableType};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use northstar_iceberg::Lake;

use super::meeting::{Meeting, change};
use super::race_pairs::{Row, append};

/// Changes one row, in the file of rows 0, 2 and 4, and inserts another one.
pub(crate) const MERGE: &str = "MERGE INTO bronze.t AS t USING (VALUES (2, 7), (70, 8)) AS s(id, n) \
    ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = t.n + s.n \
    WHEN NOT MATCHED THEN INSERT (id, site, n) VALUES (s.id, 's0', s.n)";

fn merged(rows: &mut Vec<Row>) {
    for (id, n) in [(2, 7), (70, 8)] {
        match rows.iter_mut().find(|row| row.0 == id) {
            Some(row) => row.2 += n,
            None => rows.push((id, "s0".to_string(), n)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_commit_that_cannot_matter_is_rebased_without_a_second_round() {
    for (what, sql) in [
        ("another site of the same rows' load", "UPDATE bronze.t SET n = n + 5 WHERE id = 3"),
        ("another file of the same site", "UPDATE bronze.t SET n = n + 5 WHERE id = 8"),
        ("a file that goes", "DELETE FROM bronze.t WHERE id IN (6, 8, 10)"),
        (
            "other rows in the same site",
            "MERGE INTO bronze.t AS t USING (VALUES (71), (72)) AS s(id) ON t.id = s.id \
             WHEN NOT MATCHED THEN INSERT (id, site, n) VALUES (s.id, 's0', 1)",
        ),
    ] {
        let meeting = Meeting::new().await;
        let other = move |lake: Lake| async move { change(&lake, sql).await };
        let report = meeting.disturbed(MERGE, [].into(), other).await.unwrap();
        assert_eq!((report.rounds, report.inserted_rows, report.updated_rows), (1, 1, 1), "{what}");
        let model = |rows: &mut Vec<Row>| match what {
            "a file that goes" => {
                rows.retain(|row| ![6, 8, 10].contains(&row.0));
                merged(rows);
            }
            "other rows in the same site" => {
                rows.extend([71, 72].map(|id| (id, "s0".to_string(), 1)));
                merged(rows);
            }
            _ => {
                let id = if what.starts_with("another site") { 3 } else { 8 };
                rows.iter_mut().filter(|row| row.0 == id).for_each(|row| row.2 += 5);
                merged(rows);
            }
        };
        meeting.holds(what, model).await;
    }
}

/// What another writer does, in SQL and to rows in memory.
type Disturbance = (&'static str, &'static str, fn(&mut Vec<Row>));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_commit_that_can_matter_costs_one_more_round() {
    let disturbances: [Disturbance; 5] = [
        ("the row itself", "UPDATE bronze.t SET n = n * 3 WHERE id = 2", |rows| rows[2].2 *= 3),
        ("a neighbour in its file", "UPDATE bronze.t SET n = 0 WHERE id = 4", |rows| rows[4].2 = 0),
        ("the row goes", "DELETE FROM bronze.t WHERE id = 2", |rows| drop(rows.remove(2))),
        ("the row moves", "UPDATE bronze.t SET site = 's1' WHERE id = 2", |rows| {
            rows[2].1 = "s1".to_string();
        }),
        ("another row takes its id", "UPDATE bronze.t SET id = 70 WHERE id = 9", |rows| {
            rows[9].0 = 70;
        }),
    ];
    for (what, sql, disturb) in disturbances {
        let meeting = Meeting::new().await;
        let other = move |lake: Lake| async move { change(&lake, sql).await };
        let report = meeting.disturbed(MERGE, [].into(), other).await.unwrap();
        assert_eq!(report.rounds, 2, "{what}: {report:?}");
        let model = |rows: &mut Vec<Row>| {
            disturb(rows);
            merged(rows);
        };
        meeting.holds(what, model).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_row_that_comes_and_fits_the_condition_is_seen() {
    for (sql, left) in
        [("DELETE FROM bronze.t WHERE n > 40", 0), ("UPDATE bronze.t SET n = 0 WHERE n > 40", 2)]
    {
        let meeting = Meeting::new().await;
        let other = |lake: Lake| async move {
            append(&lake, "bronze.t", &[(80, "s9".to_string(), 41), (81, "s9".to_string(), 39)])
                .await;
        };
        let report = meeting.disturbed(sql, [].into(), other).await.unwrap();
        assert_eq!((report.rounds, report.deleted_rows + report.updated_rows), (2, 2), "{sql}");
        let model = |rows: &mut Vec<Row>| {
            rows.extend([(80, "s9".to_string(), 41), (81, "s9".to_string(), 39)]);
            let taken = rows.extract_if(.., |row| row.2 > 40).take(left).collect::<Vec<_>>();
            rows.extend(taken.into_iter().map(|row| (row.0, row.1, 0)));
            rows.retain(|row| row.2 <= 40);
        };
        meeting.holds(sql, model).await;
    }
}

/// A source of one row for id 2, whose n is how often it was scanned.
#[derive(Debug, Default)]
struct Scanned(AtomicI64);

#[async_trait]
impl TableProvider for Scanned {
    fn schema(&self) -> SchemaRef {
        let field = |name| Field::new(name, DataType::Int64, false);
        Arc::new(Schema::new(vec![field("id"), field("n")]))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        let scans = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let columns: Vec<ArrayRef> =
            [2, scans].map(|value| Arc::new(Int64Array::from(vec![value])) as _).into();
        let rows = RecordBatch::try_new(self.schema(), columns)?;
        let table = MemTable::try_new(self.schema(), vec![vec![rows]])?;
        table.scan(state, projection, filters, limit).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_the_source_is_evaluated_once_for_all_rounds() {
    let meeting = Meeting::new().await;
    let source = Arc::new(Scanned::default());
    let given = [("given.s".parse().unwrap(), Arc::clone(&source) as _)].into();
    let other = |lake: Lake| async move {
        change(&lake, "UPDATE bronze.t SET n = n * 3 WHERE id = 2").await;
    };
    let sql = "MERGE INTO bronze.t AS t USING given.s AS s ON t.id = s.id \
               WHEN MATCHED THEN UPDATE SET n = t.n + s.n";
    let report = meeting.disturbed(sql, given, other).await.unwrap();
    assert_eq!((report.rounds, source.0.load(Ordering::SeqCst)), (2, 1));
    meeting.holds("times three, and the first value", |rows| rows[2].2 = rows[2].2 * 3 + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_a_source_that_reads_the_target_is_read_again() {
    for source in [
        "(SELECT id, n + 1 AS n FROM bronze.t WHERE id = 2)",
        "(WITH x AS (SELECT * FROM bronze.t) SELECT id, n + 1 AS n FROM x WHERE id = 2)",
    ] {
        let meeting = Meeting::new().await;
        let other = |lake: Lake| async move {
            change(&lake, "UPDATE bronze.t SET n = n * 3 WHERE id = 2").await;
        };
        let sql = format!(
            "MERGE INTO bronze.t AS t USING {source} AS s ON t.id = s.id \
             WHEN MATCHED THEN UPDATE SET n = s.n"
        );
        let report = meeting.disturbed(&sql, [].into(), other).await.unwrap();
        assert_eq!(report.rounds, 2);
        meeting.holds(source, |rows| rows[2].2 = rows[2].2 * 3 + 1).await;
    }
}
