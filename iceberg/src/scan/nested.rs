//! A nested column of a file as the table's, part by part by field id (E1).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use crate::table::conform::{By, conformed};

/// The values of a nested column under the table's type. Made when a file is opened, so it never
/// travels.
#[derive(Debug, Clone)]
pub(super) struct NestedById {
    column: Arc<dyn PhysicalExpr>,
    wanted: FieldRef,
}

impl NestedById {
    /// The values of `column`, a file's, as those of the table's column `wanted`.
    pub(super) fn new(column: Arc<dyn PhysicalExpr>, wanted: FieldRef) -> Self {
        Self { column, wanted }
    }
}

impl fmt::Display for NestedById {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by_field_id({})", self.column)
    }
}

impl PartialEq for NestedById {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.wanted == other.wanted
    }
}

impl Eq for NestedById {}

impl Hash for NestedById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.wanted.hash(state);
    }
}

impl PhysicalExpr for NestedById {
    fn data_type(&self, _: &Schema) -> DFResult<DataType> {
        Ok(self.wanted.data_type().clone())
    }

    fn nullable(&self, _: &Schema) -> DFResult<bool> {
        Ok(self.wanted.is_nullable())
    }

    fn return_field(&self, _: &Schema) -> DFResult<FieldRef> {
        Ok(Arc::clone(&self.wanted))
    }

    fn evaluate(&self, batch: &RecordBatch) -> DFResult<ColumnarValue> {
        let values = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        let values = conformed(&values, self.wanted.data_type(), By::Id).map_err(|error| {
            DataFusionError::External(Box::new(error.with_context("column", self.wanted.name())))
        })?;
        Ok(ColumnarValue::Array(values))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DFResult<Arc<dyn PhysicalExpr>> {
        match children.as_slice() {
            [column] => Ok(Arc::new(Self::new(Arc::clone(column), Arc::clone(&self.wanted)))),
            _ => internal_err!("a nested column is one"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
