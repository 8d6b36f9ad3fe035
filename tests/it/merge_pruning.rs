//! A MERGE opens the files alone that hold a key of its source (M3), and reads a whole table only if it
//! is told to. No statement here has a hint: what is left out is told from the source.

#![cfg(test)]

use northstar_iceberg::ErrorKind;
use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_tests::changes::{rows, session};
use northstar_tests::lab::Lab;

/// How many files the tables here have.
const FILES: u64 = 12;

/// A table, and a statement that changes rows in two of its files.
struct Case {
    name: &'static str,
    /// Columns and partitions; `n` is what is changed.
    made: &'static str,
    /// The values of row `id` but for `n`, from `id` and `part`, the number of its file.
    row: &'static str,
    /// One `INSERT` for each part, or one for all if the partitions make the files.
    at_once: bool,
    source: &'static str,
    on: &'static str,
}

/// The keys of row 25 and of row 95, which are in the third and the tenth file; but for the buckets.
const CASES: [Case; 11] = [
    Case {
        name: "integers",
        made: "(id BIGINT, n BIGINT)",
        row: "id",
        at_once: false,
        source: "(VALUES (95), (25)) AS s(id)",
        on: "t.id = s.id",
    },
    Case {
        name: "integers_of_another_width",
        made: "(id INT, n BIGINT)",
        row: "CAST(id AS INT)",
        at_once: false,
        source: "(VALUES (CAST(95 AS BIGINT)), (25), (NULL), (9999999999)) AS s(id)",
        on: "s.id = t.id",
    },
    Case {
        name: "texts",
        made: "(id STRING, n BIGINT)",
        row: "'patient-' || lpad(CAST(id AS STRING), 4, '0')",
        at_once: false,
        source: "(VALUES ('patient-0025'), ('patient-0095')) AS s(id)",
        on: "t.id = s.id",
    },
    Case {
        name: "timestamps",
        made: "(at TIMESTAMP, n BIGINT)",
        row: "CAST(1704067200 + id * 3600 AS TIMESTAMP)",
        at_once: false,
        source: "(VALUES ('2024-01-02 01:00:00'), ('2024-01-04 23:00:00')) AS s(at)",
        on: "t.at = CAST(s.at AS TIMESTAMP)",
    },
    Case {
        name: "instants_beside_dates",
        made: "(at TIMESTAMPTZ, n BIGINT)",
        row: "CAST(1704067200 + id * 86400 AS TIMESTAMPTZ)",
        at_once: false,
        source: "(VALUES (DATE '2024-01-26'), (DATE '2024-04-05')) AS s(at)",
        on: "t.at = s.at",
    },
    Case {
        name: "decimals",
        made: "(amount DECIMAL(12, 2), n BIGINT)",
        row: "CAST(id AS DECIMAL(12, 2))",
        at_once: false,
        source: "(VALUES (CAST('25.000' AS DECIMAL(20, 3))), (95)) AS s(amount)",
        on: "t.amount = s.amount",
    },
    Case {
        name: "months",
        made: "(id BIGINT, at TIMESTAMP, n BIGINT) PARTITIONED BY (month(at))",
        row: "id % 10, CAST(1705320000 + part * 2592000 + id AS TIMESTAMP)",
        at_once: true,
        source: "(VALUES (5, '2024-03-15 12:00:25'), (5, '2024-10-11 12:01:35')) AS s(id, at)",
        on: "t.id = s.id AND t.at = CAST(s.at AS TIMESTAMP)",
    },
    Case {
        name: "cut_texts",
        made: "(code STRING, n BIGINT) PARTITIONED BY (truncate(2, code))",
        row: "lpad(CAST(part AS STRING), 2, '0') || '/' || CAST(id AS STRING)",
        at_once: true,
        source: "(VALUES ('02/25'), ('09/95')) AS s(code)",
        on: "t.code = s.code",
    },
    // The bounds of all files are the same; their bucket tells them apart.
    Case {
        name: "buckets",
        made: "(id BIGINT, n BIGINT) PARTITIONED BY (bucket(12, id))",
        row: "id",
        at_once: true,
        source: "(VALUES (25), (40)) AS s(id)",
        on: "t.id = s.id",
    },
    // Each column alone would leave four files.
    Case {
        name: "several_columns",
        made: "(site STRING, day INT, n BIGINT) PARTITIONED BY (site, day)",
        row: "CASE WHEN part % 4 < 2 THEN 'a' ELSE 'b' END || CAST(part / 4 AS STRING), \
              CAST(part % 2 AS INT)",
        at_once: true,
        source: "(SELECT DISTINCT site, day FROM (VALUES ('b0', 0), ('a2', 1)) AS v(site, day)) AS s",
        on: "t.site = s.site AND t.day = s.day",
    },
    Case {
        name: "computed_keys",
        made: "(id BIGINT, n BIGINT)",
        row: "id",
        at_once: false,
        source: "(VALUES (5, 5, 'x'), (19, 5, 'x'), (77, 1, 'y')) AS s(a, b, kind)",
        on: "t.id = s.a * s.b AND s.kind = 'x'",
    },
];

