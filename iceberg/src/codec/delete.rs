//! The node that writes position deletes, as a message, and back.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as DFResult, internal_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;
use iceberg::spec::{
    DataContentType, DataFileBuilder, DataFileFormat, FormatVersion, StructType, TableMetadata,
    deserialize_data_file_from_json, serialize_data_file_to_json,
};
use roaring::RoaringTreemap;

use super::message::{DeleteNode, DeletesOfNode};
use crate::ids::RandomIds;
use crate::merge::{DeleteExec, DeleteTask};
use crate::write::DeletesOf;

/// The message of a node that writes position deletes.
///
/// # Errors
/// For what has no JSON.
pub(super) fn encode_delete(node: &DeleteExec) -> DFResult<DeleteNode> {
    let DeleteTask { metadata, commit_id, files, .. } = node.task();
    Ok(DeleteNode {
        metadata: serde_json::to_vec(metadata.as_ref()).map_err(external)?,
        commit_id: commit_id.clone(),
        files: files.iter().map(|file| encode_file(metadata, file)).collect::<DFResult<_>>()?,
    })
}

/// The node of a message.
///
/// # Errors
/// For what cannot be read.
pub(super) fn decode_delete(node: DeleteNode) -> DFResult<Arc<dyn ExecutionPlan>> {
    let metadata: TableMetadata = serde_json::from_slice(&node.metadata).map_err(external)?;
    let files = node.files.iter().map(|file| decode_file(&metadata, file));
    let files = Arc::new(files.collect::<DFResult<Vec<_>>>()?);
    let task = DeleteTask {
        metadata: Arc::new(metadata),
        commit_id: node.commit_id,
        files,
        ids: Arc::new(RandomIds),
    };
    Ok(Arc::new(DeleteExec::new(task)))
}

/// Path and partition travel as a data file does, because a partition alone has no text form.
fn encode_file(metadata: &TableMetadata, file: &DeletesOf) -> DFResult<DeletesOfNode> {
    let mut positions = Vec::with_capacity(file.positions.serialized_size());
    file.positions.serialize_into(&mut positions).map_err(external)?;
    let data_file = DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(file.data_file.clone())
        .file_format(DataFileFormat::Parquet)
        .partition(file.partition.clone())
        .partition_spec_id(file.spec_id)
        .record_count(0)
        .file_size_in_bytes(0)
        .build()
        .map_err(external)?;
    let kinds = kinds(metadata, file.spec_id)?;
    let data_file =
        serialize_data_file_to_json(data_file, &kinds, FormatVersion::V2).map_err(external)?;
    Ok(DeletesOfNode { spec_id: file.spec_id, data_file, positions })
}

fn decode_file(metadata: &TableMetadata, node: &DeletesOfNode) -> DFResult<DeletesOf> {
    let kinds = kinds(metadata, node.spec_id)?;
    let schema = metadata.current_schema();
    let file = deserialize_data_file_from_json(&node.data_file, node.spec_id, &kinds, schema)
        .map_err(external)?;
    Ok(DeletesOf {
        data_file: file.file_path().to_string(),
        spec_id: node.spec_id,
        partition: file.partition().clone(),
        positions: RoaringTreemap::deserialize_from(node.positions.as_slice()).map_err(external)?,
    })
}

fn kinds(metadata: &TableMetadata, spec_id: i32) -> DFResult<StructType> {
    let spec = metadata
        .partition_spec_by_id(spec_id)
        .ok_or_else(|| internal_datafusion_err!("there is no partition spec {spec_id}"))?;
    spec.partition_type(metadata.current_schema()).map_err(external)
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
