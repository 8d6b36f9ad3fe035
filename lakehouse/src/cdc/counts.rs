//! What a merge came to, key by key. A soft delete is an update or an insert to the table, so the
//! marked rows of the batch are counted in the table itself.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use northstar_iceberg::LakeTable;
use northstar_iceberg::merge::{ChangeReport, LakeSession};
use northstar_iceberg::sql::from_datafusion;

use super::columns::DELETED;
use super::report::MergeReport;
use super::statement::{list, quoted, table};
use super::target::Target;
use crate::bronze::lineage::BATCH_ID;
use crate::contract::Deletes;
use crate::{Error, ErrorKind, Result};

/// Adds to `report` what the statement did.
///
/// # Errors
/// Those of reading the table.
pub(super) async fn add(
    report: &mut MergeReport,
    changed: &ChangeReport,
    (session, target, batch_id): (&LakeSession, &Target, &str),
    now: &LakeTable,
) -> Result<()> {
    let (mut inserted, mut updated) = (changed.inserted_rows, changed.updated_rows);
    let mut deleted = changed.deleted_rows;
    let marks = target.deletes == Deletes::Soft;
    if let (true, Some(snapshot_id)) = (marks, changed.snapshot_id) {
        let (marked, unknown) = marked(session, target, batch_id, (now, snapshot_id)).await?;
        deleted += marked;
        inserted = inserted.saturating_sub(unknown);
        updated = updated.saturating_sub(marked.saturating_sub(unknown));
    }
    report.keys = changed.source_rows;
    (report.inserted, report.updated, report.deleted) = (inserted, updated, deleted);
    report.unchanged = report.keys.saturating_sub(inserted + updated + deleted);
    Ok(())
}

/// The rows that the batch marked deleted, and those of them that were not there before.
async fn marked(
    session: &LakeSession,
    target: &Target,
    batch_id: &str,
    (now, snapshot_id): (&LakeTable, i64),
) -> Result<(u64, u64)> {
    let name = table(&target.name);
    let keys = list("", &target.key);
    let rows = format!(
        "(SELECT {keys} FROM {name} VERSION AS OF {snapshot_id} \
         WHERE {BATCH_ID} = '{batch_id}' AND {DELETED})"
    );
    let parent = now
        .metadata()
        .snapshot_by_id(snapshot_id)
        .and_then(|snapshot| snapshot.parent_snapshot_id());
    let sql = match parent {
        None => format!("SELECT count(*), count(*) AS unknown FROM {rows} AS n"),
        Some(parent) => {
            let on: Vec<String> =
                target.key.iter().map(|key| format!("o.{0} = n.{0}", quoted(key))).collect();
            let first = target.key.first().map(|key| quoted(key)).unwrap_or_default();
            format!(
                "SELECT count(*), coalesce(sum(CASE WHEN o.{first} IS NULL THEN 1 ELSE 0 END), 0) \
                 FROM {rows} AS n LEFT JOIN (SELECT {keys} FROM {name} VERSION AS OF {parent}) AS o \
                 ON {}",
                on.join(" AND ")
            )
        }
    };
    let frame = session.sql().query(&sql).await?;
    let batches = frame.collect().await.map_err(from_datafusion)?;
    let defect = || Error::new(ErrorKind::Internal, "marked rows cannot be counted");
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).ok_or_else(defect)?;
    let number = |column: usize| {
        let values = arrow::compute::cast(batch.column(column), &DataType::Int64).ok()?;
        u64::try_from(values.as_primitive_opt::<Int64Type>()?.value(0)).ok()
    };
    Ok((number(0).ok_or_else(defect)?, number(1).ok_or_else(defect)?))
}
