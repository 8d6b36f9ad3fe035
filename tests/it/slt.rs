//! The SQL of `northstar sql` as scripts in `slt/`, over one fixed lake.
//!
//! The lake holds `bronze.visit`, loaded in three batches (three snapshots), `bronze.kinds` with a
//! column of each type, and `bronze.quarantine`. Scripts say `${first}`, `${second}` and `${third}`
//! for the ids of the snapshots of `bronze.visit`, `${first_time}` and so on for when they were
//! committed (RFC 3339, UTC), `${before_second}` for a millisecond before the second, and
//! `${before_all}` for one before the first.
//!
//! Scripts that change rows find `silver.patient`, partitioned by `site`, in three files:
//!
//! ```text
//! id    name  site   weight  visits
//! 1     Ada   north  60.5    3
//! 2     Ben   north  70.0    1
//! 3     Cleo  south  NULL    2
//! NULL  Dan   south  80.0    0
//! ```
//!
//! and `silver.invoice`, with the columns that [`INVOICE`] says and without rows. A statement that
//! changes rows gives one row here: how many were inserted, updated and deleted. One that defines gives
//! none.

use std::path::Path;

use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, SecondsFormat};
use northstar_catalog::Error;
use northstar_iceberg::merge::{Executed, LakeSession};
use northstar_iceberg::sql::from_datafusion;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_tests::changes::session;
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

/// The columns of `silver.invoice`, and whether each is required.
const INVOICE: [(&str, DataType, bool); 6] = [
    ("id", DataType::Int64, true),
    ("day", DataType::Date32, true),
    ("amount", DataType::Decimal128(10, 2), false),
    ("items", DataType::Int32, false),
    ("paid", DataType::Boolean, false),
    ("at", DataType::Timestamp(TimeUnit::Microsecond, None), false),
];

/// Fills `silver.patient`, one partition at a time.
const PATIENTS: [&str; 3] = [
    "(1, 'Ada', 'north', 60.5, 3), (2, 'Ben', 'north', 70.0, 1)",
    "(3, 'Cleo', 'south', CAST(NULL AS DOUBLE), 2)",
    "(CAST(NULL AS BIGINT), 'Dan', 'south', 80.0, 0)",
];

/// A session over the lake, as the runner wants it.
struct Database(LakeSession);

#[async_trait::async_trait]
impl AsyncDB for Database {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let frame = match self.0.execute(sql).await? {
            Executed::Rows(frame) => frame,
            Executed::Defined(_) => return Ok(DBOutput::StatementComplete(0)),
            Executed::Changed(report) => {
                let counts = [report.inserted_rows, report.updated_rows, report.deleted_rows];
                return Ok(DBOutput::Rows {
                    types: vec![DefaultColumnType::Integer; counts.len()],
                    rows: vec![counts.iter().map(u64::to_string).collect()],
                });
            }
        };
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
    run(&lab, &text, file).await;
}

async fn run(lab: &Lab, text: &str, file: &str) {
    let mut runner = Runner::new(|| async { Ok(Database(session(lab))) });
    runner.with_column_validator(strict_column_validator);
    if let Err(error) = runner.run_script_with_name_async(text, file).await {
        panic!("{error}");
    }
}

/// Runs a script that changes rows, on a lake of its own.
async fn changing(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt").join(file);
    let text = std::fs::read_to_string(&path).expect(file);
    let lab = Lab::new().await;
    lab.lake.catalog.create_namespace("silver").await.expect("a namespace");
    let make = async |name: &str, columns: Vec<ColumnDefinition>, partition: &[&str]| {
        let definition = TableDefinition {
            columns,
            partition: partition.iter().map(|field| field.parse().expect("a field")).collect(),
            ..TableDefinition::default()
        };
        let name = name.parse().expect("a name");
        lab.lake.create_table(&name, &definition, &tester()).await.expect("a table");
    };
    let patient = vec![
        ColumnDefinition::new("id", DataType::Int64),
        ColumnDefinition::new("name", DataType::Utf8),
        ColumnDefinition::new("site", DataType::Utf8),
        ColumnDefinition::new("weight", DataType::Float64),
        ColumnDefinition::new("visits", DataType::Int64),
    ];
    make("silver.patient", patient, &["site"]).await;
    let invoice = INVOICE.map(|(name, kind, required)| match required {
        true => ColumnDefinition::new(name, kind).required(),
        false => ColumnDefinition::new(name, kind),
    });
    make("silver.invoice", invoice.into(), &[]).await;
    for rows in PATIENTS {
        let sql = format!(
            "MERGE INTO silver.patient USING (VALUES {rows}) AS s(id, name, site, weight, visits) \
             ON false WHEN NOT MATCHED THEN INSERT *"
        );
        session(&lab).execute(&sql).await.expect("rows");
    }
    run(&lab, &text, file).await;
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
async fn metadata_tables() {
    script("metadata_tables.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused() {
    script("refused.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_matched() {
    changing("merge_matched.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_not_matched() {
    changing("merge_not_matched.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_by_source() {
    changing("merge_by_source.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_star() {
    changing("merge_star.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_null_keys() {
    changing("merge_null_keys.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_cardinality() {
    changing("merge_cardinality.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_refused() {
    changing("merge_refused.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_partition_move() {
    changing("merge_partition_move.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn update() {
    changing("update.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delete() {
    changing("delete.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_table() {
    changing("create_table.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alter_table() {
    changing("alter_table.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn insert() {
    changing("insert.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps() {
    changing("timestamps.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn insert_overwrite() {
    changing("insert_overwrite.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn insert_replace_where() {
    changing("insert_replace_where.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truncate() {
    changing("truncate.slt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nested() {
    changing("nested.slt").await;
}
