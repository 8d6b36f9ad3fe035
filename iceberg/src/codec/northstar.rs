//! The codec that is installed on driver, scheduler and executors alike.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_common::physical_expr::proto_decode::PhysicalExprDecodeCtx;
use datafusion::physical_expr_common::physical_expr::proto_encode::PhysicalExprEncodeCtx;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{
    DefaultPhysicalExtensionCodec, PhysicalExtensionCodec, PhysicalProtoConverterExtension,
};
use prost::Message;

use super::change::{decode_keep, decode_write, encode_keep, encode_write};
use super::conform::{decode_conform, encode_conform};
use super::delete::{decode_delete, encode_delete};
use super::message::{Kind, Node};
use super::scan::{decode_scan, encode_scan};
use crate::merge::{CONFORM, Conform, DeleteExec, KeepExec, WriteExec};
use crate::scan::iceberg_scan;

/// Starts our messages. No protobuf message starts so: the first byte would be a field of wire type
/// 6, which does not exist.
const MAGIC: &[u8] = b"NSTR";

/// Carries Iceberg scans, and the nodes that keep and write rows; everything else goes to an inner codec, such as Ballista's.
#[derive(Debug)]
pub struct NorthstarCodec {
    inner: Arc<dyn PhysicalExtensionCodec>,
}

impl NorthstarCodec {
    /// A codec that passes on to `inner` what is not ours.
    pub fn new(inner: Arc<dyn PhysicalExtensionCodec>) -> Self {
        Self { inner }
    }
}

impl Default for NorthstarCodec {
    fn default() -> Self {
        Self::new(Arc::new(DefaultPhysicalExtensionCodec {}))
    }
}

impl PhysicalExtensionCodec for NorthstarCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buffer: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> DFResult<()> {
        let kind = if let Some((config, source)) = iceberg_scan(node.as_ref()) {
            Kind::Scan(Box::new(encode_scan(config, source, self, converter)?))
        } else if let Some(keep) = node.downcast_ref::<KeepExec>() {
            Kind::Keep(encode_keep(keep))
        } else if let Some(write) = node.downcast_ref::<WriteExec>() {
            Kind::Write(encode_write(write)?)
        } else if let Some(delete) = node.downcast_ref::<DeleteExec>() {
            Kind::Delete(encode_delete(delete)?)
        } else {
            return self.inner.try_encode(node, buffer, converter);
        };
        buffer.extend_from_slice(MAGIC);
        Node { kind: Some(kind) }
            .encode(buffer)
            .map_err(|error| DataFusionError::External(error.into()))
    }

    fn try_decode(
        &self,
        buffer: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> DFResult<Arc<dyn ExecutionPlan>> {
        let Some(message) = buffer.strip_prefix(MAGIC) else {
            return self.inner.try_decode(buffer, inputs, context, converter);
        };
        let node =
            Node::decode(message).map_err(|error| DataFusionError::External(error.into()))?;
        match node.kind {
            Some(Kind::Scan(scan)) => decode_scan(*scan, context, self, converter),
            Some(Kind::Keep(keep)) => decode_keep(keep, inputs),
            Some(Kind::Write(write)) => decode_write(write, inputs),
            Some(Kind::Delete(delete)) => decode_delete(delete),
            None => internal_err!("a plan node of an unknown kind"),
        }
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buffer: &mut Vec<u8>) -> DFResult<()> {
        match (node.inner().as_ref() as &dyn Any).downcast_ref::<Conform>() {
            Some(conform) => encode_conform(conform, buffer),
            None => self.inner.try_encode_udf(node, buffer),
        }
    }

    fn try_decode_udf(&self, name: &str, buffer: &[u8]) -> DFResult<Arc<ScalarUDF>> {
        match name {
            CONFORM => decode_conform(buffer),
            _ => self.inner.try_decode_udf(name, buffer),
        }
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buffer: &mut Vec<u8>) -> DFResult<()> {
        self.inner.try_encode_udaf(node, buffer)
    }

    fn try_decode_udaf(&self, name: &str, buffer: &[u8]) -> DFResult<Arc<AggregateUDF>> {
        self.inner.try_decode_udaf(name, buffer)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buffer: &mut Vec<u8>) -> DFResult<()> {
        self.inner.try_encode_udwf(node, buffer)
    }

    fn try_decode_udwf(&self, name: &str, buffer: &[u8]) -> DFResult<Arc<WindowUDF>> {
        self.inner.try_decode_udwf(name, buffer)
    }

    fn try_encode_expr(
        &self,
        node: &Arc<dyn PhysicalExpr>,
        buffer: &mut Vec<u8>,
        context: &PhysicalExprEncodeCtx<'_>,
    ) -> DFResult<()> {
        self.inner.try_encode_expr(node, buffer, context)
    }

    fn try_decode_expr(
        &self,
        buffer: &[u8],
        inputs: &[Arc<dyn PhysicalExpr>],
        context: &PhysicalExprDecodeCtx<'_>,
    ) -> DFResult<Arc<dyn PhysicalExpr>> {
        self.inner.try_decode_expr(buffer, inputs, context)
    }
}
