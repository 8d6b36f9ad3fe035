//! Files left out by their partition values, transform by transform.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use datafusion::prelude::SessionContext;
use iceberg::spec::{Datum, Literal, PrimitiveType, Transform};
use iceberg::transform::create_transform_function;

use super::fixture::{Fixture, properties, schema};
use super::{one, pruning, session};

const DAY: i64 = 86_400_000_000;

/// Row `n` of the test table: an id, a day, an instant, a text; the last row has NULL in all but
/// id.
struct Row {
    id: i64,
    values: Option<(i32, i64, String)>,
}

fn table_rows() -> Vec<Row> {
    let row = |id: i64| {
        // Some before 1970, some after; neighbours in days, months and years.
        let day = i32::try_from(id * 17 - 200).unwrap();
        let values =
            Some((day, i64::from(day) * DAY + id * 1_000, format!("k{:03}", id * 7 % 100)));
        Row { id, values }
    };
    (0..40).map(row).chain([Row { id: 40, values: None }]).collect()
}

/// A table of one row per file, partitioned by a transform of a column, without any column bounds:
/// what is pruned is pruned by partition.
async fn table(column: &str, transform: Transform) -> (Fixture, SessionContext) {
    let mut fixture = Fixture::new(
        schema(&[
            ("id", PrimitiveType::Long),
            ("day", PrimitiveType::Date),
            ("at", PrimitiveType::Timestamptz),
            ("key", PrimitiveType::String),
        ]),
        &[(column, transform)],
    );
    let hash = create_transform_function(&transform).unwrap();
    let mut files = Vec::new();
    for row in table_rows() {
        let source = match (column, &row.values) {
            ("id", _) => Some(Datum::long(row.id)),
            ("day", Some((day, ..))) => Some(Datum::date(*day)),
            ("at", Some((_, at, _))) => Some(Datum::timestamptz_micros(*at)),
            ("key", Some((.., key))) => Some(Datum::string(key)),
            _ => None,
        };
        let partition = source
            .and_then(|source| hash.transform_literal(&source).unwrap())
            .map(|value| Literal::Primitive(value.literal().clone()));
        let (day, at, key) = match row.values {
            Some((day, at, key)) => (Some(day), Some(at), Some(key)),
            None => (None, None, None),
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![row.id])),
            Arc::new(Date32Array::from(vec![day])),
            Arc::new(TimestampMicrosecondArray::from(vec![at]).with_timezone("+00:00")),
            Arc::new(StringArray::from(vec![key])),
        ];
        let no_bounds =
            properties().set_statistics_enabled(parquet::file::properties::EnabledStatistics::None);
        files.push(fixture.write(columns, vec![partition], no_bounds));
    }
    // Two manifests, so that summaries have something to say.
    let later = files.split_off(20);
    fixture.append(files, vec![]).await;
    fixture.append(later, vec![]).await;
    let context = session(&fixture, 1, false);
    (fixture, context)
}

/// The rows of a filter are those that plain evaluation finds, and at most `files` files are read.
async fn check(column: &str, transform: Transform, filter: &str, files: u64) {
    let (_fixture, context) = table(column, transform).await;
    let counted = one(&context, &format!("SELECT count(id), sum(id) FROM t WHERE {filter}")).await;
    // `id + 0` and the like hide the columns from pruning.
    let all = "(SELECT id, CASE WHEN id >= 0 THEN day END AS day, CASE WHEN id >= 0 THEN at END AS at, \
               CASE WHEN id >= 0 THEN key END AS key FROM t OFFSET 0)";
    let hidden = filter.replace("id", "id + 0");
    let plain =
        one(&context, &format!("SELECT count(id), sum(id) FROM {all} WHERE {hidden}")).await;
    assert_eq!(counted, plain, "{transform} of {column}: {filter}");
    let pruning = pruning(&context, &format!("SELECT id FROM t WHERE {filter}")).await;
    assert_eq!(pruning.files, 41);
    assert_eq!(pruning.by_bounds, 0, "there are no bounds");
    assert_eq!(pruning.files - pruning.by_partition, pruning.kept);
    assert!(
        pruning.kept <= files,
        "{transform} of {column}: {filter} reads {} files",
        pruning.kept
    );
}

#[tokio::test]
async fn b1_identity() {
    check("id", Transform::Identity, "id = 7", 1).await;
    check("id", Transform::Identity, "id > 35", 5).await;
    check("id", Transform::Identity, "id IN (1, 2, 30)", 3).await;
    check("key", Transform::Identity, "key = 'k007'", 1).await;
    check("key", Transform::Identity, "key IS NULL", 1).await;
    check("key", Transform::Identity, "key IS NOT NULL AND id >= 0", 40).await;
    check("key", Transform::Identity, "key LIKE 'k00%'", 5).await;
    check("day", Transform::Identity, "day <> DATE '1970-01-04'", 40).await;
}

