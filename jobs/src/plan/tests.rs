//! Plans, recomputed from a calibration by other arithmetic than theirs: counts of whole seconds by hand.

use clap::Parser;
use northstar_iceberg::ErrorKind;

use super::backfill::{self, BackfillPlan};
use super::calibration::Calibration;
use super::daily::{self, DailyPlan};
use crate::cli::plan::Plan;
use crate::cli::{Cli, Command};

/// 10 MB and 50,000 rows loaded, 2.5 MB and 10,000 change rows merged a core second.
const FIXTURE: &str = r#"{
    "format": 1, "northstar": "0.1.0", "date": "2024-05-01T00:00:00.000Z",
    "machine": {"cores": 2, "memory_bytes": 16000000000, "architecture": "x86_64"},
    "generator": {"seed": 27, "rows": 500000, "facilities": 3, "months": 6},
    "load": {"source_bytes": 100000000, "rows": 500000, "table_bytes": 30000000,
        "cpu_seconds": 10.0, "wall_seconds": 6.0,
        "bytes_per_core_second": 10000000.0, "rows_per_core_second": 50000.0},
    "merge": {"change_rows": 20000, "change_bytes": 5000000, "changed_rows": 19000,
        "table_rows": 250000, "rewritten_bytes": 15000000,
        "cpu_seconds": 2.0, "wall_seconds": 1.5, "rows_per_core_second": 10000.0,
        "bytes_per_core_second": 2500000.0, "rewritten_bytes_per_change_byte": 3.0}
}"#;

fn calibration() -> Calibration {
    Calibration::parse(FIXTURE.as_bytes()).unwrap()
}

