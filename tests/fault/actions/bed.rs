//! A table with all that actions work on: small files of three partitions, position deletes, a replaced
//! partition, a tag, a branch ahead of `main`, old snapshots, and files that nothing refers to.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::datatypes::DataType;
use iceberg::spec::MAIN_BRANCH;
use northstar_iceberg::merge::StatementCommit;
use northstar_iceberg::refs::{FOREVER_MS, NewRef, RefKind, Retention};
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::{Lake, LakeTable, TableName, storage};
use northstar_tests::lab::{START_MS, tester};
use tempfile::TempDir;

use super::model::{Model, Rows, SEQ};
use crate::files::{below, orphans};
use crate::merging::session;
use crate::place::Place;

const DAY_MS: i64 = 86_400_000;

/// A place with the table, which can be set back to how it was.
pub(crate) struct Bed {
    _folder: Option<TempDir>,
    pub(crate) place: Place,
    /// A copy of the place.
    saved: PathBuf,
    /// What the table shows.
    pub(crate) model: Model,
    /// All files of the table's folder, leftovers included.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Those that nothing refers to: old ones and a young one.
    pub(crate) leftovers: BTreeSet<PathBuf>,
    /// The young one of them.
    pub(crate) young: PathBuf,
}

/// The table.
pub(crate) fn bed() -> TableName {
    "bronze.bed".parse().expect("a name")
}

pub(crate) async fn open(lake: &Lake) -> LakeTable {
    lake.open_table(&bed(), &tester()).await.expect("a table")
}

/// Rows of these ids.
pub(crate) fn of_ids(ids: impl IntoIterator<Item = i64>) -> Rows {
    ids.into_iter().map(|id| (id, (format!("s{}", id % 3), id * 10))).collect()
}

/// The rows as SQL takes them.
pub(crate) fn values(rows: &Rows) -> String {
    let rows: Vec<String> =
        rows.iter().map(|(id, (site, n))| format!("({id}, '{site}', {n})")).collect();
    format!("VALUES {}", rows.join(", "))
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bed = Self::at(folder.path()).await;
        Self { _folder: Some(folder), ..bed }
    }

    /// The table in a folder that is there.
    pub(crate) async fn at(folder: &Path) -> Self {
        let place = Place::new(folder);
        let model = seed(&place.lake(0).await).await;
        let root =
            storage::local_path(open(&place.lake(0).await).await.location()).expect("a path");
        // Whatever is unreferenced by mistake would be old enough to be removed.
        below(&root).iter().for_each(|file| age(file, 80));
        let mut leftovers = BTreeSet::new();
        for (name, days) in [
            ("data/site=s0/crashed.parquet", 90),
            ("metadata/lost-m0.avro", 30),
            ("metadata/00099-lost.metadata.json", 3),
            ("data/under-way.parquet", 0),
        ] {
            std::fs::write(root.join(name), "left by a writer that was killed").expect("a file");
            age(&root.join(name), days);
            leftovers.insert(root.join(name));
        }
        let files = below(&place.path().join("tables")).into_iter().collect();
        let saved = folder.join("saved");
        copy(place.path(), &saved);
        let young = root.join("data/under-way.parquet");
        let bed = Self { _folder: None, place, saved, model, files, leftovers, young };
        let lake = bed.place.lake(0).await;
        assert_eq!(Model::read(&lake).await, bed.model, "the table is not as the model says");
        assert_eq!(bed.orphans(&lake).await, bed.leftovers);
        bed
    }

    /// Sets everything back.
    pub(crate) fn restore(&self) {
        std::fs::remove_dir_all(self.place.path()).expect("removed");
        copy(&self.saved, self.place.path());
    }

    /// The files that nothing refers to. What is referred to is there.
    pub(crate) async fn orphans(&self, lake: &Lake) -> BTreeSet<PathBuf> {
        orphans(lake).await.into_iter().collect()
    }

    /// All files of the table's folder now.
    pub(crate) fn files_now(&self) -> BTreeSet<PathBuf> {
        below(&self.place.path().join("tables")).into_iter().collect()
    }
}

