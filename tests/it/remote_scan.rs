//! Scans on Ballista: rows(remote) = rows(local), for every shape of plan around the leaf.
//!
//! The driver plans and submits a physical plan, so neither scheduler nor executors know a catalog;
//! what they read of the table is in the plan.

#![cfg(test)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::SessionContext;
use iceberg::spec::{Literal, PrimitiveType, Transform};
use northstar_iceberg::scan::{IcebergTable, find_scan};
use northstar_iceberg::table::schema::{arrow_schema, with_field_id};

use crate::cluster::Cluster;

#[path = "../../iceberg/src/scan/tests/fixture.rs"]
#[expect(dead_code, reason = "the scan's own tests use more of it")]
mod fixture;
#[path = "../../iceberg/src/scan/tests/lived.rs"]
#[expect(dead_code, reason = "the scan's own tests use more of it")]
mod lived;

use fixture::{Fixture, properties, schema};
use lived::lived;

/// `t` is the table that has lived, `a` is the same with row addresses, `p` is partitioned and has
/// many small files.
const QUERIES: [&str; 20] = [
    "SELECT count(*) c, sum(id) s, count(name) n, count(label) l, sum(amount) a FROM t WHERE id >= 0",
    "SELECT label, name, amount FROM t WHERE id IN (10001, 20000, 42042, 200001) ORDER BY id",
    "SELECT count(*) c FROM a WHERE _pos = id AND _file LIKE 'file://%'",
    "SELECT id % 7 g, count(*) c, sum(amount) s, max(label) m FROM t GROUP BY id % 7 ORDER BY g",
    "SELECT count(*) c FROM t AS x JOIN t AS y ON x.id = y.amount WHERE y.label LIKE 'old-0%'",
    "SELECT id, label FROM t ORDER BY amount DESC NULLS LAST, id LIMIT 3",
    "SELECT count(*) c FROM t WHERE amount > (SELECT avg(amount) FROM t WHERE id < 1000)",
    "SELECT id FROM t WHERE id > 60000 ORDER BY id LIMIT 2",
    // Joins that keep rows of the side that is collected: each task sees all of that side.
    "SELECT count(*) c FROM (SELECT id + 1000000 AS k FROM t WHERE id >= 200000) AS x \
     LEFT JOIN t AS y ON x.k = y.id",
    "SELECT count(*) c FROM (SELECT id + 1000000 AS k FROM t WHERE id >= 200000) AS x \
     FULL JOIN t AS y ON x.k = y.id",
    "SELECT count(*) c FROM t AS y \
     RIGHT JOIN (SELECT id + 1000000 AS k FROM t WHERE id >= 200000) AS x ON x.k = y.id",
    "SELECT k FROM (SELECT id + 1000000 AS k FROM t WHERE id >= 200000) AS x \
     WHERE NOT EXISTS (SELECT 1 FROM t AS y WHERE y.id = x.k) ORDER BY k",
    "SELECT count(*) c FROM (SELECT id AS k FROM t WHERE id >= 200000) AS x, t AS y WHERE y.id < 10",
    "SELECT count(*) c FROM (SELECT id FROM t UNION ALL SELECT amount FROM t)",
    "SELECT count(*) c FROM (SELECT id, row_number() OVER (PARTITION BY id % 10 ORDER BY amount) AS n \
     FROM t) WHERE n = 1",
    "SELECT count(*) c, count(DISTINCT _file) f, min(_pos) l, max(_pos) h FROM a",
    "SELECT site, count(*) c, sum(id) s FROM p GROUP BY site ORDER BY site",
    "SELECT id, site FROM p WHERE site IN ('a b', 'c%d') AND id > 3 ORDER BY id",
    "SELECT count(*) c FROM p WHERE site IS NULL",
    "SELECT p.site, count(*) c FROM p JOIN t ON p.id = t.id GROUP BY p.site ORDER BY p.site",
];

/// Whole scans, whose rows come back without any node above the leaf.
const LEAVES: [&str; 4] =
    ["SELECT id FROM t", "SELECT * FROM t", "SELECT * FROM a", "SELECT * FROM p"];

/// Files of three rows each in partitions whose names need care; one row in three is deleted from
/// the first file of each.
async fn partitioned() -> Fixture {
    let columns = schema(&[("id", PrimitiveType::Long), ("site", PrimitiveType::String)]);
    let mut fixture = Fixture::new(columns, &[("site", Transform::Identity)]);
    let (mut files, mut deletes) = (Vec::new(), Vec::new());
    for (site, first) in [(Some("a b"), 0), (Some("c%d"), 100), (None, 200)] {
        for file in 0..6 {
            let from = first + file * 3;
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_iter_values(from..from + 3)),
                Arc::new(StringArray::from(vec![site; 3])),
            ];
            let written = fixture.write(columns, vec![site.map(Literal::string)], properties());
            if file == 0 {
                deletes.push(fixture.delete(&[(&written, &[1])]));
            }
            files.push(written);
        }
    }
    fixture.append(files, deletes).await;
    fixture
}

async fn register(context: &SessionContext, name: &str, table: IcebergTable) {
    context.register_table(name, Arc::new(table)).unwrap();
}

fn shown(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

/// Rows in an order of their own.
fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines: Vec<_> = shown(batches).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

async fn rows_are_the_same(late: bool) {
    let cluster = Cluster::start(late).await;
    let context = SessionContext::new_with_state(cluster.state.clone());
    let (lived, partitioned) = (lived().await, partitioned().await);
    let table = IcebergTable::try_new(lived.fixture.table(), None).unwrap();
    register(&context, "t", table.clone()).await;
    register(&context, "a", table.with_row_address().unwrap()).await;
    let table = IcebergTable::try_new(partitioned.table(), None).unwrap();
    register(&context, "p", table).await;

    for sql in QUERIES {
        let local = context.sql(sql).await.unwrap().collect().await.unwrap();
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let remote = cluster.run(plan).await.unwrap();
        assert_eq!(shown(&local), shown(&remote), "{sql}");
        assert!(local.iter().any(|batch| batch.num_rows() > 0), "{sql} has no rows to compare");
    }
    for sql in LEAVES {
        let local = context.sql(sql).await.unwrap().collect().await.unwrap();
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        assert!(find_scan(plan.as_ref()).is_some(), "{sql}");
        assert!(plan.output_partitioning().partition_count() > 1, "{sql} is spread over tasks");
        let remote = cluster.run(plan).await.unwrap();
        assert!(sorted(&local) == sorted(&remote), "{sql}: rows differ");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_remote_are_rows_local() {
    rows_are_the_same(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_remote_are_rows_local_when_the_reader_filters() {
    rows_are_the_same(true).await;
}
