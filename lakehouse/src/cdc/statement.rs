//! The `MERGE` that a batch comes to, as SQL text.
//!
//! With **soft** deletes a state is (version, position, live), where NULL is least. The highest state
//! of each key stays, which does not depend on the order in which they come.
//!
//! With **hard** deletes the changes of a batch are those after the watermark, in the order of the
//! log. A delete takes the row whatever its version was, and what comes after it starts anew; so of
//! each key only the changes after its last delete count, or that delete. A row that no change file
//! brought (its position is NULL) gives way only to changes of its own version or a newer one, of
//! which the deleted ones count, too.

use std::fmt::Write;

use northstar_iceberg::TableName;

use super::columns::{DELETED, SOURCE_POSITION};
use super::stage::{DELETE, STAGED_FILE, STAGED_LINE, STAGED_OP, STAGED_POSITION};
use super::target::Target;
use crate::bronze::lineage::BATCH_ID;
use crate::contract::Deletes;
use crate::{Result, sources::csv::Column};

/// What the statement calls the staged rows.
pub(super) const NAMESPACE: &str = "northstar_cdc";
pub(super) const TABLE: &str = "changes";

/// Columns of reduced rows behind those of the source.
const IS_DELETE: &str = "__delete";
const RESET: &str = "__reset";
const RESET_VERSION: &str = "__reset_version";

/// The name under which the staged rows are given to the statement.
///
/// # Errors
/// None.
pub(super) fn staged_name() -> Result<TableName> {
    TableName::new(NAMESPACE, TABLE)
}

/// An identifier as SQL takes it whatever it holds.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Columns of a table, separated by commas.
pub(super) fn list<'a>(alias: &str, names: impl IntoIterator<Item = &'a String>) -> String {
    let prefix = if alias.is_empty() { String::new() } else { format!("{alias}.") };
    let names = names.into_iter().map(|name| format!("{prefix}{}", quoted(name)));
    names.collect::<Vec<_>>().join(", ")
}

/// A table's name as SQL takes it.
pub(super) fn table(name: &TableName) -> String {
    format!("{}.{}", quoted(name.namespace()), quoted(name.table()))
}

/// The statement that merges the staged rows as the batch of this id.
pub(super) fn merge(target: &Target, batch_id: &str) -> String {
    let (source, newer) = match target.deletes {
        Deletes::Soft => (soft_source(target), soft_newer(target)),
        Deletes::Hard => (hard_source(target), hard_newer(target)),
    };
    let on: Vec<String> =
        target.key.iter().map(|key| format!("t.{0} = s.{0}", quoted(key))).collect();
    let values = values(target, batch_id);
    let set: Vec<String> =
        values.iter().map(|(name, value)| format!("{} = {value}", quoted(name))).collect();
    let names: Vec<String> = values.iter().map(|(name, _)| quoted(name)).collect();
    let given: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    let (delete, live) = match target.deletes {
        Deletes::Soft => (String::new(), String::new()),
        Deletes::Hard => (
            format!(" WHEN MATCHED AND ({newer}) AND s.{IS_DELETE} THEN DELETE"),
            format!(" AND NOT s.{IS_DELETE}"),
        ),
    };
    format!(
        "MERGE INTO {} AS t USING ({source}) AS s ON {}{delete} \
         WHEN MATCHED AND ({newer}) THEN UPDATE SET {} \
         WHEN NOT MATCHED{live} THEN INSERT ({}) VALUES ({})",
        table(&target.name),
        on.join(" AND "),
        set.join(", "),
        names.join(", "),
        given.join(", "),
    )
}

/// Each column of the table with what a change gives it.
fn values(target: &Target, batch_id: &str) -> Vec<(String, String)> {
    let source = target.columns.iter().map(|Column { name, .. }| name);
    let mut values: Vec<(String, String)> =
        source.map(|name| (name.clone(), format!("s.{}", quoted(name)))).collect();
    values.push((SOURCE_POSITION.to_string(), format!("s.{STAGED_POSITION}")));
    // The id is a UUID, so it cannot end its literal.
    values.push((BATCH_ID.to_string(), format!("'{batch_id}'")));
    if target.deletes == Deletes::Soft {
        values.push((DELETED.to_string(), format!("s.{IS_DELETE}")));
    }
    values
}

fn source_columns(target: &Target) -> String {
    list("", target.columns.iter().map(|column| &column.name))
}

