//! Timestamps, zoned or not, and dates far beyond what nanoseconds hold, compared with constants of
//! every form (B1): files and row groups are left out by them, and no row is lost.

#![cfg(test)]

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Datelike, Days, Utc};
use datafusion::physical_plan::ExecutionPlan;
use northstar_iceberg::ErrorKind;
use northstar_iceberg::merge::{Executed, LakeSession};
use northstar_iceberg::scan::iceberg_scan;
use northstar_iceberg::sql::from_datafusion;
use northstar_tests::changes::session;
use northstar_tests::lab::Lab;

const DAY_US: i64 = 86_400_000_000;

/// Moments in UTC at which something ends or begins: of years, of 1970, and of what 64 bits hold as
/// nanoseconds.
const EDGES: [&str; 9] = [
    "0001-01-01 00:00:00.000000",
    "0001-01-02 00:00:00.000000",
    "1677-09-21 00:12:43.145225",
    "1969-12-31 23:59:59.999999",
    "1970-01-01 00:00:00.000000",
    "2024-02-29 12:30:15.123456",
    "2262-04-11 23:47:16.854775",
    "9999-12-31 00:00:00.000000",
    "9999-12-31 23:59:59.999998",
];

fn micros(text: &str) -> i64 {
    let zoned = format!("{}Z", text.replace(' ', "T"));
    zoned.parse::<DateTime<Utc>>().expect(text).timestamp_micros()
}

fn text(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).expect("a time");
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Each edge, and the microseconds beside it.
fn moments() -> Vec<i64> {
    let beside = EDGES.iter().flat_map(|edge| [-1, 0, 1].map(|step| micros(edge) + step));
    let mut moments: Vec<i64> = beside.filter(|at| *at >= micros(EDGES[0])).collect();
    moments.sort_unstable();
    moments
}

/// How a constant is written, and the column that it is compared with.
const FORMS: [(&str, &str); 13] = [
    ("at", "'{}'"),
    ("at", "TIMESTAMP '{}'"),
    ("at", "CAST('{}' AS TIMESTAMP(6))"),
    ("at", "to_timestamp('{}')"),
    ("at", "(SELECT min(v) FROM (VALUES (TIMESTAMP '{}')) AS t(v))"),
    ("at_utc", "'{}'"),
    ("at_utc", "'{}Z'"),
    ("at_utc", "TIMESTAMPTZ '{}Z'"),
    ("at_utc", "CAST('{}' AS TIMESTAMP WITH TIME ZONE)"),
    ("at_utc", "TIMESTAMP '{}' AT TIME ZONE 'UTC'"),
    ("at_utc", "TIMESTAMP '{}'"),
    ("day", "TIMESTAMP '{}'"),
    ("struct_.at", "'{}'"),
];

type Holds = fn(&i64, &i64) -> bool;

const OPERATORS: [(&str, Holds); 6] = [
    ("=", i64::eq),
    ("<>", i64::ne),
    ("<", i64::lt),
    ("<=", i64::le),
    (">", i64::gt),
    (">=", i64::ge),
];

/// A table with three rows a file, ids from 0 in the order of the moments, and a row of NULLs.
async fn table(session: &LakeSession) -> Vec<i64> {
    session.run("CREATE SCHEMA t").await;
    let columns =
        "id BIGINT, at TIMESTAMP, at_utc TIMESTAMPTZ, day DATE, struct_ STRUCT<at: TIMESTAMP>";
    session.run(&format!("CREATE TABLE t.v ({columns})")).await;
    let moments = moments();
    for (number, chunk) in moments.chunks(3).enumerate() {
        let rows = chunk.iter().enumerate().map(|(at, moment)| {
            let (id, time) = (number * 3 + at, text(*moment));
            let day = &time[..10];
            format!("({id}, '{time}', '{time}Z', '{day}', named_struct('at', TIMESTAMP '{time}'))")
        });
        let rows: Vec<String> = rows.collect();
        session.run(&format!("INSERT INTO t.v VALUES {}", rows.join(", "))).await;
    }
    session.run("INSERT INTO t.v (id) VALUES (-1)").await;
    moments
}

trait Runs {
    async fn run(&self, sql: &str);
    async fn ids(&self, condition: &str) -> (Vec<i64>, bool);
}

