//! `northstar rerun`, `reconcile`, `audit` and `runs`: what they print, exit codes, and what never shows.

use std::os::unix::fs::PermissionsExt;

use northstar_tests::csv_files::folder;

use super::{Program, Run};

const CONTRACT: &str = "[lab]\nkey = [\"id\"]\nversion = \"version\"\npartition = [\"facility_id\", \
                        \"month(at)\"]\n[lab.columns]\nid = \"long\"\nfacility_id = \"int\"\nat = \
                        \"timestamp\"\nversion = \"int\"\nname = { type = \"string\", phi = \"direct\" }\n";
const DAY_1: &str = "op,commit_lsn,command_id,seqval,id,facility_id,at,version,name\n\
                     2,0a,1,01,1,7,2024-05-02 08:00:00,1,Ada\n\
                     2,0a,2,01,2,7,2024-05-03 08:00:00,1,Bob\n\
                     2,0a,3,01,3,8,2024-05-03 08:00:00,1,Cyd\n";
const SCOPE: [&str; 6] = ["--facility", "7", "--from", "2024-05-01", "--to", "2024-05-08"];

impl Program {
    /// With one day of changes merged into `silver.lab`, and a tag there.
    fn with_a_day() -> Self {
        let program = Self::new();
        let files =
            [("tables.toml", CONTRACT.as_bytes()), ("changes/day_1/lab.csv", DAY_1.as_bytes())];
        folder(&program.path(""), "in", &files);
        program.run(&["merge", "silver.lab", "--changes", "in/changes/day_1/lab.csv"]).succeeds();
        program
            .run(&[
                "tag",
                "create",
                "silver.lab",
                "close",
                "--keep-forever",
                "--owner",
                "dr",
                "--reason",
                "test",
            ])
            .succeeds();
        program
    }

    fn rerun(&self, more: &[&str]) -> Run {
        let command = ["--output", "json", "rerun", "silver.lab", "--no-bronze"];
        let places = ["--changes", "in/changes"];
        self.run(&[&command[..], &SCOPE, &places, more].concat())
    }

    fn reconcile(&self) -> Run {
        let command = ["--output", "json", "reconcile", "silver.lab", "--no-bronze"];
        self.run(&[&command[..], &["--changes", "in/changes"]].concat())
    }
}

#[test]
fn a_plan_is_printed_and_only_then_done() {
    let program = Program::with_a_day();
    let unchanged = program.rerun(&[]);
    unchanged.succeeds();
    assert!(unchanged.stderr.contains("nothing was done"), "{unchanged:?}");
    program.sql("table", "UPDATE silver.lab SET name = 'SENTINEL' WHERE id = 1");
    program.sql("table", "UPDATE silver.lab SET facility_id = 8 WHERE id = 2");
    let wrong = program.reconcile();
    wrong.fails(1, &["0 rows are missing, 0 are surplus, 2 are different"]);
    let command = "northstar rerun silver.lab --facility 7 --from 2024-05-01 --to 2024-06-01 --no-bronze \
                   --changes in/changes";
    assert!(wrong.stderr.contains(command), "{}", wrong.stderr);
    let snapshots = program.snapshots("silver.lab").len();
    let dry = program.rerun(&["--dry-run"]);
    dry.succeeds();
    let plan = dry.json().remove(0);
    for (column, count) in [("keys", "2"), ("update", "2"), ("insert", "0"), ("held_back", "0")] {
        assert_eq!(plan[column], count, "{column}: {plan}");
    }
    assert_eq!(program.snapshots("silver.lab").len(), snapshots);
    let done = program.rerun(&[]);
    done.succeeds();
    assert!(done.stderr.contains("0 rows inserted, 2 updated, 0 removed"), "{done:?}");
    assert_eq!(program.snapshots("silver.lab").len(), snapshots + 1);
    assert_eq!(
        program.sql("csv", "SELECT id, facility_id, name FROM silver.lab ORDER BY id"),
        "id,facility_id,name\n1,7,Ada\n2,7,Bob\n3,8,Cyd\n"
    );
    program.reconcile().succeeds();
    for run in [&wrong, &dry, &done] {
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(!text.contains("SENTINEL") && !text.contains("Ada"), "{text}");
    }
    let table = program.run(
        &[&["rerun", "silver.lab", "--no-bronze", "--changes", "in/changes"][..], &SCOPE].concat(),
    );
    table.succeeds();
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 100), "{}", table.stdout);
}

#[test]
fn rows_that_no_source_knows_need_a_look() {
    let program = Program::with_a_day();
    let more = DAY_1.replace("0a,", "0b,").replace(",1,Ada", ",2,Ann");
    folder(&program.path("in"), "more", &[("day_2.csv", more.as_bytes())]);
    program
        .run(&[
            "merge",
            "silver.lab",
            "--changes",
            "in/more/day_2.csv",
            "--contract",
            "in/tables.toml",
        ])
        .succeeds();
    program.rerun(&[]).fails(1, &["2 rows are held back", "say --complete"]);
    // A row that is missing comes back as it was in the files that are named, and that is told.
    program.sql("table", "DELETE FROM silver.lab WHERE id = 2");
    program.rerun(&[]).fails(1, &["the files end before the last change", "1 rows inserted"]);
    program.rerun(&["--changes", "in/more/day_2.csv"]).succeeds();
}

