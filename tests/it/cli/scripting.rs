//! `northstar script`, and what a process does that runs for a server.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::Command;

use super::{Program, binary};

const SCRIPT: &str = "
CREATE TABLE bronze.day AS SELECT id, :day AS day FROM bronze.visit;
-- A comment; and a parameter that would end the statement if it could.
INSERT INTO bronze.day SELECT 9, ${hostile};
SELECT note FROM bronze.visit WHERE id > coalesce(CAST(:bookmark_bronze_none AS BIGINT), 0)";

fn with_script(script: &str, parameters: &str) -> Program {
    let program = Program::loaded();
    std::fs::write(program.path("a.sql"), script).unwrap();
    std::fs::write(program.path("parameters.json"), parameters).unwrap();
    program
}

#[test]
fn a_script_runs_its_statements_and_shows_no_rows() {
    let program =
        with_script(SCRIPT, r#"{"day": "it's", "hostile": "'; DROP TABLE bronze.day; --"}"#);
    let run =
        program.run(&["--output", "csv", "script", "a.sql", "--parameters", "parameters.json"]);
    run.succeeds();
    let lines: Vec<&str> =
        run.stdout.lines().filter(|line| !line.starts_with("statement")).collect();
    assert!(lines[0].starts_with("1,changed,,3,0,0,0,"), "{run:?}");
    assert!(lines[1].starts_with("2,changed,,1,0,0,0,"), "{run:?}");
    assert_eq!(lines[2..], ["3,read,3,,,,,"], "{run:?}");
    assert!(!run.stdout.contains("hi") && !run.stderr.contains("hi"), "{run:?}");
    let rows = program.sql("csv", "SELECT id, day FROM bronze.day ORDER BY id");
    let expected = "id,day\n1,it's\n2,it's\n3,it's\n9,'; DROP TABLE bronze.day; --\n";
    assert_eq!(rows, expected);
}

#[test]
fn a_script_without_a_value_does_nothing_and_one_that_fails_does_not_go_on() {
    let program = with_script("CREATE TABLE bronze.a AS SELECT 1 AS x; SELECT :day", "{}");
    let run = program.run(&["script", "a.sql"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("`day`"), "{run:?}");
    assert_eq!(program.run(&["sql", "SELECT * FROM bronze.a"]).code, Some(1));
    let program = with_script("SELECT no FROM bronze.visit; DELETE FROM bronze.visit", "{}");
    let run = program.run(&["script", "a.sql"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("statement: 1"), "{run:?}");
    assert_eq!(program.sql("csv", "SELECT count(*) AS n FROM bronze.visit"), "n\n3\n");
}

#[test]
fn a_run_says_what_it_committed_and_read() {
    let program = with_script(SCRIPT, r#"{"day": "x", "hostile": "y"}"#);
    let watermarks = program.path("watermarks.json");
    let output = program
        .command(&["script", "a.sql", "--parameters", "parameters.json"])
        .env("NORTHSTAR_PARENT", std::process::id().to_string())
        .env("NORTHSTAR_ADDRESS_SPACE", (10_u64 << 30).to_string())
        .env("NORTHSTAR_RUN_ID", "jr_1")
        .env("NORTHSTAR_WATERMARKS", &watermarks)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let marks: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(watermarks).unwrap()).unwrap();
    let last = |table: &str| {
        let snapshots = program.snapshots(table);
        snapshots.last().unwrap()["snapshot"].as_str().unwrap().to_string()
    };
    let (day, visit) = (&marks["bronze.day"], &marks["bronze.visit"]);
    assert_eq!((&day["committed"], &visit["committed"]), (&true.into(), &false.into()));
    assert_eq!(day["snapshot-id"], last("bronze.day"));
    assert_eq!(visit["snapshot-id"], last("bronze.visit"));
    assert!(
        visit.get("northstar.seq").is_some() || visit.as_object().unwrap().len() > 2,
        "{marks}"
    );
}

#[test]
fn a_process_whose_server_is_gone_does_nothing() {
    let program = Program::loaded();
    let mut command = program.command(&["sql", "DELETE FROM bronze.visit"]);
    let output = command.env("NORTHSTAR_PARENT", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(program.sql("csv", "SELECT count(*) AS n FROM bronze.visit"), "n\n3\n");
}

#[test]
fn a_process_ends_with_the_server_that_started_it() {
    let program = Program::loaded();
    let pipe = program.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = "NORTHSTAR_PARENT=$$ \"$0\" --warehouse lake shell < pipe & wait";
    let mut command = Command::new("sh");
    command.args(["-c", server]).arg(binary());
    let mut server = program.prepared(command).spawn().unwrap();
    let mut pipe = std::fs::OpenOptions::new().write(true).open(pipe).unwrap();
    let mut said = String::new();
    BufReader::new(server.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("tables of"), "{said}");
    server.kill().unwrap();
    server.wait().unwrap();
    // It reads as long as it lives.
    let written = (0..100_000_000).map(|_| pipe.write_all(b"\n")).find_map(Result::err);
    assert_eq!(written.map(|error| error.kind()), Some(ErrorKind::BrokenPipe));
}
