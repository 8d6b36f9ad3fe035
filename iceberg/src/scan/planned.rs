//! The plan of a scan: DataFusion's own Parquet scan over the files that a table's filters leave.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::config::{AddressColumns, scan_config, table_schema};
use super::provider::IcebergTable;
use super::source::IcebergSource;
use super::statistics::{SelectedFile, with_statistics};
use super::width::{self, batch_rows, row_bytes};
use crate::Error;

/// The files in at most `partitions` groups: the largest first, each to the group with the least
/// bytes so far.
fn spread(mut files: Vec<SelectedFile>, partitions: usize) -> Vec<Vec<SelectedFile>> {
    files.sort_by(|a, b| {
        let (a, b) = (&a.slice, &b.slice);
        Reverse(a.size_bytes).cmp(&Reverse(b.size_bytes)).then_with(|| a.path.cmp(&b.path))
    });
    let mut groups = Vec::new();
    groups.resize_with(partitions.min(files.len()).max(1), || (0, Vec::new()));
    for file in files {
        if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += file.slice.size_bytes;
            group.push(file);
        }
    }
    groups.into_iter().map(|(_, files)| files).collect()
}

#[async_trait]
impl TableProvider for IcebergTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters only choose files here; DataFusion pushes the same ones further down into the
    /// Parquet source.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DFResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        let mut options = Cow::Borrowed(state.config_options());
        if self.decodes_late {
            options.to_mut().execution.parquet.pushdown_filters = true;
        }
        let filter = self.file_filter(state, filters)?;
        let selected = self.select(filter).await.map_err(external)?;

        let all = || (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or_else(all);
        let address = AddressColumns {
            file: self.schema.fields().len() > self.columns.fields().len(),
            position: projection.contains(&(self.columns.fields().len() + 1)),
        };
        let schema = table_schema(Arc::clone(&self.columns), address);
        let row_bytes = row_bytes(&selected.files, &self.columns, &projection);
        let wide = batch_rows(row_bytes);
        let most = wide.and_then(|_| {
            width::partitions(&selected.files, state.runtime_env().memory_pool.as_ref())
        });
        let partitions = state.config().target_partitions().min(most.unwrap_or(usize::MAX));
        let files = spread(selected.files, partitions);
        let (groups, mut statistics) =
            with_statistics(files, &self.store, &schema, address).map_err(external)?;
        if wide.is_some() {
            // A join takes few rows for little, if it does not know better.
            let row_bytes = usize::try_from(row_bytes).unwrap_or(usize::MAX);
            let bytes = statistics.num_rows.multiply(&Precision::Inexact(row_bytes));
            statistics.total_byte_size = bytes.to_inexact();
        }
        let pruning = Arc::new(selected.pruning);
        let store = self.store.clone();
        let mut config =
            scan_config(store, schema, groups, statistics, pruning, self.reads.clone(), &options);
        let source = config.file_source().as_ref() as &dyn Any;
        if let Some((source, most)) = source.downcast_ref::<IcebergSource>().zip(most) {
            config.file_source = Arc::new(source.with_most_partitions(most));
        }
        let config = FileScanConfigBuilder::from(config)
            .with_projection_indices(Some(projection))?
            .with_limit(limit)
            .with_batch_size(wide.filter(|rows| *rows < state.config().batch_size()))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Our error as it travels through DataFusion.
fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
