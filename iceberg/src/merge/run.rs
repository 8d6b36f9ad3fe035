//! One statement: keep the source, find the rows, write files, commit.
//!
//! Each step but the last is a query that goes through the session's engine. If another commit came
//! between and touched what this statement depends on, `rounds` has finding and writing done again
//! on the new head; the source is read again only if it reads the table itself.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::sql::sqlparser::ast::ObjectName;
use iceberg::spec::MAIN_BRANCH;
use tokio::sync::Mutex;

use super::apply::Applying;
use super::cardinality;
use super::conflict::{StillTrue, reads_elsewhere, times_read};
use super::counts::Found;
use super::find::{self, Finding, NAMESPACE, PAIRS, SOURCE, TARGET};
use super::keep::Kept;
use super::narrow::{TargetScan, narrowed};
use super::planning::Planning;
use super::query::everything;
use super::report::ChangeReport;
use super::rounds::{self, Destination, Round, counted};
use super::scope;
use super::scratch::Scratch;
use super::session::LakeSession;
use super::statement::{RowStatement, invalid};
use super::target::{Source, Target, alias_of, normal, parts};
use crate::commit::{FileChange, Outcome};
use crate::observer::Event;
use crate::refs::{RefKind, require};
use crate::scan::{FileReads, IcebergTable};
use crate::sql::{CATALOG, Parsed};
use crate::table::{IsolationLevel, RowLevelMode};
use crate::{Error, ErrorKind, LakeTable, Result, TableName};

/// Runs a statement that changes rows of its target.
///
/// # Errors
/// As [`LakeSession::change`].
pub(super) async fn change(
    session: &LakeSession,
    parsed: Parsed,
    given: HashMap<TableName, Arc<dyn TableProvider>>,
    to: Destination<'_>,
) -> Result<ChangeReport> {
    let (run, base) = begin(session, parsed, given, to.branch).await?;
    let verb = match run.statement.replacement {
        Some(_) => "INSERT REPLACE WHERE",
        None => run.statement.verb,
    };
    rounds::finish(session, base, to, ChangeReport::new(verb), run).await
}

/// Reads a statement that changes rows, and opens its tables.
///
/// # Errors
/// As [`LakeSession::change`].
pub(super) async fn begin<'a>(
    session: &'a LakeSession,
    parsed: Parsed,
    mut given: HashMap<TableName, Arc<dyn TableProvider>>,
    branch: &str,
) -> Result<(Run<'a>, LakeTable)> {
    let statement = RowStatement::read(&parsed.statement)?
        .ok_or_else(|| invalid("only MERGE, UPDATE and DELETE change rows".to_string()))?;
    let name = table_name(session, &statement.target)?;
    let base = session.lake.open_table(&name, &session.access).await?;
    let base = base.with_manifests(Arc::clone(&session.manifests));
    base.check_writable()?;
    given.insert(name.clone(), Arc::new(provider(&base, branch)?));
    let prepared = session.sql.prepare(parsed, given).await?;
    // With its version clauses numbered, the statement is another one.
    let statement = RowStatement::read(&prepared.statement)?.unwrap_or(statement);
    let default = session.sql.default_namespace();
    let reads_all =
        statement.limit.is_some() || reads_elsewhere(&prepared.statement, &name, &default);
    let source_reads_all =
        statement.source.as_ref().is_some_and(|source| times_read(source, &name, &default) > 0)
            || statement.with.as_ref().is_some_and(|with| times_read(with, &name, &default) > 0);
    let scratch = Scratch::create(&session.options.scratch_folder, session.lake.ids.uuid())?;
    let planning = Mutex::new(Planning::new(session, prepared, scratch));
    let source = None;
    let run = Run { session, statement, source, reads_all, source_reads_all, planning, name };
    Ok((run, base))
}

/// A statement under way.
pub(super) struct Run<'a> {
    session: &'a LakeSession,
    pub(super) statement: RowStatement,
    source: Option<Source>,
    /// Whether any change of the table since it was read may change what the statement means.
    pub(super) reads_all: bool,
    /// Whether the source itself reads the table, and so is another one after each change of it.
    source_reads_all: bool,
    pub(super) planning: Mutex<Planning<'a>>,
    pub(super) name: TableName,
}

#[async_trait]
impl Round for Run<'_> {
    async fn round(
        &mut self,
        base: &LakeTable,
        to: Destination<'_>,
        report: &mut ChangeReport,
    ) -> Result<Outcome> {
        if report.rounds == 1 {
            self.keep_source(report).await?;
        } else if self.source_reads_all {
            let table = provider(base, to.branch)?;
            self.planning.get_mut().set_target(&self.name, table)?;
            self.keep_source(report).await?;
        }
        self.find_and_write(base, to, report).await
    }
}

