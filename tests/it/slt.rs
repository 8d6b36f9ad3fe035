//! The SQL of `northstar sql` as scripts in `slt/`, over one fixed lake.
//!
//! The lake holds `bronze.visit`, loaded in three batches (three snapshots), `bronze.kinds` with a
//! column of each type, and `bronze.quarantine`. Scripts say `${first}`, `${second}` and `${third}`
//! for the ids of the snapshots of `bronze.visit`, `${first_time}` and so on for when they were
//! committed (RFC 3339, UTC), `${before_second}` for a millisecond before the second, and
//! `${before_all}` for one before the first.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, SecondsFormat};
use northstar_catalog::Error;
use northstar_iceberg::sql::{LakeTables, SqlOptions, SqlSession, from_datafusion};
use northstar_tests::csv_files::folder;
use northstar_tests::lab::{Lab, tester};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner, strict_column_validator};

const VISIT: &str = r#"
[visit]
partition = ["site", "month(at)"]
sort = ["id"]
[visit.columns]
id = "long"
site = "string"
at = "timestamp"
fee = "decimal(10,2)"
note = { type = "string", phi = "direct" }
[kinds.columns]
whole = "int"
fraction = "double"
amount = "decimal(10,2)"
yes = "boolean"
day = "date"
at = "timestamp"
at_utc = "timestamptz"
word = "string"
"#;

const KINDS: &str = "id,whole,fraction,amount,yes,day,at,at_utc,word\n\
    1,-7,0.5,12.50,true,2024-02-29,2024-02-29 23:59:59.5,2024-03-01T00:30:00+02:00,text\n\
    2,2147483647,1e300,-0.01,false,1969-12-31,1969-12-31 00:00:00,1969-12-31T00:00:00Z,\"\"\n\
    3,,,,,,,,\n";

const BATCHES: [&str; 3] = [
    "id,site,at,fee,note\n\
     1,north,2024-01-05 08:00:00,10.00,first\n\
     2,south,2024-01-20 09:00:00,,\n\
     3,north,2024-02-01 10:00:00,2.50,\"a, b\"\n",
    "id,site,at,fee,note\n4,south,2024-02-14 11:00:00,7.25,\nbroken\n",
    "id,site,at,fee,note\n5,,2024-03-01 12:00:00,1.00,last\n6,north,,,\n",
];

/// A session over the lake, as the runner wants it.
struct Database(SqlSession);

#[async_trait::async_trait]
impl AsyncDB for Database {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let frame = self.0.query(sql).await?;
        let types = frame.schema().fields().iter().map(|field| kind(field.data_type())).collect();
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in frame.collect().await.map_err(from_datafusion)? {
            let columns: Vec<ArrayFormatter<'_>> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).expect("values have texts"))
                .collect();
            let cell = |column: &ArrayFormatter<'_>, row| match column.value(row).to_string() {
                text if text.is_empty() => "(empty)".to_string(),
                text => text,
            };
            rows.extend(
                (0..batch.num_rows())
                    .map(|row| columns.iter().map(|column| cell(column, row)).collect::<Vec<_>>()),
            );
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "northstar"
    }
}

fn kind(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => DefaultColumnType::Text,
        kind if kind.is_integer() => DefaultColumnType::Integer,
        kind if kind.is_numeric() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Any,
    }
}

/// The lake, and what the variables of scripts stand for.
async fn lake() -> (Lab, Vec<(String, String)>) {
    let lab = Lab::new().await;
    for (number, batch) in BATCHES.iter().enumerate() {
        let files: [(&str, &[u8]); 2] =
            [("visit.csv", batch.as_bytes()), ("kinds.csv", KINDS.as_bytes())];
        let files = &files[..if number == 0 { 2 } else { 1 }];
        let from = folder(lab.folder.path(), &format!("in{number}"), files);
        lab.load(&from, VISIT).await.expect("a load");
    }
    let name = "bronze.visit".parse().expect("a name");
    let table = lab.lake.open_table(&name, &tester()).await.expect("a table");
    let time = |ms| {
        let time = DateTime::from_timestamp_millis(ms).expect("a time");
        time.to_rfc3339_opts(SecondsFormat::Millis, true)
    };
    let mut snapshots: Vec<_> = table.ancestors().collect();
    snapshots.reverse();
    assert_eq!(snapshots.len(), BATCHES.len());
    let mut variables = Vec::new();
    for (name, snapshot) in ["first", "second", "third"].into_iter().zip(&snapshots) {
        variables.push((name.to_string(), snapshot.snapshot_id().to_string()));
        variables.push((format!("{name}_time"), time(snapshot.timestamp_ms())));
    }
    variables.push(("before_second".into(), time(snapshots[1].timestamp_ms() - 1)));
    variables.push(("before_all".into(), time(snapshots[0].timestamp_ms() - 1)));
    (lab, variables)
}

async fn script(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt").join(file);
    let mut text = std::fs::read_to_string(&path).expect(file);
    let (lab, variables) = lake().await;
    for (name, value) in &variables {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    assert!(!text.contains("${"), "{file} has a variable that is not known");
    let tables = Arc::new(LakeTables::new(lab.lake.clone(), tester()));
    let mut runner = Runner::new(|| async {
        SqlSession::new(SqlOptions::default(), Arc::clone(&tables) as _).map(Database)
    });
    runner.with_column_validator(strict_column_validator);
    if let Err(error) = runner.run_script_with_name_async(&text, file).await {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn select() {
    script("select.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_as_of() {
    script("version_as_of.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamp_as_of() {
    script("timestamp_as_of.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn show() {
    script("show.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused() {
    script("refused.slt").await;
}
