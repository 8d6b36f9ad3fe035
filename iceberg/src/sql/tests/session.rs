//! What a session offers beside versions: listings, options, memory.

use std::sync::Arc;

use northstar_catalog::ErrorKind;

use super::super::{SqlOptions, SqlSession, TableSource};
use super::{Fake, rows, run, session};

#[tokio::test]
async fn tables_are_listed_without_loading_them() {
    let (asked, rows) = run("SHOW TABLES").await.unwrap();
    assert!(asked.is_empty(), "{asked:?}");
    assert!(rows.contains(&"lake|bronze|lab|BASE TABLE".to_owned()), "{rows:?}");
    assert!(rows.iter().any(|row| row.starts_with("lake|silver|lab")), "{rows:?}");
    let schemas = "SELECT schema_name FROM information_schema.schemata ORDER BY 1";
    let (_, rows) = run(schemas).await.unwrap();
    assert_eq!(rows[..2], ["bronze", "silver"]);
}

#[tokio::test]
async fn a_table_is_described() {
    let (asked, rows) = run("DESCRIBE silver.lab").await.unwrap();
    assert_eq!(rows, ["id|Int64|NO", "version|Utf8|NO"]);
    assert_eq!(asked, ["silver.lab CURRENT"]);
    let (_, rows) = run("SHOW COLUMNS FROM bronze.lab").await.unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let sql = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'lab'";
    assert_eq!(run(sql).await.unwrap().1, ["4"]);
}

#[tokio::test]
async fn options_are_set_shown_and_reset_within_the_session() {
    let (session, fake) = session();
    let name = "datafusion.catalog.default_schema";
    assert!(rows(&session, &format!("SET {name} = 'silver'")).await.unwrap().is_empty());
    assert_eq!(rows(&session, &format!("SHOW {name}")).await.unwrap(), [format!("{name}|silver")]);
    rows(&session, "SELECT * FROM lab").await.unwrap();
    assert_eq!(*fake.asked.lock().unwrap(), ["silver.lab CURRENT"]);
    let batch = "datafusion.execution.batch_size";
    rows(&session, &format!("SET {batch} = 7")).await.unwrap();
    rows(&session, &format!("RESET {batch}")).await.unwrap();
    assert_eq!(rows(&session, &format!("SHOW {batch}")).await.unwrap(), [format!("{batch}|8192")]);
    let error = rows(&session, "SET datafusion.no.such = 1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn text_and_time_come_in_the_types_of_tables() {
    let sql = "SELECT arrow_typeof(version), arrow_typeof('a'), arrow_typeof(now()) \
               FROM lab VERSION AS OF 5 WHERE id = 1";
    let (_, rows) = run(sql).await.unwrap();
    assert_eq!(rows, ["Utf8|Utf8|Timestamp(µs, \"+00:00\")"]);
}

#[tokio::test]
async fn a_query_that_needs_more_memory_than_allowed_says_which_option_to_raise() {
    let options = SqlOptions { memory_bytes: Some(100_000), ..SqlOptions::default() };
    let session = SqlSession::new(options, Arc::new(Fake::default()) as Arc<dyn TableSource>);
    let sql = "SELECT count(*) FROM generate_series(1, 200000) a \
 JOIN generate_series(1, 200000) b ON a.value = b.value";
    let error = rows(&session.unwrap(), sql).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("memory_bytes"), "{error}");
}

#[tokio::test]
async fn a_failed_cast_does_not_quote_the_cell() {
    let error = run("SELECT CAST(version AS INT) FROM lab").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error:?}");
    assert!(!error.to_string().contains("CURRENT"), "{error}");
}

#[tokio::test]
async fn sorts_spill_to_the_folder_given() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqlOptions {
        memory_bytes: Some(20_000_000),
        spill_dir: Some(dir.path().to_owned()),
        target_partitions: 1,
        ..SqlOptions::default()
    };
    let source = Arc::new(Fake::default()) as Arc<dyn TableSource>;
    let session = SqlSession::new(options, source).unwrap();
    let sql = "EXPLAIN ANALYZE SELECT value, md5(value::varchar) AS m \
               FROM generate_series(1, 1000000) ORDER BY m";
    let text = rows(&session, sql).await.unwrap().join("\n");
    let spilled = text.split("spill_count=").nth(1).and_then(|rest| rest.chars().next());
    assert!(spilled.is_some_and(|first| first != '0'), "{text}");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_some());
}
