//! Deletes, addresses and changed schemas, whatever the number of partitions and wherever rows are
//! filtered.

use arrow::array::RecordBatch;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::statistics::StatisticsContext;
use datafusion::prelude::SessionContext;

use super::lived::{Lived, lived};
use super::{counter, one, plan, rows, session};

const WAYS: [(usize, bool); 4] = [(1, false), (1, true), (4, false), (4, true)];

/// Runs a check over one table in every way of scanning it.
async fn in_every_way(check: impl AsyncFn(&SessionContext, &Lived)) {
    let lived = lived().await;
    for (partitions, late) in WAYS {
        check(&session(&lived.fixture, partitions, late), &lived).await;
    }
}

#[tokio::test]
async fn deleted_rows_are_gone_and_no_others() {
    in_every_way(async |context, lived| {
        // As a count from statistics, as a count of rows read, and position by position.
        assert_eq!(one(context, "SELECT count(*) FROM t").await, [lived.live]);
        assert_eq!(one(context, "SELECT count(*) FROM t WHERE id >= 0").await, [lived.live]);
        let sum: i64 = (0..100_000).filter(|id| !lived.gone.contains(id)).sum::<i64>() + 1_000_010;
        assert_eq!(
            one(context, "SELECT sum(id), min(id), max(id) FROM t").await,
            [sum, 1, 200_004]
        );
        for id in
            [0, 1, 9_998, 9_999, 10_000, 10_001, 19_999, 20_000, 25_000, 29_999, 30_000, 55_555]
        {
            let want = i64::from(!lived.gone.contains(&id));
            let sql = format!("SELECT count(*) FROM t WHERE id = {id}");
            assert_eq!(one(context, &sql).await, [want], "id {id}");
        }
    })
    .await;
}

#[tokio::test]
async fn addresses_stay_absolute_under_deletes_filters_and_splits() {
    in_every_way(async |context, lived| {
        // In the old file `_pos` is `id`.
        let old = lived.live - 5;
        for (sql, want) in [
            ("SELECT count(*) FROM a WHERE _pos = id", vec![old]),
            ("SELECT count(*) FROM a WHERE _pos <> id AND id < 200000", vec![0]),
            (
                "SELECT min(_pos), max(_pos) FROM a WHERE id > 42000 AND id < 42100",
                vec![42_001, 42_099],
            ),
            ("SELECT count(DISTINCT _file) FROM a", vec![2]),
            ("SELECT count(*) FROM a WHERE id = 77777 AND _pos = 77777", vec![1]),
        ] {
            assert_eq!(one(context, sql).await, want, "{sql}");
        }
        let sql = format!("SELECT count(*) FROM a WHERE _file = '{}'", lived.old_file);
        assert_eq!(one(context, &sql).await, [old]);
    })
    .await;
}

#[tokio::test]
async fn e1_columns_are_found_by_field_id() {
    in_every_way(async |context, lived| {
        // The old file has no `name` of today, its own `name` is today's `label`, and amounts were
        // widened.
        for (sql, want) in [
            ("SELECT count(name), count(label) FROM t", vec![5, lived.live]),
            (
                "SELECT count(*) FROM t WHERE label LIKE 'old-%' AND name IS NULL",
                vec![lived.live - 5],
            ),
            ("SELECT sum(amount) FROM t WHERE id IN (1, 2, 10)", vec![3]),
            ("SELECT count(*) FROM t WHERE amount > 99990", vec![9 + 5]),
            ("SELECT count(*) FROM t WHERE label = 'old-012345' AND amount = 12345", vec![1]),
        ] {
            assert_eq!(one(context, sql).await, want, "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_limit_is_not_met_by_deleted_rows() {
    in_every_way(async |context, lived| {
        // Row group 1 has lost one row, row group 2 all of them.
        for (sql, want) in [
            ("SELECT id FROM t WHERE id >= 10000 LIMIT 10000", 10_000),
            ("SELECT id FROM t WHERE id >= 20000 LIMIT 5", 5),
            ("SELECT id FROM t LIMIT 89999", 89_999),
            ("SELECT _pos FROM a", lived.live),
            ("SELECT _file FROM a", lived.live),
            ("SELECT _pos FROM a WHERE id >= 10000 LIMIT 10000", 10_000),
            ("SELECT id FROM t ORDER BY id DESC LIMIT 7", 7),
            ("SELECT id FROM t WHERE id < 30003 ORDER BY id DESC LIMIT 7", 7),
        ] {
            let count: usize = rows(context, sql).await.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(i64::try_from(count).unwrap(), want, "{sql}");
        }
        let sql = "SELECT id FROM t WHERE id < 30003 ORDER BY id DESC LIMIT 1 OFFSET 3";
        assert_eq!(one(context, sql).await, [19_999]);
    })
    .await;
}

#[tokio::test]
async fn row_groups_and_pages_are_pruned_also_through_changed_columns() {
    let lived = lived().await;
    let context = session(&lived.fixture, 1, false);
    for sql in [
        "SELECT label FROM t WHERE id = 42042",
        "SELECT label FROM t WHERE amount BETWEEN 61234 AND 61240",
        "SELECT id FROM t WHERE label = 'old-061234'",
    ] {
        let (pruned, matched) = counter(&context, sql, "row_groups_pruned_statistics").await;
        assert_eq!((pruned, matched), (8, 1), "{sql}: of ten row groups, one is deleted whole");
        let (pruned, matched) = counter(&context, sql, "page_index_pages_pruned").await;
        assert_eq!((pruned, matched), (9, 1), "{sql}");
    }
}

#[tokio::test]
async fn row_counts_are_exact_and_large_files_are_split() {
    let lived = lived().await;
    let context = session(&lived.fixture, 4, false);
    let scan = plan(&context, "SELECT * FROM a").await;
    let statistics =
        StatisticsContext::default().compute(scan.as_ref(), &Default::default()).unwrap();
    let live = usize::try_from(lived.live).unwrap();
    assert_eq!(statistics.num_rows.get_value(), Some(&live));
    assert!(statistics.num_rows.is_exact().unwrap());
    assert_eq!(scan.output_partitioning().partition_count(), 4);
    let count = plan(&context, "SELECT count(*) FROM t").await;
    assert!(super::find_scan(count.as_ref()).is_none(), "statistics answer count(*)");
}

#[tokio::test]
async fn a_join_prunes_the_scan_while_it_runs() {
    let lived = lived().await;
    let context = session(&lived.fixture, 1, false);
    rows(&context, "CREATE TABLE small AS SELECT * FROM (VALUES (31001), (31002)) AS v(k)").await;
    let sql = "SELECT t.label FROM small JOIN t ON t.id = small.k";
    let (pruned, _) = counter(&context, sql, "row_groups_pruned_statistics").await;
    assert!(pruned >= 8, "pruned {pruned} row groups");
}
