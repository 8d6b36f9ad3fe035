//! `northstar tag`, `branch`, `rollback` and `cherry-pick`.

use serde_json::{Value, json};

use super::{Program, Run};

const COUNT: &str = "SELECT count(*) AS n FROM bronze.visit";
const REASON: [&str; 4] = ["--reason", "month close", "--owner", "finance"];

/// Three visits, then one more, and the ids of the two snapshots.
fn two_loads() -> (Program, Vec<String>) {
    let program = Program::loaded();
    northstar_tests::csv_files::folder(
        &program.path(""),
        "more",
        &[("visit.csv", b"id,site,at,fee,paid,note\n4,east,,,,\n")],
    );
    program.run(&["load", "csv", "--from", "more", "--into", "bronze"]).succeeds();
    let ids = program.snapshots("bronze.visit");
    let ids = ids.iter().map(|row| row["snapshot"].as_str().expect("an id").to_string());
    let ids = ids.collect();
    (program, ids)
}

fn run(program: &Program, words: &[&[&str]]) -> Run {
    program.run(&words.concat())
}

fn list(program: &Program, kind: &str) -> Vec<Value> {
    let listed = program.run(&["--output", "json", kind, "list", "bronze.visit"]);
    listed.succeeds();
    listed.json()
}

#[test]
fn a_tag_is_created_listed_read_and_dropped() {
    let (program, ids) = two_loads();
    let create = ["tag", "create", "bronze.visit", "close-2024-05", "--at", &ids[0]];
    let until = ["--keep-until", "2091-06-01"];
    run(&program, &[&create, &REASON, &until]).succeeds();
    let again = run(&program, &[&create, &REASON, &until]);
    again.succeeds();
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    let tags = list(&program, "tag");
    assert_eq!(tags.len(), 1);
    let shown = |column: &str| tags[0][column].as_str().expect("text").to_string();
    assert_eq!((shown("tag"), shown("snapshot")), ("close-2024-05".into(), ids[0].clone()));
    assert_eq!((shown("owner"), shown("reason")), ("finance".into(), "month close".into()));
    assert_eq!((shown("expires"), shown("created").len()), ("2091-06-01".into(), 10));
    let sql = format!("{COUNT} VERSION AS OF 'close-2024-05'");
    assert_eq!(program.sql("csv", &sql), "n\n3\n");
    let other = ["tag", "create", "bronze.visit", "close-2024-05", "--keep-forever"];
    run(&program, &[&other, &REASON]).fails(1, &["tag of this name", "replace it"]);
    run(&program, &[&other, &REASON, &["--replace"]]).succeeds();
    assert_eq!(list(&program, "tag")[0]["snapshot"], json!(ids[1]));
    assert_eq!(list(&program, "tag")[0]["expires"], json!("never"));
    let drop = ["tag", "drop", "bronze.visit", "close-2024-05"];
    program.run(&["branch", "drop", "bronze.visit", "close-2024-05"]).fails(1, &["is a tag"]);
    program.run(&drop).succeeds();
    program.run(&drop).fails(1, &["no tag `close-2024-05`"]);
    run(&program, &[&drop, &["--if-exists"]]).succeeds();
    assert!(list(&program, "tag").is_empty());
}

#[test]
fn a_tag_says_what_it_lacks_and_tables_fit_100_columns() {
    let (program, _) = two_loads();
    let create = ["tag", "create", "bronze.visit", "x"];
    run(&program, &[&create, &["--keep-forever"]]).fails(1, &["--owner"]);
    run(&program, &[&create, &["--owner", "a", "--keep-forever"]]).fails(1, &["--reason"]);
    run(&program, &[&create, &REASON]).fails(1, &["--keep-until", "--keep-forever"]);
    run(&program, &[&create, &REASON, &["--keep-until", "2001-01-01"]]).fails(1, &["later day"]);
    run(&program, &[&create, &REASON, &["--keep-for", "3w"]]).fails(1, &["35d"]);
    run(&program, &[&create, &REASON, &["--keep-forever", "--at", "2001-01-01"]])
        .fails(1, &["no zone"]);
    run(&program, &[&create, &REASON, &["--keep-forever", "--at", "nothing"]])
        .fails(1, &["`nothing`"]);
    assert!(list(&program, "tag").is_empty());
    let long = ["--owner", "the whole of the finance department", "--reason"];
    let reason = "a close of the month that took a little longer than all of us had hoped for";
    run(&program, &[&create, &long, &[reason, "--keep-for", "400d"]]).succeeds();
    run(&program, &[&["branch", "create", "bronze.visit", "y"], &long, &[reason]]).succeeds();
    for kind in ["tag", "branch"] {
        let text = program.run(&[kind, "list", "bronze.visit"]).stdout;
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}

#[test]
fn a_rollback_says_what_it_undoes_and_the_files_load_again() {
    let (program, ids) = two_loads();
    let back = ["rollback", "bronze.visit", "--to", &ids[0]];
    let dry = run(&program, &[&["--output", "json"], &back, &["--dry-run"]]);
    dry.succeeds();
    assert_eq!(dry.json()[0]["undone"], json!(ids[1]));
    assert_eq!(dry.json()[0]["added"], json!("1"));
    assert!(dry.stderr.contains("would be at snapshot"), "{}", dry.stderr);
    assert_eq!(program.sql("csv", COUNT), "n\n4\n");
    let text = program.run(&back);
    text.succeeds();
    assert!(text.stdout.contains("3 rows, 4 before"), "{}", text.stdout);
    assert!(
        text.stderr.contains(&format!("--branch main --to {} --any", ids[1])),
        "{}",
        text.stderr
    );
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 100), "{}", text.stdout);
    assert_eq!(program.sql("csv", COUNT), "n\n3\n");
    let again = program.run(&back);
    again.succeeds();
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    program.run(&["rollback", "bronze.visit", "--to", &ids[1]]).fails(1, &["no ancestor"]);
    program.run(&["rollback", "bronze.visit", "--to", "2001-01-01T00:00:00Z"]).fails(1, &[]);
    program.run(&["load", "csv", "--from", "more", "--into", "bronze"]).succeeds();
    assert_eq!(program.sql("csv", &format!("{COUNT} WHERE _seq = 2")), "n\n1\n");
    let before = format!("{COUNT} VERSION AS OF {}", ids[1]);
    assert_eq!(program.sql("csv", &before), "n\n4\n");
}

