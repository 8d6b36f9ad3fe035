//! Columns that are made only when rows are encoded.
//!
//! Lineage repeats itself: the same file name and batch id in every row. Carrying such columns
//! through sorting and spilling would cost more than all the others, so a writer can take narrow
//! rows and widen them at the end.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;

use crate::{Error, ErrorKind, Result};

type Expand = dyn Fn(&RecordBatch) -> Result<Vec<ArrayRef>> + Send + Sync;

/// How narrow rows become the table's.
#[derive(Clone)]
pub struct Expansion {
    narrow: SchemaRef,
    expand: Arc<Expand>,
}

impl fmt::Debug for Expansion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expansion").field("narrow", &self.narrow).finish_non_exhaustive()
    }
}

impl Expansion {
    /// Rows have the columns of `narrow`; `expand` gives the table's columns for them, in order, and
    /// may give a text column as a dictionary.
    pub fn new(
        narrow: SchemaRef,
        expand: impl Fn(&RecordBatch) -> Result<Vec<ArrayRef>> + Send + Sync + 'static,
    ) -> Self {
        Self { narrow, expand: Arc::new(expand) }
    }

    /// The columns of narrow rows.
    pub fn narrow(&self) -> &SchemaRef {
        &self.narrow
    }

    /// The table's columns for narrow rows.
    ///
    /// # Errors
    /// Those of the function given.
    pub fn expand(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        (self.expand)(rows)
    }

    /// Checks that partitions and sort order can be told from narrow rows: the columns they need
    /// must stand at the same place as in the table.
    pub(super) fn check(&self, table: &SchemaRef, needed: &[usize]) -> Result<()> {
        let stands = |column: usize| {
            let (narrow, wide) = (self.narrow.fields().get(column), table.fields().get(column));
            narrow.zip(wide).is_some_and(|(narrow, wide)| {
                narrow.name() == wide.name() && narrow.data_type() == wide.data_type()
            })
        };
        if needed.iter().all(|column| stands(*column)) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "a table cannot be partitioned or sorted by a column that is made when rows are encoded",
        ))
    }
}
