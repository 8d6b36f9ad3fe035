//! A metadata table as DataFusion scans it: one manifest at a time, and only the columns that are
//! asked for.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::datasource::{TableProvider, TableType};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{Manifest, ManifestFile};
use iceberg::table::Table;

use super::column::{Column, batch, schema};
use super::describe::Description;
use super::files::{Entry, columns};
use super::history::{HISTORY, REFS, SNAPSHOTS, history, refs, snapshots};
use super::kind::MetadataTable;
use super::manifests::{self, Listed};
use super::partitions::{self, Partitions};
use crate::scan::{self, ManifestCache};
use crate::{LakeTable, Result};

/// The most rows of one batch.
const BATCH_ROWS: usize = 4096;

/// A metadata table of a table, at one snapshot of it.
#[derive(Clone)]
pub struct InspectTable {
    table: Table,
    kind: MetadataTable,
    snapshot: Option<i64>,
    description: Arc<Description>,
    cache: Arc<ManifestCache>,
    schema: SchemaRef,
}

impl InspectTable {
    /// A metadata table of `table` at a snapshot; at `None`, the table has no files.
    pub fn new(table: &LakeTable, kind: MetadataTable, snapshot: Option<i64>) -> Self {
        let cache = Arc::clone(table.manifests());
        let schema = match kind {
            MetadataTable::Snapshots => schema(SNAPSHOTS),
            MetadataTable::History => schema(HISTORY),
            MetadataTable::Refs => schema(REFS),
            MetadataTable::Manifests => schema(manifests::COLUMNS),
            MetadataTable::Partitions => schema(partitions::COLUMNS),
            MetadataTable::Files
            | MetadataTable::DataFiles
            | MetadataTable::DeleteFiles
            | MetadataTable::Entries => schema(columns(kind)),
        };
        let table = table.inner().clone();
        let description = Arc::new(Description::new(table.metadata_ref()));
        Self { table, kind, snapshot, description, cache, schema }
    }

    /// The rows, as batches of the columns that are asked for.
    async fn rows(self, projection: Vec<usize>) -> Result<Batches> {
        let metadata = self.table.metadata();
        match self.kind {
            MetadataTable::Snapshots => given(SNAPSHOTS, &projection, &snapshots(metadata)),
            MetadataTable::History => given(HISTORY, &projection, &history(metadata)),
            MetadataTable::Refs => given(REFS, &projection, &refs(metadata)?),
            MetadataTable::Manifests => {
                let listed = self.listed().await?;
                given(manifests::COLUMNS, &projection, &listed)
            }
            MetadataTable::Partitions => {
                let mut found = Partitions::new(Arc::clone(&self.description));
                for listed in self.listed().await? {
                    for entry in self.load(&listed.manifest).await?.entries() {
                        if entry.is_alive() {
                            found.add(entry, &listed.spec);
                        }
                    }
                }
                given(partitions::COLUMNS, &projection, &found.sorted())
            }
            MetadataTable::Files
            | MetadataTable::DataFiles
            | MetadataTable::DeleteFiles
            | MetadataTable::Entries => {
                let listed = self.listed().await?;
                let batches = stream::iter(listed).then(move |listed| {
                    let (table, projection) = (self.clone(), projection.clone());
                    async move { table.entries(listed, &projection).await }
                });
                Ok(batches.map_ok(stream::iter).try_flatten().boxed())
            }
        }
    }

    /// The manifests of the snapshot.
    async fn listed(&self) -> Result<Vec<Listed>> {
        let metadata = self.table.metadata();
        let Some(snapshot) = self.snapshot.and_then(|id| metadata.snapshot_by_id(id)) else {
            return Ok(Vec::new());
        };
        let manifests = scan::manifests(&self.table, snapshot).await?;
        let listed = manifests.into_iter().map(|manifest| {
            let spec = Arc::clone(scan::spec_of(&self.table, manifest.partition_spec_id)?);
            Ok(Listed { manifest, spec, description: Arc::clone(&self.description) })
        });
        listed.collect()
    }

    async fn load(&self, manifest: &ManifestFile) -> Result<Arc<Manifest>> {
        self.cache.load(self.table.file_io(), manifest).await
    }

    /// The rows of one manifest.
    async fn entries(
        &self,
        listed: Listed,
        projection: &[usize],
    ) -> Result<Vec<Result<RecordBatch>>> {
        let manifest = self.load(&listed.manifest).await?;
        let rows = manifest.entries().iter().map(|entry| Entry {
            entry: Arc::clone(entry),
            spec: Arc::clone(&listed.spec),
            description: Arc::clone(&self.description),
        });
        let rows: Vec<Entry> = rows.filter(|row| row.is_shown(self.kind)).collect();
        Ok(batches(columns(self.kind), projection, &rows))
    }
}

type Batches = BoxStream<'static, Result<RecordBatch>>;

fn batches<R>(columns: &[Column<R>], projection: &[usize], rows: &[R]) -> Vec<Result<RecordBatch>> {
    rows.chunks(BATCH_ROWS).map(|rows| batch(columns, projection, rows)).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "its callers give what may fail")]
fn given<R>(columns: &[Column<R>], projection: &[usize], rows: &[R]) -> Result<Batches> {
    Ok(stream::iter(batches(columns, projection, rows)).boxed())
}

impl fmt::Debug for InspectTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InspectTable({}${}@{:?})", self.table.identifier(), self.kind, self.snapshot)
    }
}

#[async_trait]
impl TableProvider for InspectTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.schema.project(&projection)?);
        let rows = Rows { table: self.clone(), projection, schema: Arc::clone(&schema) };
        let rows: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(rows)];
        Ok(Arc::new(StreamingTableExec::try_new(schema, rows, None, [], false, limit)?))
    }
}

/// What one scan reads.
#[derive(Debug)]
struct Rows {
    table: InspectTable,
    projection: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.table.clone().rows(self.projection.clone());
        let rows = stream::once(rows).try_flatten();
        let rows = rows.map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
