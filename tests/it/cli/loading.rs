//! `northstar load csv`: what it prints, its exit codes, and what it never prints.

use std::os::unix::fs::PermissionsExt;

use northstar_tests::csv_files::folder;

use super::{FILES, Program};

const LOAD: [&str; 6] = ["load", "csv", "--from", "in", "--into", "bronze"];

#[test]
fn a_second_load_finds_every_file_and_makes_no_snapshot() {
    let program = Program::new();
    folder(&program.path(""), "in", &FILES);
    let first = program.run(&LOAD);
    first.succeeds();
    assert!(
        first.stdout.contains("5 records read = 5 landed + 0 quarantined; 2 new snapshots"),
        "{}",
        first.stdout
    );
    let before = program.snapshots("bronze.visit");
    let second = program.run(&LOAD);
    second.succeeds();
    assert_eq!(second.stdout.matches("already loaded").count(), 2, "{}", second.stdout);
    assert!(second.stdout.contains("0 records read"), "{}", second.stdout);
    assert!(second.stdout.contains("0 new snapshots"), "{}", second.stdout);
    assert_eq!(program.snapshots("bronze.visit"), before);
    let mode =
        |path: &str| std::fs::metadata(program.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("lake"), mode("lake/access.jsonl")), (0o700, 0o600));
}

#[test]
fn a_refused_or_damaged_file_gives_exit_code_1_and_the_others_land() {
    for (content, outcome, part) in [
        (
            &b"id,id\n1,2\n"[..],
            "refused",
            "refused bad.csv: the header is the same as that of column 1",
        ),
        (&b"id,name\n1,\"x\n"[..], "damaged", "damaged bad.csv: from line 2 on a quote"),
    ] {
        let program = Program::new();
        folder(&program.path(""), "in", &[("bad.csv", content), FILES[1]]);
        let run = program.run(&LOAD);
        run.fails(1, &[part]);
        assert!(run.stdout.contains(outcome), "{}", run.stdout);
        assert_eq!(program.sql("csv", "SELECT count(*) AS n FROM bronze.lab_result"), "n\n2\n");
    }
}

#[test]
fn quarantined_records_are_counted_and_the_way_to_them_is_shown() {
    let program = Program::new();
    folder(&program.path(""), "in", &[("visit.csv", b"id,note\n1,a\n2\n3,c\n")]);
    let run = program.run(&LOAD);
    run.succeeds();
    assert!(run.stdout.contains("3 records read = 2 landed + 1 quarantined"), "{}", run.stdout);
    let shown = run.stderr.split("northstar sql \"").nth(1).expect("a hint");
    let query = shown.split('"').next().expect("a query");
    let rows = program.sql("csv", query);
    assert!(rows.contains("visit.csv,3,,\"expected 2 columns, found 1\""), "{rows}");
}

#[test]
fn what_is_missing_is_told_before_a_warehouse_is_made() {
    let program = Program::new();
    program.run(&LOAD).fails(1, &["cannot list the folder", "path: in"]);
    assert!(!program.path("lake").try_exists().unwrap());
    folder(&program.path(""), "in", &FILES);
    let run = program.run(&["load", "csv", "--from", "in", "--into", "No Name"]);
    run.fails(1, &["the namespace name `No Name` is not allowed", "`no_name`"]);
    let run = program.run(&[&LOAD[..], &["--contract", "gone.toml"]].concat());
    run.fails(1, &["cannot read the contract", "gone.toml"]);
}

#[test]
fn a_catalog_that_stays_locked_gives_exit_code_3() {
    let program = Program::loaded();
    let lock = rusqlite::Connection::open(program.path("lake/catalog.db")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let more = folder(&program.path(""), "more", &[("other.csv", b"id\n1\n")]);
    let run = program.run(&["load", "csv", "--from", more.to_str().unwrap(), "--into", "silver"]);
    run.fails(3, &["locked", "catalog.db"]);
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    program.run(&["load", "csv", "--from", "more", "--into", "silver"]).succeeds();
    assert_eq!(program.sql("csv", "SELECT id FROM silver.other"), "id\n1\n");
}

#[test]
fn no_value_of_a_record_gets_into_output_logs_or_the_access_record() {
    const CONTRACT: &str = "[visit.columns]\nid = \"long\"\nname = { type = \"string\", phi = \"direct\" }\n\
                            born = \"date\"\n";
    let files: [(&str, &[u8]); 5] = [
        ("visit/a.csv", b"id,name,born\n1,SENTINEL,2000-01-01\nSENTINEL,x,2000-01-01\n2,SENTINEL\n"),
        ("visit/b.csv", b"id,name,born\n3,SENTINEL,SENTINEL\n4,\"SENTINEL\"x,2000-01-01\n5,SENT\xFFINEL SENTINEL,\n"),
        ("visit/c.csv", b"id,name,born\n6,\"SENTINEL,2000-01-01\nSENTINEL\n"),
        ("visit/d.csv", b"7,SENTINEL,SENTINEL\n8,SENTINEL,2000-01-01\n"),
        ("tables.toml", CONTRACT.as_bytes()),
    ];
    for verbosity in ["-v", "-vv"] {
        let program = Program::new();
        folder(&program.path(""), "in", &files);
        for _ in 0..2 {
            let run = program.run(&[&[verbosity], &LOAD[..]].concat());
            run.fails(1, &["visit/d.csv"]);
            assert!(!run.stdout.contains("SENT"), "{}", run.stdout);
            let leak = run.stderr.lines().find(|line| line.contains("SENT"));
            assert_eq!(leak, None);
        }
        let access = std::fs::read_to_string(program.path("lake/access.jsonl")).unwrap();
        assert!(access.contains("\"actor\":\"tester\"") && !access.contains("SENT"), "{access}");
        let found =
            program.sql("csv", "SELECT count(*) AS n FROM bronze.visit WHERE name = 'SENTINEL'");
        assert_eq!(found, "n\n1\n");
        let refused = "SELECT DISTINCT reason FROM bronze.quarantine WHERE reason LIKE '%SENT%'";
        assert_eq!(program.sql("csv", refused), "reason\n");
    }
}
