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

#[test]
fn files_that_a_statement_had_to_do_with_are_told() {
    let program = merged();
    let update = "UPDATE silver.lab SET value = value + 1 WHERE id = 1";
    let run = program.run(&["--output", "json", "sql", update]);
    run.succeeds();
    let row = run.json().remove(0);
    for (column, count) in [
        ("updated", "1"),
        ("files", "1"),
        ("considered", "1"),
        ("opened", "1"),
        ("touched", "1"),
        ("rewritten", "1"),
        ("delete_files", "0"),
    ] {
        assert_eq!(row[column], count, "{column}: {row}");
    }
    assert!(row["bytes_read"].as_str().is_some_and(|bytes| bytes != "0"), "{row}");
    let text = program.sql("table", update);
    let line =
        "files 1, considered 1, opened 1, touched 1, rewritten 1, added 1, of deletes 0; read ";
    assert!(text.contains(line), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");

    let program = Program::with_changes();
    program.merge(&["in/changes/day_1/lab.csv"]).succeeds();
    let row = program.merge(&["in/changes/day_2/lab.csv"]).json().remove(0);
    assert_eq!((&row["files"], &row["touched"]), (&"1".into(), &"1".into()), "{row}");
}

#[test]
fn the_whole_table_is_read_where_it_is_said_to_be_meant() {
    let program = merged();
    let merge = "MERGE INTO silver.lab AS t USING (VALUES (1)) AS s(id) ON t.id = s.id \
                 WHEN NOT MATCHED BY SOURCE THEN DELETE";
    program.run(&["sql", merge]).fails(1, &["a scope", "--whole-table", "silver.lab"]);
    let run = program.run(&["--output", "json", "sql", "--whole-table", merge]);
    run.succeeds();
    assert_eq!(run.json()[0]["deleted"], "1");
}

#[test]
fn a_merge_is_explained_and_changes_nothing() {
    let program = merged();
    let day_3 = "op,commit_lsn,command_id,seqval,id,name,value\n\
                 4,0c,1,01,1,SENTINEL,9.5\n2,0c,1,02,3,Cleo,1\n";
    folder(&program.path("in"), "changes", &[("day_3.csv", day_3.as_bytes())]);
    let before = super::content(&program.path("lake/tables"));
    let merge = ["merge", "silver.lab", "--changes", "in/changes/day_3.csv", "--explain"];
    let text = program.run(&[&["--memory", "64MiB"], &merge[..]].concat());
    text.succeeds();
    for part in [
        "MERGE of silver.lab: nothing is changed",
        "source 2, inserted 1, updated 1, deleted 0, unchanged 0",
        "files 1, considered 1, opened 1 to find rows",
        "memory: 64.0 MiB",
        "keys in id 1 to 2",
        "1 of 2",
        "copy-on-write",
    ] {
        assert!(text.stdout.contains(part), "`{part}` is missing in: {}", text.stdout);
    }
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 100), "{}", text.stdout);
    assert!(!text.stdout.contains("SENTINEL"), "{}", text.stdout);

    let json = program.run(&[&["--output", "json"], &merge[..]].concat());
    json.succeeds();
    let file = json.json().remove(0);
    assert_eq!((&file["touched_rows"], &file["mode"]), (&"1".into(), &"copy-on-write".into()));
    let path = file["file"].as_str().unwrap();
    let size = std::fs::metadata(path.strip_prefix("file://").unwrap()).unwrap().len();
    assert_eq!(file["read_bytes"], size.to_string());
    assert_eq!(super::content(&program.path("lake/tables")), before, "no file came or went");
    assert!(program.run(&merge[..4]).stdout.contains("merged; snapshot"));
    let again = program.run(&merge);
    again.succeeds();
    assert!(again.stdout.contains("nothing would be done"), "{}", again.stdout);
    program
        .run(&["merge", "silver.gone", "--changes", "in/changes/day_3.csv", "--explain"])
        .fails(1, &["silver.gone"]);
}

#[test]
fn bounds_of_tagged_columns_are_masked_where_a_merge_is_explained() {
    let program = merged();
    let merge = "MERGE INTO silver.lab AS t USING (VALUES (1, 'Ada')) AS s(id, name) \
                 ON t.id = s.id AND t.name = s.name WHEN MATCHED THEN DELETE";
    // As another writer does it: bounds are there all the same.
    for (key, masked) in [("northstar.none", false), ("northstar.phi.direct", true)] {
        let untag = "ALTER TABLE silver.lab UNSET TBLPROPERTIES ('northstar.phi.direct', \
                     'write.metadata.metrics.column.name')";
        program.run(&["sql", untag]).succeeds();
        program.run(&["sql", "UPDATE silver.lab SET value = value + 1"]).succeeds();
        let tag = format!("ALTER TABLE silver.lab SET TBLPROPERTIES ('{key}' = 'name')");
        program.run(&["sql", &tag]).succeeds();
        let run = program.run(&["sql", "--explain", merge]);
        run.succeeds();
        assert_eq!(run.stdout.contains("Ada"), !masked, "{}", run.stdout);
        assert_eq!(run.stdout.contains("(masked)"), masked, "{}", run.stdout);
        assert!(run.stdout.contains("deleted 1"), "{}", run.stdout);
    }
    let rows = program.sql("csv", "SELECT count(*) AS n FROM silver.lab");
    assert_eq!(rows, "n\n2\n", "nothing was deleted");
    program.run(&["sql", "--explain", "SELECT 1"]).fails(1, &["EXPLAIN SELECT"]);
    let insert =
        "INSERT INTO silver.lab REPLACE WHERE id = 1 SELECT * FROM silver.lab WHERE id = 1";
    program.run(&["sql", "--explain", insert]).fails(1, &["REPLACE WHERE"]);
}
