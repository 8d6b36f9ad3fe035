//! `northstar sql`, `tables` and `snapshots`: what they print, in each form.

use std::io::Read;

use serde_json::json;

use super::Program;

const QUERY: &str = "SELECT id, site, at, fee, paid, note FROM bronze.visit ORDER BY id";

#[test]
fn a_table_is_for_people() {
    let program = Program::loaded();
    let text = program.sql("table", "SELECT id, site, fee FROM bronze.visit ORDER BY id");
    let cells: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [&["id", "site", "fee"], &["1", "north", "12.50"], &["3", "NULL", "NULL"]] {
        assert!(cells.iter().any(|cells| cells == row), "{row:?} in {text}");
    }
    assert!(text.ends_with("\n3 rows\n"), "{text}");
    let text = program.sql("table", "SELECT * FROM bronze.visit");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(program.sql("table", "SELECT id FROM bronze.visit LIMIT 1").ends_with("\n1 row\n"));
}

#[test]
fn csv_is_quoted_where_it_must_be() {
    let program = Program::loaded();
    let expected = "id,site,at,fee,paid,note\n\
        1,north,2024-01-01T08:00:00,12.50,true,\"a, b\"\n\
        2,south,2024-01-02T09:30:00,0.75,false,\"say \"\"hi\"\"\nthere\"\n\
        3,,,,,\n";
    assert_eq!(program.sql("csv", QUERY), expected);
    assert_eq!(program.sql("csv", "SELECT id, site FROM bronze.visit WHERE id > 9"), "id,site\n");
}

#[test]
fn json_is_an_object_a_line_with_every_column() {
    let program = Program::loaded();
    let run = program.run(&["--output", "json", "sql", QUERY]);
    run.succeeds();
    let rows = run.json();
    assert_eq!(rows.len(), 3);
    let first = &rows[0];
    assert_eq!(
        (&first["id"], &first["site"], &first["paid"]),
        (&json!(1), &json!("north"), &json!(true))
    );
    assert_eq!((&first["at"], &first["note"]), (&json!("2024-01-01T08:00:00"), &json!("a, b")));
    assert_eq!(first["fee"], json!("12.50"), "decimals are text, so that no digit is lost");
    assert_eq!(rows[1]["note"], json!("say \"hi\"\nthere"));
    let nulls = json!({"id": 3, "site": null, "at": null, "fee": null, "paid": null, "note": null});
    assert_eq!(rows[2], nulls);
    let run = program.run(&["--output", "json", "sql", "SELECT 1 AS one WHERE false"]);
    run.succeeds();
    assert_eq!(run.stdout, "");
}

#[test]
fn nested_values_are_shown_and_are_json_for_programs() {
    let program = Program::loaded();
    let query = "SELECT named_struct('fee', fee, 'note', note) AS s, [fee] AS l, map([id], [fee]) AS m \
                 FROM bronze.visit WHERE id IN (1, 3) ORDER BY id";
    let expected = "s,l,m\n\
        \"{\"\"fee\"\":\"\"12.50\"\",\"\"note\"\":\"\"a, b\"\"}\",\"[\"\"12.50\"\"]\",\"{\"\"1\"\":\"\"12.50\"\"}\"\n\
        \"{\"\"fee\"\":null,\"\"note\"\":null}\",[null],\"{\"\"3\"\":null}\"\n";
    assert_eq!(program.sql("csv", query), expected);
    let run = program.run(&["--output", "json", "sql", query]);
    run.succeeds();
    let row = json!({"s": {"fee": "12.50", "note": "a, b"}, "l": ["12.50"], "m": {"1": "12.50"}});
    assert_eq!(run.json()[0], row);
    let text = program.sql("table", query);
    assert!(text.contains("{fee: 12.50, note: a, b}") && text.contains("{3: NULL}"), "{text}");
}

#[test]
fn a_query_is_read_from_standard_input() {
    let program = Program::loaded();
    let run = program.run_with_input(
        &["--output", "csv", "sql", "-"],
        "SELECT count(*) AS n\nFROM bronze.visit;\n",
    );
    run.succeeds();
    assert_eq!(run.stdout, "n\n3\n");
}