impl<'a> Run<'a> {
    /// Evaluates the source of a `MERGE`: once, unless it reads the table that changes.
    pub(super) async fn keep_source(&mut self, report: &mut ChangeReport) -> Result<()> {
        let Some(factor) = self.statement.source.clone() else { return Ok(()) };
        let alias = source_alias(&factor)?;
        if alias == alias_of(&self.statement) {
            return Err(invalid(format!(
                "target and source are both called `{alias}`; give one of them an alias"
            )));
        }
        let planning = self.planning.get_mut();
        let plan = planning.plan(everything(self.statement.with.clone(), factor)).await?;
        let columns: Vec<String> =
            plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        if let Some(twice) = twice(&columns) {
            return Err(invalid(format!(
                "the source has two columns `{twice}`; give one of them an alias"
            )));
        }
        let kept = planning.keep(plan).await?;
        report.source_rows = kept.rows();
        planning.set_kept(SOURCE, &columns, &kept, true)?;
        self.session.lake.observer.event(&Event::SourceKept { rows: kept.rows() });
        self.source = Some(Source { alias, columns });
        Ok(())
    }

    /// The table as the statement calls it.
    pub(super) fn target(&self, table: &IcebergTable) -> Target {
        Target {
            name: self.name.clone(),
            alias: alias_of(&self.statement),
            columns: Arc::clone(table.columns()),
        }
    }

    /// Finds, writes and tries to commit, on the table as it is in `base`.
    async fn find_and_write(
        &self,
        base: &LakeTable,
        to: Destination<'_>,
        report: &mut ChangeReport,
    ) -> Result<Outcome> {
        let reads = Arc::new(FileReads::default());
        let table = provider(base, to.branch)?.with_reads(Arc::clone(&reads));
        let target = self.target(&table);
        let (pairs, inserts) = {
            let mut planning = self.planning.lock().await;
            planning.set_target(&self.name, table.clone())?;
            let replacement = self.replacement(&mut planning, &target).await?;
            let (pairs, _) = self.keep_pairs(&mut planning, &target, &table).await?;
            let inserts = match replacement {
                Some(rows) => Some(rows),
                None => self.inserts(&mut planning, &target).await?,
            };
            planning.check_versions()?;
            (pairs, inserts)
        };
        self.session.lake.observer.event(&Event::RowsFound { pairs: pairs.rows() });
        let mut planning = self.planning.lock().await;
        let found = Found::read(&planning).await?;
        if found.doubled_rows > 0 {
            return Err(cardinality::error(&mut planning, &found, self.statement.verb).await);
        }
        let (considered, files) = planning.files_considered();
        let applying = Applying {
            target: &target,
            table: &table,
            base,
            found: &found,
            mode: RowLevelMode::read(base.metadata().properties(), self.statement.verb)?,
            costs: self.session.options.costs,
            commit_id: &to.request.commit_id,
        };
        let applied = applying.apply(&mut planning, inserts).await?;
        drop(planning);
        report.inserted_rows = applied.inserted_rows;
        report.updated_rows = found.updated_rows;
        report.deleted_rows = found.deleted_rows;
        report.unchanged_rows = found.same_rows;
        report.files_considered = considered;
        report.files = files;
        report.files_touched = found.touched().len() as u64;
        if self.session.engine.is_local() {
            report.files_asked = Some(reads.files_asked());
            report.files_opened = Some(reads.files());
            report.bytes_read = Some(reads.bytes());
        }
        report.files_rewritten = applied.files_rewritten;
        report.files_copied = applied.files_copied;
        report.files_dropped = applied.files_dropped;
        report.files_added = applied.written.files.len() as u64;
        report.delete_files_added = applied.deletes.len() as u64;
        let validation = StillTrue {
            run: self,
            base,
            branch: to.branch,
            target: &target,
            matched: found.matched(),
            isolation: IsolationLevel::read(base.metadata().properties(), self.statement.verb)?,
        };
        let change = FileChange { branch: Some(to.branch.to_string()), ..applied.change() };
        let request = counted(to.request, report);
        let outcome = self.session.lake.commit(base, &change, &request, &validation).await;
        if !matches!(outcome, Ok(Outcome::Committed { .. } | Outcome::Unknown(_))) {
            applied.discard();
        }
        outcome
    }

    /// Finds the pairs in the target that `planning` knows, and keeps them; and the scans of the target
    /// that it took.
    pub(super) async fn keep_pairs(
        &self,
        planning: &mut Planning<'a>,
        target: &Target,
        table: &IcebergTable,
    ) -> Result<(Kept, Vec<TargetScan>)> {
        let (plan, columns) = self.pairs(planning, target).await?;
        let narrowed = narrowed(&plan, &planning.state()).await?;
        if !self.session.options.whole_table {
            scope::check(&self.statement, &self.name, table, &narrowed.scans).await?;
        }
        let kept = planning.keep_optimized(&narrowed.plan, plan.schema().inner()).await?;
        planning.set_kept(PAIRS, &columns, &kept, false)?;
        Ok((kept, narrowed.scans))
    }

