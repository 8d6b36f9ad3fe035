//! Commits that change how a table's rows are stored: by hand, since no statement does it alike.
//! Tables are unpartitioned.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use async_trait::async_trait;
use iceberg::spec::{DataContentType, DataFileBuilder, DataFileFormat, Datum, Operation, Struct};
use northstar_iceberg::commit::{CommitRequest, DeleteFile, FileChange, Validation};
use northstar_iceberg::merge::LakeSession;
use northstar_iceberg::scan::{FILE_COLUMN, IcebergTable, POS_COLUMN};
use northstar_iceberg::table::schema::with_field_id;
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{LakeTable, Result, storage};
use parquet::arrow::ArrowWriter;

use crate::lab::{Lab, run_context, small_writes, tester};

const FILE_PATH_ID: i32 = i32::MAX - 101;
const POS_ID: i32 = i32::MAX - 102;

struct Anywhere;

#[async_trait]
impl Validation for Anywhere {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Commits a change of files; the new snapshot.
pub async fn commit(lab: &Lab, table: &LakeTable, change: FileChange) -> i64 {
    let request = CommitRequest {
        commit_id: lab.lake.ids.uuid().to_string(),
        run: run_context(),
        summary: [].into(),
        expect: None,
    };
    let outcome = lab.lake.commit(table, &change, &request, &Anywhere).await.expect("a commit");
    outcome.settled().expect("an outcome").expect("a snapshot").0
}

/// Opens a table.
pub async fn opened(lab: &Lab, name: &str) -> LakeTable {
    lab.lake.open_table(&name.parse().expect("a name"), &tester()).await.expect("a table")
}

/// All rows of a table, with or without their addresses.
pub async fn all_rows(
    session: &LakeSession,
    table: &LakeTable,
    addressed: bool,
) -> Vec<RecordBatch> {
    let mut rows = IcebergTable::try_new(table.inner().clone(), None).expect("a table");
    if addressed {
        rows = rows.with_row_address().expect("addresses");
    }
    let frame = session.sql().context().read_table(Arc::new(rows)).expect("a frame");
    frame.collect().await.expect("rows")
}

/// Writes batches as data files of a table.
pub fn write(lab: &Lab, table: &LakeTable, batches: Vec<RecordBatch>) -> FileChange {
    let id = lab.lake.ids.uuid().to_string();
    let options = small_writes(lab.folder.path());
    let mut writer = TableWriter::new(&lab.lake, table, &id, options).expect("a writer");
    for batch in batches {
        writer.write(batch).expect("rows");
    }
    FileChange { added: writer.finish().expect("files").files, ..FileChange::default() }
}

/// Rewrites all rows into new files, as a compaction does; `None` for a table without rows.
pub async fn compact(lab: &Lab, session: &LakeSession, name: &str) -> Option<i64> {
    let table = opened(lab, name).await;
    let current = IcebergTable::try_new(table.inner().clone(), None).expect("a table");
    let files = current.slices().await.expect("files");
    if files.is_empty() {
        return None;
    }
    let change = write(lab, &table, all_rows(session, &table, false).await);
    let change = FileChange {
        removed: files.into_keys().collect(),
        operation: Some(Operation::Replace),
        ..change
    };
    Some(commit(lab, &table, change).await)
}

/// Deletes the rows whose place among all rows `chosen` names, by a delete file per data file. Gives
/// the deleted rows, and the new snapshot if there are any.
pub async fn delete_positions(
    lab: &Lab,
    session: &LakeSession,
    name: &str,
    chosen: impl Fn(usize) -> bool,
) -> (Vec<RecordBatch>, Option<i64>) {
    let table = opened(lab, name).await;
    let mut gone: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut rows = Vec::new();
    let mut number = 0;
    for batch in all_rows(session, &table, true).await {
        let files = batch.column_by_name(FILE_COLUMN).expect("a column");
        let files = arrow::compute::cast(files, &DataType::Utf8).expect("text");
        let positions = batch.column_by_name(POS_COLUMN).expect("a column");
        for row in 0..batch.num_rows() {
            number += 1;
            if chosen(number) {
                let file = files.as_string::<i32>().value(row).to_string();
                let position = positions.as_primitive::<Int64Type>().value(row);
                gone.entry(file).or_default().push(position);
                rows.push(batch.slice(row, 1));
            }
        }
    }
    if gone.is_empty() {
        return (rows, None);
    }
    let files = gone.into_iter().map(|(file, mut positions)| {
        positions.sort_unstable();
        delete_file(lab, &table, &file, &positions)
    });
    let change = FileChange { added_deletes: files.collect(), ..FileChange::default() };
    (rows, Some(commit(lab, &table, change).await))
}

fn delete_file(lab: &Lab, table: &LakeTable, data_file: &str, positions: &[i64]) -> DeleteFile {
    let schema = Arc::new(Schema::new(vec![
        with_field_id(Field::new("file_path", DataType::Utf8, false), FILE_PATH_ID),
        with_field_id(Field::new("pos", DataType::Int64, false), POS_ID),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![data_file; positions.len()])),
        Arc::new(Int64Array::from(positions.to_vec())),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("rows");
    let at = format!("{}/data/{}-deletes.parquet", table.location(), lab.lake.ids.uuid());
    let path = storage::local_path(&at).expect("a path");
    let file = File::create_new(&path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, schema, None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a file");
    let bound = HashMap::from([(FILE_PATH_ID, Datum::string(data_file))]);
    let file = DataFileBuilder::default()
        .content(DataContentType::PositionDeletes)
        .file_path(at)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .partition_spec_id(0)
        .record_count(positions.len() as u64)
        .file_size_in_bytes(std::fs::metadata(&path).expect("a file").len())
        .lower_bounds(bound.clone())
        .upper_bounds(bound)
        .build()
        .expect("a file");
    DeleteFile { spec_id: 0, file }
}
