//! `northstar merge` and `northstar history`: what they print, exit codes, and what never shows.

use northstar_tests::csv_files::folder;

use super::{Program, Run};

const CONTRACT: &str = "[lab]\nkey = [\"id\"]\n[lab.columns]\nid = \"long\"\nname = { type = \"string\", \
                        phi = \"direct\" }\nvalue = \"double\"\n";
const DAY_1: &str = "op,commit_lsn,command_id,seqval,id,name,value\n\
                     2,0a,1,01,1,Ada,5.5\n2,0a,2,01,2,Bob,7\n";
const DAY_2: &str = "op,commit_lsn,command_id,seqval,id,name,value\n\
                     3,0b,1,01,1,Ada,5.5\n4,0b,1,01,1,Ada,6.5\n1,0b,2,01,2,Bob,7\n";

impl Program {
    /// With two days of changes in `in/changes/`, and their contract in `in/`.
    fn with_changes() -> Self {
        let program = Self::new();
        let files = [
            ("tables.toml", CONTRACT.as_bytes()),
            ("changes/day_1/lab.csv", DAY_1.as_bytes()),
            ("changes/day_2/lab.csv", DAY_2.as_bytes()),
        ];
        folder(&program.path(""), "in", &files);
        program
    }

    fn merge(&self, files: &[&str]) -> Run {
        self.run(&[&["--output", "json", "merge", "silver.lab", "--changes"], files].concat())
    }
}

fn merged() -> Program {
    let program = Program::with_changes();
    program.merge(&["in/changes/day_1/lab.csv"]).succeeds();
    program.merge(&["in/changes/day_2/lab.csv"]).succeeds();
    program
}

#[test]
fn changes_are_merged_once_with_the_contract_above_the_file() {
    let program = Program::with_changes();
    let first = program.merge(&["in/changes/day_1/lab.csv"]);
    first.succeeds();
    assert!(first.stderr.contains("1 file for silver.lab, which is new: merged"), "{first:?}");
    let second = program.merge(&["in/changes/day_2/lab.csv"]);
    second.succeeds();
    let row = second.json().remove(0);
    for (column, count) in
        [("read", "3"), ("before", "1"), ("keys", "2"), ("updated", "1"), ("deleted", "1")]
    {
        assert_eq!(row[column], count, "{column}: {row}");
    }
    let again = program.merge(&["in/changes/day_2/lab.csv"]);
    again.succeeds();
    assert!(again.stderr.contains("already merged; nothing was done"), "{}", again.stderr);
    assert_eq!(program.snapshots("silver.lab").len(), 2);
    assert_eq!(
        program.sql("csv", "SELECT id, value, _is_deleted FROM silver.lab ORDER BY id"),
        "id,value,_is_deleted\n1,6.5,false\n2,7.0,true\n"
    );
    let table = program.run(&["merge", "silver.lab", "--changes", "in/changes/day_1/lab.csv"]);
    table.succeeds();
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 100), "{}", table.stdout);
}

#[test]
fn what_is_wrong_is_told_before_a_warehouse_is_made() {
    let program = Program::with_changes();
    program.merge(&["in/gone.csv"]).fails(1, &["cannot read the change file", "in/gone.csv"]);
    let run = program.merge(&["in/changes/day_1/lab.csv", "--contract", "gone.toml"]);
    run.fails(1, &["cannot read the contract", "gone.toml"]);
    let run = program.run(&["merge", "lab", "--changes", "in/changes/day_1/lab.csv"]);
    run.fails(1, &["write NAMESPACE.TABLE"]);
    assert!(!program.path("lake").try_exists().unwrap());
    program.run(&["merge", "silver.lab"]).fails(1, &["--changes"]);
    // A section of another name says no key.
    let run = program.run(&["merge", "silver.other", "--changes", "in/changes/day_1/lab.csv"]);
    run.fails(1, &["needs a key", "[other]"]);
}