impl Runs for LakeSession {
    async fn run(&self, sql: &str) {
        self.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The ids that a condition gives, in order, and whether files were left out by their bounds.
    async fn ids(&self, condition: &str) -> (Vec<i64>, bool) {
        let sql = format!("SELECT id FROM t.v WHERE {condition} ORDER BY id");
        let fails = |error| panic!("{condition}: {error}");
        let Executed::Rows(frame) = self.execute(&sql).await.unwrap_or_else(fails) else {
            panic!("{sql}")
        };
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.map_err(from_datafusion);
        let plan = plan.unwrap_or_else(|error| panic!("{condition}: {error}"));
        let cut = left_out(plan.as_ref()) > 0;
        let rows = datafusion::physical_plan::collect(plan, context).await.map_err(from_datafusion);
        let rows = rows.unwrap_or_else(|error| panic!("{condition}: {error}"));
        let ids =
            rows.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values());
        (ids.copied().collect(), cut)
    }
}

fn left_out(plan: &dyn ExecutionPlan) -> u64 {
    let here = iceberg_scan(plan).map_or(0, |(_, source)| source.pruning().by_bounds);
    plan.children().iter().fold(here, |most, child| most.max(left_out(child.as_ref())))
}

/// The ids of the rows whose value holds.
fn expected(values: &[i64], holds: impl Fn(i64) -> bool) -> Vec<i64> {
    let ids = values.iter().zip(0..).filter(|(value, _)| holds(**value));
    ids.map(|(_, id)| id).collect()
}

fn of_column(column: &str, moments: &[i64]) -> Vec<i64> {
    let floor = |moment: &i64| moment.div_euclid(DAY_US) * DAY_US;
    match column {
        "day" => moments.iter().map(floor).collect(),
        _ => moments.to_vec(),
    }
}

#[tokio::test]
async fn b1_constants_of_every_form_and_year_find_what_brute_force_finds() {
    let lab = Lab::new().await;
    let session = session(&lab);
    let moments = table(&session).await;
    let mut cut = 0;
    // A form at every edge, and every operator at each: both are gone through in step.
    for (turn, (column, form)) in FORMS.iter().enumerate() {
        let values = of_column(column, &moments);
        for (at, edge) in EDGES.iter().enumerate() {
            for (operator, holds) in [0, 3].map(|step| OPERATORS[(turn + at + step) % 6]) {
                let constant = micros(edge);
                let condition = format!("{column} {operator} {}", form.replace("{}", edge));
                let (found, pruned) = session.ids(&condition).await;
                assert_eq!(
                    found,
                    expected(&values, |value| holds(&value, &constant)),
                    "{condition}"
                );
                cut += usize::from(pruned);
            }
        }
        for (low, high) in [(0, 8), (2, 6), (7, 8), (0, 1)] {
            let [from, to] = [EDGES[low], EDGES[high]].map(|edge| form.replace("{}", edge));
            let (low, high) = (micros(EDGES[low]), micros(EDGES[high]));
            let (found, _) = session.ids(&format!("{column} BETWEEN {from} AND {to}")).await;
            assert_eq!(
                found,
                expected(&values, |at| low <= at && at <= high),
                "{column} {from} {to}"
            );
            if form.contains("SELECT") {
                continue;
            }
            let (found, _) = session.ids(&format!("{column} IN ({from}, {to})")).await;
            assert_eq!(
                found,
                expected(&values, |at| at == low || at == high),
                "{column} {from} {to}"
            );
        }
    }
    assert!(cut > 90, "only {cut} conditions left files out");
}

#[tokio::test]
async fn b1_dates_beside_timestamps_find_what_brute_force_finds() {
    let lab = Lab::new().await;
    let session = session(&lab);
    let moments = table(&session).await;
    for column in ["at", "at_utc", "day"] {
        let values = of_column(column, &moments);
        for day in ["0001-01-01", "0001-01-02", "1970-01-01", "9999-12-31"] {
            let midnight = micros(&format!("{day} 00:00:00"));
            for (operator, holds) in OPERATORS {
                for constant in [format!("DATE '{day}'"), format!("'{day}'")] {
                    let condition = format!("{column} {operator} {constant}");
                    let (found, _) = session.ids(&condition).await;
                    let wanted = expected(&values, |value| holds(&value, &midnight));
                    assert_eq!(found, wanted, "{condition}");
                }
            }
        }
    }
    // Columns beside columns.
    let days = of_column("day", &moments);
    for other in ["at", "at_utc"] {
        for (operator, holds) in OPERATORS {
            let wanted = moments.iter().zip(&days).zip(0..);
            let wanted = wanted.filter(|((at, day), _)| holds(day, at)).map(|(_, id)| id);
            let (found, _) = session.ids(&format!("day {operator} {other}")).await;
            assert_eq!(found, wanted.collect::<Vec<i64>>(), "{operator} {other}");
        }
    }
}

