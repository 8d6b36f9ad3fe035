//! Seeded lab results as the CSV export of a legacy system, with the sums a loaded table must have.
//!
//! `plan` holds the parameters and names the cache folder, `draw` draws rows, `text` writes them as
//! CSV, `expected` sums what was written, and `extract` puts files, contract and sums on disk.

mod draw;
mod expected;
mod extract;
mod plan;
mod terms;
mod text;

pub(crate) use extract::{Extract, write_extract};
pub(crate) use plan::{Order, Plan};
