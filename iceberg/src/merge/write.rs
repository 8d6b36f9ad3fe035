//! The node that writes rows as data files of a table and tells which.
//!
//! It commits nothing. A task that is lost, or run twice, leaves files that nobody refers to.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::StreamExt;
use iceberg::spec::{
    DataFile, FormatVersion, TableMetadata, TableMetadataRef, deserialize_data_file_from_json,
    serialize_data_file_to_json,
};
use tokio::sync::mpsc;

use crate::ids::Ids;
use crate::observer::Observer;
use crate::table::conform::{By, conformed};
use crate::write::{TableWriter, WriteOptions, Written};
use crate::{Error, ErrorKind, Result};

/// How many batches may wait for the writer.
const AHEAD: usize = 2;

/// What is written: all that a task needs to know of the table and of the commit.
#[derive(Debug, Clone)]
pub struct WriteTask {
    /// The table's metadata: its schema, partition spec, sort order and properties count.
    pub metadata: TableMetadataRef,
    /// Becomes part of the files' names.
    pub commit_id: String,
    /// How the writer uses the machine.
    pub options: WriteOptions,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
    /// Who is told of progress.
    pub observer: Arc<dyn Observer>,
}

/// Writes the rows of its input, whose columns are the table's, and gives one row per data file: the
/// id of its partition spec, and its description as JSON.
#[derive(Debug)]
pub struct WriteExec {
    input: Arc<dyn ExecutionPlan>,
    task: WriteTask,
    properties: Arc<PlanProperties>,
}

impl WriteExec {
    /// Writes the rows of `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>, task: WriteTask) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(described_schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, task, properties: Arc::new(properties) }
    }

    /// What is written.
    pub fn task(&self) -> &WriteTask {
        &self.task
    }
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteExec: commit={}", self.task.commit_id)
    }
}

impl ExecutionPlan for WriteExec {
    fn name(&self) -> &'static str {
        "WriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// One writer, so that each partition of the table gets few files. It encodes on several
    /// threads itself.
    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.task.clone()))),
            _ => internal_err!("WriteExec has one child"),
        }
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DFResult<TreeNodeRecursion>,
    ) -> DFResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DFResult<SendableRecordBatchStream> {
        let mut task = self.task.clone();
        // Held before the rows are asked for, so that joins and sorts do with what is left.
        let held = writers_share(&mut task.options, context.memory_pool())?;
        let rows = self.input.execute(partition, context)?;
        let work = async move {
            let _held = held;
            let external = |error: Error| DataFusionError::External(Box::new(error));
            let metadata = Arc::clone(&task.metadata);
            let written = write(rows, task).await?;
            describe(&metadata, written).map_err(external)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), futures::stream::once(work))))
    }
}

/// Takes what a writer needs out of the memory of the session: for rows that wait, and as much for
/// encoding; half of it at most.
fn writers_share(
    options: &mut WriteOptions,
    pool: &Arc<dyn MemoryPool>,
) -> DFResult<MemoryReservation> {
    let held = MemoryConsumer::new("TableWriter").register(pool);
    if let MemoryLimit::Finite(bytes) = pool.memory_limit() {
        options.memory_bytes = options.memory_bytes.min(bytes / 4);
        held.try_grow(2 * options.memory_bytes)?;
    }
    Ok(held)
}

