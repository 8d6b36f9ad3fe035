//! A scan as a message, and back.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{
    DataFusionError, Result as DFResult, ScalarValue, Statistics, internal_datafusion_err,
    internal_err,
};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter_pushdown::PushedDown;
use datafusion_proto::physical_plan::{
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalExprNode;
use roaring::RoaringTreemap;

use super::message::{ConstantNode, FileNode, GroupNode, RangeNode, ScanNode};
use crate::Error;
use crate::scan::{AddressColumns, FileSlice, IcebergSource, Pruning, scan_config, table_schema};

/// The message of a scan.
pub(super) fn encode_scan(
    config: &FileScanConfig,
    source: &IcebergSource,
    codec: &dyn PhysicalExtensionCodec,
    converter: &dyn PhysicalProtoConverterExtension,
) -> DFResult<ScanNode> {
    let projection = source
        .projection()
        .ok_or_else(|| internal_datafusion_err!("a Parquet source has a projection"))?;
    let expr = |expr: &Arc<dyn PhysicalExpr>| converter.physical_expr_to_proto(expr, codec);
    let schema = source.table_schema();
    let mut base: Option<&str> = None;
    for file in config.file_groups.iter().flat_map(FileGroup::iter) {
        let path = slice(file)?.path.as_str();
        base = Some(common_folder(base.unwrap_or(path), path));
    }
    let base = base.unwrap_or("");
    let groups = config.file_groups.iter().map(|group| encode_group(group, base));
    Ok(ScanNode {
        columns: Some(schema.file_schema().as_ref().try_into()?),
        file_column: !schema.table_partition_cols().is_empty(),
        row_numbers: !schema.virtual_columns().is_empty(),
        store: config.object_store_url.as_str().to_owned(),
        base: base.to_owned(),
        groups: groups.collect::<DFResult<_>>()?,
        projection: projection.iter().map(|each| expr(&each.expr)).collect::<DFResult<_>>()?,
        names: projection.iter().map(|each| each.alias.clone()).collect(),
        predicate: source.filter().as_ref().map(expr).transpose()?,
        limit: config.limit.map(u64::try_from).transpose().map_err(out_of_range)?,
        late: source
            .parquet()
            .is_some_and(|parquet| parquet.table_parquet_options().global.pushdown_filters),
    })
}

fn slice(file: &PartitionedFile) -> DFResult<&FileSlice> {
    file.extension::<Arc<FileSlice>>()
        .map(AsRef::as_ref)
        .ok_or_else(|| internal_datafusion_err!("{} is not an Iceberg file", file.path()))
}

/// The longest folder that both locations begin with, with its slash.
fn common_folder<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let slash = a.as_bytes()[..same].iter().rposition(|byte| *byte == b'/');
    slash.map_or("", |slash| &a[..=slash])
}

fn encode_group(group: &FileGroup, base: &str) -> DFResult<GroupNode> {
    let files = group.iter().map(|file| {
        let slice = slice(file)?;
        let mut deleted = Vec::new();
        if !slice.deleted.is_empty() {
            slice.deleted.serialize_into(&mut deleted)?;
        }
        let constants = slice.constants.iter().map(|(column, value)| {
            Ok(ConstantNode {
                column: u32::try_from(*column).map_err(out_of_range)?,
                value: Some(value.try_into()?),
            })
        });
        let range = file.range.as_ref();
        Ok(FileNode {
            path: slice.path.strip_prefix(base).unwrap_or(&slice.path).to_owned(),
            size_bytes: slice.size_bytes,
            rows: slice.rows,
            range: range.map(|range| RangeNode { start: range.start, end: range.end }),
            deleted,
            constants: constants.collect::<DFResult<_>>()?,
        })
    });
    Ok(GroupNode { files: files.collect::<DFResult<_>>()? })
}