/// The order of states, newest first. Files are numbered by their content, so equal batches are
/// reduced equally even where the source gave one position twice.
fn newest_first(target: &Target) -> String {
    let mut order = String::new();
    if let Some(version) = &target.version {
        // Writing to a string cannot fail.
        write!(order, "{} DESC NULLS LAST, ", quoted(version)).unwrap_or_default();
    }
    format!("{order}{STAGED_POSITION} DESC, {STAGED_OP} DESC, {STAGED_FILE}, {STAGED_LINE}")
}

fn soft_source(target: &Target) -> String {
    let columns = source_columns(target);
    format!(
        "SELECT {columns}, {STAGED_POSITION}, {STAGED_OP} = {DELETE} AS {IS_DELETE} FROM \
         (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {}) AS __rank \
          FROM {NAMESPACE}.{TABLE}) AS r WHERE __rank = 1",
        list("", &target.key),
        newest_first(target),
    )
}

fn soft_newer(target: &Target) -> String {
    let position = format!(
        "t.{SOURCE_POSITION} IS NULL OR s.{STAGED_POSITION} > t.{SOURCE_POSITION} OR \
         (s.{STAGED_POSITION} = t.{SOURCE_POSITION} AND coalesce(t.{DELETED}, false) AND NOT s.{IS_DELETE})"
    );
    by_version(target, &position)
}

/// A condition on positions, of states whose versions are equal.
fn by_version(target: &Target, position: &str) -> String {
    match &target.version {
        None => position.to_string(),
        Some(version) => {
            let version = quoted(version);
            format!(
                "s.{version} > t.{version} OR (t.{version} IS NULL AND s.{version} IS NOT NULL) OR \
                 ((s.{version} IS NOT DISTINCT FROM t.{version}) AND ({position}))"
            )
        }
    }
}

/// Two passes in which each window runs along one sort, so that no more than a batch is held: how
/// many deletes come at or after a row; then what counts last, behind what it is reset by.
fn hard_source(target: &Target) -> String {
    let Some(version) = target.version.as_ref().map(|version| quoted(version)) else {
        // Without versions the last change is the state, whatever came before.
        return soft_source(target);
    };
    let (columns, key) = (source_columns(target), list("", &target.key));
    let running = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";
    let deletes_from_here = format!(
        "sum(CASE WHEN {STAGED_OP} = {DELETE} THEN 1 ELSE 0 END) OVER (PARTITION BY {key} \
         ORDER BY {STAGED_POSITION} DESC, {STAGED_OP} DESC, {STAGED_FILE}, {STAGED_LINE} {running})"
    );
    let order = format!(
        "PARTITION BY {key} ORDER BY \
         CASE WHEN __deletes = 0 THEN 2 WHEN __deletes = 1 AND {STAGED_OP} = {DELETE} THEN 1 ELSE 0 END, \
         {version} NULLS FIRST, {STAGED_POSITION}, {STAGED_OP}, {STAGED_FILE} DESC, {STAGED_LINE} DESC"
    );
    format!(
        "SELECT {columns}, {STAGED_POSITION}, {STAGED_OP} = {DELETE} AS {IS_DELETE}, {RESET}, {RESET_VERSION} FROM \
         (SELECT *, lead({STAGED_OP}) OVER ({order}) AS __next, \
          max(__deletes) OVER ({order} {running}) > 0 AS {RESET}, \
          max(CASE WHEN __deletes > 0 THEN {version} END) OVER ({order} {running}) AS {RESET_VERSION} FROM \
          (SELECT *, {deletes_from_here} AS __deletes FROM {NAMESPACE}.{TABLE}) AS a) AS b \
         WHERE __next IS NULL"
    )
}

fn hard_newer(target: &Target) -> String {
    let position = format!("s.{STAGED_POSITION} > t.{SOURCE_POSITION}");
    match &target.version {
        None => format!("t.{SOURCE_POSITION} IS NULL OR {position}"),
        Some(version) => {
            let seeded = quoted(version);
            format!(
                "CASE WHEN t.{SOURCE_POSITION} IS NULL THEN t.{seeded} IS NULL OR \
                 coalesce(s.{seeded} >= t.{seeded}, false) OR \
                 coalesce(s.{RESET_VERSION} >= t.{seeded}, false) \
                 ELSE s.{RESET} OR {} END",
                by_version(target, &position)
            )
        }
    }
}