#[tokio::test]
async fn b1_nanoseconds_are_compared_without_loss() {
    let lab = Lab::new().await;
    let session = session(&lab);
    let moments = table(&session).await;
    for edge in &EDGES[3..6] {
        for nanos in [0_i64, 1, 999] {
            let constant = format!("arrow_cast('{edge}{nanos:03}', 'Timestamp(ns)')");
            for (operator, holds) in OPERATORS {
                let exact = |value: i64| {
                    // Only the moments near the edge fit as nanoseconds; the others need but their order.
                    let apart = value.saturating_sub(micros(edge)).saturating_mul(1000);
                    holds(&apart, &nanos)
                };
                let wanted = expected(&moments, exact);
                for (left, operator, right) in [
                    ("at", operator, constant.as_str()),
                    (constant.as_str(), swapped(operator), "at"),
                ] {
                    let condition = format!("{left} {operator} {right}");
                    let (found, _) = session.ids(&condition).await;
                    assert_eq!(found, wanted, "{condition}");
                }
            }
            let (found, _) = session.ids(&format!("at IN ({constant}, '9999-12-31')")).await;
            let here = |at| (at == micros(edge) && nanos == 0) || at == micros(EDGES[7]);
            assert_eq!(found, expected(&moments, here), "{constant}");
            let (found, _) = session.ids(&format!("NOT (at = {constant})")).await;
            let wanted = expected(&moments, |at| at != micros(edge) || nanos != 0);
            assert_eq!(found, wanted, "{constant}");
        }
    }
}

fn swapped(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

#[tokio::test]
async fn b1_a_sentinel_leaves_all_other_files_out() {
    let lab = Lab::new().await;
    let session = session(&lab);
    table(&session).await;
    for condition in [
        "at >= '9999-12-31'",
        "at_utc >= TIMESTAMPTZ '9999-12-31 00:00:00Z'",
        "at >= DATE '9999-12-31'",
        "at BETWEEN TIMESTAMP '9999-01-01 00:00:00' AND '9999-12-31 23:59:59.999999'",
        "at > now() + INTERVAL '900000 days'",
    ] {
        let (found, pruned) = session.ids(condition).await;
        assert!(pruned && !found.is_empty(), "{condition}: {found:?}");
    }
}

/// What `date_trunc` gives, by the calendar.
fn truncated(granularity: &str, at: i64) -> i64 {
    let day = DateTime::from_timestamp_micros(at).expect("a time").date_naive();
    let first = match granularity {
        "hour" => return at.div_euclid(DAY_US / 24) * (DAY_US / 24),
        "day" => Some(day),
        "week" => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
        "month" => day.with_day(1),
        _ => day.with_day(1).and_then(|day| day.with_month(1)),
    };
    let midnight = first.expect("a day").and_hms_opt(0, 0, 0).expect("midnight");
    midnight.and_utc().timestamp_micros()
}

#[tokio::test]
async fn truncated_times_are_those_of_the_calendar_in_all_years() {
    let lab = Lab::new().await;
    let session = session(&lab);
    let moments = table(&session).await;
    for column in ["at", "at_utc"] {
        for granularity in ["hour", "day", "week", "month", "year"] {
            for (id, at) in moments.iter().enumerate() {
                // The column's values one by one, and beside them all those that fall together.
                let cut = truncated(granularity, *at);
                let value = format!("CAST(date_trunc('{granularity}', {column}) AS BIGINT)");
                let (found, _) = session.ids(&format!("id = {id} AND {value} = {cut}")).await;
                assert_eq!(found, [i64::try_from(id).expect("small")], "{granularity} {column}");
            }
            let first = truncated(granularity, micros(EDGES[7]));
            let wanted = expected(&moments, |at| truncated(granularity, at) == first);
            let text = text(first);
            let condition = format!("date_trunc('{granularity}', {column}) = '{text}'");
            assert_eq!(session.ids(&condition).await.0, wanted, "{condition}");
        }
    }
}

#[tokio::test]
async fn a_precision_that_would_lose_years_or_digits_is_refused() {
    let lab = Lab::new().await;
    let session = session(&lab);
    table(&session).await;
    let sql = "SELECT id FROM t.v WHERE at = CAST('9999-12-31' AS TIMESTAMP(9))";
    let error = session.execute(sql).await.expect_err("nanoseconds");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("write TIMESTAMP or TIMESTAMP(6)"), "{error}");
}
