//! Whether a statement still means the same after other commits: it is judged by the rows that it
//! depends on, not by the files that happened to change.

use std::collections::HashSet;
use std::ops::ControlFlow;

use async_trait::async_trait;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{ObjectName, Visit, Visitor};

use super::run::{Run, provider};
use super::target::{Target, parts};
use crate::commit::Validation;
use crate::sql::from_datafusion;
use crate::table::IsolationLevel;
use crate::{LakeTable, Result, TableName};

/// Holds a change to what the statement would find in the head (M5), or, with snapshot isolation, to
/// the rows that it found in its base.
pub(super) struct StillTrue<'a, 'b> {
    pub(super) run: &'a Run<'b>,
    /// What the statement was planned on.
    pub(super) base: &'a LakeTable,
    pub(super) branch: &'a str,
    pub(super) target: &'a Target,
    /// The files of the base that hold a row of a pair.
    pub(super) matched: HashSet<String>,
    pub(super) isolation: IsolationLevel,
}

#[async_trait]
impl Validation for StillTrue<'_, '_> {
    async fn conflict(&self, head: &LakeTable) -> Result<Option<String>> {
        let branch = self.branch;
        let planned_on = self.base.head_of(branch).map(|snapshot| snapshot.snapshot_id());
        let ancestors = || head.ancestors_on(branch).map(|snapshot| Some(snapshot.snapshot_id()));
        if planned_on.is_some() && !ancestors().any(|id| id == planned_on) {
            return Ok(Some("it was set back to an earlier snapshot".to_string()));
        }
        let (base, now) = (provider(self.base, branch)?, provider(head, branch)?);
        let (before, after) = (base.live_rows().await?, now.live_rows().await?);
        if before == after {
            return Ok(None);
        }
        let serializable = self.isolation == IsolationLevel::Serializable;
        if serializable && self.run.reads_all {
            return Ok(Some("it changed, and the statement depends on all of it".to_string()));
        }
        // A pair's row that is gone, or that may be, can change what a source row means.
        if self.matched.iter().any(|path| before.get(path) != after.get(path)) {
            return Ok(Some("rows that the statement takes were rewritten".to_string()));
        }
        let new: HashSet<String> =
            after.into_keys().filter(|path| !before.contains_key(path)).collect();
        if new.is_empty() || !serializable {
            return Ok(None);
        }
        let mut planning = self.run.planning.lock().await;
        planning.narrow_target(now.with_only(new))?;
        let (pairs, _) = self.run.pairs(&mut planning, self.target).await?;
        let first = LogicalPlanBuilder::from(pairs)
            .limit(0, Some(1))
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let found = planning.collect(first).await?.iter().any(|batch| batch.num_rows() > 0);
        Ok(found.then(|| "rows came that the statement takes".to_string()))
    }
}

/// How often a part of a statement names a table.
pub(super) fn times_read(part: &impl Visit, target: &TableName, default: &str) -> usize {
    struct Counter<'a> {
        target: &'a TableName,
        default: &'a str,
        times: usize,
    }
    impl Visitor for Counter<'_> {
        type Break = ();

        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            let parts = parts(relation);
            let (namespace, table) = match parts.as_slice() {
                [table] => (self.default, table),
                [.., namespace, table] => (namespace.as_str(), table),
                [] => return ControlFlow::Continue(()),
            };
            if namespace == self.target.namespace() && table == self.target.table() {
                self.times += 1;
            }
            ControlFlow::Continue(())
        }
    }
    let mut counter = Counter { target, default, times: 0 };
    // The counter never breaks off.
    match part.visit(&mut counter) {
        ControlFlow::Continue(()) | ControlFlow::Break(()) => counter.times,
    }
}

/// Whether a statement reads its target in another place than as the target.
pub(super) fn reads_elsewhere(statement: &Statement, target: &TableName, default: &str) -> bool {
    let Statement::Statement(ast) = statement else { return false };
    times_read(ast.as_ref(), target, default) > 1
}
