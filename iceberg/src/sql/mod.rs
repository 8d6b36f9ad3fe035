//! SQL over Iceberg tables, with time travel: `VERSION AS OF` and `TIMESTAMP AS OF`.
//!
//! Stock DataFusion parses some version clauses and then drops them, which answers with the
//! current snapshot. Here a clause is either honoured or an error:
//!
//! ```text
//! text ─▶ parse (dialect, rewrite) ─▶ statement ─▶ clause: evaluates and numbers each version
//!      ─▶ lookup: asks the `TableSource` for each (table, version) once
//!      ─▶ planner: consumes each number; one that is left over is an error ─▶ DataFrame
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `source` | [`TableSource`]: what a session reads from |
//! | `session` | [`SqlSession`]: a statement's way from text to plan; `options` are its settings |
//! | `relation` | a table, or what its metadata says: `"table$files"` |
//! | `lookup` | which tables a statement reads, each asked for once |
//! | `parse` | text to one statement; `dialect` is its grammar, `rewrite` and `replace_where` what the grammar lacks |
//! | [`script`] | several statements, with parameters |
//! | `define` | `CREATE`, `DROP` and `ALTER`, which have a grammar of their own |
//! | `statement` | which statements a session that only reads takes |
//! | `clause` | finds, evaluates and numbers version clauses; `moment` evaluates timestamps |
//! | `planner` | plans a versioned table, and refuses what DataFusion would drop |
//! | `catalog` | the tables of one statement as DataFusion catalogs |
//! | `lake_tables` | [`LakeTables`]: the tables of a lake as such a source
//! | `microseconds` | timestamps in microseconds, whatever they meet |
//! | `zeros` | 0.0 and -0.0 as one number in comparisons and `IN` lists |
//! | `error` | DataFusion's errors as Northstar's |

mod catalog;
mod clause;
mod define;
mod dialect;
mod error;
mod lake_tables;
mod lookup;
mod microseconds;
mod moment;
mod options;
mod parse;
mod planner;
mod relation;
mod replace_where;
mod rewrite;
pub mod script;
mod session;
mod source;
mod statement;
mod zeros;

#[cfg(test)]
mod tests;

pub(crate) use define::{AlterTable, CreateTable, Definition};
pub use error::from_datafusion;
pub use lake_tables::LakeTables;
pub(crate) use moment::moment_ms;
pub use options::SqlOptions;
pub(crate) use parse::Parsed;
pub(crate) use replace_where::REPLACEMENT;
pub(crate) use rewrite::ALL_COLUMNS;
pub(crate) use session::Prepared;
pub use session::SqlSession;
pub use source::TableSource;

/// The one catalog that tables are in: `lake.namespace.table`. It may be left out.
pub const CATALOG: &str = "lake";