#[test]
fn tables_lists_rows_files_and_snapshots() {
    let program = Program::loaded();
    let run = program.run(&["--output", "json", "tables"]);
    run.succeeds();
    let tables = run.json();
    let visit = tables.iter().find(|row| row["table"] == "bronze.visit").expect("the table");
    assert_eq!((&visit["rows"], &visit["snapshots"]), (&json!("3"), &json!("1")));
    let names: Vec<&str> = tables.iter().filter_map(|row| row["table"].as_str()).collect();
    assert_eq!(names, ["bronze.lab_result", "bronze.quarantine", "bronze.visit"]);
}

#[test]
fn snapshots_say_when_by_whom_and_lead_to_their_version() {
    let program = Program::loaded();
    northstar_tests::csv_files::folder(
        &program.path(""),
        "more",
        &[("visit.csv", b"id,site,at,fee,paid,note\n4,east,,,,\n")],
    );
    program.run(&["load", "csv", "--from", "more", "--into", "bronze"]).succeeds();
    let snapshots = program.snapshots("bronze.visit");
    assert_eq!(snapshots.len(), 2);
    let columns = ["added", "rows", "job", "actor", "now"];
    let shown = |row: usize| columns.map(|column| snapshots[row][column].as_str().expect(column));
    assert_eq!(shown(0), ["3", "3", "load csv", "tester", ""]);
    assert_eq!(shown(1), ["1", "4", "load csv", "tester", "*"]);
    let first = &snapshots[0];
    for clause in [
        format!("VERSION AS OF {}", first["snapshot"].as_str().unwrap()),
        format!("TIMESTAMP AS OF '{}'", first["committed"].as_str().unwrap()),
    ] {
        let rows = program.sql("csv", &format!("SELECT count(*) AS n FROM bronze.visit {clause}"));
        assert_eq!(rows, "n\n3\n", "{clause}");
    }
}

#[test]
fn a_reader_that_leaves_ends_the_program_quietly() {
    let program = Program::loaded();
    for output in ["table", "csv", "json"] {
        let query = "SELECT * FROM generate_series(1, 200000)";
        let mut child = program.command(&["--output", output, "sql", query]).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut first = [0; 64];
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let run = super::Run::from(child.wait_with_output().unwrap());
        run.succeeds();
        assert_eq!(run.stderr, "", "{output}");
    }
}

#[test]
fn tables_are_made_filled_and_changed_in_sql() {
    let program = Program::loaded();
    let said = |query: &str| program.sql("csv", query);
    let defined = |statement: &str, name: &str, outcome: &str| {
        format!("statement,name,outcome\n{statement},{name},{outcome}\n")
    };
    assert_eq!(said("CREATE SCHEMA gold"), defined("CREATE SCHEMA", "gold", "done"));
    let create = "CREATE TABLE IF NOT EXISTS gold.fee (site STRING, fee DECIMAL(10, 2)) \
                  PARTITIONED BY (site)";
    assert_eq!(said(create), defined("CREATE TABLE", "gold.fee", "done"));
    assert_eq!(said(create), defined("CREATE TABLE", "gold.fee", "was so already"));
    let insert = "INSERT INTO gold.fee SELECT site, fee FROM bronze.visit";
    assert!(said(insert).lines().nth(1).expect("a row").starts_with("3,0,0,"));
    let widen = "ALTER TABLE gold.fee ALTER COLUMN fee TYPE DECIMAL(20, 2)";
    assert_eq!(said(widen), defined("ALTER TABLE", "gold.fee", "done"));
    assert_eq!(said("SELECT sum(fee) AS fee FROM gold.fee"), "fee\n13.25\n");
    assert_eq!(said("DROP TABLE gold.fee"), defined("DROP TABLE", "gold.fee", "done"));
    program
        .run(&["sql", "ALTER TABLE bronze.visit ALTER COLUMN id TYPE STRING"])
        .fails(1, &["cannot become string", "UPDATE … SET … = CAST(…)"]);
}
