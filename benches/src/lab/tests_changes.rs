//! Facts about change sets.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::lab::{plan::Order, text::Calendar};

fn plan(seed: u64) -> Plan {
    Plan {
        rows: 20_000,
        facilities: 8,
        months: 12,
        seed,
        order: Order::Time,
        file_rows: 5_000,
        document_bytes: 0,
    }
}

fn base(plan: &Plan, calendar: &Calendar) -> Expected {
    let mut expected = Expected::new(plan.facilities, calendar.months());
    Draw::new(plan, calendar.period_s()).for_each(|row| expected.add(&row, calendar));
    expected
}

fn sets(plan: &Plan, shape: Shape, changes: Option<u64>, rounds: usize) -> Vec<Vec<Change>> {
    let calendar = Calendar::new(plan.months).unwrap();
    let change = ChangePlan { shape, changes, rounds };
    draw(plan, &change, &calendar, &base(plan, &calendar))
}

fn count(set: &[Change], kind: u8) -> usize {
    set.iter().filter(|(of, _, _)| *of == kind).count()
}

#[test]
fn the_same_seed_gives_the_same_changes_and_another_seed_others() {
    let first = sets(&plan(1), Shape::Scattered, None, 1);
    assert_eq!(first, sets(&plan(1), Shape::Scattered, None, 1));
    assert_ne!(first, sets(&plan(2), Shape::Scattered, None, 1));
}

#[test]
fn a_shape_has_exactly_the_changes_that_it_says_where_it_says() {
    let plan = plan(3);
    let calendar = Calendar::new(plan.months).unwrap();
    let expected = base(&plan, &calendar);
    let partitions = |set: &[Change]| -> BTreeMap<usize, u64> {
        let mut found = BTreeMap::new();
        for (_, before, _) in set {
            *found.entry(expected.partition(before, &calendar)).or_default() += 1;
        }
        found
    };
    let scattered = sets(&plan, Shape::Scattered, None, 1).remove(0);
    assert_eq!(
        [count(&scattered, b'U'), count(&scattered, b'I'), count(&scattered, b'D')],
        [120, 60, 20]
    );
    let recent = sets(&plan, Shape::Recent, Some(500), 1).remove(0);
    assert_eq!(recent.len(), 500);
    assert!(partitions(&recent).keys().all(|at| at % 12 == 11));
    let few = partitions(&sets(&plan, Shape::FewFiles, None, 1).remove(0));
    let rows = expected.rows_by_partition();
    assert_eq!(few.len(), 5);
    assert_eq!(few.values().sum::<u64>(), few.keys().map(|at| rows[*at]).sum::<u64>() / 20);
    let every = partitions(&sets(&plan, Shape::EveryFile, None, 1).remove(0));
    assert_eq!(every.len(), 96);
    assert!(every.iter().all(|(at, changed)| *changed == rows[*at] / 100));
    assert_eq!(count(&sets(&plan, Shape::DeleteOnly, None, 1)[0], b'D'), 200);
    assert_eq!(count(&sets(&plan, Shape::InsertOnly, None, 1)[0], b'I'), 200);
}

#[test]
fn rounds_change_other_rows_and_new_ids_are_new() {
    let plan = plan(5);
    let calendar = Calendar::new(plan.months).unwrap();
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let old: BTreeSet<u64> =
        Draw::new(&plan, calendar.period_s()).map(|row| row.result_id).collect();
    for set in sets(&plan, Shape::Scattered, None, 10) {
        assert_eq!([count(&set, b'U'), count(&set, b'I'), count(&set, b'D')], [120, 60, 20]);
        for (kind, before, after) in set {
            assert!(seen.insert(after.result_id));
            assert_eq!(old.contains(&after.result_id), kind != b'I');
            assert_eq!(after == before, kind == b'D');
            assert_eq!(after.collected_s, before.collected_s);
            assert_eq!(after.version > before.version, kind == b'U');
        }
    }
}

#[test]
fn sums_after_the_changes_are_those_of_the_changed_rows() {
    let plan = plan(7);
    let home = std::env::temp_dir().join(format!("northstar-changes-{}", std::process::id()));
    let extract = crate::lab::write_extract(&plan, &home).unwrap();
    let change = ChangePlan { shape: Shape::Scattered, changes: None, rounds: 2 };
    let written = write_changes(&plan, &change, &extract).unwrap();
    let calendar = Calendar::new(plan.months).unwrap();
    let mut rows: BTreeMap<u64, Row> =
        Draw::new(&plan, calendar.period_s()).map(|row| (row.result_id, row)).collect();
    for (set, files) in sets(&plan, Shape::Scattered, None, 2).iter().zip(&written) {
        for (kind, _, after) in set {
            match kind {
                b'D' => rows.remove(&after.result_id),
                _ => rows.insert(after.result_id, after.clone()),
            };
        }
        let mut expected = Expected::new(plan.facilities, calendar.months());
        rows.values().for_each(|row| expected.add(row, &calendar));
        let text = fs::read(&files.expected).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(found["partitions"], expected.to_json(&calendar, 0)["partitions"]);
        let lines = fs::read_to_string(&files.csv).unwrap().lines().count();
        assert_eq!(lines, set.len() + 1);
    }
    fs::remove_dir_all(&home).unwrap();
}
