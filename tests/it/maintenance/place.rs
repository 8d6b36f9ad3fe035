//! A table to maintain: many small commits, position deletes, tags.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, Operation,
    SnapshotReference, SnapshotRetention, TableMetadataBuilder,
};
use northstar_iceberg::commit::{CommitRequest, DeleteFile, FileChange, Outcome, Validation};
use northstar_iceberg::maintenance::{CompactOptions, CompactReport, compact};
use northstar_iceberg::table::schema::with_field_id;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{Lake, LakeTable, Result, TableName, storage};
use northstar_tests::changes::{rows, session, session_of};
use northstar_tests::lab::{Lab, run_context, small_writes, tester};
use parquet::arrow::ArrowWriter;

/// Ids that the specification reserves for the columns of position-delete files.
const PATH_ID: i32 = i32::MAX - 101;
const POS_ID: i32 = i32::MAX - 102;

/// The table `ns.t (id bigint, site text, n bigint)`.
pub(super) struct Place {
    pub(super) lab: Lab,
    pub(super) name: TableName,
}

/// Lets every change pass.
pub(super) struct Anything;

#[async_trait::async_trait]
impl Validation for Anything {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(None)
    }
}

impl Place {
    pub(super) async fn new(partition: &[&str], sort: &[&str], target_bytes: u64) -> Self {
        let lab = Lab::new().await;
        lab.lake.catalog.create_namespace("ns").await.unwrap();
        let definition = TableDefinition {
            columns: vec![
                ColumnDefinition::new("id", DataType::Int64),
                ColumnDefinition::new("site", DataType::Utf8),
                ColumnDefinition::new("n", DataType::Int64),
            ],
            partition: partition.iter().map(|field| field.parse().unwrap()).collect(),
            sort: sort.iter().map(|column| (*column).to_string()).collect(),
            properties: [
                ("write.target-file-size-bytes".to_string(), target_bytes.to_string()),
                ("commit.retry.min-wait-ms".to_string(), "1".to_string()),
            ]
            .into(),
        };
        let name: TableName = "ns.t".parse().unwrap();
        lab.lake.create_table(&name, &definition, &tester()).await.unwrap();
        Self { lab, name }
    }

    pub(super) async fn table(&self) -> LakeTable {
        self.lab.lake.open_table(&self.name, &tester()).await.unwrap()
    }

    pub(super) fn request(&self, id: &str, seq: Option<i64>) -> CommitRequest {
        let summary = seq.map(|seq| ("northstar.seq".to_string(), seq.to_string()));
        CommitRequest {
            commit_id: id.to_string(),
            run: run_context(),
            summary: summary.into_iter().collect(),
            expect: None,
        }
    }

    /// Appends rows of one site in one commit, with a sequence; gives the snapshot.
    pub(super) async fn append(&self, ids: std::ops::Range<i64>, site: &str, seq: i64) -> i64 {
        append(&self.lab, &self.lab.lake, &self.table().await, ids, site, seq).await
    }

    /// Deletes rows of data files by position, in one delete file and one commit.
    pub(super) async fn delete(&self, rows: &[(&DataFile, &[i64])]) -> i64 {
        let table = self.table().await;
        let file = delete_file(&table, rows);
        let spec_id = table.metadata().default_partition_spec_id();
        let change = FileChange {
            added_deletes: vec![DeleteFile { spec_id, file }],
            operation: Some(Operation::Delete),
            ..FileChange::default()
        };
        let id = self.lab.lake.ids.uuid().to_string();
        let request = self.request(&id, None);
        let outcome = self.lab.lake.commit(&table, &change, &request, &Anything).await.unwrap();
        snapshot(outcome)
    }

    /// The live data files, by path.
    pub(super) async fn files(&self) -> Vec<DataFile> {
        self.live(DataContentType::Data).await
    }

    /// The live delete files, by path.
    pub(super) async fn delete_files(&self) -> Vec<DataFile> {
        self.live(DataContentType::PositionDeletes).await
    }

    async fn live(&self, content: DataContentType) -> Vec<DataFile> {
        let table = self.table().await;
        let Some(snapshot) = table.metadata().current_snapshot() else { return Vec::new() };
        let list = table.inner().manifest_list_reader(snapshot).load().await.unwrap();
        let mut files = Vec::new();
        for manifest in list.entries() {
            let manifest = manifest.load_manifest(&self.lab.lake.file_io()).await.unwrap();
            let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
            files.extend(alive.map(|entry| entry.data_file().clone()));
        }
        files.retain(|file| file.content_type() == content);
        files.sort_by(|a, b| a.file_path().cmp(b.file_path()));
        files
    }

    /// The rows as text, sorted.
    pub(super) async fn rows(&self) -> Vec<String> {
        rows(&session(&self.lab), "SELECT * FROM ns.t").await
    }

    /// The rows of every snapshot that is there.
    pub(super) async fn history(&self) -> BTreeMap<i64, Vec<String>> {
        let mut history = BTreeMap::new();
        let session = session(&self.lab);
        for snapshot in self.table().await.metadata().snapshots() {
            let id = snapshot.snapshot_id();
            let sql = format!("SELECT * FROM ns.t VERSION AS OF {id}");
            history.insert(id, rows(&session, &sql).await);
        }
        history
    }

