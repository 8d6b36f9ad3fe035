//! `generate_series` and `range` as tables: they know timestamps of nanoseconds alone.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;

/// A function whose timestamps are given to it as nanoseconds.
#[derive(Debug)]
struct InNanoseconds {
    inner: Arc<dyn TableFunctionImpl>,
}

impl TableFunctionImpl for InNanoseconds {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let given = args.exprs().iter().map(|expr| match expr {
            Expr::Literal(value, metadata) => {
                let DataType::Timestamp(_, zone) = value.data_type() else {
                    return Ok(expr.clone());
                };
                let nanos = value.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, zone))?;
                Ok(Expr::Literal(nanos, metadata.clone()))
            }
            other => Ok(other.clone()),
        });
        let given = given.collect::<Result<Vec<_>>>()?;
        self.inner.call_with_args(TableFunctionArgs::new(&given, args.session()))
    }
}

/// Gives a context's functions their timestamps as they know them.
pub(in crate::sql) fn register(context: &SessionContext) {
    let functions = context.state().table_functions().clone();
    for name in ["generate_series", "range"] {
        if let Some(function) = functions.get(name) {
            let inner = Arc::clone(function.function());
            context.register_udtf(name, Arc::new(InNanoseconds { inner }));
        }
    }
}
