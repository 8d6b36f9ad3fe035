//! A version clause that is not honoured is an error, never the current snapshot.

use std::collections::HashMap;

use datafusion::common::config::Dialect;
use northstar_catalog::ErrorKind::{InvalidInput, NotFound, Unsupported};

use super::super::parse::parse;
use super::super::{from_datafusion, statement};
use super::{refused, rows, run, session};

const CLAUSES: [&str; 4] = [
    "VERSION AS OF 5",
    "FOR VERSION AS OF 'tag'",
    "TIMESTAMP AS OF '2024-05-01 00:00:00Z'",
    "FOR SYSTEM_TIME AS OF '2024-05-01 00:00:00Z'",
];

#[tokio::test]
async fn what_is_no_table_has_no_versions() {
    for clause in CLAUSES {
        for (sql, text) in [
            ("WITH c AS (SELECT 1) SELECT * FROM c {}", "`c` is a name given by WITH"),
            ("WITH c AS (SELECT 1), d AS (SELECT * FROM C {}) SELECT * FROM d", "given by WITH"),
            ("WITH c AS (SELECT 1) SELECT (SELECT 1 FROM c {})", "given by WITH"),
            (
                "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c {} WHERE n < 3) \
                 SELECT * FROM c",
                "given by WITH",
            ),
            ("SELECT * FROM information_schema.tables {}", "describes the catalog"),
            ("SELECT * FROM generate_series {} (1, 3)", ""),
            ("SELECT * FROM generate_series(1, 3) {}", "right after a table's name"),
            ("SELECT * FROM (SELECT * FROM lab) {}", "right after a table's name"),
            ("SELECT * FROM lab l {}", "right after a table's name"),
            ("SELECT * FROM lab AS l {}", "right after a table's name"),
            ("SELECT * FROM lab {} {}", "right after a table's name"),
            ("SELECT * FROM lab WHERE id = 1 {}", "right after a table's name"),
            ("SELECT id {} FROM lab", "right after a table's name"),
            ("SELECT * {}", "right after a table's name"),
            ("DESCRIBE lab {}", "right after a table's name"),
            ("SELECT * FROM silver.view {}", "`silver.view` is a view"),
        ] {
            refused(&sql.replace("{}", clause), InvalidInput, text).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_version_is_refused() {
    for (clause, text) in [
        ("VERSION AS OF", "cannot parse"),
        ("VERSION AS OF tag", "cannot parse"),
        ("FOR VERSION AS OF \"tag\"", "right after a table's name"),
        ("VERSION AS OF -5", "cannot parse"),
        ("VERSION AS OF 1.5", "`1.5` is not a snapshot's id"),
        ("VERSION AS OF 99999999999999999999", "is not a snapshot's id"),
        ("VERSION AS OF $1", "`$1` is not a snapshot's id"),
        ("TIMESTAMP AS OF id", "cannot evaluate the version `id`"),
        ("TIMESTAMP AS OF 5", "is a Int64, not a timestamp with a zone"),
        ("TIMESTAMP AS OF NULL", "not a timestamp with a zone"),
        ("TIMESTAMP AS OF (SELECT max(id) FROM lab)", "is not constant"),
        ("TIMESTAMP AS OF now() + random() * INTERVAL '1 day'", "the version"),
        ("TIMESTAMP AS OF 'yesterday'", "`yesterday` is not a timestamp; write it as"),
        ("TIMESTAMP AS OF '2024-02-30 00:00:00Z'", "is not a timestamp"),
        ("AT(TIMESTAMP => '2024-05-01 00:00:00Z')", "is not supported: write"),
        ("BEFORE(STATEMENT => '5')", "is not supported: write"),
    ] {
        refused(&format!("SELECT * FROM lab {clause}"), InvalidInput, text).await;
    }
    refused("SELECT * FROM lab VERSION AS OF 'gone'", NotFound, "bronze.lab has no tag `gone`")
        .await;
    refused("SELECT * FROM nope VERSION AS OF 5", NotFound, "no table bronze.nope").await;
}

#[tokio::test]
async fn a_time_without_zone_is_shown_with_one() {
    for time in [
        "'2024-05-01 00:00:00'",
        "'2024-05-01T00:00:00'",
        "'2024-05-01'",
        "TIMESTAMP '2024-05-01 00:00:00'",
        "'2024-05-01 00:00:00'::timestamptz",
        "to_timestamp('2024-05-01 00:00:00')",
        "to_timestamp('2024-05-01') + INTERVAL '1 day'",
    ] {
        let want = if time.contains('T') && !time.contains(' ') {
            "write '2024-05-01T00:00:00+00:00' or '2024-05-01T00:00:00Z'"
        } else {
            "write '2024-05-01 00:00:00+00:00' or '2024-05-01T00:00:00Z'"
        };
        refused(&format!("SELECT * FROM lab TIMESTAMP AS OF {time}"), InvalidInput, want).await;
    }
    let date = "SELECT * FROM lab TIMESTAMP AS OF DATE '2024-05-01'";
    refused(date, InvalidInput, "2024-05-01").await;
    let naive = "SELECT * FROM lab TIMESTAMP AS OF now()::timestamp";
    refused(naive, InvalidInput, "not a timestamp with a zone").await;
}

/// The reason for counting: DataFusion plans no window that no function uses, so the clause in it
/// never comes to the planner.
#[tokio::test]
async fn a_clause_that_the_planner_does_not_reach_is_refused() {
    for clause in CLAUSES {
        let sql = "SELECT id FROM lab WINDOW w AS (ORDER BY (SELECT max(id) FROM lab {}))";
        let text = "stands where a version cannot be read";
        refused(&sql.replace("{}", clause), Unsupported, text).await;
        assert!(run(&sql.replace("{}", "")).await.is_ok());
    }
}

#[tokio::test]
async fn the_target_of_a_change_has_no_version() {
    for sql in [
        "UPDATE lab VERSION AS OF 5 SET version = 'x' WHERE id IN (SELECT id FROM lab)",
        "UPDATE lab FOR SYSTEM_TIME AS OF '2024-05-01 00:00:00Z' SET version = 'x'",
        "DELETE FROM lab VERSION AS OF 5 WHERE id IN (SELECT id FROM lab)",
        "MERGE INTO lab FOR VERSION AS OF 'tag' USING lab s ON lab.id = s.id \
         WHEN MATCHED THEN DELETE",
        "EXPLAIN DELETE FROM lab VERSION AS OF 5",
    ] {
        let (session, _) = session();
        let parsed = parse(sql, 50).unwrap();
        assert_eq!(parsed.clauses, 1);
        assert!(statement::check(&parsed.statement).is_err());
        let error =
            session.plan(parsed, HashMap::new()).await.err().unwrap_or_else(|| panic!("{sql}"));
        assert!(error.to_string().contains("is written to"), "{sql}: {error}");
    }
}

/// What DataFusion does by itself; if this fails, the count may have become superfluous.
#[tokio::test]
async fn datafusion_alone_drops_the_clause() {
    let (session, _) = session();
    let plain = session.context().state();
    let plain = datafusion::execution::SessionStateBuilder::new_from_existing(plain)
        .with_relation_planners(Vec::new())
        .build();
    let parsed = parse("SELECT * FROM information_schema.tables VERSION AS OF 5", 50).unwrap();
    assert!(plain.statement_to_plan(parsed.statement).await.is_ok());
}

#[tokio::test]
async fn a_clause_that_comes_by_another_way_is_refused_too() {
    let (session, _) = session();
    let state = session.context().state();
    let sql = "SELECT * FROM information_schema.tables VERSION AS OF 5";
    let statement = state.sql_to_statement(sql, &Dialect::Databricks).unwrap();
    let error = from_datafusion(state.statement_to_plan(statement).await.unwrap_err());
    assert!(error.to_string().contains("unexpected version"), "{error}");
}

#[tokio::test]
async fn the_source_of_a_refused_insert_keeps_its_version() {
    let (session, fake) = session();
    let sql = "INSERT INTO silver.lab SELECT * FROM lab FOR VERSION AS OF 'tag'";
    let planned = session.plan(parse(sql, 50).unwrap(), HashMap::new()).await.unwrap();
    let plan = planned.plan.display_indent().to_string();
    assert!(plan.contains("TableScan: bronze.lab VERSION AS OF 'tag'"), "{plan}");
    let asked = fake.asked.lock().unwrap().clone();
    assert_eq!(asked, ["bronze.lab VERSION AS OF 'tag'", "silver.lab CURRENT"]);
}

#[tokio::test]
async fn what_datafusion_would_silently_drop_is_refused() {
    for (sql, kind) in [
        ("SELECT count(*) FROM lab TABLESAMPLE (10 PERCENT)", Unsupported),
        ("SELECT * FROM lab TABLESAMPLE BERNOULLI (10)", Unsupported),
        ("SELECT * FROM lab PARTITION (p1)", Unsupported),
        ("SELECT * FROM lab WITH (NOLOCK)", Unsupported),
        ("SELECT * FROM lab WITH ORDINALITY", Unsupported),
        ("SELECT * FROM lab PREWHERE id = 1", InvalidInput),
        ("SELECT * FROM lab LIMIT 1 BY 1", Unsupported),
    ] {
        refused(sql, kind, "").await;
    }
}

#[tokio::test]
async fn statements_that_write_are_refused_with_what_to_use() {
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/tmp/x'",
        "DROP TABLE lab",
        "ALTER TABLE lab ADD COLUMN a INT",
        "SELECT * INTO t FROM lab",
    ] {
        refused(sql, Unsupported, "CREATE, DROP and ALTER are of tables and schemas").await;
    }
    for sql in [
        "INSERT INTO lab VALUES (1, 'x')",
        "INSERT INTO nowhere.nothing SELECT 1",
        "EXPLAIN INSERT INTO lab VALUES (1, 'x')",
        "WITH c AS (SELECT 1) INSERT INTO lab SELECT 1, 'x'",
        "TRUNCATE TABLE lab",
        "UPDATE lab SET id = 1",
        "DELETE FROM lab",
        "MERGE INTO lab USING lab s ON lab.id = s.id WHEN MATCHED THEN DELETE",
        "EXPLAIN ANALYZE DELETE FROM lab",
    ] {
        refused(sql, Unsupported, "run it by itself in `northstar sql`").await;
    }
    refused("COPY lab TO '/tmp/x.csv'", Unsupported, "northstar sql --output csv").await;
    refused("COPY (SELECT 1) TO '/tmp/x.csv'", Unsupported, "northstar sql --output csv").await;
    for sql in ["BEGIN", "PREPARE p AS SELECT 1", "EXECUTE p", "GRANT ALL ON lab TO x"] {
        refused(sql, Unsupported, "use SELECT").await;
    }
}

#[tokio::test]
async fn exactly_one_statement_is_taken() {
    refused("", InvalidInput, "no statement").await;
    refused(" ; -- nothing\n;", InvalidInput, "no statement").await;
    refused("SELECT 1; SELECT 2", InvalidInput, "one statement at a time; there are 2").await;
    refused("SELECT 1; DROP TABLE lab", InvalidInput, "one statement at a time").await;
    refused("SELECT 'a", InvalidInput, "cannot parse").await;
    assert_eq!(run("SELECT ';';").await.unwrap().1, [";"]);
}

#[tokio::test]
async fn names_that_are_wrong_say_what_is_right() {
    refused("SELECT * FROM nope", NotFound, "no table bronze.nope").await;
    refused("SELECT * FROM other.bronze.lab", NotFound, "tables are in `lake`").await;
    refused("SELECT nope FROM lab", InvalidInput, "nope").await;
    refused("SELECT nope FROM lab, generate_series(1, 2)", InvalidInput, "nope").await;
    refused("SELECT nosuch(1)", InvalidInput, "nosuch").await;
    let (session, _) = session();
    rows(&session, "SET datafusion.catalog.default_schema = ''").await.unwrap();
    let error = rows(&session, "SELECT * FROM lab").await.unwrap_err();
    assert!(error.to_string().contains("write NAMESPACE.TABLE"), "{error}");
}