/// Makes the table; what it shows.
async fn seed(lake: &Lake) -> Model {
    lake.catalog.create_namespace("bronze").await.expect("a namespace");
    let mode = |verb: &str| (format!("write.{verb}.mode"), "merge-on-read".to_string());
    let mut properties: std::collections::BTreeMap<String, String> =
        ["merge", "update", "delete"].map(mode).into();
    properties.insert("commit.retry.min-wait-ms".into(), "1".into());
    let definition = TableDefinition {
        columns: vec![
            ColumnDefinition::new("id", DataType::Int64).required(),
            ColumnDefinition::new("site", DataType::Utf8),
            ColumnDefinition::new("n", DataType::Int64),
        ],
        partition: vec!["site".parse().expect("a field")],
        sort: Vec::new(),
        properties,
    };
    lake.create_table(&bed(), &definition, &tester()).await.expect("a table");
    let mut model = Model {
        columns: ["id", "site", "n"].map(String::from).to_vec(),
        partition: vec!["site".into()],
        watermark: Some("4".into()),
        ..Model::default()
    };
    let insert = |rows: &Rows| format!("INSERT INTO {} {}", bed(), values(rows));

    let mut rows = of_ids(0..30);
    change(lake, &insert(&rows), 1, MAIN_BRANCH).await;
    model.commit(&rows);
    make_ref(lake, RefKind::Tag, "close").await;
    model.refs.insert("close".into(), ("tag", 1));

    let more = of_ids(30..60);
    change(lake, &insert(&more), 2, MAIN_BRANCH).await;
    rows.extend(more);
    model.commit(&rows);

    change(lake, &format!("DELETE FROM {} WHERE id % 10 = 3", bed()), 3, MAIN_BRANCH).await;
    rows.retain(|id, _| id % 10 != 3);
    model.commit(&rows);

    let replaced: Rows = (200..210).map(|id| (id, ("s2".to_string(), id))).collect();
    let overwrite = format!("INSERT OVERWRITE {} {}", bed(), values(&replaced));
    change(lake, &overwrite, 4, MAIN_BRANCH).await;
    rows.retain(|_, (site, _)| site != "s2");
    rows.extend(replaced);
    model.commit(&rows);

    // Without a watermark of its own, so that it inherits that of a snapshot which expires.
    let more: Rows = of_ids(60..90).into_iter().filter(|(_, (site, _))| site != "s2").collect();
    change(lake, &insert(&more), 0, MAIN_BRANCH).await;
    rows.extend(more);
    model.commit(&rows);

    make_ref(lake, RefKind::Branch, "audit").await;
    let more = of_ids(90..100);
    change(lake, &insert(&more), 6, "audit").await;
    rows.extend(more);
    model.commit_to("audit", &rows);
    model
}

/// Runs a statement as the commit of a number, which is its watermark unless it is 0.
async fn change(lake: &Lake, sql: &str, number: i64, branch: &str) {
    let watermark = (number > 0).then(|| (SEQ.to_string(), number.to_string()));
    let commit = StatementCommit {
        id: Some(format!("seed-{number}")),
        summary: watermark.into_iter().collect(),
        expect: None,
        branch: Some(branch.to_string()),
    };
    let report = session(lake).change(sql, HashMap::new(), commit).await.expect(sql);
    assert!(report.snapshot_id.is_some() && !report.already_committed, "{sql}");
}

/// Names the current snapshot for ever.
pub(crate) fn new_ref(kind: RefKind, name: &str, snapshot_id: i64) -> NewRef {
    let forever = if kind == RefKind::Tag { Some(FOREVER_MS) } else { None };
    NewRef {
        name: name.to_string(),
        kind,
        snapshot_id,
        retention: Retention { max_ref_age_ms: forever, ..Retention::default() },
        owner: Some("tester".into()),
        reason: Some("test".into()),
    }
}

async fn make_ref(lake: &Lake, kind: RefKind, name: &str) {
    let table = open(lake).await;
    let snapshot_id = table.metadata().current_snapshot_id().expect("a snapshot");
    let made = lake.create_ref(&table, &new_ref(kind, name, snapshot_id), false).await;
    assert!(made.expect("a ref").settled().expect("a reply"));
}

/// Sets when a file was last written, in days before the clock of the tests begins.
pub(crate) fn age(file: &Path, days: i64) {
    let ms = u64::try_from(START_MS - days * DAY_MS).expect("after 1970");
    set_time(file, UNIX_EPOCH + Duration::from_millis(ms));
}

fn set_time(file: &Path, time: SystemTime) {
    let file = std::fs::File::options().append(true).open(file).expect("a file");
    file.set_modified(time).expect("a time");
}

/// Copies a folder with the times of its files.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in below(from) {
        let copy = to.join(file.strip_prefix(from).expect("below"));
        std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        std::fs::copy(&file, &copy).expect("a copy");
        let time = std::fs::metadata(&file).and_then(|about| about.modified()).expect("a time");
        set_time(&copy, time);
    }
}
