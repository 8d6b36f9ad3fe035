//! Columns found by field id, whatever they are called in the file (E1).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapter, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use super::nested::NestedById;
use crate::table::schema::field_id;
use crate::{Error, ErrorKind};

/// Rewrites expressions over a table's columns into expressions over a file's columns.
///
/// Source: <https://iceberg.apache.org/spec/#column-projection>
#[derive(Debug)]
pub(super) struct FieldIdAdapterFactory;

impl PhysicalExprAdapterFactory for FieldIdAdapterFactory {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> DFResult<Arc<dyn PhysicalExprAdapter>> {
        let columns: HashMap<i32, _> =
            table.fields().iter().filter_map(|field| Some((field_id(field)?, field))).collect();
        // The file's schema under the table's names. A column that the table does not have gets a
        // name that no one can ask for.
        let renamed = file.fields().iter().enumerate().map(|(index, field)| {
            let virtual_column = field.extension_type_name().is_some();
            let field = field.as_ref().clone();
            match field_id(&field) {
                None if virtual_column => Ok(field),
                None => Err(DataFusionError::External(Box::new(
                    Error::new(
                        ErrorKind::Unsupported,
                        "a data file without field ids cannot be read, rewrite it with them",
                    )
                    .with_context("column", field.name()),
                ))),
                Some(id) => Ok(match columns.get(&id) {
                    // Nested columns are matched by id below, which the default adapter does not do.
                    Some(column) if column.data_type().is_nested() => column.as_ref().clone(),
                    // What else other writers note on a column must not look like another type.
                    Some(column) => {
                        field.with_name(column.name()).with_metadata(column.metadata().clone())
                    }
                    None => field.with_name(format!("\0{index}")),
                }),
            }
        });
        let renamed = Arc::new(ArrowSchema::new(renamed.collect::<DFResult<Vec<_>>>()?));
        Ok(Arc::new(FieldIdAdapter {
            inner: DefaultPhysicalExprAdapter::new(table, Arc::clone(&renamed)),
            renamed,
            file,
        }))
    }
}

#[derive(Debug)]
struct FieldIdAdapter {
    inner: DefaultPhysicalExprAdapter,
    /// The file's columns with the table's names, and the table's nested types.
    renamed: SchemaRef,
    file: SchemaRef,
}

impl PhysicalExprAdapter for FieldIdAdapter {
    /// The default adapter does the casts and the missing columns; then each column gets the file's
    /// own name back, since pruning looks statistics up by name, and a nested one its values by id.
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> DFResult<Arc<dyn PhysicalExpr>> {
        let expr = self.inner.rewrite(expr)?;
        expr.transform(|expr| match expr.downcast_ref::<Column>() {
            Some(column) => {
                let at = column.index();
                let (field, wanted) = (&self.file.fields()[at], &self.renamed.fields()[at]);
                let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), at));
                let nested = wanted.data_type().is_nested();
                Ok(Transformed::yes(match nested && field.data_type() != wanted.data_type() {
                    true => Arc::new(NestedById::new(column, Arc::clone(wanted))),
                    false => column,
                }))
            }
            None => Ok(Transformed::no(expr)),
        })
        .data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::schema::with_field_id;
    use arrow::datatypes::{DataType, Field};

    fn schema(columns: &[(&str, DataType, i32)]) -> SchemaRef {
        let fields = columns.iter().map(|(name, data_type, id)| {
            with_field_id(Field::new(*name, data_type.clone(), true), *id)
        });
        Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
    }

    fn rewritten(table: &SchemaRef, file: &SchemaRef, name: &str) -> String {
        let adapter = FieldIdAdapterFactory.create(Arc::clone(table), Arc::clone(file)).unwrap();
        let column = Column::new_with_schema(name, table).unwrap();
        adapter.rewrite(Arc::new(column)).unwrap().to_string()
    }

    #[test]
    fn ids_and_not_names_decide_which_column_is_read() {
        let table = schema(&[
            ("added", DataType::Utf8, 4),
            ("amount", DataType::Int64, 3),
            ("name", DataType::Utf8, 2),
        ]);
        let file = schema(&[
            ("gone", DataType::Utf8, 1),
            ("added", DataType::Utf8, 2),
            ("amount", DataType::Int32, 3),
        ]);
        assert_eq!(rewritten(&table, &file, "name"), "added@1");
        assert_eq!(rewritten(&table, &file, "added"), "NULL");
        assert_eq!(rewritten(&table, &file, "amount"), "CAST(amount@2 AS Int64)");
    }

    #[test]
    fn e1_nested_columns_are_read_by_id_and_as_they_are_where_nothing_differs() {
        let inner = |name: &str, id| with_field_id(Field::new(name, DataType::Int32, true), id);
        let of = |fields: Vec<Field>| DataType::Struct(fields.into());
        let table = schema(&[("s", of(vec![inner("a", 2), inner("b", 3)]), 1)]);
        let other = schema(&[("s", of(vec![inner("b", 2), inner("a", 3)]), 1)]);
        assert_eq!(rewritten(&table, &table, "s"), "s@0");
        let renamed = schema(&[("old", table.field(0).data_type().clone(), 1)]);
        assert_eq!(rewritten(&table, &renamed, "s"), "old@0");
        assert_eq!(rewritten(&table, &other, "s"), "by_field_id(s@0)");
    }

    #[test]
    fn a_file_without_ids_is_refused() {
        let table = schema(&[("a", DataType::Utf8, 1)]);
        let file = Arc::new(ArrowSchema::new(vec![Field::new("a", DataType::Utf8, true)]));
        let error = FieldIdAdapterFactory.create(table, file).unwrap_err();
        let DataFusionError::External(error) = error else { panic!("{error}") };
        assert_eq!(error.downcast::<Error>().unwrap().kind(), ErrorKind::Unsupported);
    }
}
