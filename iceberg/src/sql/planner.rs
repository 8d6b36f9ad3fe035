//! Plans the tables that carry a version, and refuses what DataFusion would silently drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::common::TableReference;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::sql::sqlparser::ast::TableFactor;
use northstar_catalog::{Error, ErrorKind, Result};

use super::clause::numbered;
use super::relation::Relation;
use crate::travel::AsOf;

/// The provider that a version clause came to.
#[derive(Debug)]
pub(super) struct Versioned {
    pub(super) table: Relation,
    pub(super) as_of: AsOf,
    pub(super) provider: Arc<dyn TableProvider>,
}

/// Plans one statement's versioned tables, and remembers which of them it was asked for.
#[derive(Debug)]
pub(super) struct VersionPlanner {
    versions: Vec<(Versioned, AtomicBool)>,
}

impl VersionPlanner {
    /// For a statement whose `n`th version clause came to `versions[n]`.
    pub(super) fn new(versions: Vec<Versioned>) -> Self {
        Self { versions: versions.into_iter().map(|one| (one, AtomicBool::new(false))).collect() }
    }

    /// Checks that every clause has found its way into the plan.
    ///
    /// # Errors
    /// `Unsupported` for the first one that has not: DataFusion planned its table in another way,
    /// which would read the current snapshot, or dropped the part that it stands in.
    pub(super) fn check_all_used(&self) -> Result<()> {
        match self.versions.iter().find(|(_, used)| !used.load(Ordering::Acquire)) {
            None => Ok(()),
            Some((version, _)) => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "`{} {}` stands where a version cannot be read; put it into the FROM clause \
                     of a query",
                    version.table, version.as_of
                ),
            )),
        }
    }

    fn plan(&self, factor: &TableFactor, context: &dyn RelationPlannerContext) -> Planning {
        let TableFactor::Table { name, alias, version, .. } = factor else {
            return Ok(None);
        };
        refuse_dropped(factor)?;
        let Some(version) = version else {
            return Ok(None);
        };
        let Some((version, used)) = numbered(version).and_then(|at| self.versions.get(at)) else {
            return Err(ours(ErrorKind::Unsupported, format!("`{factor}`: unexpected version")));
        };
        if version.provider.table_type() == TableType::View {
            return Err(ours(
                ErrorKind::InvalidInput,
                format!("`{}` is a view: it has no versions", version.table),
            ));
        }
        // The version is part of the scan's name, so that EXPLAIN shows it; the alias gives the
        // columns back the name that the statement knows.
        let scan = TableReference::partial(
            version.table.namespace(),
            format!("{} {}", version.table.within_namespace(), version.as_of),
        );
        let source = provider_as_source(Arc::clone(&version.provider));
        let mut plan = LogicalPlanBuilder::scan(scan, source, None)?;
        if alias.is_none() {
            plan = plan.alias(context.object_name_to_table_reference(name.clone())?)?;
        }
        used.store(true, Ordering::Release);
        Ok(Some(PlannedRelation::new(plan.build()?, alias.clone())))
    }
}

type Planning = datafusion::common::Result<Option<PlannedRelation>>;

impl RelationPlanner for VersionPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> datafusion::common::Result<RelationPlanning> {
        Ok(match self.plan(&relation, context)? {
            Some(planned) => RelationPlanning::Planned(Box::new(planned)),
            None => RelationPlanning::Original(Box::new(relation)),
        })
    }
}

/// DataFusion reads a table's name, arguments and alias, and drops the rest of what may stand
/// after it: a sample of a tenth would count all rows.
fn refuse_dropped(factor: &TableFactor) -> Result<(), DataFusionError> {
    let TableFactor::Table {
        with_hints,
        partitions,
        with_ordinality,
        json_path,
        sample,
        index_hints,
        ..
    } = factor
    else {
        return Ok(());
    };
    let dropped = [
        (sample.is_some(), "TABLESAMPLE"),
        (!partitions.is_empty(), "PARTITION"),
        (*with_ordinality, "WITH ORDINALITY"),
        (!with_hints.is_empty() || !index_hints.is_empty(), "a table hint"),
        (json_path.is_some(), "a path after a table's name"),
    ];
    match dropped.iter().find(|(present, _)| *present) {
        None => Ok(()),
        Some((_, what)) => {
            Err(ours(ErrorKind::Unsupported, format!("{what} is not supported: `{factor}`")))
        }
    }
}

fn ours(kind: ErrorKind, message: String) -> DataFusionError {
    DataFusionError::External(Box::new(Error::new(kind, message)))
}
