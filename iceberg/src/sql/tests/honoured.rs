//! Version clauses in every spelling and every place are asked for, and nothing else is.

use super::{counts, run};

const MAY: &str = "TIMESTAMP AS OF '2024-05-01T00:00:00.000Z'";

/// Every spelling, and what it asks for.
fn spellings() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for keyword in ["VERSION", "FOR VERSION", "FOR SYSTEM_VERSION", "for /* c */ version"] {
        for version in ["5", "'close-2024-05'", "'it''s'", "'5'"] {
            all.push((format!("{keyword} AS OF {version}"), format!("VERSION AS OF {version}")));
        }
    }
    for keyword in ["TIMESTAMP", "FOR TIMESTAMP", "FOR SYSTEM_TIME", "For System_Time"] {
        for time in [
            "'2024-05-01 00:00:00+00:00'",
            "'2024-05-01T00:00:00Z'",
            "'2024-05-01T02:00:00+02:00'",
            "'2024-05-01 02:00:00 Europe/Berlin'",
            "TIMESTAMP '2024-05-01 00:00:00Z'",
            "'2024-05-01 00:00:00Z'::timestamptz",
            "CAST('2024-05-01 00:00:00Z' AS TIMESTAMP)",
            "('2024-05-01 02:00:00' AT TIME ZONE 'Europe/Berlin')",
            "to_timestamp('2024-04-30T00:00:00Z') + INTERVAL '1 day'",
        ] {
            all.push((format!("{keyword} AS OF {time}"), MAY.to_owned()));
        }
    }
    all
}