    pub(super) async fn compact(&self, options: &CompactOptions) -> CompactReport {
        let session = session_of(&self.lab.lake, &self.lab.path("scratch"));
        compact(&session, &self.name, options).await.unwrap()
    }

    /// Names a snapshot.
    pub(super) async fn tag(&self, name: &str, snapshot_id: i64, max_ref_age_ms: Option<i64>) {
        self.set_ref(name, snapshot_id, SnapshotRetention::Tag { max_ref_age_ms }).await;
    }

    pub(super) async fn set_ref(&self, name: &str, id: i64, retention: SnapshotRetention) {
        let reference = SnapshotReference::new(id, retention);
        self.alter(|builder| builder.set_ref(name, reference.clone()).unwrap()).await;
    }

    pub(super) async fn set_properties(&self, properties: &[(&str, &str)]) {
        let properties: HashMap<String, String> = properties
            .iter()
            .map(|(key, value)| ((*key).to_string(), (*value).to_string()))
            .collect();
        self.alter(|builder| builder.set_properties(properties.clone()).unwrap()).await;
    }

    /// Changes the table's metadata.
    pub(super) async fn alter(
        &self,
        change: impl Fn(TableMetadataBuilder) -> TableMetadataBuilder + Send + Sync,
    ) {
        let table = self.table().await;
        let altered = self.lab.lake.alter(&table, |_, builder| Ok(Some(change(builder)))).await;
        assert!(altered.unwrap().settled().unwrap());
    }

    /// All files below the table's folder, by path.
    pub(super) async fn on_disk(&self) -> Vec<String> {
        let root = storage::local_path(self.table().await.location()).unwrap();
        let (mut found, mut folders) = (Vec::new(), vec![root]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found.push(path.display().to_string()),
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// Appends rows through a lake.
pub(super) async fn append(
    lab: &Lab,
    lake: &Lake,
    table: &LakeTable,
    ids: std::ops::Range<i64>,
    site: &str,
    seq: i64,
) -> i64 {
    let options = small_writes(lab.folder.path());
    let id = lake.ids.uuid().to_string();
    let mut writer = TableWriter::new(lake, table, &id, options).unwrap();
    // Values that do not compress well, and that are not in the order of `id`.
    let numbers: Int64Array =
        ids.clone().map(|id| id.wrapping_mul(7_919_777_777) % 65_537).collect();
    let sites: StringArray = ids.clone().map(|_| Some(site)).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(sites), Arc::new(numbers)];
    writer.write(RecordBatch::try_new(Arc::clone(writer.schema()), columns).unwrap()).unwrap();
    let files = writer.finish().unwrap().files;
    let request = CommitRequest {
        commit_id: id,
        run: run_context(),
        summary: [("northstar.seq".to_string(), seq.to_string())].into(),
        expect: None,
    };
    snapshot(lake.append(table, &files, &request).await.unwrap())
}

pub(super) fn snapshot(outcome: Outcome) -> i64 {
    let (id, is_new) = outcome.settled().unwrap().unwrap();
    assert!(is_new);
    id
}

/// Writes a file of position deletes in the partition of the first data file.
pub(super) fn delete_file(table: &LakeTable, rows: &[(&DataFile, &[i64])]) -> DataFile {
    let mut sorted: Vec<(&str, i64)> = rows
        .iter()
        .flat_map(|(file, rows)| rows.iter().map(|row| (file.file_path(), *row)))
        .collect();
    sorted.sort_unstable();
    let schema = Arc::new(Schema::new(vec![
        with_field_id(Field::new("file_path", DataType::Utf8, false), PATH_ID),
        with_field_id(Field::new("pos", DataType::Int64, false), POS_ID),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(sorted.iter().map(|(path, _)| path))),
        Arc::new(Int64Array::from_iter_values(sorted.iter().map(|(_, row)| *row))),
    ];
    let name = sorted.iter().fold(0_u64, |sum, (path, row)| {
        path.bytes().fold(sum.rotate_left(7) ^ row.unsigned_abs(), |sum, byte| {
            sum.rotate_left(5) ^ u64::from(byte)
        })
    });
    let at = format!(
        "{}/data/deletes-{}-{name:x}.parquet",
        table.location(),
        table.metadata().next_sequence_number()
    );
    let path = storage::local_path(&at).unwrap();
    let file = std::fs::File::create_new(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None).unwrap();
    writer.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    writer.close().unwrap();
    let bound =
        |row: Option<&(&str, i64)>| HashMap::from([(PATH_ID, Datum::string(row.unwrap().0))]);
    DataFileBuilder::default()
        .content(DataContentType::PositionDeletes)
        .file_path(at)
        .file_format(DataFileFormat::Parquet)
        .partition(rows[0].0.partition().clone())
        .partition_spec_id(table.metadata().default_partition_spec_id())
        .record_count(sorted.len() as u64)
        .file_size_in_bytes(std::fs::metadata(&path).unwrap().len())
        .lower_bounds(bound(sorted.first()))
        .upper_bounds(bound(sorted.last()))
        .build()
        .unwrap()
}
