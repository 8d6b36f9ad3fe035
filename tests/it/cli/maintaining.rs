//! `northstar maintain`: what it tells, and that a dry run does nothing.

use std::time::{Duration, UNIX_EPOCH};

use northstar_tests::csv_files::folder;

use super::{Program, Run, content};

/// A table of three loads, with a file each.
fn loaded() -> Program {
    let program = Program::new();
    for (name, row) in [("one", "1,a"), ("two", "2,b"), ("three", "3,c")] {
        let file = format!("id,site\n{row}\n");
        folder(&program.path(""), name, &[("visit.csv", file.as_bytes())]);
        program.run(&["load", "csv", "--from", name, "--into", "bronze"]).succeeds();
    }
    program
}

fn maintain(program: &Program, arguments: &[&str]) -> Run {
    let run = program.run(&[&["--output", "json", "maintain"], arguments].concat());
    run.succeeds();
    run
}

/// The one row that a job prints.
fn row(program: &Program, arguments: &[&str]) -> serde_json::Value {
    let mut rows = maintain(program, arguments).json();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

#[test]
fn a_dry_run_does_nothing() {
    let program = loaded();
    let tables = program.path("lake/tables");
    let before = content(&tables);
    for job in [
        &["compact"][..],
        &["manifests"],
        &["expire", "--older-than", "0m"],
        &["orphans"],
        &["retention"],
    ] {
        maintain(&program, &[job, &["bronze.visit", "--dry-run"]].concat());
    }
    maintain(&program, &["orphans", "bronze.visit"]);
    assert!(content(&tables) == before);
}

#[test]
fn c1_compaction_tells_files_and_bytes_and_keeps_the_rows() {
    let program = loaded();
    let rows = program.sql("csv", "SELECT id, site FROM bronze.visit ORDER BY id");
    let plan = row(&program, &["compact", "bronze.visit", "--dry-run"]);
    assert_eq!((&plan["partition"], &plan["files"]), (&"all".into(), &"3".into()));
    let done = row(&program, &["compact", "bronze.visit"]);
    assert_eq!(
        (&done["rewritten"], &done["added"], &done["commits"]),
        (&"3".into(), &"1".into(), &"1".into())
    );
    assert_eq!(done["bytes_before"], plan["bytes"]);
    assert_eq!(program.sql("csv", "SELECT id, site FROM bronze.visit ORDER BY id"), rows);
    let again = row(&program, &["compact", "bronze.visit"]);
    assert_eq!((&again["rewritten"], &again["commits"]), (&"0".into(), &"0".into()));
    let snapshots = program.snapshots("bronze.visit");
    assert_eq!(snapshots.last().unwrap()["job"], "maintain compact");
    let refused = ["maintain", "compact", "bronze.visit", "--partition", "site=a"];
    program.run(&refused).fails(1, &["no partition field `site`", "it is not partitioned"]);
    program.run(&["maintain", "compact", "bronze.visit", "--sort"]).fails(1, &["leave out --sort"]);
}

#[test]
fn manifests_and_old_snapshots_go() {
    let program = loaded();
    let done = row(&program, &["manifests", "bronze.visit"]);
    assert_eq!((&done["before"], &done["after"]), (&"3".into(), &"1".into()));
    let compacted = row(&program, &["compact", "bronze.visit"]);
    assert_eq!(compacted["added"], "1");
    let before = content(&program.path("lake/tables")).len();
    let plan = row(&program, &["expire", "bronze.visit", "--older-than", "0m", "--dry-run"]);
    let done = row(&program, &["expire", "bronze.visit", "--older-than", "0m"]);
    assert_eq!(plan, done);
    assert_eq!((&done["expired"], &done["kept"]), (&"4".into(), &"1".into()));
    let removed: usize = done["files"].as_str().unwrap().parse().unwrap();
    assert_eq!(content(&program.path("lake/tables")).len(), before - removed + 1);
    // The number of the batch is known, though the snapshots that said it are gone.
    program.run(&["load", "csv", "--from", "one", "--into", "bronze"]).succeeds();
    folder(&program.path(""), "four", &[("visit.csv", b"id,site\n4,d\n")]);
    program.run(&["load", "csv", "--from", "four", "--into", "bronze"]).succeeds();
    let said = program.sql("csv", "SELECT count(*) AS n, max(_seq) AS s FROM bronze.visit");
    assert_eq!(said, "n,s\n4,4\n");
}

#[test]
fn orphans_are_listed_and_removed_if_asked_for() {
    let program = loaded();
    let files = content(&program.path("lake/tables"));
    let data = files.iter().find(|(path, _)| path.to_string_lossy().ends_with(".parquet")).unwrap();
    let folder = program.path("lake/tables").join(data.0.parent().unwrap());
    let orphan = folder.join("left.parquet");
    std::fs::write(&orphan, "left").unwrap();
    let run = program.run(&["maintain", "orphans", "bronze.visit"]);
    run.succeeds();
    assert!(run.stdout.contains("1 more are too young to tell"), "{}", run.stdout);
    let file = std::fs::File::options().append(true).open(&orphan).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    let listed = row(&program, &["orphans", "bronze.visit"]);
    assert!(listed["orphan"].as_str().unwrap().ends_with("/left.parquet"), "{listed}");
    assert!(orphan.is_file());
    let done = row(&program, &["orphans", "bronze.visit", "--apply"]);
    assert_eq!((&done["removed"], &done["bytes"]), (&"1".into(), &"4".into()));
    assert!(!orphan.is_file());
    assert!(content(&program.path("lake/tables")) == files);
    let soon = ["maintain", "orphans", "bronze.visit", "--older-than", "1h", "--apply"];
    program.run(&soon).fails(1, &["a day"]);
    let both = ["maintain", "orphans", "bronze.visit", "--dry-run", "--apply"];
    program.run(&both).fails(1, &["--apply"]);
}

#[test]
fn retention_tells_what_is_held() {
    let program = loaded();
    program.run(&["maintain", "compact", "bronze.visit"]).succeeds();
    let rows = maintain(&program, &["retention", "bronze.visit"]).json();
    let held: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row["held_by"].as_str().unwrap(), row["files"].as_str().unwrap()))
        .collect();
    let expected = [
        ("live", "1"),
        ("history of 0 to 7 days", "3"),
        ("history of 7 to 35 days", "0"),
        ("history of 35 to 365 days", "0"),
        ("history of over 365 days", "0"),
        ("tags alone", "0"),
    ];
    assert_eq!(held, expected);
}
