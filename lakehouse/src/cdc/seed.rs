//! The first rows of a table of merged changes: those of a bronze extract.

use std::collections::HashMap;

use northstar_iceberg::TableName;
use northstar_iceberg::merge::{ChangeReport, StatementCommit};
use uuid::Uuid;

use super::columns::{DELETED, SOURCE_POSITION};
use super::job::MergeJob;
use super::statement::{list, quoted, table};
use super::target::Target;
use crate::Result;
use crate::bronze::define::source_columns;
use crate::bronze::lineage::{BATCH_ID, SEQ, SOURCE_FILE, SOURCE_LINE};
use crate::contract::Deletes;

impl MergeJob<'_> {
    /// Inserts, of each key that the table does not have, the newest row of batch number `seq` of a
    /// bronze table. The rows have no position, so changes of their version or a newer one replace
    /// them. The table is made if it is not there; the same seed again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a bronze table that is not there, `InvalidInput` for a contract without a key;
    /// else as [`MergeJob::run`].
    pub async fn seed(&self, bronze: &TableName, seq: i64) -> Result<ChangeReport> {
        let source = self.lake.open_table(bronze, &self.access).await?;
        let (made, target) = match self.lake.open_table(&self.table, &self.access).await {
            Ok(there) => {
                let target = Target::of_table(&there, &self.contract)?;
                (there, target)
            }
            Err(error) if error.kind() == crate::ErrorKind::NotFound => {
                self.create(source_columns(&source)?).await?
            }
            Err(error) => return Err(error),
        };
        let of = format!("seed\n{}\n{seq}", source.metadata().uuid());
        let id = Uuid::new_v5(&made.metadata().uuid(), of.as_bytes()).to_string();
        let commit = StatementCommit { id: Some(id.clone()), ..StatementCommit::default() };
        let sql = statement(&target, bronze, seq, &id);
        Box::pin(self.session.change(&sql, HashMap::new(), commit)).await
    }
}

fn statement(target: &Target, bronze: &TableName, seq: i64, id: &str) -> String {
    let names = || target.columns.iter().map(|column| &column.name);
    let not_null: Vec<String> =
        target.key.iter().map(|key| format!("{} IS NOT NULL", quoted(key))).collect();
    let on: Vec<String> =
        target.key.iter().map(|key| format!("t.{0} = s.{0}", quoted(key))).collect();
    let version = target
        .version
        .as_ref()
        .map_or_else(String::new, |version| format!("{} DESC NULLS LAST, ", quoted(version)));
    let (deleted, live) = match target.deletes {
        Deletes::Soft => (format!(", {DELETED}"), ", false"),
        Deletes::Hard => (String::new(), ""),
    };
    format!(
        "MERGE INTO {} AS t USING (SELECT {columns} FROM (SELECT *, row_number() OVER \
         (PARTITION BY {} ORDER BY {version}{SOURCE_FILE} DESC, {SOURCE_LINE} DESC) AS __rank FROM {} \
         WHERE {SEQ} = {seq} AND {}) AS r WHERE __rank = 1) AS s ON {} \
         WHEN NOT MATCHED THEN INSERT ({columns}, {SOURCE_POSITION}, {BATCH_ID}{deleted}) \
         VALUES ({}, NULL, '{id}'{live})",
        table(&target.name),
        list("", &target.key),
        table(bronze),
        not_null.join(" AND "),
        on.join(" AND "),
        list("s", names()),
        columns = list("", names()),
    )
}
