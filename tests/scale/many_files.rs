//! A table of very many data files, of which those of one partition are real.
//!
//! Each commit is a day with all sites, as a daily load leaves it. The files of the partition that is
//! asked for are written as any others. All further paths are hard links to them, with partition values
//! and bounds of their own: what a scan must leave out it never opens, and a file that is opened by
//! mistake shows as too many rows.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::array::{TimestampMicrosecondArray, UInt32Array};
use arrow::datatypes::{DataType, TimeUnit};
use iceberg::spec::{DataFile, DataFileBuilder, DataFileFormat, Datum, Literal, Struct};
use northstar_iceberg::commit::CommitRequest;
use northstar_iceberg::maintenance::{DAY_MS, ExpireOptions, expire};
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{LakeTable, TableName, storage};

use crate::lab::{Lab, START_MS, run_context, small_writes, tester};

/// The table's name.
pub const TABLE: &str = "scale.visit";

/// Columns beside `id`, `site`, `at` and `n`: manifests have bounds of each.
const MEASURES: usize = 12;

const DAY_US: i64 = DAY_MS * 1_000;

/// How many files.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Days, each a commit.
    pub days: i32,
    /// Sites; with the days they make the partitions.
    pub sites: i32,
    /// Data files of a partition.
    pub files: i32,
    /// Rows of a file.
    pub rows: i64,
    /// The partition that is asked for: a day and a site, from 0.
    pub asked: (i32, i32),
}

impl Shape {
    /// Data files in all.
    pub fn all_files(&self) -> u64 {
        [self.days, self.sites, self.files]
            .map(|count| u64::from(count.unsigned_abs()))
            .iter()
            .product()
    }

    /// What the partition that is asked for holds: from this time on, up to that time, the site.
    pub fn filter(&self) -> (String, String, String) {
        let day = |day: i32| {
            let at = chrono::DateTime::from_timestamp_millis(START_MS + i64::from(day) * DAY_MS);
            at.expect("a time").format("%Y-%m-%dT%H:%M:%S").to_string()
        };
        (day(self.asked.0), day(self.asked.0 + 1), site(self.asked.1))
    }

    /// The query for its rows: their number, the sum of `id`, and that of `n`.
    pub fn query(&self) -> String {
        let (from, to, site) = self.filter();
        format!(
            "SELECT count(*), sum(id), sum(n) FROM {TABLE} WHERE site = '{site}' \
             AND at >= TIMESTAMP '{from}' AND at < TIMESTAMP '{to}'"
        )
    }

    /// What the query gives.
    pub fn answer(&self) -> [i64; 3] {
        let rows = 0..i64::from(self.files) * self.rows;
        [rows.end, rows.clone().sum(), rows.map(number).sum()]
    }
}

fn site(number: i32) -> String {
    format!("s{number:02}")
}

fn number(id: i64) -> i64 {
    id * 7_919 % 1_009
}

/// Makes the table in a lab. Its snapshots but the last have expired.
pub async fn make(lab: &Lab, shape: &Shape) -> LakeTable {
    let name: TableName = TABLE.parse().expect("a name");
    lab.lake.catalog.create_namespace(name.namespace()).await.expect("a namespace");
    let mut columns = vec![
        ColumnDefinition::new("id", DataType::Int64),
        ColumnDefinition::new("site", DataType::Utf8),
        ColumnDefinition::new("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ColumnDefinition::new("n", DataType::Int64),
    ];
    let measures =
        (0..MEASURES).map(|at| ColumnDefinition::new(format!("m{at}"), DataType::Float64));
    columns.extend(measures);
    let definition = TableDefinition {
        columns,
        partition: ["site", "day(at)"].map(|field| field.parse().expect("a field")).into(),
        ..TableDefinition::default()
    };
    let mut table =
        lab.lake.create_table(&name, &definition, &tester()).await.expect("a new table");
    let real: Vec<DataFile> = (0..shape.files).map(|at| write(lab, &table, shape, at)).collect();
    for day in 0..shape.days {
        let files = (0..shape.sites).flat_map(|site| match (day, site) == shape.asked {
            true => real.clone(),
            false => real
                .iter()
                .enumerate()
                .map(|(at, file)| linked(&table, file, (day, site), at))
                .collect(),
        });
        let files: Vec<DataFile> = files.collect();
        let request = CommitRequest {
            commit_id: format!("day-{day}"),
            run: run_context(),
            summary: [].into(),
            expect: None,
        };
        let outcome = lab.lake.append(&table, &files, &request).await.expect("a commit");
        outcome.settled().expect("an outcome").expect("a snapshot");
        table = lab.lake.open_table(&name, &tester()).await.expect("the table");
    }
    let now = ExpireOptions { max_age_ms: Some(0), min_kept: Some(1) };
    expire(&lab.lake, &tester(), &name, &now).await.expect("an expiry");
    lab.lake.open_table(&name, &tester()).await.expect("the table")
}

/// What the manifest list of a table says, by the bounds of its partition summaries alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// Manifests.
    pub manifests: u64,
    /// Manifests that may hold files of the partition that is asked for.
    pub matching: u64,
    /// Their bytes.
    pub matching_bytes: u64,
    /// Bytes of the list itself.
    pub list_bytes: u64,
}

