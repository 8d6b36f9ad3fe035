//! The change rows, replayed by a few lines that know nothing of the generator, give the truth.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{assert_live, files, newest, read, truth};

const TABLES: [&str; 7] =
    ["patient", "encounter", "diagnosis", "procedure", "medication", "lab_result", "charge"];

type Live = BTreeMap<i64, Vec<String>>;

/// A table as of the extract.
fn start(table: &str) -> (Vec<String>, Live) {
    let (header, rows) = read(&files().join(format!("extract/{table}.csv")));
    let live = newest(&header, rows);
    (header, live)
}

/// A day's change rows in the order of the log, repeated ones once.
fn changes(table: &str, day: u32) -> Vec<Vec<String>> {
    let (header, rows) = read(&files().join(format!("changes/day_{day}/{table}.csv")));
    assert_eq!(header[..4], ["op", "commit_lsn", "command_id", "seqval"]);
    let mut log = BTreeMap::new();
    for row in rows {
        let place = (row[1].clone(), row[2].parse::<u64>().unwrap(), row[3].clone());
        assert_eq!((row[1].len(), row[3].len()), (20, 20));
        let before = log.insert(place, row.clone());
        assert!(before.is_none_or(|before| before == row));
    }
    log.into_values().collect()
}

fn apply(live: &mut Live, change: Vec<String>) {
    let (op, row) = (change[0].clone(), change[4..].to_vec());
    let key = row[0].parse().unwrap();
    match op.as_str() {
        "1" => assert_eq!(live.remove(&key), Some(row)),
        "2" => assert!(live.insert(key, row).is_none()),
        "4" => assert!(live.insert(key, row.clone()).is_some_and(|before| before != row)),
        other => panic!("unknown operation {other}"),
    }
}

#[test]
fn replaying_the_changes_gives_the_live_rows_of_each_day() {
    let truth = truth(files());
    for table in TABLES {
        let (header, mut live) = start(table);
        for day in 1..=3 {
            let told = &truth["changes"][format!("day_{day}")][table];
            let log = changes(table, day);
            let count = |op: &str| log.iter().filter(|row| row[0] == op).count();
            assert_eq!(told["deletes"], count("1"), "{table} {day}");
            assert_eq!(told["inserts"], count("2"), "{table} {day}");
            assert_eq!(told["updates"], count("4"), "{table} {day}");
            let all = log.len() as u64 + told["replayed"].as_u64().unwrap();
            assert_eq!(told["rows"], all, "{table} {day}");
            log.into_iter().for_each(|change| apply(&mut live, change));
            assert_live(&told["live"], &header, &live);
        }
    }
}

#[test]
fn every_day_has_late_corrections_deletes_replays_and_a_key_that_comes_and_goes() {
    let truth = truth(files());
    for day in 1..=3 {
        let told = &truth["changes"][format!("day_{day}")]["lab_result"];
        for count in ["late_corrections", "deletes", "replayed"] {
            assert!(told[count].as_u64().unwrap() > 0, "{count} on day {day}");
        }
        let mut ops: BTreeMap<String, String> = BTreeMap::new();
        for change in changes("lab_result", day) {
            ops.entry(change[4].clone()).or_default().push_str(&change[0]);
        }
        assert!(ops.values().any(|ops| ops == "241"), "day {day}");
        assert!(ops.values().any(|ops| ops == "24"), "day {day}");
    }
}

#[test]
fn log_positions_are_never_used_twice() {
    let mut seen = HashSet::new();
    let mut last = String::new();
    for day in 1..=3 {
        let mut highest = String::new();
        for table in TABLES {
            for change in changes(table, day) {
                assert!(change[1] > last && change[3] < change[1]);
                assert!(seen.insert(change[3].clone()));
                highest = highest.max(change[1].clone());
            }
        }
        last = highest;
    }
}

#[test]
fn foreign_keys_resolve_after_every_day() {
    let mut tables: BTreeMap<&str, Live> = TABLES.map(|table| (table, start(table).1)).into();
    for day in 1..=3 {
        for table in TABLES {
            for change in changes(table, day) {
                apply(tables.get_mut(table).unwrap(), change);
            }
        }
        let encounters: BTreeSet<i64> = tables["encounter"].keys().copied().collect();
        for table in &TABLES[2..] {
            let lost =
                tables[table].values().find(|row| !encounters.contains(&row[1].parse().unwrap()));
            assert!(lost.is_none(), "{table} day {day} {lost:?}");
        }
    }
}

#[test]
fn the_nightly_export_holds_the_new_rows_of_day_1() {
    let truth = truth(files());
    for table in &TABLES[1..] {
        let (header, mut live) = start(table);
        let told = &truth["daily"]["day_1"][table];
        let (columns, rows) = read(&files().join(told["file"].as_str().unwrap()));
        assert_eq!(columns, header);
        assert_eq!(told["rows"], rows.len());
        changes(table, 1).into_iter().for_each(|change| apply(&mut live, change));
        for row in &rows {
            assert_eq!(live.get(&row[0].parse().unwrap()), Some(row), "{table}");
        }
    }
}