#[test]
fn no_value_of_a_change_record_gets_into_output_or_logs() {
    let bad = "op,commit_lsn,command_id,seqval,id,name,value\n2,0c,1,01,SENTINEL,x,1\n\
               2,0c,1,02,3,\"SENTINEL\"x,1\n2,SENTINEL,1,03,3,x,1\n2,0c,1,04,,SENTINEL,1\n";
    for verbosity in ["-v", "-vv"] {
        let program = merged();
        folder(&program.path("in"), "changes", &[("bad.csv", bad.as_bytes())]);
        let run =
            program.run(&[verbosity, "merge", "silver.lab", "--changes", "in/changes/bad.csv"]);
        run.fails(1, &["in/changes/bad.csv line 2, column id", "4 records cannot be merged"]);
        assert!(!run.stdout.contains("SENT"), "{}", run.stdout);
        assert_eq!(run.stderr.lines().find(|line| line.contains("SENT")), None);
        assert_eq!(program.snapshots("silver.lab").len(), 2);
        // Good ones do not show either, nor do keys that are asked for.
        let good =
            "op,commit_lsn,command_id,seqval,id,name,value\n2,0c,1,01,987654321,SENTINEL,1\n";
        folder(&program.path("in"), "changes", &[("good.csv", good.as_bytes())]);
        let run =
            program.run(&[verbosity, "merge", "silver.lab", "--changes", "in/changes/good.csv"]);
        run.succeeds();
        let asked = [verbosity, "history", "silver.lab", "--key-from", "-"];
        let found = program.run_with_input(&asked, "987654321\n");
        found.succeeds();
        assert!(found.stdout.contains("SENTINEL"), "{}", found.stdout);
        for stderr in [&run.stderr, &found.stderr] {
            let leak =
                stderr.lines().find(|line| line.contains("SENT") || line.contains("987654321"));
            assert_eq!(leak, None);
        }
    }
}

#[test]
fn history_shows_the_versions_of_each_key_and_what_changed() {
    let program = merged();
    std::fs::write(program.path("keys.txt"), "1\n\n2\n77\n").unwrap();
    let run = program.run(&["history", "silver.lab", "--key-from", "keys.txt"]);
    run.succeeds();
    let lines: Vec<&str> = run.stdout.lines().collect();
    let snapshots = program.snapshots("silver.lab");
    let ids: Vec<&str> = snapshots.iter().map(|row| row["snapshot"].as_str().unwrap()).collect();
    let position = |what: &str| lines.iter().position(|line| line.contains(what));
    for parts in [
        &["id = 1", "inserted", ids[0], "0a/0000000001/01", "id = 1, name = Ada, value = 5.5"][..],
        &["updated", ids[1], "by tester (merge)", "from 0b/0000000001/01", "value: 5.5 → 6.5"],
        &["id = 2", "deleted", "_is_deleted: false → true", "id = 77", "was never in the table"],
    ] {
        assert!(parts.iter().all(|part| position(part).is_some()), "{parts:?}: {}", run.stdout);
    }
    assert!(position("inserted") < position("updated"), "{}", run.stdout);
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{}", run.stdout);

    let json =
        program.run(&["--output", "json", "history", "silver.lab", "--key-from", "keys.txt"]);
    json.succeeds();
    let changes: Vec<String> = json
        .json()
        .iter()
        .map(|row| format!("{} {} {}", row["id"], row["_change"], row["value"]).replace('"', ""))
        .collect();
    assert_eq!(changes, ["1 inserted 5.5", "1 updated 6.5", "2 inserted 7.0", "2 deleted 7.0"]);
    assert!(json.stderr.contains("the key on line 4 was never in the table"), "{}", json.stderr);
}

#[test]
fn history_of_a_bronze_table_takes_the_key_column_by_name() {
    let program = Program::loaded();
    let run = program.run_with_input(
        &["--output", "csv", "history", "bronze.visit", "--key-from", "-", "--key-column", "id"],
        "2\n",
    );
    run.succeeds();
    assert!(run.stdout.contains("inserted,tester,load csv,visit.csv:3,2,south"), "{}", run.stdout);
    let asked = ["history", "bronze.visit", "--key-from", "-"];
    program.run_with_input(&asked, "2\n").fails(1, &["name its columns with --key-column"]);
    let named = [&asked[..], &["--key-column", "idd"]].concat();
    program.run_with_input(&named, "2\n").fails(1, &["no column `idd`", "id, site"]);
    let named = [&asked[..], &["--key-column", "id"]].concat();
    program.run_with_input(&named, "SENTINEL\n").fails(1, &["not of type long", "line: 1"]);
    program.run_with_input(&named, "\n").fails(1, &["there is no key"]);
    program.run(&["history", "bronze.visit", "--key-from", "gone"]).fails(1, &["gone"]);
}