#[test]
fn what_is_wrong_with_a_rerun_is_told() {
    let program = Program::with_a_day();
    program.rerun(&["--facility-column", "site"]).fails(1, &["no column site"]);
    let asked = ["rerun", "silver.lab", "--facility", "7", "--from"];
    let days = |from, to| [&asked[..], &[from, "--to", to]].concat();
    program.run(&days("2024-05-08", "2024-05-08")).fails(1, &["give a later --to"]);
    program.run(&days("2024-05-08", "tomorrow")).fails(1, &["it is no day"]);
    program.run(&days("2024-05-01", "2024-05-08")).fails(1, &["say --no-bronze"]);
    let none = [&days("2024-05-01", "2024-05-08")[..], &["--no-bronze"]].concat();
    program.run(&none).fails(1, &["no source is named"]);
    program.run(&["reconcile", "lab"]).fails(1, &["write NAMESPACE.TABLE"]);
    program.run(&["reconcile", "silver.lab", "--changes", "gone"]).fails(1, &["gone"]);
}

#[test]
fn an_audit_tells_rows_and_runs_between_two_states_and_no_values() {
    let program = Program::with_a_day();
    let update = "UPDATE silver.lab SET name = 'SENTINEL' WHERE id = 1";
    program.run(&["--actor", "dr", "--reason", "late result", "sql", update]).succeeds();
    program.sql("table", "DELETE FROM silver.lab WHERE id = 2");
    let report = ["--report", "audit.json"];
    let run = program.run(
        &[&["--output", "json", "audit", "silver.lab", "--from", "close"], &report[..]].concat(),
    );
    run.succeeds();
    let row = run.json().remove(0);
    for (column, count) in [
        ("inserted", "0"),
        ("updated", "1"),
        ("deleted", "1"),
        ("unchanged", "1"),
        ("snapshots", "2"),
    ] {
        assert_eq!(row[column], count, "{column}: {row}");
    }
    let path = program.path("audit.json");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains("SENTINEL") && !text.contains("Ada"), "{text}");
    let written: serde_json::Value = serde_json::from_str(&text).unwrap();
    let first = &written["tables"][0]["snapshots"][0];
    assert_eq!(
        (first["actor"].as_str(), first["reason"].as_str()),
        (Some("dr"), Some("late result"))
    );
    assert!(first["run_id"].is_string() && first["committed"].is_string(), "{first}");
    // A table without the tag is named; the others are told all the same.
    program.sql("table", "CREATE TABLE silver.other AS SELECT id FROM silver.lab");
    let run =
        program.run(&["--output", "json", "audit", "--namespace", "silver", "--from", "close"]);
    run.fails(1, &["not compared: silver.other"]);
    assert_eq!(run.json().len(), 1);
    let table = program.run(&["audit", "silver.lab", "--from", "close"]);
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 100), "{}", table.stdout);
}

#[test]
fn each_job_leaves_a_record_and_no_value_of_a_row() {
    let program = Program::with_a_day();
    program.sql("table", "UPDATE silver.lab SET name = 'SENTINEL' WHERE id = 1");
    program.rerun(&["--run-id", "jr_7"]).succeeds();
    program.run(&["maintain", "compact", "silver.lab"]).succeeds();
    program.run(&["maintain", "compact", "silver.none"]).fails(1, &["silver.none"]);
    program.run(&["audit", "silver.lab", "--from", "close"]).succeeds();
    let path = program.path("lake/runs.jsonl");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains("SENTINEL") && !text.contains("Ada"), "{text}");
    let records: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let jobs: Vec<_> = records.iter().map(|record| record["job"].as_str().unwrap()).collect();
    let compact = "maintain compact";
    assert_eq!(jobs, ["merge", "rerun", compact, compact, "audit"]);
    let rerun = &records[1];
    assert_eq!(rerun["run_id"], "jr_7");
    assert_eq!(rerun["outcome"], "done");
    assert_eq!(rerun["arguments"]["facility"], "7");
    assert_eq!(rerun["inputs"]["names"], serde_json::json!(["lab.csv"]));
    assert_eq!(rerun["counts"]["updated_rows"], 1);
    let moved = &rerun["tables"][0];
    assert!(moved["before"] != moved["after"] && moved["after"].is_i64(), "{moved}");
    assert!(rerun["cost"]["peak_rss_bytes"].as_u64() > Some(1 << 20), "{rerun}");
    assert_eq!(records[3]["outcome"], "not found");
    // Commits of the run have its id.
    let run = program.run(&[
        "--output",
        "json",
        "audit",
        "silver.lab",
        "--from",
        "close",
        "--report",
        "a.json",
    ]);
    run.succeeds();
    assert!(std::fs::read_to_string(program.path("a.json")).unwrap().contains("\"jr_7\""));
    let listed = program.run(&["runs", "--limit", "2"]);
    listed.succeeds();
    assert!(
        listed.stdout.contains("audit") && !listed.stdout.contains("merge"),
        "{}",
        listed.stdout
    );
    assert!(listed.stdout.lines().all(|line| line.chars().count() <= 100), "{}", listed.stdout);
    let json = program.run(&["--output", "json", "runs"]);
    assert_eq!(json.json().len(), 6);
}