fn asked(words: &str) -> Plan {
    let words = std::iter::once("northstar").chain(["plan"]).chain(words.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Plan(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn backfill(words: &str) -> BackfillPlan {
    let Plan::Backfill(asked) = asked(&format!("backfill {words}")) else { panic!("{words}") };
    backfill::plan(&calibration(), &asked).unwrap()
}

fn daily(words: &str) -> DailyPlan {
    let Plan::Daily(asked) = asked(&format!("daily {words}")) else { panic!("{words}") };
    daily::plan(&calibration(), &asked).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= expected.abs() * 1e-9, "{found}, not {expected}");
}

/// Without derating, starting or a driver's part in the time, so that all is whole.
const PLAIN: &str = "--s3-factor 1 --parallel-efficiency 1 --start-minutes 1";

#[test]
fn a_backfill_is_units_in_rounds() {
    // 1.44 TB at 10 MB a core second are 144,000 core seconds; a unit of 10 minutes on 2 CPUs is 1,200 of
    // them: 120 units. In 59 minutes a place takes 5 of them; a worker of 16 CPUs has 8 places, so 40.
    let plan = backfill(&format!("--source-bytes 1440GB --hours 1 {PLAIN}"));
    assert_eq!((plan.units, plan.units_at_once, plan.workers, plan.rounds), (120, 8, 3, 5));
    assert!(plan.is_met && plan.to_meet.is_none());
    assert_eq!(plan.unit_bytes, 12_000_000_000);
    close(plan.unit_minutes, 10.0);
    close(plan.core_hours, 40.0);
    // A minute, and five rounds of ten.
    close(plan.hours, 51.0 / 60.0);
    // Three workers for 50 minutes at 16 × 0.052624 + 64 × 0.0057785 = 1.211808 an hour, and the driver for 51
    // at 4 × 0.052624 + 16 × 0.0057785 = 0.302952.
    close(plan.driver_usd, 0.302_952 * 51.0 / 60.0);
    close(plan.usd, 3.0 * 1.211_808 * 50.0 / 60.0 + 0.302_952 * 51.0 / 60.0);
}

#[test]
fn the_speed_is_derated() {
    // Half and half of it: four times the core seconds, so 480 units and 12 workers.
    let plan = backfill(
        "--source-bytes 1440GB --hours 1 --s3-factor 0.5 --parallel-efficiency 0.5 --start-minutes 1",
    );
    assert_eq!((plan.units, plan.workers, plan.rounds), (480, 12, 5));
    close(plan.core_hours, 160.0);
    // As the issue asks: 25 TB in 24 hours; 2,500,000 core seconds by 0.49.
    let plan = backfill("--source-bytes 25TB --hours 24");
    close(plan.core_hours, 2_500_000.0 / 0.49 / 3600.0);
    assert_eq!((plan.units, plan.workers), (4252, 4));
    assert!(plan.is_met && plan.hours <= 24.0, "{plan:?}");
}

#[test]
fn narrow_rows_take_their_time() {
    // 14.4 G rows at 50,000 a core second are 288,000 core seconds: twice those of the bytes.
    let plan =
        backfill(&format!("--source-bytes 1440GB --source-rows 14400000000 --hours 1 {PLAIN}"));
    assert_eq!(plan.units, 240);
    let wide = backfill(&format!("--source-bytes 1440GB --source-rows 1000 --hours 1 {PLAIN}"));
    assert_eq!(wide.units, 120);
}

#[test]
fn a_backfill_that_is_late_says_what_would_be_in_time() {
    let plan = backfill(&format!("--source-bytes 1440GB --hours 1 --most-workers 2 {PLAIN}"));
    // 16 places, 120 units: eight rounds.
    assert_eq!((plan.is_met, plan.workers, plan.rounds), (false, 2, 8));
    close(plan.hours, 81.0 / 60.0);
    let text = plan.to_meet.unwrap();
    assert!(text.contains("--most-workers 3") && text.contains("48 vCPU"), "{text}");
    // As it says, so it is.
    assert!(backfill(&format!("--source-bytes 1440GB --hours 1 --most-workers 3 {PLAIN}")).is_met);
    let plan = backfill(&format!("--source-bytes 1440GB --hours 0.1 {PLAIN}"));
    assert!(!plan.is_met && plan.to_meet.unwrap().contains("--unit-minutes"));
}

#[test]
fn a_backfill_of_little_is_one_unit_and_a_minute_is_billed() {
    let plan = backfill(&format!("--source-bytes 20MB --hours 1 {PLAIN}"));
    assert_eq!((plan.units, plan.workers, plan.rounds), (1, 1, 1));
    // One second of work; a minute of the worker, and of the driver 61 s.
    close(plan.hours, 61.0 / 3600.0);
    close(plan.usd, 1.211_808 / 60.0 + 0.302_952 * 61.0 / 3600.0);
}

#[test]
fn a_day_is_a_run_for_each_table() {
    // 144 GB at 2.5 MB a core second are 57,600, more than 1 M rows at 10,000; on 16 CPUs one hour.
    let of = |words: &str| {
        daily(&format!("--changes 1000000 --changed-bytes 144GB --tables 4 {PLAIN} {words}"))
    };
    let one = of("--within-hours 2 --largest-share 0.5");
    assert_eq!((one.is_met, one.units, one.workers), (true, 4, 1));
    close(one.core_hours, 16.0);
    close(one.hours, 61.0 / 60.0);
    close(one.rewritten_bytes, 432e9);
    // An hour of a worker in all, however it is divided.
    close(one.usd, 1.211_808);
    // On two: half an hour each, and of the largest, half an hour, what may lie beyond: 15 minutes.
    let two = of("--within-hours 0.8 --largest-share 0.5");
    assert_eq!((two.is_met, two.workers), (true, 2));
    close(two.hours, 46.0 / 60.0);
    // A worker for each table: the largest alone.
    let four = of("--within-hours 0.55 --largest-share 0.5");
    assert_eq!((four.is_met, four.workers), (true, 4));
    close(four.hours, 31.0 / 60.0);
    // One of four has a quarter at least.
    close(of("--largest-share 0.1").largest_table_hours, 0.25);
}

#[test]
fn rows_of_changes_count_too() {
    // 144 M rows at 10,000 a core second are 14,400 core seconds, more than 1 GB at 2.5 MB.
    let plan = daily(&format!("--changes 144000000 --changed-bytes 1GB {PLAIN}"));
    close(plan.core_hours, 4.0);
}

#[test]
fn a_day_that_is_late_says_what_would_be_in_time() {
    let words = format!("--changes 1 --changed-bytes 144GB --tables 4 --largest-share 0.5 {PLAIN}");
    let larger = daily(&format!("{words} --within-hours 0.3"));
    assert!(!larger.is_met);
    let text = larger.to_meet.unwrap();
    assert!(text.contains("--worker-cores 32 --most-workers 4"), "{text}");
    assert!(daily(&format!("{words} --within-hours 0.3 --worker-cores 32")).is_met);
    let more = daily(&format!("{words} --within-hours 0.55 --most-workers 1"));
    let text = more.to_meet.unwrap();
    assert!(text.starts_with("4 workers at once"), "{text}");
    let parts = daily(&format!("{words} --within-hours 0.1")).to_meet.unwrap();
    assert!(parts.contains("merge it by parts"), "{parts}");
}

#[test]
fn small_runs_are_billed_a_minute_each() {
    let plan = daily(&format!("--changes 1 --changed-bytes 1KB --tables 4 {PLAIN}"));
    close(plan.usd, 4.0 * 1.211_808 / 60.0);
}

#[test]
fn prices_and_sizes_are_arguments() {
    let words = "--worker-cores 8 --worker-memory-gb 20 --worker-storage-gb 120 --arm";
    let plan = backfill(&format!("--source-bytes 1440GB --hours 1 {PLAIN} {words}"));
    // A fifth less for CPU and memory; storage beyond 20 GB at its price.
    close(plan.worker.hour_usd, 8.0 * 0.042_099_2 + 20.0 * 0.004_622_8 + 100.0 * 0.000_111);
    assert_eq!(plan.workers, 6);
    let own = "--vcpu-hour-usd 1 --gb-hour-usd 0 --storage-gb-hour-usd 0 --price-region nowhere";
    close(daily(&format!("{own} {PLAIN}")).worker.hour_usd, 16.0);
    for bad in ["--worker-cores 3", "--worker-memory-gb 33", "--price-region nowhere"] {
        let Plan::Backfill(asked) = asked(&format!("backfill {bad}")) else { panic!("{bad}") };
        let error = backfill::plan(&calibration(), &asked).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
    }
    let Plan::Backfill(asked) = asked("backfill --worker-cores 4 --unit-cores 8") else { panic!() };
    let error = backfill::plan(&calibration(), &asked).unwrap_err();
    assert!(error.to_string().contains("--unit-cores"), "{error}");
}

#[test]
fn assumptions_are_printed_with_every_plan() {
    let backfill = backfill("").assumptions.join("\n");
    let daily = daily("").assumptions.join("\n");
    for said in
        ["--s3-factor", "--parallel-efficiency", "0.052624", "0.0057785", "a minute is billed"]
    {
        assert!(backfill.contains(said) && daily.contains(said), "{said}");
    }
    assert!(backfill.contains("SQL Server") && daily.contains("--largest-share"));
}

#[test]
fn a_calibration_that_does_not_hold_is_refused() {
    let refused = |from: &str, to: &str| {
        let text = FIXTURE.replace(from, to);
        assert_ne!(text, FIXTURE, "{from}");
        let error = Calibration::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{from}");
        assert!(error.to_string().contains("northstar calibrate"), "{error}");
    };
    refused("\"format\": 1", "\"format\": 2");
    refused("\"bytes_per_core_second\": 10000000.0", "\"bytes_per_core_second\": 20000000.0");
    refused("\"rows_per_core_second\": 10000.0", "\"rows_per_core_second\": 0.0");
    refused("\"cpu_seconds\": 10.0", "\"cpu_seconds\": 0.0");
    refused(
        "\"rewritten_bytes_per_change_byte\": 3.0",
        "\"rewritten_bytes_per_change_byte\": -3.0",
    );
    refused("\"merge\"", "\"fold\"");
}
