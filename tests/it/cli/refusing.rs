//! What `northstar sql` and its neighbours refuse, and what they say instead.

use super::Program;

#[test]
fn where_there_is_no_warehouse_the_next_step_is_named() {
    let program = Program::new();
    let commands: [&[&str]; 4] =
        [&["sql", "SELECT 1"], &["tables"], &["snapshots", "bronze.visit"], &["shell"]];
    for command in commands {
        let run = program.run(command);
        run.fails(1, &["there is no warehouse here", "`northstar load csv`", "--warehouse DIR"]);
        assert!(!program.path("lake").try_exists().unwrap(), "{command:?}");
    }
}

#[test]
fn names_that_are_not_there_bring_near_ones() {
    let program = Program::loaded();
    for (query, part) in [
        ("SELECT * FROM bronze.visits", "did you mean `visit`?"),
        ("SELECT * FROM bronze.lab", "did you mean `lab_result`?"),
        ("SELECT * FROM bronze.lab VERSION AS OF 1", "did you mean `lab_result`?"),
        ("SELECT * FROM bronz.visit", "did you mean `bronze`?"),
        ("SELECT * FROM visit", "write NAMESPACE.TABLE"),
        ("SELECT sitee FROM bronze.visit", "site"),
    ] {
        program.run(&["sql", query]).fails(1, &["error: ", part]);
    }
    program.run(&["snapshots", "bronze.visits"]).fails(1, &["did you mean `visit`?"]);
    program.run(&["snapshots", "visit"]).fails(1, &["write NAMESPACE.TABLE"]);
}

#[test]
fn a_mistake_in_a_query_is_told_where_it_stands() {
    let program = Program::loaded();
    for (query, parts) in [
        ("SELEC 1", ["cannot parse the statement", "SELEC"]),
        ("SELECT * FROM bronze.visit WHERE", ["cannot parse the statement", "found: EOF"]),
        ("SELECT 1; SELECT 2", ["error: ", "one"]),
        ("", ["error: ", "statement"]),
        ("SELECT CAST(site AS BIGINT) FROM bronze.visit", ["TRY_CAST", "cannot be cast"]),
        ("SELECT 1 / 0", ["division by zero", "nullif"]),
    ] {
        let run = program.run(&["sql", query]);
        run.fails(1, &parts);
        assert_eq!(run.stdout, "", "{query}");
        assert!(!run.stderr.contains("north'"), "{}", run.stderr);
    }
}

#[test]
fn statements_that_write_are_refused_with_what_to_use() {
    let program = Program::loaded();
    for (query, part) in [
        ("EXPLAIN INSERT INTO bronze.visit SELECT * FROM bronze.visit", "run it by itself"),
        ("EXPLAIN TRUNCATE TABLE bronze.visit", "run it by itself"),
        ("EXPLAIN DELETE FROM bronze.visit", "DELETE is not supported here: run it by itself"),
        ("EXPLAIN DROP TABLE bronze.visit", "DROP is not supported here"),
        ("CREATE VIEW v AS SELECT 1", "CREATE is not supported here"),
        ("COPY bronze.visit TO 'x.csv'", "northstar sql --output csv"),
    ] {
        program.run(&["sql", query]).fails(1, &[part]);
    }
    assert_eq!(program.sql("csv", "SELECT count(*) AS n FROM bronze.visit"), "n\n3\n");
}

#[test]
fn a_version_that_cannot_be_honoured_is_an_error() {
    let program = Program::loaded();
    let oldest = program.snapshots("bronze.visit")[0].clone();
    let text = |column: &str| oldest[column].as_str().expect(column).to_string();
    let named = format!("the oldest is snapshot {} of {}", text("snapshot"), text("committed"));
    for (clause, part) in [
        (
            "VERSION AS OF 77",
            "the table has no snapshot 77; `northstar snapshots TABLE` lists those",
        ),
        ("VERSION AS OF 'close'", "no tag or branch `close`"),
        ("VERSION AS OF 1.5", "`1.5` is not a snapshot's id"),
        ("TIMESTAMP AS OF '2001-01-01T00:00:00Z'", named.as_str()),
        ("TIMESTAMP AS OF '2001-01-01 00:00:00'", "has no zone; write '2001-01-01 00:00:00+00:00'"),
        ("TIMESTAMP AS OF 'yesterday'", "`yesterday` is not a timestamp"),
        ("v VERSION AS OF 77", "right after a table's name"),
    ] {
        let run = program.run(&["sql", &format!("SELECT count(*) FROM bronze.visit {clause}")]);
        run.fails(1, &[part]);
        assert_eq!(run.stdout, "", "{clause}");
    }
}
