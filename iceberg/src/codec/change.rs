//! The nodes that keep and write rows, as messages, and back.
//!
//! What a node asks of its surroundings does not travel: an executor makes identifiers of its own
//! and has nobody to tell of progress.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::physical_plan::ExecutionPlan;
use iceberg::spec::TableMetadata;

use super::message::{KeepNode, WriteNode};
use crate::ids::RandomIds;
use crate::merge::{KeepExec, WriteExec, WriteTask};
use crate::observer::Silent;
use crate::write::WriteOptions;

/// The message of a node that keeps rows.
pub(super) fn encode_keep(node: &KeepExec) -> KeepNode {
    KeepNode { folder: node.folder().to_string_lossy().into_owned() }
}

/// The node of a message.
///
/// # Errors
/// For another number of inputs than one.
pub(super) fn decode_keep(
    node: KeepNode,
    inputs: &[Arc<dyn ExecutionPlan>],
) -> DFResult<Arc<dyn ExecutionPlan>> {
    let folder = PathBuf::from(node.folder);
    Ok(Arc::new(KeepExec::new(only(inputs)?, folder, Arc::new(RandomIds))))
}

/// The message of a node that writes rows.
///
/// # Errors
/// For metadata that has no JSON.
pub(super) fn encode_write(node: &WriteExec) -> DFResult<WriteNode> {
    let WriteTask { metadata, commit_id, options, .. } = node.task();
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Ok(WriteNode {
        metadata: serde_json::to_vec(metadata.as_ref())
            .map_err(|error| DataFusionError::External(error.into()))?,
        commit_id: commit_id.clone(),
        memory_bytes: number(options.memory_bytes),
        spill_folder: options.spill_folder.to_string_lossy().into_owned(),
        threads: number(options.threads),
    })
}

/// The node of a message.
///
/// # Errors
/// For metadata that cannot be read and for another number of inputs than one.
pub(super) fn decode_write(
    node: WriteNode,
    inputs: &[Arc<dyn ExecutionPlan>],
) -> DFResult<Arc<dyn ExecutionPlan>> {
    let metadata: TableMetadata = serde_json::from_slice(&node.metadata)
        .map_err(|error| DataFusionError::External(error.into()))?;
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let task = WriteTask {
        metadata: Arc::new(metadata),
        commit_id: node.commit_id,
        options: WriteOptions {
            memory_bytes: number(node.memory_bytes),
            spill_folder: PathBuf::from(node.spill_folder),
            threads: number(node.threads),
        },
        ids: Arc::new(RandomIds),
        observer: Arc::new(Silent),
    };
    Ok(Arc::new(WriteExec::new(only(inputs)?, task)))
}

pub(super) fn only(inputs: &[Arc<dyn ExecutionPlan>]) -> DFResult<Arc<dyn ExecutionPlan>> {
    match inputs {
        [input] => Ok(Arc::clone(input)),
        _ => internal_err!("a node of one input has {}", inputs.len()),
    }
}
