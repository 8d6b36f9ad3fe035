//! Statements that change rows: `MERGE`, `UPDATE` and `DELETE`; and those that write or define tables.
//!
//! The driver leads; each step but the last is an ordinary query, run by an [`Engine`]:
//!
//! ```text
//! statement  syntax tree ─▶ one form for all three        (what is not honoured is refused)
//! keep       the source of a MERGE, evaluated once        query: KeepExec over the source
//! narrow     the files that the kept source leaves of the target (no file is opened)
//! find       pairs of target and source rows, settled     query: KeepExec over a join
//! scope      refuses a MERGE that would read the whole table, unless that is said to be meant
//! counts     what the pairs come to; `cardinality` (M1)   query
//! ways       which touched files are written anew, and from which rows are deleted by position
//! copies     of the former row groups that stay as they are, byte for byte      no query
//! rewrite    of the former the rows as they will be, of the latter those that change
//!                                                         query: WriteExec over a join
//! delete     of the latter the positions of rows that go  query: DeleteExec
//! explain    instead of what follows: what would be done
//! run        commits, on the condition of `conflict`      no query
//! ```
//!
//! `INSERT … REPLACE WHERE` (`replacement`) is a `DELETE` that brings rows. The other kinds of
//! `INSERT`, `INSERT OVERWRITE` and `TRUNCATE` (`insert`, `rounds`, `replace`) look for no rows, and so
//! have one query at most. `CREATE`, `DROP` and `ALTER` (`define`, `create_as`) are here because a table
//! may be made of a query's rows.
//!
//! Other engines' plans for these statements decide while they read; here the pairs are written down
//! first, so that a file without a changed row is never read whole, and a conflict is judged by rows.
//!
//! [`Engine`]: crate::engine::Engine

mod apply;
mod aside;
mod assign;
mod cardinality;
mod conflict;
mod copies;
mod costs;
mod counts;
mod create_as;
mod define;
mod delete;
mod explain;
mod find;
mod insert;
mod insert_statement;
mod keep;
mod narrow;
mod planning;
mod query;
mod replace;
mod replacement;
mod report;
mod rewrite;
mod rounds;
mod run;
mod scope;
mod scratch;
mod session;
mod statement;
mod target;
mod ways;
mod write;

pub use aside::{Aside, AsideWriter, Given};
pub use costs::FileCosts;
pub use define::Defined;
pub use delete::{DeleteExec, DeleteTask};
pub use explain::{ExplainedFile, Explanation};
pub use keep::KeepExec;
pub use report::ChangeReport;
pub use session::{ChangeOptions, Executed, LakeSession, StatementCommit};
pub use ways::Way;
pub use write::{WriteExec, WriteTask};

pub(crate) use assign::{CONFORM, Conform};
pub(crate) use write::described;
