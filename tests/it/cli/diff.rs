//! `northstar diff` and metadata tables, as the program prints them.

use serde_json::json;

use super::Program;

/// With a second load of the same table, an update and a deletion.
fn changed() -> (Program, String) {
    let program = Program::loaded();
    let first = program.snapshots("bronze.visit")[0]["snapshot"].as_str().unwrap().to_string();
    northstar_tests::csv_files::folder(
        &program.path(""),
        "more",
        &[("visit.csv", b"id,site,at,fee,paid,note\n4,east,,,,\n")],
    );
    program.run(&["load", "csv", "--from", "more", "--into", "bronze"]).succeeds();
    for sql in
        ["UPDATE bronze.visit SET fee = 13 WHERE id = 1", "DELETE FROM bronze.visit WHERE id = 2"]
    {
        program.run(&["sql", sql]).succeeds();
    }
    (program, first)
}

#[test]
fn counts_are_numbers_for_machines_and_a_row_for_people() {
    let (program, first) = changed();
    let diff = ["diff", "bronze.visit", "--from", &first, "--key", "id"];
    let run = program.run(&[&["--output", "json"], &diff[..]].concat());
    run.succeeds();
    let [counts] = run.json().try_into().unwrap();
    let numbers = ["inserted", "updated", "deleted"].map(|name| counts[name].clone());
    assert_eq!(numbers, [json!(1), json!(1), json!(1)]);
    assert_eq!(counts["from"].to_string(), first, "ids are numbers");
    let run = program.run(&[&["--output", "csv"], &diff[..]].concat());
    run.succeeds();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "from,to,inserted,updated,deleted,files");
    assert!(
        lines[1].starts_with(&format!("{first},")) && lines[1].contains(",1,1,1,"),
        "{lines:?}"
    );
    let run = program.run(&diff);
    run.succeeds();
    assert!(run.stdout.contains(&first), "an id stands on one line: {}", run.stdout);
    // Without a key no row is an update; a time and a branch name snapshots too.
    let time = program.snapshots("bronze.visit")[0]["committed"].as_str().unwrap().to_string();
    let run =
        program.run(&["--output", "json", "diff", "bronze.visit", "--from", &time, "--to", "main"]);
    run.succeeds();
    let [counts] = run.json().try_into().unwrap();
    let numbers = ["inserted", "updated", "deleted"].map(|name| counts[name].clone());
    assert_eq!(numbers, [json!(2), json!(0), json!(2)]);
}

#[test]
fn rows_say_what_became_of_them() {
    let (program, first) = changed();
    let diff = ["diff", "bronze.visit", "--from", &first, "--key", "id", "--rows"];
    let run = program.run(&[&["--output", "csv"], &diff[..]].concat());
    run.succeeds();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("_change,id,site,at,fee,"), "{}", lines[0]);
    let starts = [
        "update_before,1,north,2024-01-01T08:00:00,12.50,",
        "update_after,1,north,2024-01-01T08:00:00,13.00,",
        "delete,2,south,",
    ];
    for (line, start) in lines[1..].iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(run.stdout.contains("\ninsert,4,east,"), "{}", run.stdout);
    let run = program.run(&[&["--output", "json"], &diff[..]].concat());
    run.succeeds();
    let changes: Vec<_> = run.json().iter().map(|row| row["_change"].clone()).collect();
    assert_eq!(changes, ["update_before", "update_after", "delete", "insert"]);
    let run = program.run(&diff);
    run.succeeds();
    assert!(run.stdout.ends_with("\n4 rows\n"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (program, first) = changed();
    let diff = |more: &[&str]| program.run(&[&["diff", "bronze.visit"], more].concat());
    diff(&["--from", "77"]).fails(1, &["77", "oldest kept: snapshot", &first]);
    diff(&["--from", "2001-01-01T00:00:00Z"]).fails(1, &["2001-01-01", "oldest kept"]);
    diff(&["--from", &first, "--to", "gone"]).fails(1, &["`gone`", "`main`"]);
    diff(&["--from", &first, "--key", "Id"]).fails(1, &["`Id`"]);
    diff(&[]).fails(1, &["--from"]);
    program.run(&["diff", "bronze.gone", "--from", "1"]).fails(1, &["bronze.gone"]);
}

#[test]
fn metadata_tables_are_printed_like_others() {
    let (program, first) = changed();
    let sql = format!(
        "SELECT snapshot_id = {first} AS first, operation FROM bronze.\"visit$snapshots\" \
         ORDER BY committed_at"
    );
    let expected = "first,operation\ntrue,append\nfalse,append\nfalse,overwrite\nfalse,overwrite\n";
    let text = program.sql("csv", &sql);
    // What a statement that only removes a file calls itself is the commit's affair.
    assert!(text.starts_with(&expected[..expected.len() - 16]), "{text}");
    let text = program.sql("json", "SELECT lower_bounds FROM bronze.\"visit$files\" LIMIT 1");
    let row: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    let bounds: serde_json::Value =
        serde_json::from_str(row["lower_bounds"].as_str().unwrap()).unwrap();
    assert!(bounds["id"].is_string(), "{text}");
}
