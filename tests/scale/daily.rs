//! A table that is loaded every day and kept as the retention policy says, on a clock of its own.
//!
//! Every day has a commit of one row. Every week snapshots older than 35 days expire, manifests are put
//! together and orphans go. Every month its last snapshot gets a tag with owner, reason and an end in
//! seven years, and small files are compacted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use northstar_iceberg::commit::CommitRequest;
use northstar_iceberg::maintenance::{
    CompactOptions, DAY_MS, ExpireOptions, OrphanPlan, compact, expire, rewrite_manifests,
};
use northstar_iceberg::refs::{NewRef, RefKind, Retention};
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{Lake, LakeTable, TableName, storage};

use crate::changes::session_of;
use crate::lab::{Lab, run_context, small_writes, tester};

/// 2010-01-01: a table's clock may not be ahead of the machine's.
pub const BEGIN_MS: i64 = 1_262_304_000_000;

/// How long a month's tag is kept.
const KEPT_MS: i64 = 7 * 365 * DAY_MS;

/// Days of a month.
const MONTH: i64 = 30;

/// The table's name.
pub const TABLE: &str = "scale.daily";

/// A table at the end of a day.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    /// Bytes of the metadata file.
    pub metadata_bytes: u64,
    /// Snapshots in it.
    pub snapshots: u64,
    /// Manifests of the current snapshot.
    pub manifests: u64,
    /// Files in the table's folder.
    pub files: u64,
}

/// Lives so many days; how the table was at the end of each.
pub async fn live(lab: &Lab, days: i64) -> Vec<Day> {
    let name: TableName = TABLE.parse().expect("a name");
    lab.lake.catalog.create_namespace(name.namespace()).await.expect("a namespace");
    lab.clock.set(BEGIN_MS);
    let definition = TableDefinition {
        columns: vec![
            ColumnDefinition::new("day", DataType::Int64),
            ColumnDefinition::new("site", DataType::Utf8),
        ],
        partition: vec!["site".parse().expect("a field")],
        ..TableDefinition::default()
    };
    lab.lake.create_table(&name, &definition, &tester()).await.expect("a new table");
    let mut lived = Vec::new();
    for day in 0..days {
        lab.clock.set(BEGIN_MS + day * DAY_MS);
        load(lab, &name, day).await;
        if day % MONTH == MONTH - 1 {
            close(lab, &name, day / MONTH).await;
        }
        if day % 7 == 6 {
            maintain(&lab.lake, &name, BEGIN_MS + day * DAY_MS).await;
        }
        lived.push(look(&open(&lab.lake, &name).await).await);
    }
    lived
}

async fn open(lake: &Lake, name: &TableName) -> LakeTable {
    lake.open_table(name, &tester()).await.expect("the table")
}

/// The commit of a day: a row, and the watermark.
async fn load(lab: &Lab, name: &TableName, day: i64) {
    let table = open(&lab.lake, name).await;
    let id = format!("load-{day}");
    let options = small_writes(lab.folder.path());
    let mut writer = TableWriter::new(&lab.lake, &table, &id, options).expect("a writer");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![day])),
        Arc::new(StringArray::from(vec![format!("s{}", day % 3)])),
    ];
    let batch = RecordBatch::try_new(Arc::clone(writer.schema()), columns).expect("a batch");
    writer.write(batch).expect("rows");
    let files = writer.finish().expect("files").files;
    let request = CommitRequest {
        commit_id: id,
        run: run_context(),
        summary: [("northstar.seq".to_string(), day.to_string())].into(),
        expect: None,
    };
    let outcome = lab.lake.append(&table, &files, &request).await.expect("a commit");
    outcome.settled().expect("an outcome").expect("a snapshot");
}

/// The end of a month: a tag, and one file of the small ones.
async fn close(lab: &Lab, name: &TableName, month: i64) {
    let table = open(&lab.lake, name).await;
    let tag = NewRef {
        name: format!("close-{month:03}"),
        kind: RefKind::Tag,
        snapshot_id: table.metadata().current_snapshot_id().expect("a snapshot"),
        retention: Retention { max_ref_age_ms: Some(KEPT_MS), ..Retention::default() },
        owner: Some("finance".to_string()),
        reason: Some("month close, as reported to the registry".to_string()),
    };
    let made = lab.lake.create_ref(&table, &tag, false).await.expect("a tag");
    assert!(made.settled().expect("an outcome"));
    let session = session_of(&lab.lake, &lab.path("scratch"));
    compact(&session, name, &CompactOptions::default()).await.expect("a compaction");
}

/// What a deployment runs every week.
async fn maintain(lake: &Lake, name: &TableName, now_ms: i64) {
    rewrite_manifests(lake, &tester(), &run_context(), name).await.expect("manifests");
    expire(lake, &tester(), name, &ExpireOptions::default()).await.expect("an expiry");
    let table = open(lake, name).await;
    let now = UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs());
    for path in files(&table) {
        // Written since the last time, by the machine's clock: from now on it is as old as the table's
        // clock says.
        if std::fs::metadata(&path).expect("a file").modified().expect("a time") > now {
            let file = std::fs::File::options().write(true).open(&path).expect("a file");
            file.set_modified(now).expect("another time");
        }
    }
    let orphans = OrphanPlan::read(lake, &tester(), name, 3 * DAY_MS).await.expect("a plan");
    orphans.apply(lake).await.expect("orphans removed");
}

async fn look(table: &LakeTable) -> Day {
    let metadata = storage::local_path(table.metadata_location()).expect("a path");
    let snapshot = table.metadata().current_snapshot().expect("a snapshot");
    let list = table.inner().manifest_list_reader(snapshot).load().await.expect("a list");
    Day {
        metadata_bytes: std::fs::metadata(metadata).expect("the metadata file").len(),
        snapshots: table.metadata().snapshots().len() as u64,
        manifests: list.entries().len() as u64,
        files: files(table).len() as u64,
    }
}

/// The files in the table's folder.
fn files(table: &LakeTable) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![storage::local_path(table.location()).expect("a path")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}
