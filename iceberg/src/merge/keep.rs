//! Rows that a statement evaluates once and reads several times: a node that writes what comes into
//! one Parquet file, and that file as a table.
//!
//! The file has no statistics, so no filter can prune by them: Parquet leaves NaN out of its own
//! (B1). It is written without compression, since it is read soon and once or twice.

use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DFResult, Statistics, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::StreamExt;
use object_store::ObjectMeta;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::ids::Ids;
use crate::scan::{batch_rows, store_path};
use crate::{Error, ErrorKind, Result};

/// A row group is kept in memory while it is written, and again while it is read: by each partition of
/// each scan of a statement's last query, of which there may be six.
const GROUP_BYTES: usize = 4 << 20;

/// The column that numbers the kept rows, from 1.
pub(crate) const ROW_COLUMN: &str = "__northstar_row";

/// Writes the rows of its input, numbered, into one file of `folder`, and gives one row: the file's
/// path, its rows and its bytes.
#[derive(Debug)]
pub struct KeepExec {
    input: Arc<dyn ExecutionPlan>,
    folder: PathBuf,
    ids: Arc<dyn Ids>,
    properties: Arc<PlanProperties>,
}

impl KeepExec {
    /// Keeps the rows of `input` in `folder`, which is there.
    pub fn new(input: Arc<dyn ExecutionPlan>, folder: PathBuf, ids: Arc<dyn Ids>) -> Self {
        let schema = Arc::new(Schema::new(vec![
            Field::new("path", DataType::Utf8, false),
            Field::new("rows", DataType::Int64, false),
            Field::new("bytes", DataType::Int64, false),
        ]));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, folder, ids, properties: Arc::new(properties) }
    }

    /// Where files are written.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }
}

impl DisplayAs for KeepExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeepExec")
    }
}

impl ExecutionPlan for KeepExec {
    fn name(&self) -> &'static str {
        "KeepExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// One file for all rows: they are numbered.
    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => {
                Ok(Arc::new(Self::new(input, self.folder.clone(), Arc::clone(&self.ids))))
            }
            _ => internal_err!("KeepExec has one child"),
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
        let rows = self.input.execute(partition, context)?;
        let path = self.folder.join(format!("{}.parquet", self.ids.uuid()));
        let schema = self.schema();
        let work = keep(rows, path, Arc::clone(&schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(work))))
    }
}

/// The columns of the file: those of the rows by position, so that equal names do not matter, and
/// the number of the row.
fn kept_schema(rows: &Schema) -> SchemaRef {
    let renamed = rows.fields().iter().enumerate().map(|(index, field)| {
        Field::new(column_name(index), field.data_type().clone(), field.is_nullable())
    });
    let number = Field::new(ROW_COLUMN, DataType::Int64, false);
    Arc::new(Schema::new(renamed.chain([number]).collect::<Vec<_>>()))
}

/// What a column of kept rows is called in its file.
pub(crate) fn column_name(index: usize) -> String {
    format!("c{index}")
}

async fn keep(
    mut rows: SendableRecordBatchStream,
    path: PathBuf,
    schema: SchemaRef,
) -> DFResult<RecordBatch> {
    let failed = |error| not_kept(error, &path);
    let kept = kept_schema(&rows.schema());
    let mut writer = ArrowWriter::try_new(
        create(&path).map_err(|error| failed(error.into()))?,
        Arc::clone(&kept),
        Some(properties(&kept)),
    )
    .map_err(failed)?;
    let mut next = 1_i64;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let end = next + i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(Int64Array::from_iter_values(next..end)));
        let batch = RecordBatch::try_new(Arc::clone(&kept), columns)?;
        writer.write(&batch).map_err(failed)?;
        next = end;
    }
    writer.finish().map_err(failed)?;
    let bytes = i64::try_from(writer.bytes_written()).unwrap_or(i64::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values([path.to_string_lossy()])),
        Arc::new(Int64Array::from_iter_values([next - 1])),
        Arc::new(Int64Array::from_iter_values([bytes])),
    ];
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// A file that could not be written, which is named.
fn not_kept(error: ParquetError, path: &Path) -> DataFusionError {
    let doing = "put rows aside on disk";
    let plain = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Internal, format!("cannot {doing}"))
            .with_context("path", path.display())
            .with_source(source)
    };
    let error = match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::io(*source, doing, path.display()),
            Err(source) => plain(source),
        },
        other => plain(Box::new(other)),
    };
    DataFusionError::External(Box::new(error))
}

