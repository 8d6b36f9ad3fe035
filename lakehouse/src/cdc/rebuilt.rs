//! The newest state of each key, from all that a table of merged changes was made of: every batch of
//! its bronze table and all change files. As SQL text.
//!
//! A state is newer than another by its version and then by its position, as in `statement`, with soft
//! deletes. Rows of bronze have no position, which is least; of two equal ones the later batch wins,
//! then file and line, as in `seed`.

use northstar_iceberg::{LakeTable, TableName};

use super::rerun::Scope;
use super::stage::{DELETE, STAGED_FILE, STAGED_LINE, STAGED_OP, STAGED_POSITION};
use super::statement::{NAMESPACE, TABLE, list, quoted, table};
use super::target::Target;
use crate::bronze::define::source_columns;
use crate::bronze::lineage::{SEQ, SOURCE_FILE, SOURCE_LINE};
use crate::{Error, ErrorKind, Result};

/// Columns of states behind those of the source: what orders rows of bronze.
const STATE_SEQ: &str = "__seq";
const STATE_SOURCE_FILE: &str = "__source_file";
const STATE_SOURCE_LINE: &str = "__source_line";

/// Columns of the newest states behind those of the source.
pub(super) const IS_DELETE: &str = "__delete";
pub(super) const POSITION: &str = STAGED_POSITION;

/// Keys that have a state in a scope.
const ASKED: &str = "asked";

/// What a row of bronze counts as.
const INSERT: i32 = 2;

/// All that a table was made of.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) target: &'a Target,
    /// The bronze table; `None` if the table was made of changes alone.
    pub(super) bronze: Option<&'a TableName>,
}

impl<'a> Sources<'a> {
    /// Sources of which the bronze table, if there is one, was opened.
    ///
    /// # Errors
    /// `Unsupported` for another table than one of bronze; `InvalidInput` if it lacks a column.
    pub(super) fn checked(target: &'a Target, bronze: Option<&'a LakeTable>) -> Result<Self> {
        if let Some(opened) = bronze {
            let columns = source_columns(opened)?;
            let missing = target
                .columns
                .iter()
                .find(|wanted| !columns.iter().any(|column| column.name == wanted.name));
            if let Some(column) = missing {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "the bronze table has no column {}, so the table was not made of it; name its \
                         namespace with --bronze, or say --no-bronze",
                        column.name
                    ),
                )
                .with_context("bronze", opened.name())
                .with_context("table", &target.name));
            }
        }
        Ok(Self { target, bronze: bronze.map(LakeTable::name) })
    }

    /// The columns of the key, aliased.
    pub(super) fn key(&self, alias: &str) -> String {
        list(alias, &self.target.key)
    }

    /// A query of all states.
    pub(super) fn states(&self) -> String {
        let columns = list("", self.target.columns.iter().map(|column| &column.name));
        let changes = format!(
            "SELECT {columns}, {STAGED_POSITION}, {STAGED_OP}, {STAGED_FILE}, {STAGED_LINE}, \
             CAST(NULL AS BIGINT) AS {STATE_SEQ}, CAST(NULL AS VARCHAR) AS {STATE_SOURCE_FILE}, \
             CAST(NULL AS BIGINT) AS {STATE_SOURCE_LINE} FROM {NAMESPACE}.{TABLE}"
        );
        let Some(bronze) = self.bronze else { return changes };
        let not_null: Vec<String> =
            self.target.key.iter().map(|key| format!("{} IS NOT NULL", quoted(key))).collect();
        format!(
            "{changes} UNION ALL SELECT {columns}, CAST(NULL AS VARCHAR), CAST({INSERT} AS INT), \
             CAST(NULL AS INT), CAST(NULL AS BIGINT), {SEQ}, {SOURCE_FILE}, {SOURCE_LINE} FROM {} WHERE {}",
            table(bronze),
            not_null.join(" AND "),
        )
    }

    /// A query of the newest state of each key among `states`, which is a query of states.
    pub(super) fn newest(&self, states: &str) -> String {
        let columns = list("", self.target.columns.iter().map(|column| &column.name));
        let version =
            self.target.version.as_ref().map_or_else(String::new, |version| {
                format!("{} DESC NULLS LAST, ", quoted(version))
            });
        format!(
            "SELECT {columns}, {STAGED_POSITION}, {STAGED_OP} = {DELETE} AS {IS_DELETE} FROM \
             (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {version}\
              {STAGED_POSITION} DESC NULLS LAST, {STAGED_OP} DESC, {STAGED_FILE}, {STAGED_LINE}, \
              {STATE_SEQ} DESC, {STATE_SOURCE_FILE} DESC, {STATE_SOURCE_LINE} DESC) AS __rank \
              FROM ({states}) AS a) AS r WHERE __rank = 1",
            self.key(""),
        )
    }
}

