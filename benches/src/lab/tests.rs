//! Facts about the generated rows.

use super::*;
use crate::lab::{
    draw::Draw,
    expected::Expected,
    plan::{Order, Plan},
};

fn plan(order: Order, seed: u64) -> Plan {
    Plan {
        rows: 20_000,
        facilities: 8,
        months: 12,
        seed,
        order,
        file_rows: 5_000,
        document_bytes: 0,
    }
}

fn lines(plan: &Plan) -> Vec<u8> {
    let calendar = Calendar::new(plan.months).unwrap();
    let mut out = Vec::new();
    for row in Draw::new(plan, calendar.period_s()) {
        put_row(&row, &calendar, 0, &mut out);
    }
    out
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let first = lines(&plan(Order::Time, 1));
    assert_eq!(first, lines(&plan(Order::Time, 1)));
    assert_ne!(first, lines(&plan(Order::Time, 2)));
}

#[test]
fn every_line_has_twenty_fields() {
    let text = String::from_utf8(lines(&plan(Order::Time, 3))).unwrap();
    let mut quoted_lines = 0;
    for line in text.lines().chain([HEADER]) {
        let mut inside = false;
        let commas = line.chars().filter(|letter| {
            inside ^= *letter == '"';
            *letter == ',' && !inside
        });
        assert_eq!(commas.count(), 19, "{line}");
        quoted_lines += usize::from(line.contains('"'));
    }
    assert!(quoted_lines > 1_000, "{quoted_lines} lines exercise quoting");
}

#[test]
fn time_order_opens_few_partitions_at_once_and_both_orders_fill_all() {
    for order in [Order::Time, Order::Shuffled] {
        let plan = plan(order, 5);
        let calendar = Calendar::new(plan.months).unwrap();
        let mut expected = Expected::new(plan.facilities, 12);
        let mut early_months = std::collections::BTreeSet::new();
        for (place, row) in Draw::new(&plan, calendar.period_s()).enumerate() {
            expected.add(&row, &calendar);
            if place < 1_000 {
                early_months.insert(calendar.month(row.collected_s / DAY_S));
            }
        }
        assert_eq!(early_months.len(), if order == Order::Time { 1 } else { 12 });
        let json = expected.to_json(&calendar, 0);
        assert_eq!(json["rows"], 20_000);
        assert_eq!(json["partitions"].as_array().unwrap().len(), 96);
    }
}

#[test]
fn a_row_is_written_field_by_field() {
    let calendar = Calendar::new(1).unwrap();
    let row = Row {
        result_id: 7,
        patient_id: 8,
        encounter_id: 9,
        order_id: 10,
        facility: 2,
        provider_id: 11,
        test: 4,
        value: 5_205,
        state: 0,
        collected_s: 30 * DAY_S + 3_661,
        resulted_ms: (31 * DAY_S) * 1_000 + 9,
        version: 1,
        remark: Some((5, 12)),
    };
    let mut out = Vec::new();
    put_row(&row, &calendar, 0, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "7,8,9,10,FAC-03,11,2823-3,Potassium in Serum or Plasma,5.205,,mmol/L,3.50,5.10,H,FINAL,\
         SER,2024-01-31 01:01:01,2024-02-01 00:00:00.009,1,\
         \"See note \"\"QC-12\"\" of the laboratory #12\"\n"
    );
}