#[test]
fn a_branch_is_listed_and_set_forward_and_a_snapshot_is_picked() {
    let (program, ids) = two_loads();
    program.run(&["branch", "create", "bronze.visit", "trial"]).succeeds();
    program.run(&["rollback", "bronze.visit", "--to", &ids[0]]).succeeds();
    let branches = list(&program, "branch");
    let names: Vec<_> = branches.iter().map(|row| row["branch"].as_str().unwrap()).collect();
    assert_eq!(names, ["main", "trial"]);
    let (ahead, behind) = (&branches[1]["ahead"], &branches[1]["behind"]);
    assert_eq!((ahead, behind), (&json!("1"), &json!("0")));
    let forward = ["branch", "fast-forward", "bronze.visit", "trial"];
    run(&program, &[&forward, &["--checked", &ids[0]]]).fails(3, &["look at it again"]);
    run(&program, &[&forward, &["--checked", &ids[1]]]).succeeds();
    assert_eq!(program.sql("csv", COUNT), "n\n4\n");
    assert!(program.run(&forward).stdout.contains("already"));
    program.run(&["rollback", "bronze.visit", "--to", &ids[0]]).succeeds();
    let pick = ["cherry-pick", "bronze.visit", "--snapshot", &ids[1]];
    program.run(&pick).succeeds();
    let again = program.run(&pick);
    again.succeeds();
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    assert_eq!(program.sql("csv", COUNT), "n\n4\n");
    program.run(&forward).fails(1, &["main has commits that `trial` has not"]);
    program.run(&["branch", "drop", "bronze.visit", "main"]).fails(1, &["cannot be dropped"]);
    program.run(&["branch", "drop", "bronze.visit", "trial"]).succeeds();
    // The load that was undone and picked again is known as loaded.
    program.run(&["load", "csv", "--from", "more", "--into", "bronze"]).succeeds();
    assert_eq!(program.sql("csv", COUNT), "n\n4\n");
}

#[test]
fn p1_a_change_is_written_to_a_branch_audited_and_published() {
    let (program, _) = two_loads();
    program.run(&["branch", "create", "bronze.visit", "audit"]).succeeds();
    let on_branch = |sql: &str| program.run(&["sql", "--branch", "audit", sql]);
    on_branch("DELETE FROM bronze.visit WHERE site = 'east'").succeeds();
    on_branch("UPDATE bronze.visit SET note = 'seen'").succeeds();
    let audited = format!("{COUNT} VERSION AS OF 'audit' WHERE note = 'seen'");
    let after = program.sql("csv", &audited);
    assert_ne!(after, "n\n4\n");
    assert_eq!(program.sql("csv", COUNT), "n\n4\n", "main is as it was");
    assert_eq!(program.sql("csv", &format!("{COUNT} WHERE note = 'seen'")), "n\n0\n");
    program.run(&["branch", "fast-forward", "bronze.visit", "audit"]).succeeds();
    assert_eq!(program.sql("csv", COUNT), after);
    // Where a branch would be left out in silence, it is refused.
    on_branch(COUNT).fails(1, &["VERSION AS OF 'audit'"]);
    on_branch("CREATE TABLE bronze.x (id INT)").fails(1, &["statements that change rows"]);
    program.run(&["sql", "--branch", "none", "DELETE FROM bronze.visit"]).fails(1, &["none"]);
}