/// The scan of a message, for an executor.
pub(super) fn decode_scan(
    scan: ScanNode,
    context: &TaskContext,
    codec: &dyn PhysicalExtensionCodec,
    converter: &dyn PhysicalProtoConverterExtension,
) -> DFResult<Arc<dyn ExecutionPlan>> {
    let columns =
        scan.columns.as_ref().ok_or_else(|| internal_datafusion_err!("a scan has columns"))?;
    let columns: SchemaRef = Arc::new(columns.try_into()?);
    let address = AddressColumns { file: scan.file_column, position: scan.row_numbers };
    let schema = table_schema(columns, address);
    let store = ObjectStoreUrl::parse(&scan.store)?;
    let groups =
        scan.groups.into_iter().map(|group| decode_group(group, &scan.base, &store, address));
    let groups = groups.collect::<DFResult<Vec<_>>>()?;

    let all = Arc::clone(schema.table_schema());
    let decode = PhysicalPlanDecodeContext::new(context, codec);
    let expr = |node: &PhysicalExprNode| converter.proto_to_physical_expr(node, &all, &decode);
    let projection = scan.projection.iter().zip(scan.names);
    let projection = projection.map(|(node, name)| Ok(ProjectionExpr::new(expr(node)?, name)));
    let projection = ProjectionExprs::new(projection.collect::<DFResult<Vec<_>>>()?);
    let predicate = scan.predicate.as_ref().map(expr).transpose()?;

    let mut options = context.session_config().options().as_ref().clone();
    options.execution.parquet.pushdown_filters = scan.late;
    let unknown = Statistics::new_unknown(&all);
    let pruning = Arc::new(Pruning::default());
    let config = scan_config(store, schema, groups, unknown, pruning, None, &options);
    let config = push_down(config, predicate, &projection, &options)?;
    let limit = scan.limit.map(usize::try_from).transpose().map_err(out_of_range)?;
    let config = FileScanConfigBuilder::from(config).with_limit(limit).build();
    Ok(DataSourceExec::from_data_source(config))
}

/// Brings predicate and projection back to where the planner had pushed them.
fn push_down(
    config: FileScanConfig,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    projection: &ProjectionExprs,
    options: &ConfigOptions,
) -> DFResult<FileScanConfig> {
    let source = config.file_source().as_ref() as &dyn Any;
    let Some(source) = source.downcast_ref::<IcebergSource>() else {
        return internal_err!("an Iceberg scan has an Iceberg source");
    };
    let mut source: Arc<dyn FileSource> = Arc::new(source.without_file_metrics());
    // The predicate speaks of the table's columns, so it goes in before the projection.
    if let Some(predicate) = predicate {
        let pushed = source.try_pushdown_filters(vec![predicate], options)?;
        let late = options.execution.parquet.pushdown_filters;
        // Nothing above the scan filters again what the driver's scan had taken over.
        if late && !matches!(pushed.filters.as_slice(), [PushedDown::Yes]) {
            return internal_err!("a scan's predicate was not taken back");
        }
        source = pushed.updated_node.unwrap_or(source);
    }
    source = source.try_pushdown_projection(projection)?.unwrap_or(source);
    Ok(FileScanConfigBuilder::from(config).with_source(source).build())
}

fn decode_group(
    group: GroupNode,
    base: &str,
    store: &ObjectStoreUrl,
    address: AddressColumns,
) -> DFResult<FileGroup> {
    let files = group.files.into_iter().map(|file| {
        let deleted = if file.deleted.is_empty() {
            RoaringTreemap::new()
        } else {
            RoaringTreemap::deserialize_from(file.deleted.as_slice())?
        };
        let constants = file.constants.iter().map(|constant| {
            let value = constant.value.as_ref();
            let value = value.ok_or_else(|| internal_datafusion_err!("a constant has a value"))?;
            let column = usize::try_from(constant.column).map_err(out_of_range)?;
            Ok((column, ScalarValue::try_from(value)?))
        });
        let slice = FileSlice {
            path: format!("{base}{}", file.path),
            size_bytes: file.size_bytes,
            rows: file.rows,
            deleted,
            constants: constants.collect::<DFResult<_>>()?,
        };
        let scanned = Arc::new(slice)
            .partitioned_file(store, address)
            .map_err(|error: Error| DataFusionError::External(Box::new(error)))?;
        Ok(match file.range {
            Some(range) => scanned.with_range(range.start, range.end),
            None => scanned,
        })
    });
    Ok(FileGroup::new(files.collect::<DFResult<Vec<_>>>()?))
}

fn out_of_range(error: std::num::TryFromIntError) -> DataFusionError {
    DataFusionError::External(error.into())
}
