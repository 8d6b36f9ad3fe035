//! How the definition of a table changes while its files stay as they are.
//!
//! Files are read by field id, and each by the partition spec that it was written with, so no change
//! here touches a file. What would make an old file mean something else is refused, with the reason.
//!
//! | module | holds |
//! | --- | --- |
//! | `columns` | columns added, dropped, renamed, moved, widened, made optional, commented |
//! | `siblings` | the fields of one level, found by a full name: `address.city` |
//! | `promotion` | which types may become which |
//! | `uses` | what else of a table depends on a column |
//! | `fields` | partition fields added, dropped, replaced |
//! | `settings` | properties that are set; those that name columns follow them |
//! | `given` | a schema that a client made: what it may not do, and what follows from it |
//! | `change` | a change of any of these, made on a table |
//!
//! Source: <https://iceberg.apache.org/spec/#schema-evolution> and
//! <https://iceberg.apache.org/spec/#partition-evolution>

mod change;
mod columns;
mod fields;
mod given;
mod promotion;
mod settings;
mod siblings;
mod uses;

pub use change::TableChange;
pub use columns::{ColumnChange, Place};
pub use fields::FieldChange;
pub(crate) use given::{Given, check_schema, check_spec};
pub(crate) use settings::check_definition;

use crate::{Error, ErrorKind};

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