/// A new file that its owner alone may read.
pub(super) fn create(path: &Path) -> std::io::Result<BufWriter<File>> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

/// How rows with these columns are put aside. What is a dictionary in memory is one in the file: a path
/// of a data file stands there once.
pub(super) fn properties(schema: &Schema) -> WriterProperties {
    let is_dictionary = |field: &&FieldRef| matches!(field.data_type(), DataType::Dictionary(..));
    let dictionaries = schema.fields().iter().filter(is_dictionary);
    let plain = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_max_row_group_row_count(Some(128 << 10))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_dictionary_enabled(false);
    let dictionary = |properties: WriterPropertiesBuilder, field: &FieldRef| {
        let path = ColumnPath::new(vec![field.name().clone()]);
        properties.set_column_dictionary_enabled(path, true)
    };
    dictionaries.fold(plain, dictionary).build()
}

/// Kept rows, as a table: the columns `c0`, `c1` … and [`ROW_COLUMN`].
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    schema: SchemaRef,
    path: String,
    rows: u64,
    bytes: u64,
}

impl Kept {
    /// The table of what a [`KeepExec`] gave; `rows` are the columns that went in.
    ///
    /// # Errors
    /// `Internal` for rows that no `KeepExec` gave.
    pub(crate) fn read(rows: &Schema, given: &[RecordBatch]) -> Result<Self> {
        let defect = || Error::new(ErrorKind::Internal, "kept rows cannot be found again");
        let batch = given.iter().find(|batch| batch.num_rows() > 0).ok_or_else(defect)?;
        let number = |column: usize| {
            let values = batch.column(column).as_primitive_opt::<Int64Type>()?;
            u64::try_from(values.value(0)).ok()
        };
        Ok(Self {
            schema: kept_schema(rows),
            path: batch.column(0).as_string_opt::<i32>().ok_or_else(defect)?.value(0).to_string(),
            rows: number(1).ok_or_else(defect)?,
            bytes: number(2).ok_or_else(defect)?,
        })
    }

    /// The table of a file with these columns that was written otherwise.
    pub(super) fn of_file(schema: SchemaRef, path: &Path, rows: u64, bytes: u64) -> Self {
        Self { schema, path: path.to_string_lossy().into_owned(), rows, bytes }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The rows of a batch, if rows are wide: columns of a fixed width never are.
    fn wide(&self, projection: Option<&Vec<usize>>) -> Option<usize> {
        let fixed = |at: &usize| self.schema.field(*at).data_type().primitive_width().is_some();
        match projection {
            Some(columns) if columns.iter().all(fixed) => None,
            _ => batch_rows(self.bytes / self.rows.max(1)),
        }
    }
}

#[async_trait]
impl TableProvider for Kept {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        let exact = |number: u64| Precision::Exact(usize::try_from(number).unwrap_or(usize::MAX));
        let statistics = Statistics {
            num_rows: exact(self.rows),
            total_byte_size: exact(self.bytes).to_inexact(),
            column_statistics: Statistics::unknown_column(&self.schema),
        };
        let source = ParquetSource::new(Arc::clone(&self.schema));
        let store = ObjectStoreUrl::local_filesystem();
        let location = store_path(&store, &format!("file://{}", self.path))
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let files = FileGroup::new(vec![PartitionedFile::new_from_meta(ObjectMeta {
            location,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: self.bytes,
            e_tag: None,
            version: None,
        })]);
        let config = FileScanConfigBuilder::new(store, Arc::new(source))
            .with_file_group(files)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_batch_size(
                self.wide(projection).filter(|rows| *rows < state.config().batch_size()),
            )
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
