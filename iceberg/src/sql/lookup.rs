//! Which tables a statement reads, each asked for once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{ResolvedTableReference, TableReference};
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement;
use futures::future::{join_all, try_join_all};
use northstar_catalog::{Error, ErrorKind, Result, TableName};

use super::clause::{self, Clause};
use super::planner::Versioned;
use super::relation::Relation;
use super::{CATALOG, TableSource, from_datafusion};
use crate::travel::AsOf;

/// Asks the source for the tables with a version, each (table, version) once.
pub(super) async fn versions(
    source: &dyn TableSource,
    state: &SessionState,
    clauses: Vec<Clause>,
) -> Result<Vec<Versioned>> {
    let mut wanted = Vec::with_capacity(clauses.len());
    for clause in clauses {
        wanted.push((relation(&resolved(state, clause.table))?, clause.as_of));
    }
    let mut distinct = wanted.clone();
    distinct.sort_by_cached_key(|(table, as_of)| (table.to_string(), as_of.to_string()));
    distinct.dedup();
    let providers = try_join_all(distinct.into_iter().map(|key| async move {
        let provider = key.0.provider(source, &key.1).await?;
        Ok::<_, Error>((key, provider))
    }))
    .await?;
    let providers: HashMap<_, _> = providers.into_iter().collect();
    let versioned = wanted.into_iter().filter_map(|key| {
        let provider = Arc::clone(providers.get(&key)?);
        Some(Versioned { table: key.0, as_of: key.1, provider })
    });
    Ok(versioned.collect())
}

/// Asks the source for the tables without a version, each once; those that are `given` not at all.
pub(super) async fn present(
    source: &dyn TableSource,
    state: &SessionState,
    statement: &Statement,
    given: HashMap<TableName, Arc<dyn TableProvider>>,
) -> Result<Present> {
    let references =
        state.resolve_table_references(&clause::unversioned(statement)).map_err(from_datafusion)?;
    let given = given.into_iter().map(|(name, provider)| (Relation::from(name), provider));
    let mut present = Present { tables: given.collect(), ..Present::default() };
    // Several references may be one table: `lab` and `bronze.lab`.
    let mut names: BTreeMap<Relation, ResolvedTableReference> = BTreeMap::new();
    for reference in references {
        let reference = resolved(state, reference);
        if reference.schema.as_ref() == "information_schema" {
            if present.listed.is_empty() {
                present.listed = list(source).await?;
            }
            continue;
        }
        match relation(&reference) {
            Ok(name) if present.tables.contains_key(&name) => {}
            Ok(name) => {
                names.insert(name, reference);
            }
            Err(error) => present.missing.add(&reference, error),
        }
    }
    let loads = names.keys().map(|name| name.provider(source, &AsOf::Current));
    let loaded = join_all(loads).await;
    for ((name, reference), provider) in names.into_iter().zip(loaded) {
        match provider {
            Ok(provider) => {
                present.tables.insert(name, provider);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                present.missing.add(&reference, error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(present)
}

async fn list(source: &dyn TableSource) -> Result<BTreeMap<String, Vec<String>>> {
    let namespaces = source.namespaces().await?;
    let tables = try_join_all(namespaces.iter().map(|name| source.tables(name))).await?;
    Ok(namespaces.into_iter().zip(tables).collect())
}

/// What a statement reads as of now.
#[derive(Default)]
pub(super) struct Present {
    pub(super) tables: HashMap<Relation, Arc<dyn TableProvider>>,
    pub(super) listed: BTreeMap<String, Vec<String>>,
    pub(super) missing: Missing,
}

/// Why names that look like tables are none. Not all matter: functions are among them.
#[derive(Default)]
pub(super) struct Missing(Vec<(String, Error)>);

impl Missing {
    fn add(&mut self, reference: &ResolvedTableReference, error: Error) {
        self.0.push((format!("table '{reference}' not found"), error));
    }

    /// The reason behind DataFusion's "table not found", or `error` if it says something else.
    pub(super) fn explain(&mut self, error: Error) -> Error {
        let text = error.message();
        match self.0.iter().position(|(not_found, _)| text.contains(not_found.as_str())) {
            Some(at) => self.0.swap_remove(at).1,
            None => error,
        }
    }
}

fn resolved(state: &SessionState, reference: TableReference) -> ResolvedTableReference {
    let catalog = &state.config_options().catalog;
    reference.resolve(&catalog.default_catalog, &catalog.default_schema)
}

fn relation(reference: &ResolvedTableReference) -> Result<Relation> {
    if reference.catalog.as_ref() != CATALOG {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no catalog `{}`; tables are in `{CATALOG}`", reference.catalog),
        ));
    }
    if reference.schema.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("`{}` is not a table's full name; write NAMESPACE.TABLE", reference.table),
        ));
    }
    Relation::new(&reference.schema, &reference.table)
}