async fn write(mut rows: SendableRecordBatchStream, task: WriteTask) -> DFResult<Written> {
    let external = |error: Error| DataFusionError::External(Box::new(error));
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(AHEAD);
    let writing = SpawnedTask::spawn_blocking(move || {
        let WriteTask { metadata, commit_id, options, ids, observer } = task;
        let mut writer = TableWriter::for_metadata(&metadata, &commit_id, options, ids, observer)?;
        while let Some(batch) = receiver.blocking_recv() {
            let batch = fitted(writer.schema(), &batch)?;
            writer.write(batch)?;
        }
        Ok(writer)
    });
    let mut failure = None;
    while let Some(batch) = rows.next().await {
        match batch {
            // A writer that has failed no longer listens; its error is the one that counts.
            Ok(batch) => {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let broken_off = |error| {
        external(Error::new(ErrorKind::Internal, "the writer broke off").with_source(error))
    };
    let writer = writing.join().await.map_err(broken_off)?.map_err(external)?;
    if let Some(error) = failure {
        return Err(error);
    }
    let finishing = SpawnedTask::spawn_blocking(move || writer.finish());
    finishing.join().await.map_err(broken_off)?.map_err(external)
}

/// The rows under the table's schema. Nested values come with its types or, where the table is made
/// by the statement itself, with other field ids.
fn fitted(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    for (field, values) in schema.fields().iter().zip(&mut columns) {
        if field.data_type().is_nested() {
            *values = conformed(values, field.data_type(), By::Name)
                .map_err(|error| error.with_context("column", field.name()))?;
        }
    }
    for (field, values) in schema.fields().iter().zip(batch.columns()) {
        if !field.is_nullable() && values.null_count() > 0 {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!(
                    "{} rows would have NULL in a column that is required; give it a value, or make \
                     the column optional",
                    values.null_count()
                ),
            )
            .with_context("column", field.name()));
        }
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| {
        Error::new(ErrorKind::Internal, "rows do not have the table's columns").with_source(error)
    })
}

pub(super) fn described_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("spec_id", DataType::Int32, false),
        Field::new("data_file", DataType::Utf8, false),
    ]))
}

fn describe(metadata: &TableMetadata, written: Written) -> Result<RecordBatch> {
    let spec_id = metadata.default_partition_spec_id();
    let files = written.files.iter().map(|file| (spec_id, file.clone()));
    let described = described_files(metadata, files.collect());
    if described.is_err() {
        written.discard();
    }
    described
}

/// Files, each with the id of its partition spec, as rows.
pub(super) fn described_files(
    metadata: &TableMetadata,
    files: Vec<(i32, DataFile)>,
) -> Result<RecordBatch> {
    let defect = || Error::new(ErrorKind::Internal, "a written file cannot be described");
    let mut texts = Vec::with_capacity(files.len());
    let mut specs = Vec::with_capacity(files.len());
    for (spec_id, file) in files {
        let spec = metadata.partition_spec_by_id(spec_id).ok_or_else(defect)?;
        let kinds = spec
            .partition_type(metadata.current_schema())
            .map_err(|error| defect().with_source(error))?;
        let text = serialize_data_file_to_json(file, &kinds, FormatVersion::V2)
            .map_err(|error| defect().with_source(error))?;
        texts.push(text);
        specs.push(spec_id);
    }
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(specs)), Arc::new(StringArray::from(texts))];
    RecordBatch::try_new(described_schema(), columns).map_err(|error| defect().with_source(error))
}

/// The files that a [`WriteExec`] or a `DeleteExec` tells of, each with the id of its spec.
///
/// # Errors
/// `Internal` for rows that neither gave.
pub(crate) fn files_of(
    metadata: &TableMetadata,
    rows: &[RecordBatch],
) -> Result<Vec<(i32, DataFile)>> {
    let defect =
        || Error::new(ErrorKind::Internal, "a written file is not told of as it should be");
    let mut files = Vec::new();
    for batch in rows {
        let specs = batch.column(0).as_primitive_opt::<Int32Type>().ok_or_else(defect)?;
        let texts = batch.column(1).as_string_opt::<i32>().ok_or_else(defect)?;
        for (spec_id, text) in specs.values().iter().zip(texts.iter()) {
            let spec = metadata.partition_spec_by_id(*spec_id).ok_or_else(defect)?;
            let schema = metadata.current_schema();
            let kinds = spec.partition_type(schema).map_err(|error| defect().with_source(error))?;
            let text = text.ok_or_else(defect)?;
            let file = deserialize_data_file_from_json(text, *spec_id, &kinds, schema)
                .map_err(|error| defect().with_source(error))?;
            files.push((*spec_id, file));
        }
    }
    Ok(files)
}

/// The data files that a [`WriteExec`] tells of.
///
/// # Errors
/// As [`files_of`].
pub(crate) fn described(metadata: &TableMetadata, rows: &[RecordBatch]) -> Result<Written> {
    let files: Vec<DataFile> =
        files_of(metadata, rows)?.into_iter().map(|(_, file)| file).collect();
    let rows = files.iter().map(DataFile::record_count).sum();
    Ok(Written { files, rows, spilled_bytes: 0 })
}
