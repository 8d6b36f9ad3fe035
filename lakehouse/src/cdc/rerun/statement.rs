//! The `MERGE` that a rerun comes to, as SQL text.

use super::Scope;
use crate::bronze::lineage::BATCH_ID;
use crate::cdc::columns::{DELETED, SOURCE_POSITION};
use crate::cdc::rebuilt::{IS_DELETE, POSITION, Restating, key_name};
use crate::cdc::stage::STAGED_POSITION;
use crate::cdc::statement::{NAMESPACE, TABLE, list, quoted, table};
use crate::cdc::target::Target;

/// How a rerun treats what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Means {
    /// The files are all there are: what came from none of them is wrong.
    pub(super) complete: bool,
    /// The table has keys more than once: of these keys all rows go, and one comes.
    pub(super) doubled: bool,
}

/// The statement, as the batch of this id.
pub(super) fn merge(restating: &Restating<'_>, means: Means, batch_id: &str) -> String {
    let target = restating.sources.target;
    let source = restating.source();
    let keys = target.key.iter().enumerate();
    let on: Vec<String> =
        keys.map(|(at, key)| format!("t.{} = s.{}", quoted(key), key_name(at))).collect();
    let on = on.join(" AND ");
    let values = values(target, batch_id);
    let names: Vec<String> = values.iter().map(|(name, _)| quoted(name)).collect();
    let given: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    let insert = format!("INSERT ({}) VALUES ({})", names.join(", "), given.join(", "));
    // Rows without a key are in no rebuilt table.
    let keyless = format!("WHEN NOT MATCHED BY SOURCE AND {} THEN DELETE", scoped(restating.scope));
    let into = table(&target.name);
    if means.doubled {
        return format!(
            "MERGE INTO {into} AS t USING (SELECT *, true AS __takes FROM ({source}) AS a UNION ALL \
             SELECT *, false AS __takes FROM ({source}) AS b WHERE __found) AS s \
             ON {on} AND s.__takes WHEN MATCHED THEN DELETE \
             WHEN NOT MATCHED AND NOT s.__takes THEN {insert} {keyless}"
        );
    }
    let changed = format!("coalesce(array_has(s.__positions, t.{SOURCE_POSITION}), false)");
    let known = match (means.complete, restating.sources.bronze) {
        (true, _) => "true".to_string(),
        (false, Some(_)) => format!("(t.{SOURCE_POSITION} IS NULL OR {changed})"),
        // A row that no change brought came from a table that is not named.
        (false, None) => changed,
    };
    let set: Vec<String> =
        values.iter().map(|(name, value)| format!("{} = {value}", quoted(name))).collect();
    let differs = differs(target);
    let batch = format!("CASE WHEN {differs} THEN '{batch_id}' ELSE t.{BATCH_ID} END");
    let set: Vec<String> = set
        .into_iter()
        .filter(|one| !one.starts_with(&quoted(BATCH_ID)))
        .chain([format!("{} = {batch}", quoted(BATCH_ID))])
        .collect();
    format!(
        "MERGE INTO {into} AS t USING ({source}) AS s ON {on} \
         WHEN MATCHED AND {known} AND NOT s.__found THEN DELETE \
         WHEN MATCHED AND {known} THEN UPDATE SET {} \
         WHEN NOT MATCHED AND s.__found THEN {insert} {keyless}",
        set.join(", "),
    )
}

/// A query of two numbers: rows of the scope that are in no source, as their position tells, and rows
/// without a key.
pub(super) fn strays(target: &Target, scope: &Scope, has_bronze: bool) -> String {
    let of_changes = match has_bronze {
        true => format!(" AND t.{SOURCE_POSITION} IS NOT NULL"),
        false => String::new(),
    };
    let same: Vec<String> =
        target.key.iter().map(|key| format!("c.{0} = t.{0}", quoted(key))).collect();
    let keyless: Vec<String> =
        target.key.iter().map(|key| format!("t.{} IS NULL", quoted(key))).collect();
    let keyless = keyless.join(" OR ");
    let keys = list("t", &target.key);
    let condition = scope.condition("t");
    let into = table(&target.name);
    format!(
        "SELECT (SELECT count(*) FROM (SELECT {keys}, t.{SOURCE_POSITION} FROM {into} AS t \
         WHERE {condition}{of_changes} AND NOT ({keyless})) AS t \
         WHERE NOT EXISTS (SELECT 1 FROM {NAMESPACE}.{TABLE} AS c WHERE {} \
         AND c.{STAGED_POSITION} = t.{SOURCE_POSITION})) AS strays, \
         (SELECT count(*) FROM {into} AS t WHERE {condition} AND ({keyless})) AS keyless",
        same.join(" AND "),
    )
}

fn scoped(scope: &Scope) -> String {
    scope.condition("t")
}

/// Each column of the table with what a state gives it.
fn values(target: &Target, batch_id: &str) -> Vec<(String, String)> {
    let columns = target.columns.iter();
    let mut values: Vec<(String, String)> = columns
        .map(|column| (column.name.clone(), format!("s.{}", quoted(&column.name))))
        .collect();
    values.push((SOURCE_POSITION.to_string(), format!("s.{POSITION}")));
    // The id is a UUID, so it cannot end its literal.
    values.push((BATCH_ID.to_string(), format!("'{batch_id}'")));
    values.push((DELETED.to_string(), format!("s.{IS_DELETE}")));
    values
}

/// Whether a row is not as its newest state is.
fn differs(target: &Target) -> String {
    let values = values(target, "");
    // In parentheses: to the parser, all that follows would be compared with.
    let others = values.iter().filter(|(name, _)| name != BATCH_ID);
    let differs: Vec<String> = others
        .map(|(name, value)| format!("(t.{} IS DISTINCT FROM {value})", quoted(name)))
        .collect();
    differs.join(" OR ")
}