#[tokio::test]
async fn every_spelling_reads_the_version_it_names() {
    for (clause, version) in spellings() {
        for alias in ["", "l", "AS l", "version", "AS \"timestamp\""] {
            let sql = format!("SELECT version FROM bronze.lab {clause} {alias} WHERE id = 1");
            let (asked, rows) = run(&sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
            assert_eq!(asked, [format!("bronze.lab {version}")], "{sql}");
            assert_eq!(rows, [version.as_str()], "{sql}");
        }
    }
}

#[tokio::test]
async fn a_version_can_stand_wherever_a_table_can() {
    for (clause, version) in [
        ("VERSION AS OF 5", "VERSION AS OF 5"),
        ("FOR VERSION AS OF 'tag'", "VERSION AS OF 'tag'"),
        ("FOR SYSTEM_TIME AS OF '2024-05-01 00:00:00Z'", MAY),
    ] {
        for (sql, versioned_only) in [
            ("SELECT a.id FROM lab {} a", true),
            (
                "SELECT lab.id, bronze.lab.id + 1, lake.bronze.lab.version FROM lake.bronze.lab {}",
                true,
            ),
            ("SELECT id FROM \"bronze\".\"lab\" {} \"A b\" WHERE \"A b\".id = 1", true),
            ("SELECT id FROM (lab {})", true),
            ("SELECT x FROM lab {} AS l (x, y)", true),
            ("SELECT * FROM (SELECT * FROM lab {}) AS s", true),
            ("WITH c AS (SELECT * FROM lab {}) SELECT * FROM c JOIN c d USING (id)", true),
            ("WITH lab AS (SELECT * FROM lab {}) SELECT * FROM lab", true),
            ("SELECT 1 WHERE EXISTS (SELECT 1 FROM lab {} WHERE id = 1)", true),
            ("SELECT (SELECT max(id) FROM lab {})", true),
            ("SELECT 1 WHERE 1 IN (SELECT id FROM lab {})", true),
            ("(SELECT id FROM lab {}) ORDER BY id LIMIT 1", true),
            ("FROM lab {} SELECT id", true),
            ("EXPLAIN SELECT * FROM lab {}", true),
            ("EXPLAIN ANALYZE SELECT * FROM lab {}", true),
            ("SELECT * FROM lab n JOIN lab {} o ON n.id = o.id", false),
            ("SELECT * FROM lab {} o LEFT JOIN lab n ON n.id = o.id", false),
            ("SELECT * FROM lab n, lab {} o WHERE n.id = o.id", false),
            ("SELECT * FROM lab n CROSS JOIN LATERAL (SELECT * FROM lab {} o) p", false),
            ("SELECT id FROM lab UNION ALL SELECT id FROM lab {} ", false),
            ("SELECT id FROM lab EXCEPT SELECT id FROM lab {}", false),
            ("SELECT * FROM lab n WHERE EXISTS (SELECT 1 FROM lab {} o WHERE o.id = n.id)", false),
            ("SELECT id, (SELECT max(id) FROM lab {}) FROM lab", false),
        ] {
            let sql = sql.replace("{}", clause);
            let (asked, _) = run(&sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
            let version = format!("bronze.lab {version}");
            let mut want = vec!["bronze.lab CURRENT", version.as_str()];
            if versioned_only {
                want.remove(0);
            }
            assert_eq!(asked, want, "{sql}");
        }
    }
}

#[tokio::test]
async fn two_versions_of_a_table_are_joined_and_united() {
    let join = "SELECT n.version, o.version, p.version FROM bronze.lab n \
                JOIN bronze.lab VERSION AS OF 1 o ON n.id = o.id \
                JOIN bronze.lab FOR VERSION AS OF 'two' p ON n.id = p.id WHERE n.id = 1";
    let (_, rows) = run(join).await.unwrap();
    assert_eq!(rows, ["CURRENT|VERSION AS OF 1|VERSION AS OF 'two'"]);
    let union = "SELECT version FROM lab VERSION AS OF 1 WHERE id = 1 \
                 UNION ALL SELECT version FROM lab VERSION AS OF 2 WHERE id = 1 \
                 UNION ALL SELECT version FROM lab WHERE id = 1 ORDER BY 1";
    let (_, rows) = run(union).await.unwrap();
    assert_eq!(rows, ["CURRENT", "VERSION AS OF 1", "VERSION AS OF 2"]);
}

#[tokio::test]
async fn within_a_statement_a_table_is_one_snapshot() {
    let sql = "SELECT * FROM lab a JOIN bronze.lab b ON a.id = b.id JOIN silver.lab c ON a.id = c.id \
               JOIN lab VERSION AS OF 5 d ON a.id = d.id \
               JOIN lab FOR VERSION AS OF 5 e ON a.id = e.id";
    let (asked, _) = run(sql).await.unwrap();
    let counts = counts(&asked);
    assert_eq!(counts.len(), 3, "{asked:?}");
    assert!(counts.values().all(|count| *count == 1), "{asked:?}");
}

#[tokio::test]
async fn now_is_the_start_of_the_statement() {
    let sql = "SELECT version FROM lab TIMESTAMP AS OF now() - INTERVAL '1 hour' WHERE id = 1";
    let (_, rows) = run(sql).await.unwrap();
    let time = rows[0].strip_prefix("TIMESTAMP AS OF '").unwrap().trim_end_matches('\'');
    let time = chrono::DateTime::parse_from_rfc3339(time).unwrap();
    let (_, now) = run("SELECT now()").await.unwrap();
    let age = now[0].parse::<chrono::DateTime<chrono::Utc>>().unwrap() - time.to_utc();
    assert!((3600..3660).contains(&age.num_seconds()), "{age}");
}

#[tokio::test]
async fn names_literals_and_comments_with_the_words_are_left_alone() {
    for (sql, want) in [
        ("SELECT 'FOR VERSION AS OF 5' FROM version WHERE id = 1", "FOR VERSION AS OF 5"),
        ("SELECT 'it''s VERSION AS OF ''x''' FROM lab WHERE id = 1", "it's VERSION AS OF 'x'"),
        ("SELECT id AS version FROM lab -- VERSION AS OF 5\nWHERE id = 1", "1"),
        ("SELECT version AS of FROM lab /* TIMESTAMP AS OF 'x' */ WHERE id = 1", "CURRENT"),
        ("SELECT version FROM version WHERE id = 1", "CURRENT"),
        ("SELECT version.version FROM version AS version WHERE version.id = 1", "CURRENT"),
        ("SELECT timestamp.version FROM lab timestamp WHERE id = 1", "CURRENT"),
        ("SELECT timestamp AS of FROM (SELECT id AS timestamp FROM lab) WHERE timestamp = 1", "1"),
        ("SELECT changes.id FROM changes WHERE changes.id = 1", "1"),
        ("SELECT before.id FROM lab changes, lab before WHERE before.id + changes.id = 2", "1"),
        ("SELECT \"VERSION AS OF 5\" FROM (SELECT 7 AS \"VERSION AS OF 5\")", "7"),
        ("SELECT x AT TIME ZONE 'UTC' = x FROM (SELECT now() AS x)", "true"),
    ] {
        let (asked, rows) = run(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        assert_eq!(rows, [want], "{sql}");
        assert!(asked.iter().all(|one| one.ends_with(" CURRENT")), "{sql}: {asked:?}");
    }
}

#[tokio::test]
async fn tables_named_like_a_clause_have_versions_too() {
    for (sql, want) in [
        ("SELECT version.version FROM version VERSION AS OF 5 version WHERE id = 1", "5"),
        ("SELECT version.version FROM version VERSION AS OF 5 WHERE id = 1", "5"),
        ("SELECT changes.version FROM changes VERSION AS OF 5 AS changes WHERE id = 1", "5"),
    ] {
        let (asked, rows) = run(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        assert_eq!(rows, [format!("VERSION AS OF {want}")], "{sql}");
        assert_eq!(asked.len(), 1, "{sql}: {asked:?}");
    }
}

#[tokio::test]
async fn explain_shows_the_version() {
    let (_, rows) = run("EXPLAIN SELECT * FROM lab FOR VERSION AS OF 'tag' l").await.unwrap();
    let text = rows.join("\n");
    assert!(text.contains("TableScan: bronze.lab VERSION AS OF 'tag'"), "{text}");
}