#[tokio::test]
async fn b1_years_months_days_hours() {
    for column in ["day", "at"] {
        for transform in [Transform::Year, Transform::Month, Transform::Day] {
            let instant = |day: &str| match column {
                "day" => format!("DATE '{day}'"),
                _ => format!("TIMESTAMP '{day}T00:00:00Z'"),
            };
            let (low, high) = (instant("1970-06-01"), instant("1970-07-01"));
            let most = if transform == Transform::Year { 23 } else { 3 };
            check(column, transform, &format!("{column} >= {low} AND {column} < {high}"), most)
                .await;
            // Writers may have counted what is before 1970 one unit too high, so one more is read.
            let most = if transform == Transform::Year { 34 } else { 3 };
            check(column, transform, &format!("{column} < {}", instant("1969-07-01")), most).await;
            check(column, transform, &format!("{column} IS NULL"), 1).await;
        }
    }
    check("at", Transform::Hour, "at = TIMESTAMP '1970-01-04T00:00:00.012Z'", 1).await;
    check("at", Transform::Hour, "at < TIMESTAMP '1969-12-01T00:00:00Z'", 11).await;
}

#[tokio::test]
async fn b1_truncated_numbers_and_texts() {
    check("id", Transform::Truncate(10), "id = 7", 10).await;
    check("id", Transform::Truncate(10), "id BETWEEN 18 AND 21", 20).await;
    check("key", Transform::Truncate(3), "key = 'k007'", 10).await;
    check("key", Transform::Truncate(3), "key > 'k09'", 10).await;
    check("key", Transform::Truncate(3), "key IS NULL", 1).await;
}

#[tokio::test]
async fn b1_buckets_answer_equality_only() {
    check("id", Transform::Bucket(16), "id = 7", 8).await;
    check("id", Transform::Bucket(16), "id IN (7, 8)", 14).await;
    check("id", Transform::Bucket(16), "id > 35", 41).await;
    check("id", Transform::Bucket(16), "id <> 7", 41).await;
    check("key", Transform::Bucket(16), "key = 'k007'", 9).await;
    check("key", Transform::Bucket(16), "key IS NULL", 1).await;
    check("day", Transform::Bucket(16), "day = DATE '1970-01-04'", 9).await;
    check("at", Transform::Bucket(16), "at = TIMESTAMP '1970-01-04T00:00:00.012Z'", 9).await;
}

#[tokio::test]
async fn b1_void_says_nothing() {
    check("id", Transform::Void, "id = 7", 41).await;
    check("key", Transform::Void, "key IS NOT NULL AND id >= 0", 41).await;
}

#[tokio::test]
async fn whole_manifests_are_left_out() {
    let (fixture, context) = table("id", Transform::Identity).await;
    // The second manifest is not needed, so it may be missing.
    let table = fixture.table();
    let list = table.manifest_list_reader(table.metadata().current_snapshot().unwrap());
    let list = list.load().await.unwrap();
    let second = list.entries()[1].manifest_path.clone();
    std::fs::remove_file(super::fixture::local(&second)).unwrap();
    assert_eq!(one(&context, "SELECT sum(id) FROM t WHERE id < 3").await, [3]);
    let error = context.sql("SELECT sum(id) FROM t WHERE id > 30").await.unwrap();
    let error = error.collect().await.unwrap_err().to_string();
    assert!(error.contains(&second), "{error}");
}

#[tokio::test]
async fn each_file_is_asked_by_the_spec_it_was_written_with() {
    let mut fixture = Fixture::new(
        schema(&[("id", PrimitiveType::Long), ("key", PrimitiveType::String)]),
        &[("id", Transform::Identity)],
    );
    let no_bounds =
        || properties().set_statistics_enabled(parquet::file::properties::EnabledStatistics::None);
    let row = |id: i64, key: &str| -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from(vec![id])), Arc::new(StringArray::from(vec![key]))]
    };
    let files =
        [1, 2].map(|id| fixture.write(row(id, "x"), vec![Some(Literal::long(id))], no_bounds()));
    fixture.append(files.to_vec(), vec![]).await;
    fixture.repartition(&[("key", Transform::Identity)]);
    let files = ["x", "y"]
        .map(|key| fixture.write(row(2, key), vec![Some(Literal::string(key))], no_bounds()));
    fixture.append(files.to_vec(), vec![]).await;
    let context = session(&fixture, 1, false);
    for (filter, rows, files) in
        [("id = 2", 3, 3), ("key = 'y'", 1, 3), ("id = 1 AND key = 'x'", 1, 2), ("id = 3", 0, 2)]
    {
        let sql = format!("SELECT count(id) FROM t WHERE {filter}");
        assert_eq!(one(&context, &sql).await, [rows], "{filter}");
        assert_eq!(pruning(&context, &sql).await.kept, files, "{filter}");
    }
}
