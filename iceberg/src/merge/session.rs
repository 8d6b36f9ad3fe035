//! SQL that reads and changes the tables of a lake.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use iceberg::spec::MAIN_BRANCH;

use super::costs::FileCosts;
use super::define::Defined;
use super::insert;
use super::insert_statement::{InsertStatement, truncated};
use super::report::ChangeReport;
use super::rounds::Destination;
use super::run;
use super::statement::RowStatement;
use crate::access::Access;
use crate::commit::{CommitRequest, RunContext};
use crate::engine::Engine;
use crate::scan::ManifestCache;
use crate::sql::{LakeTables, SqlOptions, SqlSession};
use crate::write::WriteOptions;
use crate::{Error, ErrorKind, Lake, Result, TableName};

/// How statements that change rows use the machine.
#[derive(Debug, Clone)]
pub struct ChangeOptions {
    /// How files are written.
    pub write: WriteOptions,
    /// Where rows are put aside while a statement runs. On a cluster, a folder that all of it sees.
    pub scratch_folder: PathBuf,
    /// By which files are written anew or have rows deleted, in tables that leave it open.
    pub costs: FileCosts,
    /// Whether a `MERGE` may read the whole of its target. Without this word it is refused if neither
    /// keys nor conditions can leave a file out.
    pub whole_table: bool,
}

/// What a statement came to.
#[derive(Debug)]
pub enum Executed {
    /// It reads: its rows, not yet read.
    Rows(Box<DataFrame>),
    /// It changed rows, or found nothing to change.
    Changed(ChangeReport),
    /// It defined something, or found it so.
    Defined(Defined),
}

/// A commit of one statement.
#[derive(Debug, Clone, Default)]
pub struct StatementCommit {
    /// The commit's id, for a statement that may be run again; else one is made.
    pub id: Option<String>,
    /// Further summary entries, such as a watermark.
    pub summary: BTreeMap<String, String>,
    /// See [`CommitRequest::expect`].
    pub expect: Option<(String, Option<String>)>,
    /// The branch that is read as the target and committed to, which must be there; `main` if none is
    /// given. Other tables are read as they are.
    pub branch: Option<String>,
}

/// Runs SQL over the tables of a lake: queries, statements that change rows, and definitions.
#[derive(Debug, Clone)]
pub struct LakeSession {
    pub(crate) sql: SqlSession,
    pub(crate) lake: Lake,
    pub(crate) access: Access,
    pub(crate) run: RunContext,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) options: ChangeOptions,
    pub(crate) manifests: Arc<ManifestCache>,
}

impl LakeSession {
    /// A session in the name of `access`; `run` is what its commits say of themselves.
    ///
    /// # Errors
    /// If the spill directory cannot be used.
    pub fn new(
        lake: Lake,
        access: Access,
        run: RunContext,
        sql: SqlOptions,
        engine: Arc<dyn Engine>,
        options: ChangeOptions,
    ) -> Result<Self> {
        let tables = LakeTables::new(lake.clone(), access.clone());
        let manifests = Arc::clone(tables.manifests());
        let sql = SqlSession::new(sql, Arc::new(tables))?;
        Ok(Self { sql, lake, access, run, engine, options, manifests })
    }

    /// The same session, planning with the settings and rules of `state`, such as a cluster's.
    #[must_use]
    pub fn with_state(self, state: SessionStateBuilder) -> Self {
        let tables = LakeTables::new(self.lake.clone(), self.access.clone())
            .with_manifests(Arc::clone(&self.manifests));
        Self { sql: SqlSession::with_state(state, Arc::new(tables)), ..self }
    }

    /// The same session on another engine.
    #[must_use]
    pub fn with_engine(self, engine: Arc<dyn Engine>) -> Self {
        Self { engine, ..self }
    }

    /// The same session, in which a `MERGE` may or may not read the whole of its target.
    #[must_use]
    pub fn with_whole_table(self, whole_table: bool) -> Self {
        Self { options: ChangeOptions { whole_table, ..self.options }, ..self }
    }