async fn change(session: &LakeSession, sql: &str) -> ChangeReport {
    match session.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")) {
        Executed::Changed(report) => report,
        _ => panic!("{sql} changes nothing"),
    }
}

/// The table of a case, `ns.NAME`: 120 rows in twelve files.
async fn made(session: &LakeSession, case: &Case) {
    session.execute(&format!("CREATE TABLE ns.{} {}", case.name, case.made)).await.unwrap();
    let anew = "SET TBLPROPERTIES ('write.merge.mode' = 'copy-on-write')";
    session.execute(&format!("ALTER TABLE ns.{} {anew}", case.name)).await.unwrap();
    let insert = |from: u64, to: u64| {
        format!(
            "INSERT INTO ns.{} SELECT {}, 0 FROM \
             (SELECT value AS id, value / 10 AS part FROM generate_series({from}, {to}))",
            case.name, case.row
        )
    };
    if case.at_once {
        change(session, &insert(0, 10 * FILES - 1)).await;
        return;
    }
    for part in 0..FILES {
        change(session, &insert(10 * part, 10 * part + 9)).await;
    }
}

/// A lake with the namespace `ns`, and a session that has not been told that whole tables are meant.
async fn lake() -> (Lab, LakeSession) {
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("ns").await.unwrap();
    let session = session(&lab).with_whole_table(false);
    (lab, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_files_without_a_key_of_the_source_are_never_opened() {
    let (lab, session) = lake().await;
    for case in &CASES {
        made(&session, case).await;
        let report = change(
            &session,
            &format!(
                "MERGE INTO ns.{} AS t USING {} ON {} WHEN MATCHED THEN UPDATE SET n = t.n + 1 \
                 WHEN NOT MATCHED AND false THEN INSERT (n) VALUES (0)",
                case.name, case.source, case.on
            ),
        )
        .await;
        let shown = format!("{}: {report:?}", case.name);
        assert_eq!(report.files, FILES, "{shown}");
        assert_eq!((report.files_touched, report.files_rewritten), (2, 2), "{shown}");
        assert_eq!((report.files_considered, report.files_opened), (2, Some(2)), "{shown}");
        assert!(report.bytes_read.is_some_and(|bytes| bytes > 0), "{shown}");
        let changed =
            lab.number(&format!("SELECT count(*) FROM ns.{} WHERE n = 1", case.name)).await;
        assert_eq!(report.updated_rows, u64::try_from(changed).unwrap(), "{shown}");
        assert!(changed >= 2, "{shown}");
        let all = lab.number(&format!("SELECT count(*) FROM ns.{}", case.name)).await;
        assert_eq!(all, 120, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_an_update_from_literal_rows_and_a_source_of_no_known_key_open_no_other_file() {
    let (_lab, session) = lake().await;
    made(&session, &CASES[0]).await;
    for (sql, files, rows) in [
        (
            "UPDATE ns.integers AS t SET n = 7 FROM (VALUES (31), (39)) AS v(id) WHERE v.id = t.id",
            1,
            2,
        ),
        ("DELETE FROM ns.integers WHERE id IN (SELECT * FROM (VALUES (41), (61)))", 2, 2),
        (
            "MERGE INTO ns.integers AS t USING (VALUES (-1), (1000)) AS s(id) ON t.id = s.id \
             WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
            0,
            2,
        ),
        (
            "MERGE INTO ns.integers AS t USING (SELECT 1 AS id WHERE false) AS s ON t.id = s.id \
             WHEN MATCHED THEN DELETE",
            0,
            0,
        ),
    ] {
        let report = change(&session, sql).await;
        assert_eq!((report.files_considered, report.files_opened), (files, Some(files)), "{sql}");
        let changed = report.inserted_rows + report.updated_rows + report.deleted_rows;
        assert_eq!(changed, rows, "{sql}");
    }
}

/// What looks like a key is none if the table's column is not what is compared.
#[tokio::test(flavor = "multi_thread")]
async fn b1_keys_that_bounds_say_nothing_of_leave_every_file() {
    let (lab, session) = lake().await;
    let all = session.clone().with_whole_table(true);
    made(&session, &CASES[3]).await;
    change(&session, "INSERT INTO ns.timestamps VALUES (NULL, 0)").await;
    for (on, expected) in [
        // Ten of the rows of 2024-01-02 come after midnight: the key is before all of their file.
        ("CAST(t.at AS DATE) = s.day", 24),
        ("date_trunc('day', t.at) = s.day", 24),
        ("t.at IS NOT DISTINCT FROM CAST(s.none AS TIMESTAMP)", 1),
        ("coalesce(t.at, TIMESTAMP '2024-01-02') = s.day", 2),
        ("t.at < s.day", 24),
        ("t.at = s.day OR t.at IS NULL", 2),
    ] {
        let sql = format!(
            "MERGE INTO ns.timestamps AS t USING (SELECT DATE '2024-01-02' AS day, CAST(NULL AS STRING) \
             AS none) AS s ON {on} WHEN MATCHED THEN UPDATE SET n = t.n + 1"
        );
        let report = change(&all, &sql).await;
        assert_eq!(report.updated_rows, expected, "{on}");
    }
    // NULL is looked for where it may be: in one file of thirteen.
    let sql = "MERGE INTO ns.timestamps AS t USING (SELECT CAST(NULL AS TIMESTAMP) AS at) AS s \
               ON t.at IS NOT DISTINCT FROM s.at WHEN MATCHED THEN UPDATE SET n = t.n + 1";
    let report = change(&session, sql).await;
    assert_eq!((report.files_considered, report.files_opened), (1, Some(1)), "{report:?}");
    assert_eq!(lab.number("SELECT n FROM ns.timestamps WHERE at IS NULL").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_a_merge_reads_a_whole_table_only_if_told_to() {
    let (lab, session) = lake().await;
    made(&session, &CASES[0]).await;
    let before = rows(&session, "SELECT * FROM ns.integers").await;
    let merge = |on: &str, clauses: &str| {
        format!(
            "MERGE INTO ns.integers AS t USING (VALUES (25, 'x'), (26, 'y')) AS s(id, kind) ON {on} {clauses}"
        )
    };
    let (update, absent) = ("WHEN MATCHED THEN UPDATE SET n = 1", "WHEN NOT MATCHED BY SOURCE");
    let refused = [
        ("t.id < s.id", update.to_string(), "ON leaves no file"),
        ("t.id = s.id OR t.n = 5", update.to_string(), "ON leaves no file"),
        ("abs(t.id) = s.id", update.to_string(), "a CAST on the side of the source"),
        ("CAST(t.id AS STRING) = s.kind", update.to_string(), "a CAST on the side of the source"),
        ("t.n % 7 = 0 AND s.id = 25", update.to_string(), "ON leaves no file"),
        (
            "true",
            "WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)".to_string(),
            "ON leaves no file",
        ),
        ("t.id = s.id", format!("{absent} THEN DELETE"), "NOT MATCHED BY SOURCE AND t.facility_id"),
        ("t.id = s.id", format!("{absent} AND t.n % 7 = 0 THEN DELETE"), "a scope"),
        (
            "t.id = s.id",
            format!("{absent} AND t.id < 20 THEN DELETE {absent} THEN UPDATE SET n = 2"),
            "each such clause",
        ),
        ("t.id = s.id AND t.id < 30", format!("{absent} THEN DELETE"), "a scope"),
    ];
    for (on, clauses, said) in &refused {
        let error = session.execute(&merge(on, clauses)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{on} {clauses}: {error}");
        for part in [said, "--whole-table", "ns.integers"] {
            assert!(error.to_string().contains(part), "{on} {clauses}: {error}");
        }
    }
    assert_eq!(rows(&session, "SELECT * FROM ns.integers").await, before, "nothing was changed");

    // What has a key, a condition of its own or a scope is taken, and reads no more than that.
    for (on, clauses, files, changed) in [
        ("t.id = s.id", update.to_string(), 1, 2),
        ("t.id < s.id AND t.id >= 20 AND s.kind = 'y'", update.to_string(), 10, 5),
        ("t.id < s.id AND t.id BETWEEN 20 AND 24 AND s.kind = 'y'", update.to_string(), 1, 0),
        ("t.id = s.id", format!("{absent} AND t.id < 20 THEN UPDATE SET n = 3"), 3, 20),
        (
            "t.id = s.id",
            format!(
                "{update} {absent} AND t.id < 10 AND t.n = 3 THEN UPDATE SET n = 4 \
                 {absent} AND (t.id BETWEEN 110 AND 114) THEN DELETE"
            ),
            3,
            15,
        ),
        ("false", "WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)".to_string(), 0, 2),
    ] {
        let report = change(&session, &merge(on, &clauses)).await;
        let shown = format!("{on} {clauses}: {report:?}");
        assert_eq!(report.files_considered, files, "{shown}");
        assert!(report.files_opened <= Some(files), "{shown}");
        let rows = report.inserted_rows + report.updated_rows + report.deleted_rows;
        assert_eq!(rows, changed, "{shown}");
    }

    // The word, and a table without files.
    let told = session.clone().with_whole_table(true);
    let report = change(&told, &merge("t.id = s.id", &format!("{absent} THEN DELETE"))).await;
    assert_eq!(report.files_considered, report.files);
    change(&session, "TRUNCATE TABLE ns.integers").await;
    let report =
        change(&session, &merge("t.id > s.id", "WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)"))
            .await;
    assert_eq!(report.inserted_rows, 2);
    assert_eq!(lab.number("SELECT count(*) FROM ns.integers").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_a_scope_opens_the_files_of_its_partition_alone() {
    let (lab, session) = lake().await;
    session
        .execute(
            "CREATE TABLE ns.visit (id BIGINT, facility INT, n BIGINT) PARTITIONED BY (facility)",
        )
        .await
        .unwrap();
    let insert = "INSERT INTO ns.visit SELECT value, CAST(value % 12 AS INT), 0 \
                  FROM generate_series(0, 119)";
    change(&session, insert).await;
    let report = change(
        &session,
        "MERGE INTO ns.visit AS t USING (VALUES (7, 7), (19, 7), (200, 7)) AS s(id, facility) \
         ON t.id = s.id AND t.facility = s.facility \
         WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED THEN INSERT (id, facility) VALUES (200, 7) \
         WHEN NOT MATCHED BY SOURCE AND t.facility = 7 THEN DELETE",
    )
    .await;
    assert_eq!((report.files, report.files_considered), (12, 1), "{report:?}");
    assert_eq!((report.files_opened, report.files_touched), (Some(1), 1), "{report:?}");
    let changed = (report.inserted_rows, report.updated_rows, report.deleted_rows);
    assert_eq!(changed, (1, 2, 8));
    assert_eq!(lab.number("SELECT count(*) FROM ns.visit").await, 113);
}
