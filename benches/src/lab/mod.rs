//! Seeded lab results as the CSV export of a legacy system, with the sums a loaded table must have.
//!
//! `plan` holds the parameters and names the cache folder, `draw` draws rows, `text` writes them as
//! CSV, `expected` sums what was written, and `extract` puts files, contract and sums on disk. `shape`
//! names how changes lie in a table, `document` is what a wide row has more than a narrow one, `pools` picks the rows, and `changes` draws and writes them.

mod changes;
mod document;
mod draw;
mod expected;
mod extract;
mod plan;
mod pools;
mod shape;
mod terms;
mod text;

pub(crate) use changes::{ChangePlan, ChangeSet, write_changes};
pub(crate) use extract::{Extract, write_extract};
pub(crate) use plan::{Order, Plan};
pub(crate) use shape::Shape;