    /// The manifests that the session's statements have read.
    pub fn manifests(&self) -> &Arc<ManifestCache> {
        &self.manifests
    }

    /// The session's queries alone.
    pub fn sql(&self) -> &SqlSession {
        &self.sql
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// As [`SqlSession::query`] for one that reads, as [`LakeSession::change`] for one that changes
    /// rows. For one that defines: `InvalidInput`, `AlreadyExists`, `NotFound` and `Unsupported`, with
    /// the reason; else as [`Lake::alter`].
    pub async fn execute(&self, sql: &str) -> Result<Executed> {
        self.execute_on(sql, None).await
    }

    /// Runs one statement, on a branch if one is named: its target is read from the branch and changed
    /// there; other tables are read from `main`.
    ///
    /// # Errors
    /// As [`LakeSession::execute`]; `InvalidInput` for a branch with a statement that changes no rows.
    pub async fn execute_on(&self, sql: &str, branch: Option<&str>) -> Result<Executed> {
        if let Some((definition, query)) = self.sql.definition(sql)? {
            check_changes(false, branch)?;
            return Box::pin(self.define(definition, query)).await;
        }
        let statement = self.sql.parse(sql)?.statement;
        let changes = RowStatement::read(&statement)?.is_some()
            || InsertStatement::read(&statement)?.is_some()
            || truncated(&statement)?.is_some();
        check_changes(changes, branch)?;
        if !changes {
            return Ok(Executed::Rows(Box::new(self.sql.query(sql).await?)));
        }
        let branch = branch.map(str::to_string);
        let commit = StatementCommit { branch, ..StatementCommit::default() };
        Ok(Executed::Changed(self.change(sql, HashMap::new(), commit).await?))
    }

    /// Runs one `MERGE`, `UPDATE`, `DELETE`, `INSERT` or `TRUNCATE`. `given` are tables that the
    /// statement may read beside those of the lake.
    ///
    /// All of it is one snapshot, or none: where other commits come between, what may be affected is
    /// done again on top of them.
    ///
    /// # Errors
    /// `InvalidInput` for mistakes in the statement, and for a `MERGE` that would read the whole table
    /// without being told to ([`ChangeOptions::whole_table`]); `NotFound` for a branch that is not there;
    /// `InvalidData` if a row would be changed twice
    /// (M1) or a required column were NULL; `Unsupported` for what cannot be honoured; `Conflict`
    /// if other writers keep coming first; `CommitUnknown` if a reply was lost for good; storage
    /// errors. Nothing has changed in any of them but `CommitUnknown`.
    pub async fn change(
        &self,
        sql: &str,
        given: HashMap<TableName, Arc<dyn TableProvider>>,
        commit: StatementCommit,
    ) -> Result<ChangeReport> {
        let parsed = self.sql.parse(sql)?;
        let request = CommitRequest {
            commit_id: commit.id.unwrap_or_else(|| self.lake.ids.uuid().to_string()),
            run: self.run.clone(),
            summary: commit.summary,
            expect: commit.expect,
        };
        let branch = commit.branch.unwrap_or_else(|| MAIN_BRANCH.to_string());
        let to = Destination { request: &request, branch: &branch };
        if let Some(statement) = InsertStatement::read(&parsed.statement)? {
            return Box::pin(insert::insert(self, &parsed, statement, given, to)).await;
        }
        if let Some(target) = truncated(&parsed.statement)? {
            return Box::pin(insert::truncate(self, &target, to)).await;
        }
        Box::pin(run::change(self, parsed, given, to)).await
    }
}

/// Refuses a branch where it would be silently left out.
fn check_changes(changes: bool, branch: Option<&str>) -> Result<()> {
    match branch {
        Some(branch) if !changes => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "a branch is named for statements that change rows; to read it, write \
                 `t VERSION AS OF '{branch}'`"
            ),
        )),
        _ => Ok(()),
    }
}