    /// The plan that finds the pairs, and the names of its columns.
    pub(super) async fn pairs(
        &self,
        planning: &mut Planning<'a>,
        target: &Target,
    ) -> Result<(datafusion::logical_expr::LogicalPlan, Vec<String>)> {
        let statement = &self.statement;
        let matched = target.updates(&statement.matched, self.source.as_ref())?;
        let alone = target.updates(&statement.not_matched_by_source, None)?;
        let updated: BTreeSet<usize> =
            matched.iter().chain(&alone).map(|assigned| assigned.column).collect();
        let finding = |list, assigned, by_source| Finding {
            statement,
            target,
            source: self.source.as_ref(),
            list,
            assigned,
            by_source,
            updated: &updated,
        };
        let both = finding(&statement.matched, matched, false);
        let mut plan = both.settle(planning.plan(both.select().query()).await?)?;
        if !statement.not_matched_by_source.is_empty() {
            let alone = finding(&statement.not_matched_by_source, alone, true);
            let more = alone.settle(planning.plan(alone.select().query()).await?)?;
            plan = find::union(plan, more)?;
        }
        let columns = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        Ok((plan, columns))
    }

    /// The plan of the rows that replace those that go, of an `INSERT … REPLACE WHERE`.
    async fn replacement(
        &self,
        planning: &mut Planning<'a>,
        target: &Target,
    ) -> Result<Option<datafusion::logical_expr::LogicalPlan>> {
        let (Some(replacement), Some(condition)) =
            (&self.statement.replacement, &self.statement.condition)
        else {
            return Ok(None);
        };
        replacement.rows(planning, target, condition).await.map(Some)
    }

    /// The plan of the rows to be inserted, if any clause inserts.
    pub(super) async fn inserts(
        &self,
        planning: &mut Planning<'a>,
        target: &Target,
    ) -> Result<Option<datafusion::logical_expr::LogicalPlan>> {
        let (list, Some(source)) = (&self.statement.not_matched, &self.source) else {
            return Ok(None);
        };
        if list.is_empty() {
            return Ok(None);
        }
        let assigned = target.inserts(list, source)?;
        let query = find::select_inserts(&self.statement, source, list, &assigned).query();
        let selected = planning.plan(query).await?;
        find::settle_inserts(selected, target, list.len(), &assigned).map(Some)
    }
}

/// The head of a branch, for queries. A branch has the table's current schema, as what is committed
/// to it has.
pub(super) fn provider(table: &LakeTable, branch: &str) -> Result<IcebergTable> {
    let inner = table.inner().clone();
    let head = if branch == MAIN_BRANCH {
        IcebergTable::try_new(inner, None)?
    } else {
        let head = require(table, RefKind::Branch, branch)?.snapshot_id;
        let schema = Arc::clone(table.metadata().current_schema());
        IcebergTable::try_new(inner, Some(head))?.with_schema(schema)?
    };
    Ok(head.with_cache(Arc::clone(table.manifests())))
}

/// The table that a statement names.
///
/// # Errors
/// `InvalidInput` for a name that is none, or that lacks the namespace.
pub(super) fn table_name(session: &LakeSession, name: &ObjectName) -> Result<TableName> {
    let parts = parts(name);
    let default = session.sql.default_namespace();
    match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [table] if !default.is_empty() => TableName::new(&default, *table),
        [namespace, table] | [CATALOG, namespace, table] => TableName::new(*namespace, *table),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("`{name}` is not a table's full name; write NAMESPACE.TABLE"),
        )),
    }
}

/// A name that two columns of a source have. DataFusion calls the second of two `id` `id:1`, and
/// `s.id` would silently be the first.
fn twice(columns: &[String]) -> Option<&str> {
    let mut seen = HashSet::new();
    columns.iter().find_map(|name| match name.rsplit_once(':') {
        Some((first, number)) if number.parse::<usize>().is_ok() && seen.contains(first) => {
            Some(first)
        }
        _ => (!seen.insert(name.as_str())).then_some(name.as_str()),
    })
}

/// What the statement calls its source.
fn source_alias(factor: &datafusion::sql::sqlparser::ast::TableFactor) -> Result<String> {
    use datafusion::sql::sqlparser::ast::TableFactor;
    let alias = match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
        _ => None,
    };
    match (alias, factor) {
        (Some(alias), _) => Ok(normal(&alias.name)),
        (None, TableFactor::Table { name, .. }) => Ok(parts(name).pop().unwrap_or_default()),
        (None, _) => Err(invalid("the source needs an alias: USING (…) AS s".to_string())),
    }
}

/// Names the tables of a statement's own queries.
pub(super) fn own(name: &str) -> Result<TableName> {
    TableName::new(NAMESPACE, name)
}

/// The target under its own name in a statement's queries.
pub(super) const OWN_TARGET: &str = TARGET;
