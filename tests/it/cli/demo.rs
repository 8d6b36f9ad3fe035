//! `northstar demo`, twice on one warehouse.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{Program, Run};

/// The tables that a demo prints, as rows by column name.
fn rows(run: &Run, column: &str) -> Vec<Value> {
    run.json().into_iter().filter(|row| row.get(column).is_some()).collect()
}

fn count(row: &Value, column: &str) -> i64 {
    row[column].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{row}"))
}

#[test]
fn the_demo_succeeds_twice_on_one_warehouse() {
    let program = Program::new();
    let mut afters = Vec::new();
    for time in 0..2 {
        let run =
            program.run(&["--output", "json", "demo", "--patients", "200", "--malformed", "6"]);
        run.succeeds();

        let balances = rows(&run, "balances");
        assert!(balances.len() >= 9, "{balances:?}");
        for row in &balances {
            let parts = count(row, "landed") + count(row, "quarantined");
            assert_eq!((count(row, "records in files"), &row["balances"]), (parts, &"yes".into()));
        }
        let refused: i64 = balances.iter().map(|row| count(row, "quarantined")).sum();
        assert!(refused > 0, "{balances:?}");

        let travelled = rows(&run, "version");
        let of = |when: &str| -> Vec<i64> {
            let rows = travelled.iter().filter(|row| row[""] == when);
            rows.map(|row| count(row, "count(*)")).collect()
        };
        let (before, after) = (of("before"), of("after"));
        assert_eq!((before.len(), after.len()), (2, 2), "{travelled:?}");
        assert!(before[0] == before[1] && after[0] == after[1], "{travelled:?}");
        assert!(0 < before[0] && before[0] < after[0], "{travelled:?}");
        afters.push(after[0]);

        let loaded = rows(&run, "outcome");
        let new = if time == 0 { "loaded" } else { "already loaded" };
        assert!(loaded.iter().any(|row| row["outcome"] == new), "{time}: {loaded:?}");
        // A day so small may leave files without a record.
        let known = |row: &Value| row["outcome"] == new || row["outcome"] == "empty";
        assert!(loaded.iter().all(known), "{time}: {loaded:?}");
        assert!(run.stderr.contains("every one already loaded; 0 new snapshots"), "{}", run.stderr);
        assert_eq!(program.snapshots("bronze.lab_result").len(), 2);
        changes(&program, &run, time);
    }
    assert_eq!(afters[0], afters[1]);
    let mode = std::fs::metadata(program.path("lake")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// The days of changes: merged once, and as the generator says.
fn changes(program: &Program, run: &Run, time: usize) {
    let merged = rows(run, "merge");
    let expected = if time == 0 { "merged" } else { "already merged" };
    assert_eq!(merged.len(), 3, "{merged:?}");
    for day in &merged {
        assert_eq!(day["merge"], expected, "{time}: {merged:?}");
        assert!(time > 0 || count(day, "inserted") + count(day, "updated") > 0, "{day}");
    }
    let held = rows(run, "as generated");
    assert_eq!(held.len(), 4, "{held:?}");
    assert!(held.iter().all(|day| day["as generated"] == "yes"), "{held:?}");
    // The history ends with what the corrected row is now.
    let corrected = rows(run, "test_name").pop().expect("a corrected value");
    let history = rows(run, "_change");
    assert!(history.len() >= 2, "{history:?}");
    assert_eq!(history[0]["_change"], "inserted");
    assert_eq!(history[0]["_job"], "demo seed");
    assert!(
        history.iter().any(|version| version["value"] == corrected["value"]
            && version["lab_result_id"] == corrected["lab_result_id"]),
        "{corrected} {history:?}"
    );
    // The seed and three days; the second demo adds nothing.
    assert_eq!(program.snapshots("silver.lab_result").len(), 4);
}

#[test]
fn the_demo_ends_with_where_the_tables_are_and_what_to_try() {
    let program = Program::new();
    let run = program.run(&["--warehouse", "other", "demo", "--patients", "5", "--months", "1"]);
    run.succeeds();
    let end = run.stdout.rsplit_once("The tables are in ").expect("an end").1;
    let commands: Vec<&str> =
        end.lines().map(str::trim).filter(|line| line.starts_with("northstar ")).collect();
    assert!(commands.len() >= 2, "{end}");
    // What it proposes works as it stands.
    for command in commands.iter().filter(|command| !command.ends_with(" shell")) {
        let words = words(command);
        let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        program.run(&arguments).succeeds();
    }
    for line in run.stdout.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

/// A command line's words, as a shell splits one with double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_string());
        } else {
            words.extend(part.split_whitespace().map(str::to_string));
        }
    }
    words
}