/// Reads the manifest list of the table.
pub async fn listed(table: &LakeTable, shape: &Shape) -> Listed {
    let snapshot = table.metadata().current_snapshot().expect("a snapshot");
    let list = table.inner().manifest_list_reader(snapshot).load().await.expect("a list");
    let file = std::fs::metadata(local(snapshot.manifest_list())).expect("the list");
    let mut listed = Listed { list_bytes: file.len(), ..Listed::default() };
    let day = START_MS / DAY_MS + i64::from(shape.asked.0);
    for manifest in list.entries() {
        let summaries = manifest.partitions.as_ref().expect("summaries");
        let bounds = |at: usize| {
            let (low, high) = (&summaries[at].lower_bound, &summaries[at].upper_bound);
            [low, high].map(|bound| bound.as_ref().expect("a bound").to_vec())
        };
        let sites = bounds(0).map(|text| String::from_utf8(text).expect("text"));
        let days =
            bounds(1).map(|day| i64::from(i32::from_le_bytes(day.try_into().expect("a day"))));
        listed.manifests += 1;
        if (&sites[0]..=&sites[1]).contains(&&site(shape.asked.1))
            && (days[0]..=days[1]).contains(&day)
        {
            listed.matching += 1;
            listed.matching_bytes += u64::try_from(manifest.manifest_length).expect("a length");
        }
    }
    listed
}

/// Writes one file of the partition that is asked for.
fn write(lab: &Lab, table: &LakeTable, shape: &Shape, at: i32) -> DataFile {
    let ids: Range<i64> = i64::from(at) * shape.rows..i64::from(at + 1) * shape.rows;
    let (day, of) = shape.asked;
    let begin_us = START_MS * 1_000 + i64::from(day) * DAY_US;
    let seconds = ids.clone().map(|id| begin_us + id % 86_400 * 1_000_000);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids.clone())),
        Arc::new(StringArray::from_iter_values(ids.clone().map(|_| site(of)))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(seconds)),
        Arc::new(Int64Array::from_iter_values(ids.clone().map(number))),
    ];
    let numbers: UInt32Array =
        ids.map(|id| u32::try_from(number(id)).expect("a small one")).collect();
    for _ in 0..MEASURES {
        let floats = numbers.values().iter().map(|number| f64::from(*number) / 8.0);
        columns.push(Arc::new(Float64Array::from_iter_values(floats)));
    }
    let options = small_writes(lab.folder.path());
    let mut writer =
        TableWriter::new(&lab.lake, table, &format!("real-{at}"), options).expect("a writer");
    let batch = RecordBatch::try_new(Arc::clone(writer.schema()), columns).expect("a batch");
    writer.write(batch).expect("rows");
    let mut files = writer.finish().expect("files").files;
    files.pop().expect("a file")
}

/// The same file under another path, as one of another partition.
fn linked(table: &LakeTable, real: &DataFile, (day, of): (i32, i32), at: usize) -> DataFile {
    let since_1970 = i32::try_from(START_MS / DAY_MS).expect("a day") + day;
    let folder = format!("{}/data/site={}/day={since_1970}", table.location(), site(of));
    let path = format!("{folder}/{at:05}.parquet");
    let (from, to) = (local(real.file_path()), local(&path));
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    std::fs::hard_link(from, to).expect("a link");
    let schema = table.metadata().current_schema();
    let id = |name: &str| schema.field_id_by_name(name).expect("a column");
    let begin_us = i64::from(since_1970) * DAY_US;
    let bounds = |of_real: &HashMap<i32, Datum>, seconds: i64| {
        let mut bounds = of_real.clone();
        bounds.insert(id("site"), Datum::string(site(of)));
        bounds.insert(id("at"), Datum::timestamp_micros(begin_us + seconds * 1_000_000));
        bounds
    };
    DataFileBuilder::default()
        .content(real.content_type())
        .file_path(path)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::from_iter([
            Some(Literal::string(site(of))),
            Some(Literal::date(since_1970)),
        ]))
        .partition_spec_id(table.metadata().default_partition_spec_id())
        .record_count(real.record_count())
        .file_size_in_bytes(real.file_size_in_bytes())
        .column_sizes(real.column_sizes().clone())
        .value_counts(real.value_counts().clone())
        .null_value_counts(real.null_value_counts().clone())
        .nan_value_counts(real.nan_value_counts().clone())
        .lower_bounds(bounds(real.lower_bounds(), 0))
        .upper_bounds(bounds(real.upper_bounds(), 86_399))
        .split_offsets(real.split_offsets().map(<[i64]>::to_vec))
        .build()
        .expect("a data file")
}

fn local(location: &str) -> PathBuf {
    storage::local_path(location).expect("a local path")
}