/// The name under which the keys of [`Restating::asked`] are given to the statement.
///
/// # Errors
/// None.
pub(super) fn asked_name() -> Result<TableName> {
    TableName::new(NAMESPACE, ASKED)
}

/// What the columns of keys are called among those of a table.
pub(super) fn key_name(at: usize) -> String {
    format!("__key{at}")
}

/// The statement that puts the rows that matter to a scope as their newest states are.
#[derive(Debug)]
pub(super) struct Restating<'a> {
    pub(super) sources: Sources<'a>,
    pub(super) scope: &'a Scope,
}

impl Restating<'_> {
    /// A query of the keys that have a state in the scope. One whose newest state is there is among
    /// them, so no others are looked at.
    pub(super) fn asked(&self) -> String {
        let Self { sources, scope } = self;
        let keys = sources.target.key.iter().enumerate();
        let named: Vec<String> =
            keys.map(|(at, key)| format!("{} AS {}", quoted(key), key_name(at))).collect();
        format!(
            "SELECT DISTINCT {} FROM ({}) AS g WHERE {}",
            named.join(", "),
            sources.states(),
            scope.condition("g"),
        )
    }

    /// A query of the keys that matter, each once: `__keyN`, the newest state, whether there is one
    /// (`__found`), and the positions of all changes of the key (`__positions`).
    pub(super) fn source(&self) -> String {
        let Self { sources, scope } = self;
        let target = sources.target;
        let keys = || (0..target.key.len()).map(key_name);
        let named = |alias: &str| -> String {
            let prefix = if alias.is_empty() { String::new() } else { format!("{alias}.") };
            let columns = target.key.iter().enumerate();
            let named: Vec<String> = columns
                .map(|(at, key)| format!("{prefix}{} AS {}", quoted(key), key_name(at)))
                .collect();
            named.join(", ")
        };
        let on = |key_of: &str, keys_of: &str| -> String {
            let pairs = target.key.iter().enumerate();
            let pairs: Vec<String> = pairs
                .map(|(at, key)| format!("{key_of}.{} = {keys_of}.{}", quoted(key), key_name(at)))
                .collect();
            pairs.join(" AND ")
        };
        let same = |one: &str, other: &str| -> String {
            keys()
                .map(|key| format!("{one}.{key} = {other}.{key}"))
                .collect::<Vec<_>>()
                .join(" AND ")
        };
        let not_null: Vec<String> =
            target.key.iter().map(|key| format!("{} IS NOT NULL", quoted(key))).collect();
        let keys_list = keys().collect::<Vec<_>>().join(", ");
        let states = sources.states();
        let held = format!(
            "SELECT DISTINCT {} FROM {} AS h WHERE {} AND {}",
            named("h"),
            table(&target.name),
            scope.condition("h"),
            not_null.join(" AND "),
        );
        let asked = format!(
            "SELECT {keys_list} FROM ({held}) AS k UNION SELECT {keys_list} FROM {NAMESPACE}.{ASKED} AS g"
        );
        let of_keys =
            format!("SELECT a.* FROM ({states}) AS a JOIN ({asked}) AS c ON {}", on("a", "c"));
        let newest = sources.newest(&of_keys);
        let positions = format!(
            "SELECT {keys_list}, array_agg(p.{STAGED_POSITION}) AS __positions FROM {NAMESPACE}.{TABLE} AS p \
             JOIN ({asked}) AS c ON {} GROUP BY {keys_list}",
            on("p", "c"),
        );
        let columns = list("n", target.columns.iter().map(|column| &column.name));
        let first = target.key.first().map(|key| quoted(key)).unwrap_or_default();
        let first_key = key_name(0);
        let asked_keys: Vec<String> = keys().map(|key| format!("c.{key}")).collect();
        format!(
            "SELECT {}, {columns}, n.{POSITION}, n.{IS_DELETE}, n.{first} IS NOT NULL AS __found, \
             q.__positions FROM ({asked}) AS c LEFT JOIN ({newest}) AS n ON {} \
             LEFT JOIN ({positions}) AS q ON {} LEFT JOIN ({held}) AS h ON {} \
             WHERE h.{first_key} IS NOT NULL OR ({})",
            asked_keys.join(", "),
            on("n", "c"),
            same("q", "c"),
            same("h", "c"),
            scope.condition("n"),
        )
    }
}
