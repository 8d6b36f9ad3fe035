//! DataFusion's Parquet source under another name.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result as DFResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use datafusion_datasource::file_stream::FileOpener;
use datafusion_datasource::morsel::Morselizer;
use object_store::ObjectStore;

use super::open::IcebergMorselizer;
use super::prune::Pruning;
use super::readers::Readers;
use super::reads::{CountedStore, FileReads};
use super::whole::Place;

/// The Parquet source of an Iceberg scan.
///
/// A bare `ParquetSource` serialises itself before any codec is asked, and leaves out the virtual
/// columns, the extensions of its files (so the deletes) and the expression adapter. This one does
/// not serialise itself, so the codec is asked.
#[derive(Clone)]
pub struct IcebergSource {
    inner: Arc<dyn FileSource>,
    pruning: Arc<Pruning>,
    report: Option<ExecutionPlanMetricsSet>,
    reads: Option<Arc<FileReads>>,
    /// How many files are read at once, if it must not be more.
    most_partitions: Option<usize>,
}

impl IcebergSource {
    /// A source around a Parquet source.
    pub fn new(inner: Arc<dyn FileSource>, pruning: Arc<Pruning>) -> Self {
        Self { inner, pruning, report: None, reads: None, most_partitions: None }
    }

    /// The same source, whose reads are counted in `reads`: in this process alone.
    #[must_use]
    pub(super) fn with_reads(self, reads: Option<Arc<FileReads>>) -> Self {
        Self { reads, ..self }
    }

    /// The same source on an executor, where the reader's metrics stay. They are kept per file,
    /// some 17 counters each, and travel in one status message per task: thousands of files make it
    /// too large to send, and then the job never ends.
    #[must_use]
    pub fn without_file_metrics(&self) -> Self {
        Self { report: Some(ExecutionPlanMetricsSet::new()), ..self.clone() }
    }

    /// The same source, of which at most so many partitions are read.
    #[must_use]
    pub(super) fn with_most_partitions(&self, most: usize) -> Self {
        Self { most_partitions: Some(most), ..self.clone() }
    }

    /// How the files were chosen. All zero on executors.
    pub fn pruning(&self) -> &Pruning {
        &self.pruning
    }

    /// The wrapped Parquet source.
    pub fn parquet(&self) -> Option<&ParquetSource> {
        (self.inner.as_ref() as &dyn Any).downcast_ref()
    }

    fn wrap(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, ..self.clone() })
    }

    /// Whether the Parquet reader may use a filter. Parquet's statistics leave NaN out, and for
    /// DataFusion NaN is the greatest number: pruned by `x > 1`, a NaN would be lost (B1). The parts
    /// of nested columns it would look up by their names in the file, which may be those of others.
    fn may_prune_by(&self, filter: &Arc<dyn PhysicalExpr>) -> DFResult<bool> {
        let schema = self.inner.table_schema().table_schema();
        let mut unfit = false;
        filter.apply(|expr| {
            if let Some(column) = expr.downcast_ref::<Column>() {
                let field = schema.field_with_name(column.name())?;
                unfit |= matches!(field.data_type(), DataType::Float32 | DataType::Float64)
                    || field.data_type().is_nested();
            }
            Ok(if unfit { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(!unfit)
    }
}

/// The configuration of a plan node that is an Iceberg scan.
pub fn iceberg_scan(node: &dyn ExecutionPlan) -> Option<(&FileScanConfig, &IcebergSource)> {
    let config =
        node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    let source = (config.file_source().as_ref() as &dyn Any).downcast_ref::<IcebergSource>()?;
    Some((config, source))
}

/// The first Iceberg scan of a plan, from the top.
pub fn find_scan(plan: &dyn ExecutionPlan) -> Option<(&FileScanConfig, &IcebergSource)> {
    iceberg_scan(plan).or_else(|| plan.children().into_iter().find_map(|c| find_scan(c.as_ref())))
}

impl FileSource for IcebergSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> DFResult<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> DFResult<Box<dyn Morselizer>> {
        let store = match &self.reads {
            Some(reads) => Arc::new(CountedStore { inner: store, reads: Arc::clone(reads) }),
            None => store,
        };
        let local = config.object_store_url == ObjectStoreUrl::local_filesystem();
        let place = match local {
            true => Place::Local(Arc::default(), self.reads.clone()),
            false => Place::Store(Arc::clone(&store)),
        };
        Ok(Box::new(IcebergMorselizer {
            readers: Readers::of(&self.inner, place, &store, config, partition)?,
            store,
            columns: Arc::clone(self.inner.table_schema().file_schema()),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.wrap(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.report.as_ref().unwrap_or_else(|| self.inner.metrics())
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pruning { files, kept, .. } = *self.pruning;
        match t {
            DisplayFormatType::TreeRender => writeln!(f, "files={kept}/{files}")?,
            _ => write!(f, ", files={kept}/{files}")?,
        }
        self.inner.fmt_extra(t, f)
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> DFResult<Option<FileScanConfig>> {
        let partitions = target_partitions.min(self.most_partitions.unwrap_or(usize::MAX));
        let least_bytes = repartition_file_min_size;
        self.inner.repartitioned(partitions, least_bytes, output_ordering, config)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> DFResult<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let usable =
            filters.iter().map(|filter| self.may_prune_by(filter)).collect::<DFResult<Vec<_>>>()?;
        let passed = filters
            .into_iter()
            .zip(&usable)
            .filter_map(|(filter, usable)| usable.then_some(filter));
        let inner = self.inner.try_pushdown_filters(passed.collect(), config)?;
        let mut answers = inner.filters.into_iter();
        let filters = usable
            .into_iter()
            .map(|usable| if usable { answers.next() } else { None }.unwrap_or(PushedDown::No));
        let mut result = FilterPushdownPropagation::with_parent_pushdown_result(filters.collect());
        result.updated_node = inner.updated_node.map(|source| self.wrap(source));
        Ok(result)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> DFResult<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        let result = self.inner.try_pushdown_sort(order, properties)?;
        result.try_map(|source| Ok(self.wrap(source)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> DFResult<Option<Arc<dyn FileSource>>> {
        let inner = self.inner.try_pushdown_projection(projection)?;
        Ok(inner.map(|source| self.wrap(source)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DFResult<TreeNodeRecursion>,
    ) -> DFResult<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}
