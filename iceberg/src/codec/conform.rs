//! The function that gives values a column's nested type, as a message, and back.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::logical_expr::ScalarUDF;
use datafusion_proto::protobuf::ArrowType;
use prost::Message;

use crate::merge::Conform;

/// Writes the type that the function gives, with its field ids.
///
/// # Errors
/// For a type that has no message.
pub(super) fn encode_conform(conform: &Conform, buffer: &mut Vec<u8>) -> DFResult<()> {
    ArrowType::try_from(conform.to())?
        .encode(buffer)
        .map_err(|error| DataFusionError::External(error.into()))
}

/// The function of a message.
///
/// # Errors
/// For a message that is no type.
pub(super) fn decode_conform(buffer: &[u8]) -> DFResult<Arc<ScalarUDF>> {
    let to = ArrowType::decode(buffer).map_err(|error| DataFusionError::External(error.into()))?;
    let to = DataType::try_from(&to)?;
    Ok(Arc::new(ScalarUDF::new_from_impl(Conform::new(to))))
}
